"""The grid of panels that shows slices: places in pixels, axes in mm, colour bars, choices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from .encode import TOP_CODE, scale_ticks
from .panels import View
from .style import NEUTRAL

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
class PanelLayout:
    """Pixels of a grid of panels that keeps the aspect of its images."""

    rows: int
    columns: int
    panel: float
    choice: str | None
    bars: int

    @classmethod
    def of(cls, windows, rows: int, columns: int, *, choice=None, bars: int = 0) -> PanelLayout:
        """The layout for windows ``(left, right, top, bottom)`` in mm."""
        aspect = max((w[3] - w[2]) / (w[1] - w[0]) for w in windows)
        return cls(rows, columns, (WIDTH - 16) / columns * aspect, choice, bars)

    @property
    def plot(self) -> float:
        """Height of all panels together."""
        return self.rows * self.panel + (self.rows - 1) * PANEL_TITLE

    @property
    def bar_height(self) -> float:
        """Height of the colour bars."""
        return 66 if self.bars else 0

    @property
    def slider_height(self) -> float:
        """Height of the slider."""
        return 62 if self.choice == "slider" else 0

    def below(self, pixels: float) -> float:
        """Height in paper units, so many pixels below the panels."""
        return -pixels / self.plot

    def subplots(self) -> go.Figure:
        """An empty grid of panels."""
        return make_subplots(
            rows=self.rows, cols=self.columns, horizontal_spacing=0.012,
            vertical_spacing=PANEL_TITLE / self.plot if self.rows > 1 else 0.0,
        )  # fmt: skip

    def apply(self, figure: go.Figure) -> None:
        """Set height and margins of a finished figure, so that everything has its place."""
        top = figure.layout.margin.t + PANEL_TITLE + (38 if self.choice == "dropdown" else 0)
        names = {getattr(t, "legend", None) for t in figure.data} - {None}
        bottom = 10 + self.bar_height + self.slider_height + LEGEND_LINE * len(names)
        figure.update_layout(
            height=int(top + self.plot + bottom), margin={"t": top, "l": 8, "r": 8, "b": bottom}
        )


def set_image_axes(figure: go.Figure, window) -> None:
    """Bare axes in mm that keep the aspect of the pixels and zoom together."""
    left, right, top, bottom = window
    figure.update_xaxes(matches="x", range=[left, right], **PLAIN)
    figure.update_yaxes(matches="y", range=[bottom, top], scaleanchor="x", **PLAIN)
    figure.update_yaxes(constraintoward="top")


def add_panel_titles(figure: go.Figure, titles: Sequence[str], size: float = 13.5) -> None:
    """Titles that follow their panel when it shrinks to keep its aspect."""
    for place, title in enumerate(titles):
        number = "" if place == 0 else place + 1
        figure.add_annotation(
            text=title, showarrow=False, x=0.5, xref=f"x{number} domain", xanchor="center", y=1,
            yref=f"y{number} domain", yanchor="bottom", font={"size": size},
        )  # fmt: skip


def add_grey_ground(figure: go.Figure, panel: int, views: Sequence[View], spacing) -> None:
    """A grey ground, for pixels of a map that hold nothing."""
    number = "" if panel == 0 else panel + 1
    height = max(np.shape(v.image)[0] for v in views)
    width = max(np.shape(v.image)[1] for v in views)
    figure.add_shape(
        type="rect", layer="below", line={"width": 0}, fillcolor=NEUTRAL,
        xref=f"x{number}", x0=-0.5 * spacing[1], x1=(width - 0.5) * spacing[1],
        yref=f"y{number}", y0=-0.5 * spacing[0], y1=(height - 0.5) * spacing[0],
    )  # fmt: skip


def add_colour_bar(figure, place, limit, classes, unit, names, layout) -> None:
    """The colour bar of one scale, below the panels, with ticks in real units."""
    values, texts = scale_ticks(limit, classes=classes)
    words = ", ".join(names) if layout.bars > 1 or len(names) == 1 else "all maps"
    share = 1 / layout.bars
    bar = {
        "orientation": "h", "thickness": 12, "outlinewidth": 0, "ticks": "outside",
        "tickmode": "array", "tickvals": values, "ticktext": texts,
        "x": place * share, "xanchor": "left", "len": min(share - 0.1, 0.6),
        "y": layout.below(6), "yanchor": "top",
        "title": {"text": f"{words} ({unit})", "side": "top", "font": {"size": 12}},
    }  # fmt: skip
    axis = {"cmin": 0, "cmax": TOP_CODE, "colorscale": "Inferno", "colorbar": bar}
    figure.update_layout({f"coloraxis{'' if place == 0 else place + 1}": axis})


def add_choices(figure, views, owners, windows, panels: int, selector: str, layout) -> None:
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


def add_legends(figure: go.Figure, layout) -> None:
    """One line for the raters and one for the classes, below everything else."""
    distance = layout.bar_height + layout.slider_height + 4
    for name, title in (("legend", "raters"), ("legend2", "prediction")):
        if any(getattr(t, "legend", None) == name for t in figure.data):
            words = {"text": f"{title}  ", "side": "left", "font": {"size": 13}}
            legend = {
                "orientation": "h", "x": 0, "xanchor": "left", "yanchor": "top",
                "y": layout.below(distance), "title": words,
                "bgcolor": "rgba(0,0,0,0)", "itemsizing": "constant",
            }  # fmt: skip
            figure.update_layout({name: legend})
            distance += LEGEND_LINE
