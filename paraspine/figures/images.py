"""Slices as figures: image, outlines of the raters, prediction and uncertainty side by side."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go

from paraspine.anatomy import ClassTable
from paraspine.arrays import SettingsError, check_spacing

from .encode import grey_levels, outlines, picture
from .grid import (
    PLAIN,
    PanelLayout,
    add_choices,
    add_colour_bar,
    add_grey_ground,
    add_legends,
    add_panel_titles,
    set_image_axes,
)
from .panels import (
    View,
    named_raters,
    outline_trace,
    panels_of,
    picture_trace,
    scale_bars,
    shown_window,
    view_traces,
)
from .style import finish, place_legend

__all__ = ["View", "cohort_slices", "slice_explorer", "uncertainty_panels"]


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
    panels = panels_of(views, names)
    columns = max(1, min(columns, len(panels)))
    rows = -(-len(panels) // columns)
    windows = [shown_window(v, spacing, crop) for v in views]
    axes = list(dict.fromkeys(limits.values()))

    choice = selector if len(views) > 1 else None
    layout = PanelLayout.of(windows, rows, columns, choice=choice, bars=len(axes))
    figure = layout.subplots()
    raters = named_raters(views, raters)
    owners: list[int] = []
    for number, view in enumerate(views):
        grey = grey_levels(view.image, window)
        for panel, trace in view_traces(
            view, panels, grey, spacing, classes, raters, limits, axes, unit, windows[number]
        ):
            trace.visible = number == 0
            figure.add_trace(trace, row=1 + panel // columns, col=1 + panel % columns)
            owners.append(number)
    set_image_axes(figure, windows[0])
    add_panel_titles(figure, panels)
    unseen = [n for n in names if any(np.isnan(v.maps[n]).any() for v in views if n in v.maps)]
    for name in unseen:
        add_grey_ground(figure, panels.index(name), views, spacing)
    words = [detail] if detail else []
    words += ["grey: not seen by any sample"] if unseen else []
    finish(figure, title, source, height=400, detail=", ".join(words))
    layout.apply(figure)
    for place, limit in enumerate(axes):
        own = [n for n in names if limits[n] == limit]
        add_colour_bar(figure, place, limit, classes.num_classes, unit, own, layout)
    if choice:
        add_choices(figure, views, owners, windows, len(panels), choice, layout)
    add_legends(figure, layout)
    return figure


def uncertainty_panels(view: View, **settings) -> go.Figure:
    """One slice: image, raters' outlines, prediction and maps side by side.

    Takes the settings of `slice_explorer`.
    """
    settings.setdefault("title", view.title)
    return slice_explorer([view], **settings)


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
    windows = [shown_window(v, spacing, crop) for v in views]
    layout = PanelLayout.of(windows, -(-len(views) // columns), columns)
    figure = layout.subplots()
    figure.update_xaxes(**PLAIN).update_yaxes(**PLAIN)
    seen: set[str] = set()
    for place, view in enumerate(views):
        view.check(classes)
        at = {"row": 1 + place // columns, "col": 1 + place % columns}
        background = picture(grey_levels(view.image, window), exact=False)
        figure.add_trace(picture_trace(background, spacing), **at)
        for number, name in enumerate(classes.foreground, start=1):
            colour = classes.colours[number - 1]
            for r in view.raters():
                x, y = outlines(np.asarray(view.labels[r]) == number, spacing)
                if x:
                    listed = name not in seen
                    line = outline_trace(
                        x, y, name, colour, legend="legend", width=1.2, listed=listed
                    )
                    figure.add_trace(line, **at)
                    seen.add(name)
        for trace in scale_bars(windows[place]):
            figure.add_trace(trace, **at)
        left, right, top, bottom = windows[place]
        anchor = f"x{'' if place == 0 else place + 1}"
        figure.update_xaxes(range=[left, right], **at)
        figure.update_yaxes(range=[bottom, top], scaleanchor=anchor, constraintoward="top", **at)
    add_panel_titles(figure, [v.title for v in views], 12.5)
    finish(figure, title, source, detail=detail)
    layout.apply(figure)
    return place_legend(figure, layout.plot, 6)
