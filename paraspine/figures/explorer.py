"""A slice explorer with a list for each choice: a small page of its own, not a plotly figure."""

from __future__ import annotations

import base64
import html
import json
import math
import tempfile
import webbrowser
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from plotly.colors import hex_to_rgb, sequential

from paraspine.anatomy import ClassTable
from paraspine.arrays import SettingsError, check_spacing

from .encode import TOP_CODE, encode_map, grey_levels, outlines, scale_ticks
from .explorer_page import SCRIPT, STYLE
from .panels import RATER_COLOURS, View, named_raters, panels_of, shown_window
from .style import NEUTRAL

__all__ = ["Explorer", "choice_explorer"]

#: Colours of the maps, from 0 to the limit at equal distances.
SCALE = sequential.Inferno


@dataclass(frozen=True)
class Explorer:
    """A figure that is a piece of HTML; notebooks and the book show it as they show plotly's.

    Attributes
    ----------
    title : str
        Its heading.
    fragment : str
        HTML with its style, its script and all it shows; asks no host for anything.
    """

    title: str
    fragment: str = field(repr=False)

    def _repr_html_(self) -> str:
        return self.fragment

    def to_html(self) -> str:
        """Return a page with nothing else on it, light or dark as the reader's system is."""
        style = (
            "html { color-scheme: light dark; color: CanvasText; background: Canvas; } "
            "body { margin: 16px; }"
        )
        return (
            '<!doctype html><html lang="en"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f"<title>{html.escape(self.title)}</title><style>{style}</style></head>"
            f"<body>{self.fragment}</body></html>"
        )

    def show(self) -> None:
        """Open it in the browser, from a file in the folder for temporary files."""
        with tempfile.NamedTemporaryFile(
            "w", suffix=".html", prefix="paraspine-", delete=False, encoding="utf-8"
        ) as file:
            file.write(self.to_html())
        webbrowser.open(Path(file.name).as_uri())


def choice_explorer(
    views: Sequence[View],
    *,
    classes: ClassTable,
    source: str,
    spacing: Sequence[float] = (1.0, 1.0),
    raters: Sequence[str] | None = None,
    limit: float | None = None,
    window: tuple[float, float] | None = None,
    close_up: float = 10.0,
    columns: int = 3,
    title: str = "Image, raters, prediction and uncertainty",
    unit: str = "nats",
    detail: str = "",
) -> Explorer:
    """Choose subject, level, network and so on, each from a list of its own, and see the slice.

    Image, raters' outlines, prediction and maps stand side by side; the maps share one colour
    scale. Values that don't go with what is chosen in the lists before are greyed out. Arrays that
    several views have in common are stored once, one byte a pixel, compressed without loss.

    Parameters
    ----------
    views : sequence of View
        What can be chosen, by `View.choices`; the first is shown first. Panels are those that any
        view has, with `View.titles` above them and `View.notes` where a view lacks one.
    classes : ClassTable
        Names and colours of the classes.
    source : str
        Where the data comes from.
    spacing : (row, column)
        mm; pixels need not be square.
    raters : sequence of str, optional
        Their names; ``rater 1`` and so on if left out.
    limit : float, optional
        Top of the colour scale of all maps; ln C if left out, which no entropy of C classes
        exceeds.
    window : (low, high), optional
        Grey window of the image; chosen per slice if left out.
    close_up : float
        The box "close-up" shows what lies within so many mm of a label or a predicted class.
    columns : int
        Panels in a row.
    title, unit, detail : str
        Words; `unit` is that of the maps.

    Returns
    -------
    Explorer

    Raises
    ------
    SettingsError
        If there is no view, no source, too few raters' names, or the views' choices have other
        lists or aren't theirs alone.
    ShapeError, LabelError
        If the arrays of a view don't fit each other.
    """
    if not views:
        raise SettingsError("views: expected at least one slice to show, got none.")
    if not str(source).strip():
        raise SettingsError("source: expected words such as 'synthetic phantom', got none.")
    spacing = check_spacing(spacing, 2)
    for view in views:
        view.check(classes)
    lists, places = _choices(views)
    raters = named_raters(views, raters)
    limit = math.log(classes.num_classes) if limit is None else float(limit)
    maps = list(dict.fromkeys(name for view in views for name in (*view.maps, *view.notes)))
    maps = [name for name in maps if name not in ("image", "raters", "prediction")]
    panels = panels_of(views, maps)

    stored = _Stored()
    shown = []
    for view, place in zip(views, places, strict=True):
        found = _content(view, stored, classes, limit, window)
        whole, near = (shown_window(view, spacing, crop) for crop in (None, close_up))
        shown.append({"at": place, "whole": whole, "near": near} | found)
    windows = [s["whole"] for s in shown]
    aspect = max(w[1] - w[0] for w in windows) / max(w[3] - w[2] for w in windows)
    colours = [RATER_COLOURS[r % len(RATER_COLOURS)] for r in range(len(raters))]
    unseen = any(np.isnan(m).any() for v in views for m in v.maps.values())
    content = {
        "lists": list(lists.values()), "spacing": list(spacing), "aspect": aspect,
        "panels": panels, "maps": maps, "limit": limit, "top": TOP_CODE, "unit": unit,
        "scale": [hex_to_rgb(c) for c in SCALE], "unseen": hex_to_rgb(NEUTRAL),
        "raters": colours, "classes": list(classes.colours[: len(classes.foreground)]),
        "arrays": stored.arrays, "paths": _packed(json.dumps(stored.paths).encode()),
        "views": shown,
    }  # fmt: skip
    words = [source, detail, "grey: not seen by any sample" if unseen else ""]
    body = [
        _head(title, " · ".join(w for w in words if w)),
        _lists(lists),
        _panels(panels, max(1, min(columns, len(panels))), aspect),
        _bar(limit, classes.num_classes, unit) if maps else "",
        _key("raters", raters, colours, numbered=True),
        _key("prediction", classes.foreground, classes.colours) if "prediction" in panels else "",
    ]
    fragment = (
        f'<div class="paraspine-explorer" role="figure" aria-label="{html.escape(title)}">'
        f"<style>{STYLE}</style>{''.join(body)}"
        f'<script type="application/json">{_safe(content)}</script>'
        "<noscript>This figure needs JavaScript.</noscript></div>"
        f"<script>{SCRIPT}</script>"
    )
    return Explorer(title, fragment)


