"""Grids of pictures in plotly: places in pixels, axes in mm, colour bars, a choice of slices."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from .style import finish

#: Width in CSS pixels that a figure has in the book.
WIDTH = 720
#: Pixels of a panel's title, and of one line of a legend.
PANEL_TITLE, LEGEND_LINE = 26, 26
PLAIN = {
    "showgrid": False, "showline": False, "ticks": "", "showticklabels": False, "zeroline": False,
    "constrain": "domain",
}  # fmt: skip


@dataclass(frozen=True)
class PanelLayout:
    """Pixels of a grid of panels that keeps the aspect of its images."""

    rows: int
    columns: int
    panel: float
    choice: bool
    bars: int

    @classmethod
    def of(
        cls, windows, rows: int, columns: int, *, choice: bool = False, bars: int = 0
    ) -> PanelLayout:
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
        top = figure.layout.margin.t + PANEL_TITLE + (38 if self.choice else 0)
        names = {getattr(t, "legend", None) for t in figure.data} - {None}
        bottom = 10 + self.bar_height + LEGEND_LINE * len(names)
        figure.update_layout(
            height=int(top + self.plot + bottom), margin={"t": top, "l": 8, "r": 8, "b": bottom}
        )


def picture_grid(
    choices: Sequence[tuple[str, tuple, Iterable]],
    shape: tuple[int, int],
    names: Sequence[str],
    *,
    title: str,
    source: str,
    detail: str,
    bars: Sequence[tuple] = (),
) -> go.Figure:
    """Panels that zoom together, with a list to choose what they show.

    Each of `choices` has a title, a window ``(left, right, top, bottom)`` in mm, and traces as
    ``(row, column, trace)``; `names` are the panels' titles, row by row; `bars` the colour axes in
    order, each as limits, colours, words, ticks.
    """
    titles, windows, _ = zip(*choices, strict=True)
    layout = PanelLayout.of(windows, *shape, choice=len(choices) > 1, bars=len(bars))
    figure, owners = layout.subplots(), []
    for number, (_, _, traces) in enumerate(choices):
        for row, column, trace in traces:
            trace.visible = number == 0
            figure.add_trace(trace, row=row + 1, col=column + 1)
            owners.append(number)
    left, right, top, bottom = windows[0]
    figure.update_xaxes(matches="x", range=[left, right], **PLAIN)
    figure.update_yaxes(matches="y", range=[bottom, top], scaleanchor="x", **PLAIN)
    figure.update_yaxes(constraintoward="top")
    add_panel_titles(figure, names)
    finish(figure, title, source, detail=detail)
    layout.apply(figure)
    for place, bar in enumerate(bars):
        axis = f"coloraxis{'' if place == 0 else place + 1}"
        figure.update_layout({axis: _colour_axis(place, layout, *bar)})
    if len(choices) > 1:
        axes = [f"{a}axis{'' if i == 0 else i + 1}.range" for i in range(len(names)) for a in "xy"]
        buttons = []
        for number, (left, right, top, bottom) in enumerate(windows):
            ranges = {a: [left, right] if a[0] == "x" else [bottom, top] for a in axes}
            shown = {"visible": [owner == number for owner in owners]}
            buttons.append({"label": titles[number], "method": "update", "args": [shown, ranges]})
        menu = {
            "buttons": buttons, "direction": "down", "showactive": True, "x": 0, "xanchor": "left",
            "y": 1 + (PANEL_TITLE + 6) / layout.plot, "yanchor": "bottom", "pad": {"t": 0, "b": 0},
        }  # fmt: skip
        figure.update_layout(updatemenus=[menu])
    _add_legends(figure, layout)
    return figure


def add_panel_titles(figure: go.Figure, titles: Sequence[str]) -> None:
    """Titles that follow their panel when it shrinks to keep its aspect."""
    for place, title in enumerate(titles):
        number = "" if place == 0 else place + 1
        figure.add_annotation(
            text=title, showarrow=False, x=0.5, xref=f"x{number} domain", xanchor="center", y=1,
            yref=f"y{number} domain", yanchor="bottom", font={"size": 12.5},
        )  # fmt: skip


def _colour_axis(place: int, layout, limits, colours, words, ticks) -> dict:
    """A colour axis with its bar below the panels."""
    share = 1 / layout.bars
    bar = {
        "orientation": "h", "thickness": 12, "outlinewidth": 0, "ticks": "outside",
        "tickmode": "array", "tickvals": ticks[0], "ticktext": ticks[1],
        "x": place * share, "xanchor": "left", "len": min(share - 0.1, 0.6),
        "y": layout.below(6), "yanchor": "top",
        "title": {"text": words, "side": "top", "font": {"size": 12}},
    }  # fmt: skip
    return {"cmin": limits[0], "cmax": limits[1], "colorscale": colours, "colorbar": bar}


def _add_legends(figure: go.Figure, layout) -> None:
    """One line for the raters and one for the classes, below everything else."""
    distance = layout.bar_height + 4
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
