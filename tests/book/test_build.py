"""A small book is built as the big one is, and opened in a browser."""

import json
import os
import re
import subprocess
import sys

import nbformat
import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest

from paraspine import figures
from paraspine.anatomy import PARASPINAL
from paraspine.book import BuildError, build
from paraspine.book.extension import plotly_script
from paraspine.book.notebook import inert

pytestmark = pytest.mark.book

INDEX = r"""# Small book

The correlation is {glue:text}`executed/05_measure.ipynb::r:.3f` over
{glue:text}`executed/05_measure.ipynb::n` images of {glue:text}`executed/05_measure.ipynb::who:s`.

```{tableofcontents}
```
"""
MATHS = r"""# Maths

Inline $H(\bar P) = -\sum_c \bar P_c \log \bar P_c$ with $a < b$.

$$
\mathrm{ECE} = \sum_{b=1}^{B} \frac{n_b}{N} \left| \mathrm{acc}_b - \mathrm{conf}_b \right|
$$ (ece)

\begin{align}
I &= H(\bar P) - \frac{1}{T} \sum_t H(P_t) \\
  &\ge 0
\end{align}

See {eq}`ece` and {cite:p}`warfield2004`.

```{bibliography}
```
"""


def views() -> list[figures.View]:
    made = []
    for number in range(2):
        labels = np.zeros((3, 40, 48), np.uint8)
        for rater in range(3):
            labels[rater, 10 : 20 + rater, 8:20] = 1
            labels[rater, 10 : 20 + rater, 28:40] = 2
        share = labels.astype(bool).mean(0)
        maps = {
            "GT entropy": share * 0.6,
            "mutual information": np.where(share > 0, share / 20, np.nan),
        }
        made.append(
            figures.View(
                share + number, f"sub-00{number}", labels=labels, prediction=labels[0], maps=maps
            )
        )
    return made


#: Names of a manifest in a sentence: tags, an event, links that a browser would run.
HOSTILE = (
    "Rater <script>window.hostile = 1</script> *agrees* <img src=x onerror='window.hostile = 2'> "
    "[here](javascript:window.hostile=3), [there][x], p < 0.05\n\n[x]: JavaScript:window.hostile=4"
)


@pytest.fixture(scope="session")
def built(make, root, tmp_path_factory):
    """First page of a small book with every kind of output."""
    folder = tmp_path_factory.mktemp("book")
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"subject": list("abcdefgh"), "gt_entropy": rng.random(8) / 20})
    frame["entropy"] = frame["gt_entropy"] * 0.8
    scatter = figures.entropy_scatter(frame, source="synthetic phantom", title="r", estimate=0.93)
    slices = {"classes": PARASPINAL, "source": "synthetic phantom", "spacing": (1.5, 0.75)}
    gallery = figures.cohort_slices(views(), **slices)
    explorer = figures.slice_explorer(views(), limits={"mutual information": 0.05}, **slices)
    # a figure of plotly's own making, with words that would end a script, far below the others
    plain = go.Figure(go.Bar(x=["</script>", "<!--"], y=[1, 2]), {"title": "plain"})
    spacer = nbformat.v4.new_markdown_cell("## Far below\n" + "\n\nword\n" * 150)
    measure = make.notebook(
        make.code("glue('r', r)", make.glued("r", "np.float64(0.59321)"), make.glued("n", "72"),
                  make.glued("who", "'UNet & co'")),
        make.code("scatter", make.figure(scatter)),
        make.code("words", make.shown({"text/markdown": HOSTILE, "text/plain": "-"})),
        make.code("gallery", make.figure(gallery)),
        make.code("explorer", make.shown({"text/html": explorer.fragment, "text/plain": "-"})),
        *(make.code("table", make.shown({"text/html": rows.to_html(), "text/plain": "-"}))
          for rows in (frame.iloc[:0], frame)),
        spacer,
        make.code("plain", make.figure(plain)),
        title="Does uncertainty follow disagreement?",
    )  # fmt: skip
    printed = nbformat.v4.new_output("stream", name="stdout", text=f"{root}/runs\n")
    common = {"model": "unet", "run_folder": "x"} | dict.fromkeys("abcdefg", 1)
    train = [
        make.notebook(
            make.code("frame", make.shown({"text/html": frame.to_html(), "text/plain": "-"})),
            make.code("tex", make.shown({"text/latex": r"$\frac{a}{b}$", "text/plain": "-"})),
            make.code("print", printed),
            title="Training",
        )
        for _ in range(2)
    ]  # fmt: skip
    runs = [
        make.run(folder / "runs" / "measure", measure),
        *(
            make.run(folder / "runs" / f"seed{i}", t, name="03_train",
                     parameters=common | {"seed": i})
            for i, t in enumerate(train)
        ),
    ]  # fmt: skip
    source = make.book(folder / "source", root, pages={"index": INDEX, "maths": MATHS})
    row = {"what": "entropy", "against": "a plain loop", "ratio": 3.5, "low": 3.1, "high": 4.0}
    row |= {"bound": 2.0, "holds": True, "sure": True, "note": "5 classes", "threads": 1}
    record = {"rows": [row], "provenance": {"processor": "A quick one"}, "left_out": {}}
    (folder / "results.json").write_text(json.dumps(record))
    return build(
        source, runs, folder / "out", root=root, title="Small & fine", notes=["A note."],
        benchmarks=folder / "results.json",
    )  # fmt: skip