class _Stored:
    """Arrays and outlines of all views, equal ones once, by their number."""

    def __init__(self):
        self.arrays: list[str] = []
        self.paths: list[str] = []
        self._known: dict[tuple, int] = {}

    def array(self, codes: np.ndarray) -> int:
        """Number of an array of bytes."""
        key = ("array", codes.shape, codes.tobytes())
        if key not in self._known:
            self._known[key] = len(self.arrays)
            self.arrays.append(_packed(key[-1]))
        return self._known[key]

    def outline(self, labels: np.ndarray, numbers: Sequence[int]) -> int:
        """Number of the path around some classes of a label map."""
        labels = np.asarray(labels)
        key = ("outline", labels.shape, str(labels.dtype), tuple(numbers), labels.tobytes())
        if key not in self._known:
            self._known[key] = len(self.paths)
            self.paths.append("".join(path_of(labels == n) for n in numbers))
        return self._known[key]


def path_of(mask: np.ndarray) -> str:
    """The border of a mask as the commands of an SVG path, in halves of pixels.

    Parameters
    ----------
    mask : (H, W) bool

    Returns
    -------
    str
        As `outlines`, a piece after the other, steps in the same direction made one.
    """
    x, y = (np.array(v, dtype=float) for v in outlines(mask, (2, 2)))
    found = []
    for piece in np.split(np.arange(len(x)), np.flatnonzero(np.isnan(x))) if len(x) else []:
        points = np.stack([x, y], axis=1)[piece]
        points = points[~np.isnan(points[:, 0])].astype(int)
        steps: list[list[int]] = []
        for step in np.diff(points, axis=0).tolist():
            if steps and _same_direction(steps[-1], step):
                steps[-1] = [steps[-1][0] + step[0], steps[-1][1] + step[1]]
            else:
                steps.append(step)
        moves = " ".join(f"{a} {b}" for a, b in steps)
        found.append(f"M{points[0][0]} {points[0][1]}l{moves}z")
    return "".join(found)


def _same_direction(one: Sequence[int], other: Sequence[int]) -> bool:
    across = one[0] * other[1] - one[1] * other[0]
    return across == 0 and one[0] * other[0] + one[1] * other[1] > 0


