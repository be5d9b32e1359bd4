"""Figures 3.3 and 3.4 of roshanzamir2022: how a variance map is made, and predictions by level."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from paraspine.anatomy import ClassTable
from paraspine.arrays import SettingsError, check_same_shape, check_spacing

from .encode import grey_levels, outlines, picture
from .grid import (
    PanelLayout,
    add_choices,
    add_colour_bar,
    add_legends,
    add_panel_titles,
    set_image_axes,
)
from .panels import (
    RATER_COLOURS,
    View,
    map_trace,
    outline_trace,
    picture_trace,
    scale_bars,
    shown_window,
)
from .style import finish

__all__ = ["Compared", "Steps", "prediction_grid", "variance_steps"]

#: Signed distances beyond so many pixels are drawn as so many: the sigmoid is flat there.
FAR = 6.0
#: The reference's outline in the panels of the networks.
REFERENCE = "#FFFFFF"


@dataclass(frozen=True)
class Steps:
    """One structure of one slice on its way to a variance map.

    Attributes
    ----------
    title : str
        Names it in the choice: slice and structure.
    image : (H, W)
        Row 0 is anterior, column 0 the patient's right.
    masks : (R, H, W) bool
        What each rater marked.
    distance : (R, H, W)
        Signed distance in pixels, positive inside; infinite where a rater marked nothing.
    soft : (R, H, W)
        Its sigmoid.
    variance : (H, W)
        Over the raters.
    """

    title: str
    image: np.ndarray
    masks: np.ndarray
    distance: np.ndarray
    soft: np.ndarray
    variance: np.ndarray


@dataclass(frozen=True)
class Compared:
    """Slices of one subject with several label maps each.

    Attributes
    ----------
    title : str
        Names the subject in the choice.
    images : sequence of (H, W) or None
        One per row; None leaves the row empty.
    labels : sequence of sequence of (H, W) integers
        For each row one label map per column, the reference first.
    """

    title: str
    images: Sequence[np.ndarray | None]
    labels: Sequence[Sequence[np.ndarray]]


def variance_steps(
    steps: Sequence[Steps],
    raters: Sequence[str],
    *,
    source: str,
    spacing: Sequence[float] = (1.0, 1.0),
    crop: float = 12.0,
    title: str = "From outlines to a variance map",
) -> go.Figure:
    """Outline, signed distance and soft label of each rater, and what they give together.

    A column for each rater; the last one has all outlines, the mean soft label and the variance.
    All panels zoom together.

    Parameters
    ----------
    steps : sequence of Steps
        What can be chosen.
    raters : sequence of str
        Their names, for those who rated.
    source : str
        Where the data comes from.
    spacing : (row, column)
        mm.
    crop : float
        Show what lies within so many mm of an outline.
    title : str
        Above the figure.

    Raises
    ------
    SettingsError, ShapeError
        If there is nothing to show or arrays don't fit each other.
    """
    if not steps:
        raise SettingsError("steps: expected at least one structure to show, got none.")
    spacing = check_spacing(spacing, 2)
    count = max(len(s.masks) for s in steps)
    if len(raters) < count:
        raise SettingsError(f"raters: expected {count} names, got {len(raters)}.")
    for step in steps:
        for name in ("masks", "distance", "soft"):
            check_same_shape(step.image, getattr(step, name)[0], names=("image", name))
        check_same_shape(step.image, step.variance, names=("image", "variance"))
    views = [View(s.image, s.title, s.masks.astype(int)) for s in steps]
    windows = [shown_window(v, spacing, crop) for v in views]
    highest = max(float(s.variance.max()) for s in steps)
    limits = [1.0, highest if highest > 0 else 0.25]
    choice = "dropdown" if len(steps) > 1 else None
    columns = count + 1
    layout = PanelLayout.of(windows, 3, columns, choice=choice, bars=3)
    figure, owners = layout.subplots(), []
    for number, (step, window) in enumerate(zip(steps, windows, strict=True)):
        for row, column, trace in _step_traces(step, raters, count, spacing, limits, window):
            trace.visible = number == 0
            figure.add_trace(trace, row=row + 1, col=column + 1)
            owners.append(number)
    set_image_axes(figure, windows[0])
    names = [*list(raters)[:count], "all"]
    titles = [f"{n}: outline" for n in names[:-1]] + ["all outlines"]
    titles += ["signed distance"] * count + ["mean soft label"]
    titles += ["soft label"] * count + ["variance"]
    add_panel_titles(figure, titles, size=12.5)
    finish(figure, title, source, height=400, detail="distances in pixels")
    layout.apply(figure)
    for place, (limit, name) in enumerate(zip(limits, ("soft labels", "variance"), strict=True)):
        unit = "0 to 1" if place == 0 else "of soft labels"
        add_colour_bar(figure, place, limit, None, unit, [name], layout)
    bar = figure.layout.coloraxis2.colorbar.to_plotly_json()
    bar |= {
        "x": 2 / 3, "tickvals": [-FAR, 0, FAR], "ticktext": [f"\u2212{FAR:g}", "0", f"{FAR:g}"],
        "title": {"text": "signed distance (pixels)", "side": "top", "font": {"size": 12}},
    }  # fmt: skip
    figure.update_layout(
        coloraxis3={"cmin": -FAR, "cmax": FAR, "colorscale": "RdBu", "reversescale": True,
                    "colorbar": bar}
    )  # fmt: skip
    if choice:
        add_choices(figure, steps, owners, windows, 3 * columns, choice, layout)
    add_legends(figure, layout)
    return figure


def _step_traces(step, raters, count, spacing, limits, window):
    """Row, column and trace of everything that one structure shows."""
    ground = picture(grey_levels(step.image), exact=False)
    lines = [outlines(mask, spacing) for mask in step.masks]
    yield 0, count, picture_trace(ground, spacing)
    for r, (x, y) in enumerate(lines):
        colour = RATER_COLOURS[r % len(RATER_COLOURS)]
        yield 0, r, picture_trace(ground, spacing)
        yield 0, r, outline_trace(x, y, raters[r], colour, legend="legend", listed=False)
        yield 0, count, outline_trace(x, y, raters[r], colour, legend="legend")
        shown = np.clip(step.distance[r], -FAR, FAR).round(2).astype(np.float32)
        yield 1, r, go.Heatmap(
            z=shown, x0=0, y0=0, dx=spacing[1], dy=spacing[0], name="signed distance",
            coloraxis="coloraxis3", hovertemplate="signed distance %{z:.1f} pixels<extra></extra>",
        )  # fmt: skip
        yield 2, r, map_trace(step.soft[r], limits[0], limits, spacing, "soft label", "")
    mean = step.soft.mean(axis=0)
    yield 1, count, map_trace(mean, limits[0], limits, spacing, "mean soft label", "")
    yield 2, count, map_trace(step.variance, limits[1], limits, spacing, "variance", "")
    for bar in scale_bars(window):
        yield 0, count, bar


def prediction_grid(
    subjects: Sequence[Compared],
    rows: Sequence[str],
    columns: Sequence[str],
    *,
    classes: ClassTable,
    source: str,
    spacing: Sequence[float] = (1.0, 1.0),
    crop: float = 20.0,
    title: str = "Predictions at each level",
) -> go.Figure:
    """Outlines of the reference and of several networks, a row for each level.

    The reference is the first column; in the others it is a thin white line under theirs.

    Parameters
    ----------
    subjects : sequence of Compared
        What can be chosen.
    rows, columns : sequence of str
        What they are; an empty row's name is left out.
    classes : ClassTable
        Names and colours.
    source, spacing, title
        As in `variance_steps`.
    crop : float
        Show what lies within so many mm of the reference.

    Raises
    ------
    SettingsError, ShapeError
        If there is nothing to show or arrays don't fit each other.
    """
    if not subjects or not rows or not columns:
        raise SettingsError("subjects: expected at least one with a row and a column, got none.")
    spacing = check_spacing(spacing, 2)
    windows = [_window(s, spacing, crop) for s in subjects]
    choice = "dropdown" if len(subjects) > 1 else None
    layout = PanelLayout.of(windows, len(rows), len(columns), choice=choice)
    figure, owners, listed = layout.subplots(), [], set()
    for number, subject in enumerate(subjects):
        for row, column, trace in _grid_traces(subject, columns, classes, spacing, listed):
            trace.visible = number == 0
            figure.add_trace(trace, row=row + 1, col=column + 1)
            owners.append(number)
        listed.clear()
    set_image_axes(figure, windows[0])
    names = [" · ".join(w for w in (row, column) if w) for row in rows for column in columns]
    add_panel_titles(figure, names, size=12.5)
    finish(figure, title, source, height=400, detail=f"white: {columns[0]}")
    layout.apply(figure)
    if choice:
        panels = len(rows) * len(columns)
        add_choices(figure, subjects, owners, windows, panels, choice, layout)
    add_legends(figure, layout)
    return figure


def _window(subject: Compared, spacing, crop: float) -> tuple[float, float, float, float]:
    """What is shown of all rows: the largest window that the reference of one of them needs."""
    found = [
        shown_window(View(image, "", np.asarray(labels[0])[None]), spacing, crop)
        for image, labels in zip(subject.images, subject.labels, strict=True)
        if image is not None
    ]
    if not found:
        raise SettingsError(f"{subject.title}: expected at least one row with an image.")
    low, high = np.min(found, axis=0), np.max(found, axis=0)
    return float(low[0]), float(high[1]), float(low[2]), float(high[3])


def _grid_traces(subject: Compared, columns, classes: ClassTable, spacing, listed: set):
    """Row, column and trace of everything that one subject shows."""
    for row, (image, labels) in enumerate(zip(subject.images, subject.labels, strict=True)):
        if image is None:
            continue
        if len(labels) != len(columns):
            raise SettingsError(f"labels: expected {len(columns)} in a row, got {len(labels)}.")
        ground = picture(grey_levels(image), exact=False)
        for column, said in enumerate(labels):
            check_same_shape(image, said, names=(f"'{subject.title}' image", columns[column]))
            yield row, column, picture_trace(ground, spacing)
            for number, name in enumerate(classes.foreground, start=1):
                colour = classes.colours[number - 1]
                if column:
                    x, y = outlines(np.asarray(labels[0]) == number, spacing)
                    line = outline_trace(x, y, "", REFERENCE, legend="legend2", width=0.9,
                                         listed=False)  # fmt: skip
                    yield row, column, line
                x, y = outlines(np.asarray(said) == number, spacing)
                first = name not in listed
                listed.add(name)
                yield row, column, outline_trace(x, y, name, colour, legend="legend2", listed=first)
