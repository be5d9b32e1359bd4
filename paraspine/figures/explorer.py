"""Slice explorer: lists to choose from, and the slice drawn on canvases without plotly."""

from __future__ import annotations

import base64
import html
import json
import math
import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from plotly.colors import hex_to_rgb, sequential

from paraspine.anatomy import ClassTable
from paraspine.arrays import SettingsError, check_spacing

from .encode import TOP_CODE, encode_map, grey_levels, outlines, scale_ticks
from .explorer_page import SCRIPT, STYLE
from .panels import RATER_COLOURS, View, named_raters, panels_of, shown_window
from .style import NEUTRAL

#: Colours of the maps, from 0 to the limit at equal distances.
SCALE = sequential.Inferno
#: Panels in a row, and margin of the close-up in mm.
COLUMNS, CLOSE = 3, 10.0


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


def slice_explorer(
    views: Sequence[View],
    *,
    classes: ClassTable,
    source: str,
    spacing: Sequence[float] = (1.0, 1.0),
    raters: Sequence[str] | None = None,
    limits: Mapping[str, float] | None = None,
    crop: float | None = None,
    title: str = "Image, raters, prediction and uncertainty",
    unit: str = "nats",
    detail: str = "",
) -> Explorer:
    """Choose a slice and see image, raters' outlines, prediction and maps side by side.

    Subject, level, network and so on have a list each (`View.choices`); values that don't go with
    what is chosen in the lists before are greyed out. Arrays that several views have in common are
    stored once, one byte a pixel, compressed without loss.

    Parameters
    ----------
    views : sequence of View
        What can be chosen, by `View.choices` (by `View.title` where no view has any); the first is
        shown first. Panels are those that any view has, with `View.titles` above them and
        `View.notes` where a view lacks one.
    classes : ClassTable
        Names and colours of the classes.
    source : str
        Where the data comes from.
    spacing : (row, column)
        mm; pixels need not be square.
    raters : sequence of str, optional
        Their names; ``rater 1`` and so on if left out.
    limits : mapping of str to float, optional
        Map's name to the top of its colour scale; ln C where left out, which no entropy of C
        classes exceeds. Maps with the same limit share a colour bar.
    crop : float, optional
        Begin with the close-up, which shows what lies within so many mm of a label or a predicted
        class; 10 mm, and not from the beginning, if left out.
    title, unit, detail : str
        Words; `unit` is that of the maps.

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
    views = _by_title(views)
    lists, places = _choices(views)
    raters = named_raters(views, raters)
    maps = list(dict.fromkeys(name for view in views for name in (*view.maps, *view.notes)))
    maps = [name for name in maps if name not in ("image", "raters", "prediction")]
    limits = {n: float((limits or {}).get(n, math.log(classes.num_classes))) for n in maps}
    panels = panels_of(views, maps)

    stored = _Stored()
    shown = []
    for view, place in zip(views, places, strict=True):
        found = _content(view, stored, classes, limits)
        windows = (shown_window(view, spacing, c) for c in (None, crop or CLOSE))
        shown.append({"at": place} | dict(zip(("whole", "near"), windows, strict=True)) | found)
    windows = [s["whole"] for s in shown]
    aspect = max(w[1] - w[0] for w in windows) / max(w[3] - w[2] for w in windows)
    colours = [RATER_COLOURS[r % len(RATER_COLOURS)] for r in range(len(raters))]
    unseen = any(np.isnan(m).any() for v in views for m in v.maps.values())
    content = {
        "lists": list(lists.values()), "spacing": list(spacing), "aspect": aspect,
        "panels": panels, "limits": limits, "top": TOP_CODE, "unit": unit,
        "scale": [hex_to_rgb(c) for c in SCALE], "unseen": hex_to_rgb(NEUTRAL),
        "raters": colours, "classes": list(classes.colours[: len(classes.foreground)]),
        "arrays": stored.arrays, "paths": _packed(json.dumps(stored.paths).encode()),
        "views": shown,
    }  # fmt: skip
    words = [source, detail, "grey: not seen by any sample" if unseen else ""]
    body = [
        f'<div class="pe-head">{html.escape(title)}</div>',
        f'<div class="pe-source">{html.escape(" · ".join(w for w in words if w))}</div>',
        _lists(lists, crop is not None),
        _panels(panels, min(COLUMNS, len(panels)), aspect),
        _bars(limits, classes.num_classes, unit),
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
    """Border of a mask as an SVG path in halves of pixels, straight lines in one step."""
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


def _by_title(views: Sequence[View]) -> list[View]:
    """The views, chosen by their titles where none of them has choices."""
    if any(view.choices for view in views):
        return list(views)
    found, seen = [], Counter()
    for view in views:
        seen[view.title] += 1
        again = f" ({seen[view.title]})" if seen[view.title] > 1 else ""
        found.append(replace(view, choices={"slice": view.title + again}))
    return found


def _choices(views: Sequence[View]) -> tuple[dict[str, list[str]], list[list[int]]]:
    """Values of each list in order of appearance, and each view's place in the lists."""
    names = list(views[0].choices)
    if other := next((v for v in views if list(v.choices) != names), None):
        raise SettingsError(
            f"views: '{other.title}' has the choices {', '.join(other.choices) or 'none'}, "
            f"the first view has {', '.join(names)}."
        )
    lists = {n: list(dict.fromkeys(str(v.choices[n]) for v in views)) for n in names}
    places = [[lists[n].index(str(v.choices[n])) for n in names] for v in views]
    place, count = Counter(map(tuple, places)).most_common(1)[0]
    if count > 1:
        words = [values[i] for values, i in zip(lists.values(), place, strict=True)]
        raise SettingsError(f"views: several have the choices {', '.join(words)}.")
    return lists, places


