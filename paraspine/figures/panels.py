"""Slices to show, and the traces that show them: pictures, outlines, scale bars, sides."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import plotly.graph_objects as go

from paraspine.anatomy import ClassTable
from paraspine.arrays import SettingsError, check_label_map, check_same_shape

from .encode import grey_levels, picture

#: Raters' colours: bright on grey images, and none of them a colour of the default classes.
RATER_COLOURS = ("#E8D900", "#00C896", "#F781BF", "#B497FF", "#FF6347", "#8FD14F", "#5AD2F4")


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
    choices : mapping of str to str
        What has to be chosen to see it, by the name of the list: subject, level, network.
    titles : mapping of str to str
        Titles of panels that say more than their names.
    notes : mapping of str to str
        What to read in place of a panel that it lacks.
    """

    image: np.ndarray
    title: str
    labels: np.ndarray | None = None
    rated: np.ndarray | None = None
    prediction: np.ndarray | None = None
    maps: Mapping[str, np.ndarray] = field(default_factory=dict)
    choices: Mapping[str, str] = field(default_factory=dict)
    titles: Mapping[str, str] = field(default_factory=dict)
    notes: Mapping[str, str] = field(default_factory=dict)

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


def panels_of(views: Sequence[View], maps: Sequence[str]) -> list[str]:
    """Names of the panels that any of the views has, then those of the maps."""
    panels = ["image"]
    panels += ["raters"] if any(v.raters() for v in views) else []
    panels += ["prediction"] if any(v.prediction is not None for v in views) else []
    return [*panels, *maps]


def named_raters(views: Sequence[View], names: Sequence[str] | None) -> list[str]:
    """Names of the raters of all views, as given or ``rater 1`` and so on.

    Raises
    ------
    SettingsError
        If there are more raters than names.
    """
    count = max([len(v.labels) for v in views if v.labels is not None], default=0)
    names = list(names) if names is not None else [f"rater {r + 1}" for r in range(count)]
    if len(names) < count:
        raise SettingsError(f"raters: expected {count} names, got {len(names)}.")
    return names[:count]


def shown_window(
    view: View, spacing, crop: float | None = None
) -> tuple[float, float, float, float]:
    """Left, right, top and bottom in mm of all, or of what lies within `crop` mm of a label."""
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


def picture_trace(image: np.ndarray, spacing) -> go.Image:
    """A grey picture of an image ``(H, W)`` with its pixels in mm."""
    return go.Image(
        source=picture(grey_levels(image)), x0=0, y0=0, dx=spacing[1], dy=spacing[0], name="image",
        hovertemplate="%{x:.1f} mm, %{y:.1f} mm<extra></extra>",
    )  # fmt: skip


def outline_trace(
    x, y, name: str, colour: str, *, legend: str, width: float = 1.6, listed: bool = True
) -> go.Scatter:
    """Outlines in mm, as `outlines` returns them."""
    return go.Scatter(
        x=x or [None], y=y or [None], mode="lines", name=name, hoverinfo="skip",
        showlegend=listed, legend=legend, legendgroup=name, line={"color": colour, "width": width},
    )  # fmt: skip


#: Black around white words, so that they stand out on fat too.
OUTLINED = ", ".join(f"{x}px {y}px 1px black" for x in (-1, 0, 1) for y in (-1, 0, 1) if x or y)


def orientation_marks(window) -> go.Scatter:
    """R and L at the sides of an axial slice: the picture's left is the patient's right."""
    left, right, top, bottom = window
    inset, middle = (right - left) * 0.04, (top + bottom) / 2
    return go.Scatter(
        x=[left + inset, right - inset], y=[middle, middle], text=["R", "L"], mode="text",
        hoverinfo="skip", showlegend=False,
        textfont={"color": "white", "size": 12, "shadow": OUTLINED},
    )  # fmt: skip


def scale_bars(window) -> list[go.Scatter]:
    """A white line of a round length at the lower left with a black rim, and its length."""
    left, right, top, bottom = window
    wanted = (right - left) / 4
    unit = 10 ** math.floor(math.log10(wanted))
    length = max(s * unit for s in (1, 2, 5) if s * unit <= wanted)
    x, y = left + (right - left) * 0.04, bottom - (bottom - top) * 0.07
    rim = (right - left) * 0.006
    line = {"y": [y, y], "hoverinfo": "skip", "showlegend": False}
    edge = go.Scatter(
        x=[x - rim, x + length + rim], mode="lines", line={"color": "black", "width": 6}, **line
    )
    bar = go.Scatter(
        x=[x, x + length], mode="lines+text", text=["", f" {length:g} mm"],
        textposition="middle right", line={"color": "white", "width": 3},
        textfont={"color": "white", "size": 12, "shadow": OUTLINED}, **line,
    )  # fmt: skip
    return [edge, bar]