def page(built, name: str) -> str:
    return (built.parent / f"{name}.html").read_text(encoding="utf-8")


def test_words_of_data_are_no_markup(built):
    text = page(built, "executed/05_measure")
    assert "&lt;script&gt;window.hostile" in text
    assert "<script>window.hostile" not in text
    assert "<img src=x" not in text.replace('"', "")
    assert "<em>agrees</em>" in text
    assert "p &lt; 0.05" in text
    assert not re.search(r"href=\S*javascript:", text, re.IGNORECASE)
    assert inert("<b>a</b> < c & [d](data:text/html,x)") == "&lt;b>a&lt;/b> < c & [d](text/html,x)"


def test_pages_titles_and_numbers(built):
    there = {p.relative_to(built.parent).as_posix() for p in built.parent.rglob("*.html")}
    assert {"index.html", "maths.html", "provenance.html", "speed.html", "executed/05_measure.html",
            "executed/03_train-seed0.html", "executed/03_train-seed1.html"} <= there  # fmt: skip
    index = page(built, "index")
    assert ">0.593</span>" in index
    assert ">72</span>" in index
    assert "UNet &amp; co" in index
    assert "Small &amp; fine" in index
    text = page(built, "executed/03_train-seed1")
    assert "<h1>U-Net, seed 1" in text
    assert "All 9 parameters" in text
    assert "injected" not in page(built, "executed/05_measure")
    assert "A note." in page(built, "provenance")
    assert "The bound is reached" in page(built, "speed")
    assert "A quick one" in page(built, "speed")


def test_machine_paths_are_nowhere(built, root):
    for path in built.parent.rglob("*"):
        if path.suffix in (".html", ".ipynb", ".js", ".txt", ".md"):
            assert str(root).encode() not in path.read_bytes(), path.name


def test_no_page_names_another_host_to_load_from(built):
    loads = re.compile(r"<(?:script|link|img|iframe)\b[^>]*?(?:src|href)=\"(?:https?:)?//[^\"]*")
    for path in built.parent.rglob("*.html"):
        found = [m for m in loads.findall(path.read_text(encoding="utf-8")) if "canonical" not in m]
        assert not found, (path.name, found)


def test_formulas_are_mathml_with_numbers(built):
    text = page(built, "maths")
    assert text.count("<math ") == 4
    assert text.count('class="eqno"') == 2
    assert re.search(r'See <a[^>]*href="#equation-ece"[^>]*>\(1\)</a>', text)
    assert "mathjax.js" not in text.lower()
    assert "jsdelivr" not in text.lower()
    assert "thebe" not in text.lower()
    assert "<math " in page(built, "executed/03_train-seed0")  # of an output


def test_plotly_is_the_installed_one_and_stands_in_one_place(built):
    copy = built.parent / "_static" / "plotly.min.js"
    assert copy.read_bytes() == plotly_script().read_bytes()
    assert "plotly.min.js" not in page(
        built, "executed/05_measure"
    )  # the script loads it on demand
    assert len(page(built, "executed/05_measure")) < 400_000


def test_nothing_temporary_is_left(built):
    output = built.parent.parent
    assert sorted(p.name for p in output.iterdir()) == ["html", "source"]


