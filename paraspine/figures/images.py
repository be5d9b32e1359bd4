"""A gallery of slices with the outlines of all raters."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from paraspine.anatomy import ClassTable
from paraspine.arrays import SettingsError, check_spacing

from .encode import outlines
from .grid import PLAIN, PanelLayout, add_panel_titles
from .panels import View, orientation_marks, outline_trace, picture_trace, scale_bars, shown_window
from .style import finish, place_legend

#: Slices in a row.
COLUMNS = 3


def cohort_slices(
    views: Sequence[View],
    *,
    classes: ClassTable,
    source: str,
    spacing: Sequence[float] = (1.0, 1.0),
    title: str = "Slices of the cohort",
    detail: str = "every rater's outline in the colour of the class",
) -> go.Figure:
    """A gallery of slices with the outlines of all raters in the colours of the classes.

    Parameters
    ----------
    views : sequence of View
        Shown row by row; `View.maps` and `View.prediction` are not used.
    classes : ClassTable
        Names and colours of the classes.
    source, title, detail : str
        Where the data comes from, and words.
    spacing : (row, column)
        mm; pixels need not be square.

    Raises
    ------
    SettingsError
        If there is no view.
    ShapeError, LabelError
        If the arrays of a view don't fit each other.
    """
    if not views:
        raise SettingsError("views: expected at least one slice to show, got none.")
    spacing = check_spacing(spacing, 2)
    columns = min(COLUMNS, len(views))
    windows = [shown_window(v, spacing) for v in views]
    layout = PanelLayout.of(windows, -(-len(views) // columns), columns)
    figure = layout.subplots()
    figure.update_xaxes(**PLAIN).update_yaxes(**PLAIN)
    seen: set[str] = set()
    for place, view in enumerate(views):
        view.check(classes)
        at = {"row": 1 + place // columns, "col": 1 + place % columns}
        figure.add_trace(picture_trace(view.image, spacing), **at)
        for number, name in enumerate(classes.foreground, start=1):
            for r in view.raters():
                x, y = outlines(np.asarray(view.labels[r]) == number, spacing)
                if x:
                    line = outline_trace(
                        x, y, name, classes.colours[number - 1], legend="legend", width=1.2,
                        listed=name not in seen,
                    )  # fmt: skip
                    figure.add_trace(line, **at)
                    seen.add(name)
        for trace in (*scale_bars(windows[place]), orientation_marks(windows[place])):
            figure.add_trace(trace, **at)
        left, right, top, bottom = windows[place]
        anchor = f"x{'' if place == 0 else place + 1}"
        figure.update_xaxes(range=[left, right], **at)
        figure.update_yaxes(range=[bottom, top], scaleanchor=anchor, constraintoward="top", **at)
    add_panel_titles(figure, [v.title for v in views])
    finish(figure, title, source, detail=detail)
    layout.apply(figure)
    return place_legend(figure, layout.plot, 6)