def _content(view: View, stored: _Stored, classes: ClassTable, limits: Mapping) -> dict:
    """A view as numbers of arrays and paths."""
    foreground = range(1, classes.num_classes)
    found = {
        "shape": np.shape(view.image),
        "image": stored.array(grey_levels(view.image)),
        "raters": [[r, stored.outline(view.labels[r], foreground)] for r in view.raters()],
        "maps": {n: stored.array(encode_map(m, limits[n])) for n, m in view.maps.items()},
    }
    if view.prediction is not None:
        found["prediction"] = [stored.outline(view.prediction, [n]) for n in foreground]
    return found | {"titles": dict(view.titles), "notes": dict(view.notes)}


def _packed(content: bytes) -> str:
    return base64.b64encode(zlib.compress(content, 9)).decode("ascii")


def _safe(content: dict) -> str:
    """JSON that neither ``</script>`` nor ``<!--`` in a word can end."""
    text = json.dumps(content, separators=(",", ":"), ensure_ascii=False)
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def _lists(lists: dict[str, list[str]], near: bool) -> str:
    """The drop-down lists, and the box for the close-up."""
    made = []
    for name, values in lists.items():
        options = "".join(f"<option>{html.escape(v)}</option>" for v in values)
        words = html.escape(name[:1].upper() + name[1:])
        made.append(f'<label>{words}<select autocomplete="off">{options}</select></label>')
    box = f'<input type="checkbox" autocomplete="off"{" checked" if near else ""}>'
    tick = f'<label class="pe-tick">{box}close-up</label>'
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


def _bars(limits: Mapping[str, float], classes: int, unit: str) -> str:
    """A colour bar for each limit, with the names of its maps."""
    made = []
    for limit in dict.fromkeys(limits.values()):
        own = [name for name in limits if limits[name] == limit]
        words = "all maps" if len(own) == len(limits) > 1 else ", ".join(own)
        values, texts = scale_ticks(limit, classes=classes)
        ticks = "".join(
            f'<span style="left:{v / limit:.2%}">{html.escape(t)}</span>'
            for v, t in zip(values, texts, strict=True)
        )
        made.append(
            f"<div>{html.escape(words)} ({html.escape(unit)})"
            f'<div class="pe-bar" style="background:linear-gradient(to right,{",".join(SCALE)})">'
            f'</div><div class="pe-ticks">{ticks}</div></div>'
        )
    return f'<div class="pe-bars">{"".join(made)}</div>'


def _key(title: str, names: Sequence[str], colours: Sequence[str], numbered: bool = False) -> str:
    """One line of a legend."""
    entries = "".join(
        f"<span{f' data-rater={r}' if numbered else ''}>"
        f'<i style="border-color:{colour}"></i>{html.escape(str(name))}</span>'
        for r, (name, colour) in enumerate(zip(names, colours, strict=False))
    )
    return f'<div class="pe-key"><span>{title}</span>{entries}</div>' if entries else ""
