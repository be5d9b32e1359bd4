"""The first page's figure: points of images beside one slice."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from paraspine.anatomy import ClassTable

from .encode import outlines
from .grid import PLAIN
from .panels import View, orientation_marks, outline_trace, picture_trace, shown_window
from .style import HOVER, NEUTRAL, PALETTE, finish, hover

#: Panels of the slice, and where each stands beside the points.
PLACES = {"raters": (1, 2), "prediction": (1, 3), "disagreement": (2, 2), "uncertainty": (2, 3)}


class Stored:
    """A figure that myst-nb's `glue` stores; a plain one it only draws."""

    def __init__(self, figure: go.Figure):
        self.figure = figure

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict:
        return {"application/vnd.plotly.v1+json": json.loads(self.figure.to_json())}


def points_and_slice(
    points: pd.DataFrame,
    view: View,
    *,
    classes: ClassTable,
    maps: Sequence[str],
    source: str,
    spacing: Sequence[float],
    title: str,
) -> go.Figure:
    """Uncertainty against disagreement beside one slice: raters, prediction and both maps.

    Parameters
    ----------
    points : DataFrame
        One row an image: ``gt_entropy`` and ``entropy`` (nats); NaN is left out.
    view : View
        The slice, with prediction, raters and both `maps`.
    classes : ClassTable
        Names and colours of the classes.
    maps : sequence of str
        Names of the maps of disagreement and of uncertainty, drawn on one scale.
    source, title : str
        Where the data comes from, and words.
    spacing : (row, column)
        mm.
    """
    figure = make_subplots(
        rows=2, cols=3, specs=[[{"rowspan": 2}, {}, {}], [None, {}, {}]],
        column_widths=[0.46, 0.27, 0.27], horizontal_spacing=0.03, vertical_spacing=0.09,
        subplot_titles=["", *PLACES],
    )  # fmt: skip
    figure.update_annotations(font_size=12.5)
    known = points.dropna(subset=["gt_entropy", "entropy"])
    x, y = known["gt_entropy"].to_numpy(float), known["entropy"].to_numpy(float)
    right, top = (float(v.max(initial=0)) * 1.05 or 1.0 for v in (x, y))
    line, end = {"color": NEUTRAL, "dash": "dash", "width": 1.2}, min(right, top)
    figure.add_scatter(
        x=[0, end], y=[0, end], mode="lines", line=line, hoverinfo="skip", row=1, col=1
    )
    label = "disagreement %{x:.4f} nats<br>uncertainty %{y:.4f} nats"
    figure.add_scatter(
        x=x, y=y, mode="markers", marker={"color": PALETTE[0], "size": 7, "opacity": 0.75},
        **hover(known, HOVER, label), row=1, col=1,
    )  # fmt: skip
    figure.update_xaxes(title_text="disagreement of raters (nats)", range=[0, right], row=1, col=1)
    figure.update_yaxes(title_text="uncertainty (nats)", range=[0, top], row=1, col=1)
    left, side, up, down = window = shown_window(view, spacing, 12.0)
    outlined = {"raters": [view.labels[r] for r in view.raters()], "prediction": [view.prediction]}
    drawn = dict(zip(("disagreement", "uncertainty"), maps, strict=True))
    limit = max(float(np.nanmax(view.maps[name])) for name in maps) or 1.0
    for place, (name, (row, column)) in enumerate(PLACES.items(), start=2):
        at = {"row": row, "col": column}
        if name in drawn:
            figure.add_heatmap(
                z=np.asarray(view.maps[drawn[name]], np.float32), x0=0, y0=0,
                dx=spacing[1], dy=spacing[0], zmin=0, zmax=limit, showscale=False,
                colorscale="Inferno", hovertemplate=f"{name} %{{z:.2f}} nats<extra></extra>", **at,
            )  # fmt: skip
        else:
            figure.add_trace(picture_trace(view.image, spacing), **at)
        for labels in outlined.get(name, []):
            for number, of in enumerate(classes.foreground, start=1):
                edge = outlines(np.asarray(labels) == number, spacing)
                colour = classes.colours[number - 1]
                trace = outline_trace(*edge, of, colour, legend="legend", width=1.2)
                figure.add_trace(trace, **at)
        figure.add_trace(orientation_marks(window), **at)
        figure.update_xaxes(range=[left, side], **PLAIN, **at)
        figure.update_yaxes(range=[down, up], scaleanchor=f"x{place}", **PLAIN, **at)
    figure = finish(figure, title, source, height=380, legend=False)
    return figure.update_layout(margin_t=figure.layout.margin.t + 22)