def _choices(views: Sequence[View]) -> tuple[dict[str, list[str]], list[list[int]]]:
    """Values of each list in order of appearance, and each view's place in the lists."""
    names = list(views[0].choices)
    if not names:
        raise SettingsError("views: expected choices such as {'subject': ..., 'level': ...}.")
    if other := next((v for v in views if list(v.choices) != names), None):
        raise SettingsError(
            f"views: '{other.title}' has the choices {', '.join(other.choices) or 'none'}, "
            f"the first view has {', '.join(names)}."
        )
    lists = {n: list(dict.fromkeys(str(v.choices[n]) for v in views)) for n in names}
    places = [[lists[n].index(str(v.choices[n])) for n in names] for v in views]
    seen: set[tuple] = set()
    for view, place in zip(views, places, strict=True):
        if tuple(place) in seen:
            raise SettingsError(f"views: several have the choices {', '.join(_words(view))}.")
        seen.add(tuple(place))
    return lists, places


def _words(view: View) -> list[str]:
    return [str(value) for value in view.choices.values()]


def _content(view: View, stored: _Stored, classes: ClassTable, limit: float, window) -> dict:
    """What a view shows, as numbers of arrays and paths."""
    foreground = range(1, classes.num_classes)
    found = {
        "shape": np.shape(view.image),
        "image": stored.array(grey_levels(view.image, window)),
        "raters": [[r, stored.outline(view.labels[r], foreground)] for r in view.raters()],
        "maps": {n: stored.array(encode_map(m, limit)[0]) for n, m in view.maps.items()},
    }
    if view.prediction is not None:
        found["prediction"] = [stored.outline(view.prediction, [n]) for n in foreground]
    if view.titles:
        found["titles"] = dict(view.titles)
    if view.notes:
        found["notes"] = dict(view.notes)
    return found


def _packed(content: bytes) -> str:
    return base64.b64encode(zlib.compress(content, 9)).decode("ascii")


def _safe(content: dict) -> str:
    """JSON that neither ``</script>`` nor ``<!--`` in a word can end."""
    text = json.dumps(content, separators=(",", ":"), ensure_ascii=False)
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def _head(title: str, source: str) -> str:
    return (
        f'<div class="pe-head">{html.escape(title)}</div>'
        f'<div class="pe-source">{html.escape(source)}</div>'
    )


def _lists(lists: dict[str, list[str]]) -> str:
    """The drop-down lists, and the box for the close-up."""
    made = []
    for name, values in lists.items():
        options = "".join(f"<option>{html.escape(v)}</option>" for v in values)
        words = html.escape(name[:1].upper() + name[1:])
        made.append(f'<label>{words}<select autocomplete="off">{options}</select></label>')
    tick = '<label class="pe-tick"><input type="checkbox" autocomplete="off">close-up</label>'
    return f'<div class="pe-lists">{"".join(made)}{tick}</div>'


def _panels(panels: Sequence[str], columns: int, aspect: float) -> str:
    """Places of the panels; the script fills them."""
    box = (
        f'<div class="pe-box" style="aspect-ratio:{aspect:.5g}"><canvas role="img"></canvas>'
        '<svg aria-hidden="true"></svg><p class="pe-note" hidden></p></div>'
    )
    cells = (f'<div><div class="pe-title">{html.escape(p)}</div>{box}</div>' for p in panels)
    share = f"calc((100% - {8 * (columns - 1)}px) / {columns} - 0.1px)"  # wraps on a phone
    return (
        f'<div class="pe-panels" style="grid-template-columns:repeat(auto-fill,'
        f'minmax(max(150px,{share}),1fr))">{"".join(cells)}</div>'
        '<output class="pe-read" aria-live="off">'
        "Point at a panel to read the values there.</output>"
    )


def _bar(limit: float, classes: int, unit: str) -> str:
    """The colour bar of all maps."""
    values, texts = scale_ticks(limit, classes=classes)
    ticks = "".join(
        f'<span style="left:{v / TOP_CODE:.2%}">{html.escape(t)}</span>'
        for v, t in zip(values, texts, strict=True)
    )
    return (
        f"<div>all maps ({html.escape(unit)})</div>"
        f'<div class="pe-bar" style="background:linear-gradient(to right,{",".join(SCALE)})">'
        f'</div><div class="pe-ticks">{ticks}</div>'
    )


def _key(title: str, names: Sequence[str], colours: Sequence[str], numbered: bool = False) -> str:
    """One line of a legend."""
    entries = "".join(
        f"<span{f' data-rater={r}' if numbered else ''}>"
        f'<i style="border-color:{colour}"></i>{html.escape(str(name))}</span>'
        for r, (name, colour) in enumerate(zip(names, colours, strict=False))
    )
    return f'<div class="pe-key"><span>{title}</span>{entries}</div>' if entries else ""
