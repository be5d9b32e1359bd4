"""Slices as figures: image, outlines of the raters, prediction and uncertainty side by side."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from paraspine.anatomy import ClassTable
from paraspine.arrays import SettingsError, check_label_map, check_same_shape, check_spacing

from .encode import TOP_CODE, encode_map, grey_levels, outlines, picture, scale_ticks
from .style import NEUTRAL, finish, place_legend

__all__ = ["View", "cohort_slices", "slice_explorer", "uncertainty_panels"]

#: Raters' colours: bright on grey images, and none of them a colour of the default classes.
RATER_COLOURS = ("#E8D900", "#00C896", "#F781BF", "#B497FF", "#FF6347", "#8FD14F", "#5AD2F4")
#: Width in CSS pixels that a figure has in the book.
WIDTH = 720
#: Pixels of a panel's title, and of one line of a legend.
PANEL_TITLE, LEGEND_LINE = 26, 26
PLAIN = {
    "showgrid": False,
    "showline": False,
    "ticks": "",
    "showticklabels": False,
    "zeroline": False,
    "constrain": "domain",
}


@dataclass(frozen=True)
class View:
    """One slice to show.

    Attributes
    ----------
    image : (H, W)
        Row 0 is anterior, column 0 the patient's right.
    title : str
        Names it in the choice of slices: subject and level.
    labels : (R, H, W) integers, optional
        The raters' label maps.
    rated : (R,) bool, optional
        Which raters rated it; all if left out.
    prediction : (H, W) integers, optional
        The classes predicted.
    maps : mapping of str to (H, W)
        Uncertainty in nats, by the name of the panel; NaN where nothing was seen.
    """

    image: np.ndarray
    title: str
    labels: np.ndarray | None = None
    rated: np.ndarray | None = None
    prediction: np.ndarray | None = None
    maps: Mapping[str, np.ndarray] = field(default_factory=dict)

    def check(self, classes: ClassTable) -> None:
        """Raise `ShapeError` or `LabelError` where the arrays don't fit each other."""
        shape = np.shape(self.image)
        names = f"'{self.title}' image"
        for name, array in self.maps.items():
            check_same_shape(self.image, array, names=(names, f"map '{name}'"))
        if self.prediction is not None:
            check_same_shape(self.image, self.prediction, names=(names, "prediction"))
            check_label_map(self.prediction, classes.num_classes, name="prediction")
        if self.labels is not None:
            labels = np.asarray(self.labels)
            check_same_shape(
                np.empty(shape), labels[0] if len(labels) else labels, names=(names, "a rater")
            )
            check_label_map(labels, classes.num_classes, name="labels")

    def raters(self) -> list[int]:
        """Indices of the raters who rated it."""
        if self.labels is None:
            return []
        count = len(self.labels)
        rated = np.ones(count, bool) if self.rated is None else np.asarray(self.rated, bool)
        if rated.shape != (count,):
            raise SettingsError(f"rated: expected {count} values, got shape {rated.shape}.")
        return [int(r) for r in np.flatnonzero(rated)]