def test_a_failed_build_says_why_and_keeps_the_last_book(built, make, root, tmp_path):
    output = tmp_path / "out"
    (output / "html").mkdir(parents=True)
    (output / "html" / "index.html").write_text("the last good one")
    left = output / ".new-999999999"  # of a build that was killed while it put the book in place
    (left / "source-aside").mkdir(parents=True)
    pages = {
        "index": "# Book\n\n{glue:text}`executed/05_measure.ipynb::missing:.2f` and $\\foo$.\n",
        "linked": "# Links\n\n[nowhere](gone.md)\n",
    }
    source = make.book(tmp_path / "source", root, pages=pages)
    run = make.run(tmp_path / "run", make.notebook())
    with pytest.raises(BuildError) as error:
        build(source, [run], output)
    message = str(error.value)
    assert "'missing' not found" in message
    assert r"unknown command \foo" in message
    assert "gone.md" in message
    assert "index.md" in message
    assert str(tmp_path) not in message
    assert "WARNING" in (output / "build-failed.log").read_text()
    assert (output / "html" / "index.html").read_text() == "the last good one"
    assert sorted(p.name for p in output.iterdir()) == ["build-failed.log", "html", "source"]


def test_rooms_of_evidence_do_not_load_sphinx():
    code = "import sys, paraspine.book; print({'sphinx', 'torch', 'plotly'} & set(sys.modules))"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "set()"


# ------------------------------------------------------------------ in the browser


@pytest.mark.parametrize("dark", [False, True])
def test_every_page_in_the_browser(built, browser, chromium, tmp_path, dark):
    pictures = os.environ.get("PARASPINE_SCREENSHOTS")
    folder = (tmp_path if pictures is None else type(tmp_path)(pictures)) / (
        "dark" if dark else "light"
    )
    report = browser.check(built.parent, chromium=chromium, screenshots=folder, dark=dark)
    assert report.problems == []
    assert report.figures == report.hovered == 3
    assert report.formulas == 6
    assert len(report.pages) == len(report.screenshots) == 9


def test_faults_are_found(browser, chromium, tmp_path):
    (tmp_path / "bad.html").write_text(
        '<script src="https://example.org/x.js"></script><script>nothere()</script>'
        '<img src="gone.png"><span class="math">x</span><div style="width:3000px">.</div>'
        '<div class="paraspine-figure" data-state="failed">oh</div>'
    )
    problems = "\n".join(browser.check(tmp_path, chromium=chromium).problems)
    for words in ("asks for https://example.org/x.js", "JavaScript error", "image is missing",
                  "not MathML", "wider than the window", "failed to draw",
                  "axe: image-alt (critical)"):  # fmt: skip
        assert words in problems


@pytest.fixture
def opened(built, browser, chromium):
    """The page of figures in a browser."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        program = playwright.chromium.launch(executable_path=chromium, args=browser.FLAGS)
        tab = program.new_page(viewport={"width": 1280, "height": 900})
        tab.goto((built.parent / "executed" / "05_measure.html").as_uri())
        yield tab
        program.close()


STATE = "[...document.querySelectorAll('.paraspine-figure')].map(p => p.dataset.state || '')"
DRAWN = "n => document.querySelectorAll('.paraspine-figure')[n].dataset.state === 'drawn'"


def test_figures_are_drawn_when_they_come_into_view(opened):
    opened.wait_for_function(DRAWN, arg=0)
    assert opened.evaluate(STATE)[2] == ""
    opened.locator(".paraspine-figure").nth(2).scroll_into_view_if_needed()
    opened.wait_for_function(DRAWN, arg=2)
    assert opened.locator("text=</script>").count() >= 1  # the words of the bar, not markup


def test_a_table_without_rows_is_not_shown(opened):
    tables = opened.locator("table.dataframe")
    assert [tables.nth(n).is_visible() for n in range(tables.count())] == [False, True]


def test_figures_follow_the_theme(opened):
    opened.wait_for_function(DRAWN, arg=0)
    colour = (
        "document.querySelectorAll('.paraspine-figure')[0].paraspineTarget._fullLayout.font.color"
    )
    light = opened.evaluate(colour)
    opened.evaluate("document.documentElement.dataset.theme = 'dark'")
    opened.wait_for_function(f"{colour} !== '{light}'")
    assert opened.evaluate(colour) == "#e6edf3"
    opened.evaluate("document.documentElement.dataset.theme = 'light'")
    opened.wait_for_function(f"{colour} === '{light}'")


def test_figures_offer_nothing_that_sends_data_away(opened):
    opened.wait_for_function(DRAWN, arg=0)
    opened.locator(".paraspine-figure").first.hover()
    titles = opened.evaluate(
        "[...document.querySelectorAll('.modebar-btn')].map(b => b.dataset.title)"
    )
    assert titles
    assert not [
        t for t in titles if re.search("cloud|share|chart studio|edit", t or "", re.IGNORECASE)
    ]
