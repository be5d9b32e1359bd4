"""Open every page of a built book in headless Chromium and report what is wrong with it."""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from axe_playwright_python.sync_playwright import Axe

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

#: Options of axe: no second look at the style sheets, which a page without a server can't ask for.
RULES = {"resultTypes": ["violations"], "preload": False}

#: Pixel positions of points that a figure's visible traces draw, most promising first.
POINTS = """(place) => {
  const figure = place.paraspineTarget, full = figure._fullLayout, found = [];
  const box = figure.getBoundingClientRect();
  for (const trace of figure._fullData) {
    if (trace.visible !== true || trace.hoverinfo === 'skip') continue;
    const xa = full['xaxis' + (trace.xaxis || 'x').slice(1)];
    const ya = full['yaxis' + (trace.yaxis || 'y').slice(1)];
    if (!xa || !ya) continue;
    const add = (x, y) => {
      const px = xa._offset + xa.d2p(x), py = ya._offset + ya.d2p(y);
      const inside = px >= xa._offset && px <= xa._offset + xa._length
                  && py >= ya._offset && py <= ya._offset + ya._length;
      if (inside) found.push([box.left + px, box.top + py]);
    };
    if (trace.type === 'heatmap' || trace.type === 'image') {
      found.push([box.left + xa._offset + xa._length / 2, box.top + ya._offset + ya._length / 2]);
    } else if (trace.type === 'box') {
      for (const path of figure.querySelectorAll('.trace.boxes path.point')) {
        const r = path.getBoundingClientRect();
        found.push([r.left + r.width / 2, r.top + r.height / 2]);
        if (found.length > 8) break;
      }
    } else if (trace.type === 'bar') {
      for (const path of figure.querySelectorAll('.trace.bars path')) {
        const r = path.getBoundingClientRect();
        if (r.width * r.height > 4) found.push([r.left + r.width / 2, r.top + r.height / 2]);
        if (found.length > 8) break;
      }
    } else if (trace.x && trace.y) {
      const n = Math.min(trace.x.length, trace.y.length), step = Math.max(1, Math.floor(n / 6));
      for (let i = 0; i < n; i += step) add(trace.x[i], trace.y[i]);
    }
  }
  return found.filter(p => p[0] > 2 && p[0] < window.innerWidth - 8).slice(0, 40);
}"""


@dataclass
class Report:
    """What was seen; ``problems`` is empty for a good book."""

    pages: list[str] = field(default_factory=list)
    figures: int = 0
    hovered: int = 0
    formulas: int = 0
    problems: list[str] = field(default_factory=list)
    screenshots: list[Path] = field(default_factory=list)


def find_chromium() -> str | None:
    """The browser to use, None where there is none."""
    if given := os.environ.get("PARASPINE_CHROMIUM"):
        return given
    return next(
        filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
    )


def check(
    html: Path, *, chromium: str, screenshots: Path | None = None, dark: bool = False, width=1280
) -> Report:
    """Open every page below `html` and look for faults.

    A fault is: a request to anything but a file of the book, a JavaScript error, a figure that
    isn't drawn after scrolling to it or shows no label under the pointer, an image that is
    missing, a formula without MathML, a page wider than the window, what axe calls a serious or
    critical fault of accessibility.
    """
    from playwright.sync_api import sync_playwright

    html = html.resolve()
    report = Report()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, headless=True, args=FLAGS)
        try:
            scheme = "dark" if dark else "light"
            context = browser.new_context(
                viewport={"width": width, "height": 900}, color_scheme=scheme
            )
            for path in sorted(html.rglob("*.html")):
                name = path.relative_to(html).as_posix()
                if name.startswith("_") or name in ("genindex.html", "search.html"):
                    continue
                page = context.new_page()
                _visit(page, path, name, html, report, screenshots)
                page.close()
        finally:
            browser.close()
    return report


def _visit(page, path: Path, name: str, html: Path, report: Report, screenshots) -> None:
    faults: list[str] = []
    inside = re.compile(r"(?:" + re.escape(html.as_uri()) + r"/|data:|blob:)")

    def request(sent) -> None:
        if not inside.match(sent.url):
            faults.append(f"asks for {sent.url}")

    def console(message) -> None:
        if message.type == "error":
            faults.append(f"console: {message.text}")

    page.on("request", request)
    page.on("requestfailed", lambda r: faults.append(f"fails to load {r.url}"))
    page.on("pageerror", lambda e: faults.append(f"JavaScript error: {e}"))
    page.on("console", console)
    page.goto(path.as_uri())
    page.wait_for_load_state("load")
    places = page.locator(".paraspine-figure")
    for number in range(places.count()):
        place = places.nth(number)
        place.scroll_into_view_if_needed()
        try:
            page.wait_for_function(
                "p => ['drawn', 'failed'].includes(p.dataset.state)",
                arg=place.element_handle(), timeout=30_000,
            )  # fmt: skip
        except Exception as error:
            faults.append(f"figure {number + 1} is not drawn: {error}")
            continue
        report.figures += 1
        if place.get_attribute("data-state") != "drawn" or not place.locator(".main-svg").count():
            faults.append(f"figure {number + 1} failed to draw: {place.inner_text()}")
        elif _hover(page, place):
            report.hovered += 1
        else:
            faults.append(f"figure {number + 1} shows no label under the pointer")
    report.formulas += page.locator("math").count()
    if page.locator(".math:not(:has(math))").count():
        faults.append("a formula is not MathML")
    broken = page.evaluate(
        "[...document.images].filter(i => !i.complete || !i.naturalWidth).map(i => i.src)"
    )
    faults += [f"image is missing: {source}" for source in broken]
    wide = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    if wide > 1:
        faults.append(f"page is {wide} pixels wider than the window")
    faults += [
        f"axe: {found['id']} ({found['impact']}): {found['nodes'][0]['html'][:120]}"
        for found in Axe().run(page, options=RULES).response["violations"]
        if found["impact"] in ("serious", "critical")
    ]
    if screenshots is not None:
        screenshots.mkdir(parents=True, exist_ok=True)
        page.mouse.move(0, 0)
        page.evaluate("window.scrollTo(0, 0)")
        page.wait_for_timeout(200)
        target = screenshots / (name.removesuffix(".html").replace("/", "_") + ".png")
        page.screenshot(path=target, full_page=True)
        report.screenshots.append(target)
    report.pages.append(name)
    report.problems += [f"{name}: {fault}" for fault in dict.fromkeys(faults)]


def _hover(page, place) -> bool:
    """Whether the pointer over a point brings up a label."""
    if page.evaluate("p => p.paraspineTarget._fullData.length === 0", place.element_handle()):
        return True  # words only, nothing to point at
    for side in (
        0,
        0,
        10_000,
    ):  # again after scrolling down, then at the right end of a wide figure
        place.evaluate("(p, x) => { p.scrollLeft = x }", side)
        for x, y in page.evaluate(POINTS, place.element_handle()):
            if y > 880 or y < 60:
                # Not by the wheel: the pointer may stand over what scrolls by itself.
                page.evaluate("d => window.scrollBy({top: d, behavior: 'instant'})", y - 450)
                page.wait_for_timeout(150)
                break
            page.mouse.move(x - 3, y - 3)
            page.mouse.move(x, y)
            try:
                place.locator(".hoverlayer .hovertext").first.wait_for(timeout=400)
                return True
            except Exception:
                continue
    return False