def slice_explorer(
    views: Sequence[View],
    *,
    classes: ClassTable,
    source: str,
    spacing: Sequence[float] = (1.0, 1.0),
    raters: Sequence[str] | None = None,
    limits: Mapping[str, float] | None = None,
    window: tuple[float, float] | None = None,
    crop: float | None = None,
    columns: int = 3,
    selector: str = "dropdown",
    title: str = "Image, raters, prediction and uncertainty",
    unit: str = "nats",
    detail: str = "",
) -> go.Figure:
    """Choose a slice and see image, raters' outlines, prediction and maps side by side.

    All panels zoom together. Maps are stored as one byte a pixel (about 90 KB for 256 x 256) and
    drawn with their own colour bar in real units.

    Parameters
    ----------
    views : sequence of View
        The slices. Panels are those that any view has.
    classes : ClassTable
        Names and colours of the classes.
    source : str
        Where the data comes from.
    spacing : (row, column)
        mm; pixels need not be square.
    raters : sequence of str, optional
        Their names; ``rater 1`` and so on if left out.
    limits : mapping, optional
        Map's name to the top of its colour scale; ln C where left out, which no entropy of C
        classes exceeds. Maps with the same limit share a colour bar.
    window : (low, high), optional
        Grey window of the image; chosen per slice if left out.
    crop : float, optional
        Show only what lies within so many mm of a label or a predicted class; everything if left
        out.
    columns : int
        Panels in a row.
    selector : {"dropdown", "slider"}
        How a slice is chosen, where there are several.
    title, unit, detail : str
        Words; `unit` is that of the maps.

    Returns
    -------
    plotly Figure

    Raises
    ------
    SettingsError
        If there is no view or a setting is unknown.
    ShapeError, LabelError
        If the arrays of a view don't fit each other.
    """
    if not views:
        raise SettingsError("views: expected at least one slice to show, got none.")
    if selector not in ("dropdown", "slider"):
        raise SettingsError(f"selector: expected 'dropdown' or 'slider', got {selector!r}.")
    spacing = check_spacing(spacing, 2)
    for view in views:
        view.check(classes)
    names = list(dict.fromkeys(name for view in views for name in view.maps))
    limits = {n: float((limits or {}).get(n, math.log(classes.num_classes))) for n in names}
    panels = ["image"]
    panels += ["raters"] if any(v.raters() for v in views) else []
    panels += ["prediction"] if any(v.prediction is not None for v in views) else []
    panels += names
    columns = max(1, min(columns, len(panels)))
    rows = -(-len(panels) // columns)
    windows = [_window(v, spacing, crop) for v in views]
    axes = list(dict.fromkeys(limits.values()))

    choice = selector if len(views) > 1 else None
    layout = _Layout.of(windows, rows, columns, choice=choice, bars=len(axes))
    figure = layout.subplots()
    count = max([len(v.labels) for v in views if v.labels is not None], default=0)
    raters = list(raters) if raters is not None else [f"rater {r + 1}" for r in range(count)]
    if len(raters) < count:
        raise SettingsError(f"raters: expected {count} names, got {len(raters)}.")
    owners: list[int] = []
    for number, view in enumerate(views):
        grey = grey_levels(view.image, window)
        for panel, trace in _view_traces(
            view, panels, grey, spacing, classes, raters, limits, axes, unit, windows[number]
        ):
            trace.visible = number == 0
            figure.add_trace(trace, row=1 + panel // columns, col=1 + panel % columns)
            owners.append(number)
    _image_axes(figure, windows[0])
    _panel_titles(figure, panels)
    unseen = [n for n in names if any(np.isnan(v.maps[n]).any() for v in views if n in v.maps)]
    for name in unseen:
        _grey_behind(figure, panels.index(name), views, spacing)
    words = [detail] if detail else []
    words += ["grey: not seen by any sample"] if unseen else []
    finish(figure, title, source, height=400, detail=", ".join(words))
    layout.apply(figure)
    for place, limit in enumerate(axes):
        own = [n for n in names if limits[n] == limit]
        _colour_axis(figure, place, limit, classes.num_classes, unit, own, layout)
    if choice:
        _choices(figure, views, owners, windows, len(panels), choice, layout)
    _legends(figure, layout)
    return figure


def uncertainty_panels(view: View, **settings) -> go.Figure:
    """One slice: image, raters' outlines, prediction and maps side by side.

    Takes the settings of `slice_explorer`.
    """
    settings.setdefault("title", view.title)
    return slice_explorer([view], **settings)


def _window(view: View, spacing, crop: float | None) -> tuple[float, float, float, float]:
    """Left, right, top and bottom in mm of what is shown."""
    height, width = np.shape(view.image)
    whole = (-0.5, width - 0.5, -0.5, height - 0.5)
    if crop is not None:
        marked = np.zeros((height, width), bool)
        for array in (*(view.labels[r] for r in view.raters()), view.prediction):
            if array is not None:
                marked |= np.asarray(array) > 0
        if marked.any():
            rows, cols = np.flatnonzero(marked.any(1)), np.flatnonzero(marked.any(0))
            y, x = crop / spacing[0], crop / spacing[1]
            whole = (
                max(whole[0], cols[0] - x), min(whole[1], cols[-1] + x),
                max(whole[2], rows[0] - y), min(whole[3], rows[-1] + y),
            )  # fmt: skip
    left, right, top, bottom = whole
    return left * spacing[1], right * spacing[1], top * spacing[0], bottom * spacing[0]


def _image(source: str, spacing) -> go.Image:
    return go.Image(
        source=source, x0=0, y0=0, dx=spacing[1], dy=spacing[0], name="image",
        hovertemplate="%{x:.1f} mm, %{y:.1f} mm<extra></extra>",
    )  # fmt: skip


def _line(x, y, name: str, colour: str, *, legend: str, width: float = 1.6, listed: bool = True):
    return go.Scatter(
        x=x or [None], y=y or [None], mode="lines", name=name, hoverinfo="skip",
        showlegend=listed, legend=legend, legendgroup=name, line={"color": colour, "width": width},
    )  # fmt: skip


def _outlines_of(labels: np.ndarray, spacing) -> tuple[list, list]:
    """Outlines of all classes of one label map in one line."""
    x: list = []
    y: list = []
    for number in np.unique(labels[labels > 0]):
        more = outlines(labels == number, spacing)
        x += [None, *more[0]] if x else more[0]
        y += [None, *more[1]] if y else more[1]
    return x, y


def _view_traces(
    view, panels, grey, spacing, classes, raters, limits, axes, unit, window
) -> Iterable[tuple[int, object]]:
    """Panel and trace of everything that one view shows."""
    for place, panel in enumerate(panels):
        if panel in limits:
            if panel in view.maps:
                yield place, _map(view.maps[panel], limits[panel], axes, spacing, panel, unit)
            continue
        yield place, _image(picture(grey, exact=panel == "image"), spacing)
        if panel == "image":
            yield place, _scale_bar(window)
        elif panel == "raters":
            for r in view.raters():
                x, y = _outlines_of(np.asarray(view.labels[r]), spacing)
                colour = RATER_COLOURS[r % len(RATER_COLOURS)]
                yield place, _line(x, y, raters[r], colour, legend="legend")
        elif view.prediction is not None:
            for number, name in enumerate(classes.foreground, start=1):
                x, y = outlines(np.asarray(view.prediction) == number, spacing)
                yield place, _line(x, y, name, classes.colours[number - 1], legend="legend2")


def _map(values, limit, axes, spacing, name, unit) -> go.Heatmap:
    codes, missing = encode_map(values, limit)
    place = axes.index(limit)
    words = f"{name}<br>%{{x:.1f}} mm, %{{y:.1f}} mm<br>"
    code = {
        "step": limit / TOP_CODE,
        "top": TOP_CODE,
        "missing": missing,
        "hover": f"{words}%{{z:.3f}} {unit}<extra></extra>",
    }
    return go.Heatmap(
        z=codes, x0=0, y0=0, dx=spacing[1], dy=spacing[0], name=name, meta={"paraspine": code},
        coloraxis="coloraxis" if place == 0 else f"coloraxis{place + 1}",
        hovertemplate=f"{words}%{{z}} / {TOP_CODE} of {limit:.3g} {unit}<extra></extra>",
    )  # fmt: skip


def _scale_bar(window) -> go.Scatter:
    """A white line of a round length at the lower left."""
    left, right, top, bottom = window
    wanted = (right - left) / 4
    unit = 10 ** math.floor(math.log10(wanted))
    length = max(s * unit for s in (1, 2, 5) if s * unit <= wanted)
    x, y = left + (right - left) * 0.04, bottom - (bottom - top) * 0.07
    return go.Scatter(
        x=[x, x + length], y=[y, y], mode="lines+text", text=["", f" {length:g} mm"],
        hoverinfo="skip", showlegend=False, textposition="middle right",
        textfont={"color": "white", "size": 12}, line={"color": "white", "width": 3},
    )  # fmt: skip


def _image_axes(figure: go.Figure, window) -> None:
    left, right, top, bottom = window
    figure.update_xaxes(matches="x", range=[left, right], **PLAIN)
    figure.update_yaxes(matches="y", range=[bottom, top], scaleanchor="x", **PLAIN)
    figure.update_yaxes(constraintoward="top")


def _panel_titles(figure: go.Figure, titles: Sequence[str], size: float = 13.5) -> None:
    """Titles that follow their panel when it shrinks to keep its aspect."""
    for place, title in enumerate(titles):
        number = "" if place == 0 else place + 1
        figure.add_annotation(
            text=title, showarrow=False, x=0.5, xref=f"x{number} domain", xanchor="center", y=1,
            yref=f"y{number} domain", yanchor="bottom", font={"size": size},
        )  # fmt: skip


def _grey_behind(figure: go.Figure, panel: int, views: Sequence[View], spacing) -> None:
    """A grey ground, for pixels of a map that hold nothing."""
    number = "" if panel == 0 else panel + 1
    height = max(np.shape(v.image)[0] for v in views)
    width = max(np.shape(v.image)[1] for v in views)
    figure.add_shape(
        type="rect", layer="below", line={"width": 0}, fillcolor=NEUTRAL,
        xref=f"x{number}", x0=-0.5 * spacing[1], x1=(width - 0.5) * spacing[1],
        yref=f"y{number}", y0=-0.5 * spacing[0], y1=(height - 0.5) * spacing[0],
    )  # fmt: skip


def _colour_axis(figure, place, limit, classes, unit, names, layout) -> None:
    values, texts = scale_ticks(limit, classes=classes)
    words = ", ".join(names) if layout.bars > 1 or len(names) == 1 else "all maps"
    share = 1 / layout.bars
    bar = {
        "orientation": "h", "thickness": 12, "outlinewidth": 0, "ticks": "outside",
        "tickmode": "array", "tickvals": values, "ticktext": texts,
        "x": place * share, "xanchor": "left", "len": min(share - 0.04, 0.6),
        "y": layout.below(6), "yanchor": "top",
        "title": {"text": f"{words} ({unit})", "side": "top", "font": {"size": 12}},
    }  # fmt: skip
    axis = {"cmin": 0, "cmax": TOP_CODE, "colorscale": "Inferno", "colorbar": bar}
    figure.update_layout({f"coloraxis{'' if place == 0 else place + 1}": axis})


def _choices(figure, views, owners, windows, panels: int, selector: str, layout) -> None:
    """The dropdown or slider that shows one view's traces and moves the axes to it."""
    axes = [f"{a}axis{'' if i == 0 else i + 1}.range" for i in range(panels) for a in "xy"]
    choices = []
    for number, view in enumerate(views):
        left, right, upper, lower = windows[number]
        ranges = {a: [left, right] if a[0] == "x" else [lower, upper] for a in axes}
        visible = {"visible": [owner == number for owner in owners]}
        choices.append({"label": view.title, "method": "update", "args": [visible, ranges]})
    if selector == "slider":
        slider = {
            "active": 0, "steps": choices, "x": 0, "len": 1, "y": layout.below(layout.bar_height),
            "yanchor": "top", "pad": {"t": 0, "b": 0, "l": 10, "r": 10}, "ticklen": 3,
            "font": {"color": "rgba(0,0,0,0)", "size": 4},
            "currentvalue": {"prefix": "", "font": {"size": 14, "color": NEUTRAL}},
        }  # fmt: skip
        figure.update_layout(sliders=[slider])
        return
    menu = {
        "buttons": choices, "direction": "down", "showactive": True, "x": 0, "xanchor": "left",
        "y": 1 + (PANEL_TITLE + 6) / layout.plot, "yanchor": "bottom", "pad": {"t": 0, "b": 0},
    }  # fmt: skip
    figure.update_layout(updatemenus=[menu])


def _legends(figure: go.Figure, layout) -> None:
    """One line for the raters and one for the classes, below everything else."""
    distance = layout.bar_height + layout.slider_height + 4
    for name, title in (("legend", "raters"), ("legend2", "prediction")):
        if any(getattr(t, "legend", None) == name for t in figure.data):
            legend = {
                "orientation": "h", "x": 0, "xanchor": "left", "yanchor": "top",
                "y": layout.below(distance), "title": {"text": f"{title}  ", "side": "left"},
                "bgcolor": "rgba(0,0,0,0)", "itemsizing": "constant",
            }  # fmt: skip
            figure.update_layout({name: legend})
            distance += LEGEND_LINE


@dataclass(frozen=True)
class _Layout:
    """Pixels of a grid of panels that keeps the aspect of its images."""

    rows: int
    columns: int
    panel: float
    choice: str | None
    bars: int

    @classmethod
    def of(cls, windows, rows: int, columns: int, *, choice=None, bars: int = 0) -> _Layout:
        aspect = max((w[3] - w[2]) / (w[1] - w[0]) for w in windows)
        return cls(rows, columns, (WIDTH - 16) / columns * aspect, choice, bars)

    @property
    def plot(self) -> float:
        return self.rows * self.panel + (self.rows - 1) * PANEL_TITLE

    @property
    def bar_height(self) -> float:
        return 66 if self.bars else 0

    @property
    def slider_height(self) -> float:
        return 62 if self.choice == "slider" else 0

    def below(self, pixels: float) -> float:
        """Height in paper units, so many pixels below the panels."""
        return -pixels / self.plot

    def subplots(self) -> go.Figure:
        return make_subplots(
            rows=self.rows, cols=self.columns, horizontal_spacing=0.012,
            vertical_spacing=PANEL_TITLE / self.plot if self.rows > 1 else 0.0,
        )  # fmt: skip

    def apply(self, figure: go.Figure) -> None:
        top = figure.layout.margin.t + PANEL_TITLE + (38 if self.choice == "dropdown" else 0)
        names = {getattr(t, "legend", None) for t in figure.data} - {None}
        bottom = 10 + self.bar_height + self.slider_height + LEGEND_LINE * len(names)
        figure.update_layout(
            height=int(top + self.plot + bottom), margin={"t": top, "l": 8, "r": 8, "b": bottom}
        )


def cohort_slices(
    views: Sequence[View],
    *,
    classes: ClassTable,
    source: str,
    spacing: Sequence[float] = (1.0, 1.0),
    window: tuple[float, float] | None = None,
    crop: float | None = None,
    columns: int = 3,
    title: str = "Slices of the cohort",
    detail: str = "every rater's outline in the colour of the class",
) -> go.Figure:
    """A gallery of slices with the outlines of all raters in the colours of the classes.

    Parameters
    ----------
    views : sequence of View
        Shown row by row; `View.maps` and `View.prediction` are not used.
    classes, source, spacing, window, crop, title, detail
        As `slice_explorer`.
    columns : int
        Slices in a row.
    """
    if not views:
        raise SettingsError("views: expected at least one slice to show, got none.")
    spacing = check_spacing(spacing, 2)
    columns = max(1, min(columns, len(views)))
    windows = [_window(v, spacing, crop) for v in views]
    layout = _Layout.of(windows, -(-len(views) // columns), columns)
    figure = layout.subplots()
    figure.update_xaxes(**PLAIN).update_yaxes(**PLAIN)
    seen: set[str] = set()
    for place, view in enumerate(views):
        view.check(classes)
        at = {"row": 1 + place // columns, "col": 1 + place % columns}
        background = picture(grey_levels(view.image, window), exact=False)
        figure.add_trace(_image(background, spacing), **at)
        for number, name in enumerate(classes.foreground, start=1):
            colour = classes.colours[number - 1]
            for r in view.raters():
                x, y = outlines(np.asarray(view.labels[r]) == number, spacing)
                if x:
                    listed = name not in seen
                    line = _line(x, y, name, colour, legend="legend", width=1.2, listed=listed)
                    figure.add_trace(line, **at)
                    seen.add(name)
        figure.add_trace(_scale_bar(windows[place]), **at)
        left, right, top, bottom = windows[place]
        anchor = f"x{'' if place == 0 else place + 1}"
        figure.update_xaxes(range=[left, right], **at)
        figure.update_yaxes(range=[bottom, top], scaleanchor=anchor, constraintoward="top", **at)
    _panel_titles(figure, [v.title for v in views], 12.5)
    finish(figure, title, source, detail=detail)
    layout.apply(figure)
    return place_legend(figure, layout.plot, 6)
