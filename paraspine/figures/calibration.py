"""Figures of trust: reliability, precision over recall, accuracy over what is kept, intervals."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from paraspine.arrays import SettingsError, check_same_shape

from .style import DASHES, NEUTRAL, check_columns, colours_for, estimate_text, finish, note

__all__ = ["accuracy_retention", "intervals", "precision_recall", "reliability_diagram"]


def reliability_diagram(
    curves: Mapping[str, object],
    *,
    source: str,
    ece: Mapping[str, object] | None = None,
    edges: Sequence[float] | None = None,
    title: str = "Reliability: does confidence keep its word?",
    detail: str = "",
    colours: Mapping[str, str] | None = None,
) -> go.Figure:
    """Accuracy over confidence with both kinds of miscalibration shaded, and counts below.

    Parameters
    ----------
    curves : mapping of str to Reliability
        Objects with ``confidence``, ``accuracy`` and ``count``, ``(bins,)`` each, NaN where a bin
        is empty (`paraspine.metrics.Reliability`).
    source : str
        Where the data comes from.
    ece : mapping, optional
        Expected calibration error of each curve, a number or an Estimate; stands in the legend.
    edges : sequence of float, optional
        Edges of the bins, ``(bins + 1,)``; equal bins on [0, 1] if left out.
    title, detail : str
        Words.
    colours : mapping, optional
        Name to colour.

    Raises
    ------
    ShapeError
        If the arrays of a curve don't match.
    """
    figure = make_subplots(
        rows=2, cols=1, shared_xaxes=True, row_heights=[0.74, 0.26], vertical_spacing=0.05
    )
    half = {"mode": "lines", "line": {"width": 0}, "hoverinfo": "skip", "showlegend": False}
    figure.add_scatter(
        x=[0, 0, 1, 0], y=[0, 1, 1, 0], fill="toself", fillcolor="rgba(0,114,178,0.10)", **half
    )
    figure.add_scatter(
        x=[0, 1, 1, 0], y=[0, 0, 1, 0], fill="toself", fillcolor="rgba(213,94,0,0.10)", **half
    )
    figure.add_scatter(
        x=[0, 1], y=[0, 1], mode="lines", name="calibrated", hoverinfo="skip",
        line={"color": NEUTRAL, "dash": "dash", "width": 1.5},
    )  # fmt: skip
    for i, (name, colour) in enumerate(colours_for(list(curves), colours).items()):
        curve = curves[name]
        confidence, accuracy, count = (
            np.asarray(getattr(curve, k), dtype=float) for k in ("confidence", "accuracy", "count")
        )
        check_same_shape(confidence, accuracy, names=(f"{name} confidence", "accuracy"))
        check_same_shape(confidence, count, names=(f"{name} confidence", "count"))
        own = None if ece is None else ece.get(name)
        words = name if own is None else f"{name} ({estimate_text(own, 'ECE', digits=4)})"
        there = np.isfinite(confidence) & np.isfinite(accuracy)
        dash = DASHES[i % len(DASHES)]
        figure.add_scatter(
            x=confidence[there], y=accuracy[there], mode="lines+markers", name=words,
            legendgroup=name, customdata=count[there],
            line={"color": colour, "dash": dash, "width": 2}, marker={"size": 8},
            hovertemplate=f"{name}<br>confidence %{{x:.3f}}<br>accuracy %{{y:.3f}}"
            "<br>%{customdata:,.0f} voxels<extra></extra>",
        )  # fmt: skip
        limits = np.linspace(0, 1, len(count) + 1) if edges is None else np.asarray(edges, float)
        if len(limits) != len(count) + 1:
            raise SettingsError(
                f"edges: expected {len(count) + 1} for the {len(count)} bins of '{name}', "
                f"got {len(limits)}."
            )
        shown = np.where(count > 0, count, np.nan)
        figure.add_scatter(
            x=limits, y=np.append(shown, shown[-1]), mode="lines", name=words, row=2, col=1,
            legendgroup=name, showlegend=False, line={"color": colour, "dash": dash, "width": 2,
                                                      "shape": "hv"},
            hovertemplate=f"{name}<br>from %{{x:.2f}}: %{{y:,.0f}} voxels<extra></extra>",
        )  # fmt: skip
    corner = {"showarrow": False, "font": {"size": 13}, "row": 1, "col": 1}
    figure.add_annotation(
        text="under-confident", x=0.03, y=0.97, xanchor="left", yanchor="top", **corner
    )
    figure.add_annotation(
        text="over-confident", x=0.97, y=0.03, xanchor="right", yanchor="bottom", **corner
    )
    figure.update_xaxes(range=[0, 1])
    figure.update_xaxes(title_text="confidence", row=2, col=1)
    figure.update_yaxes(title_text="accuracy", range=[0, 1.005], row=1, col=1)
    figure.update_yaxes(
        title_text="voxels", type="log", exponentformat="power", nticks=4, row=2, col=1
    )
    return finish(figure, title, source, height=600, detail=detail)


def precision_recall(
    curves: Mapping[str, tuple[Sequence[float], Sequence[float]]],
    prevalence: float | Mapping[str, float],
    *,
    source: str,
    average_precision: Mapping[str, object] | None = None,
    title: str = "Does uncertainty find the errors?",
    detail: str = "",
    points: int = 400,
    colours: Mapping[str, str] | None = None,
) -> go.Figure:
    """Precision over recall of errors found by uncertainty, with the share of errors as chance.

    Parameters
    ----------
    curves : mapping of str to (recall, precision)
        Arrays of the same length; at most `points` of each are drawn, evenly over recall.
    prevalence : float or mapping
        Share of misclassified voxels: what guessing would reach. One line where it is the same
        for all curves, else one a curve in its colour; of more than three the legend names the
        range alone.
    source : str
        Where the data comes from.
    average_precision : mapping, optional
        Number or Estimate for each curve, for the legend.
    title, detail : str
        Words.
    points : int
        Upper limit on the points of a curve.
    colours : mapping, optional
        Name to colour.
    """
    figure = go.Figure()
    chosen = colours_for(list(curves), colours)
    for i, (name, (recall, precision)) in enumerate(curves.items()):
        check_same_shape(recall, precision, names=(f"{name} recall", "precision"))
        x, y = _thin(recall, precision, points)
        own = None if average_precision is None else average_precision.get(name)
        figure.add_scatter(
            x=x, y=y, mode="lines",
            name=name if own is None else f"{name} ({estimate_text(own, 'AP', digits=3)})",
            line={"color": chosen[name], "dash": DASHES[i % len(DASHES)], "width": 2},
            hovertemplate=f"{name}<br>recall %{{x:.3f}}<br>precision %{{y:.3f}}<extra></extra>",
        )  # fmt: skip
    shares = prevalence if isinstance(prevalence, Mapping) else {"": prevalence}
    same = len({round(float(v), 6) for v in shares.values()}) <= 1
    lines = {"": next(iter(shares.values()))} if same and shares else shares
    ends = [f"{100 * float(v):.2f}" for v in (min(lines.values()), max(lines.values()))]
    for place, (name, share) in enumerate(lines.items()):
        words = f"chance{f', {name}' if name else ''}: {100 * float(share):.2f} % are errors"
        if len(lines) > 3:  # one entry for all: their names would crowd out the curves'
            words = f"chance: {ends[0]} to {ends[1]} % are errors"
        figure.add_scatter(
            x=[0, 1], y=[share, share], mode="lines", name=words, hoverinfo="skip",
            line={"color": chosen.get(name, NEUTRAL), "dash": "dot", "width": 1.2},
            legendgroup=words, showlegend=len(lines) <= 3 or place == 0,
        )  # fmt: skip
    figure.update_xaxes(title_text="recall: share of the errors found", range=[0, 1.005])
    figure.update_yaxes(title_text="precision: share that are errors", range=[0, 1.005])
    return finish(figure, title, source, height=480, detail=detail)


def _thin(x, y, points: int) -> tuple[np.ndarray, np.ndarray]:
    """At most `points` of a curve, its ends among them, evenly spread over x."""
    x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    keep = np.isfinite(x) & np.isfinite(y)
    x, y = x[keep], y[keep]
    if len(x) <= points:
        return x, y
    order = np.argsort(x, kind="stable")
    wanted = np.linspace(x[order[0]], x[order[-1]], points)
    places = np.searchsorted(x[order], wanted).clip(0, len(x) - 1)
    places = np.unique(np.concatenate([[0], places, [len(x) - 1]]))
    chosen = order[places]
    return x[chosen], y[chosen]


def accuracy_retention(
    curves: Mapping[str, tuple[Sequence[float], Sequence[float]]],
    *,
    source: str,
    title: str = "Accuracy of what is kept when the most uncertain voxels are set aside",
    x_title: str = "share of voxels kept",
    y_title: str = "accuracy of the kept voxels",
    detail: str = "",
    points: int = 400,
    colours: Mapping[str, str] | None = None,
) -> go.Figure:
    """Accuracy over the share of voxels kept, least uncertain first.

    Parameters
    ----------
    curves : mapping of str to (kept, accuracy)
        Fractions, arrays of the same length.
    source : str
        Where the data comes from.
    title, x_title, y_title, detail, points, colours
        Words, points drawn of a curve, colours.
    """
    figure = go.Figure()
    for i, (name, colour) in enumerate(colours_for(list(curves), colours).items()):
        kept, accuracy = curves[name]
        check_same_shape(kept, accuracy, names=(f"{name} kept", "accuracy"))
        x, y = _thin(kept, accuracy, points)
        figure.add_scatter(
            x=x, y=y, mode="lines", name=name,
            line={"color": colour, "dash": DASHES[i % len(DASHES)], "width": 2},
            hovertemplate=f"{name}<br>%{{x:.1%}} kept<br>accuracy %{{y:.4f}}<extra></extra>",
        )  # fmt: skip
    figure.update_xaxes(title_text=x_title, tickformat=".0%", range=[0, 1.005])
    figure.update_yaxes(title_text=y_title)
    return finish(figure, title, source, detail=detail, legend=len(curves) > 1)


def intervals(
    estimates: Mapping[str, object] | pd.DataFrame,
    *,
    source: str,
    x_title: str,
    title: str,
    reference: float | None = None,
    group: str | None = None,
    interval: str = "95 % interval",
    detail: str = "",
    colours: Mapping[str, str] | None = None,
) -> go.Figure:
    """Estimates with their intervals, one a line (a forest plot).

    Parameters
    ----------
    estimates : mapping of str to Estimate, or DataFrame
        A frame has the columns ``name``, ``value``, ``low``, ``high``. Undefined values keep
        their line and say so.
    source : str
        Where the data comes from.
    x_title : str
        The measure, with its unit.
    title : str
        Above the figure.
    reference : float, optional
        A dashed line, for example at no difference or at a published value.
    group : str, optional
        A column of the frame that colours the estimates.
    interval, detail : str
        What the bars are, and more words for the source line.
    colours : mapping, optional
        Group to colour.
    """
    if not isinstance(estimates, pd.DataFrame):
        rows = [
            {"name": n, "value": float(getattr(e, "value", e)),
             "low": float(getattr(e, "low", math.nan)), "high": float(getattr(e, "high", math.nan))}
            for n, e in estimates.items()
        ]  # fmt: skip
        estimates = pd.DataFrame(rows, columns=["name", "value", "low", "high"])
    check_columns(estimates, ["name", "value", "low", "high", group], name="intervals")
    figure = go.Figure()
    if estimates.empty:
        return finish(note(figure, "No estimate."), title, source, legend=False, height=260)
    order = list(dict.fromkeys(estimates["name"].astype(str)))
    keys = pd.Series("", estimates.index) if group is None else estimates[group].astype(str)
    groups = list(dict.fromkeys(keys))
    chosen = colours_for(groups, colours)
    for place, key in enumerate(groups):
        rows = estimates[(keys == key).to_numpy()]
        defined = rows[rows["value"].notna()]
        value = defined["value"].to_numpy(float)
        shift = 0.0 if len(groups) == 1 else 0.5 * ((place + 0.5) / len(groups) - 0.5)
        figure.add_scatter(
            x=value, y=[order.index(n) + shift for n in defined["name"].astype(str)],
            mode="markers", name=key or "estimate", marker={"color": chosen[key], "size": 9},
            error_x={"type": "data", "symmetric": False, "thickness": 2, "width": 4,
                     "array": np.nan_to_num(defined["high"].to_numpy(float) - value),
                     "arrayminus": np.nan_to_num(value - defined["low"].to_numpy(float))},
            customdata=np.stack([defined["name"].astype(str), defined["low"], defined["high"]], 1)
            if len(defined) else None,
            hovertemplate="%{customdata[0]}" + (f", {key}" if key else "")
            + "<br>%{x:.4f} [%{customdata[1]:.4f}, %{customdata[2]:.4f}]<extra></extra>",
        )  # fmt: skip
        for name in rows.loc[rows["value"].isna(), "name"].astype(str):
            figure.add_annotation(
                text="undefined", x=0.99, xref="x domain", xanchor="right", showarrow=False,
                y=order.index(name) + shift, font={"size": 11},
            )  # fmt: skip
    if reference is not None:
        figure.add_scatter(  # a line alone would not widen the axis
            x=[reference], y=[0], mode="markers", marker={"opacity": 0}, hoverinfo="skip",
            showlegend=False,
        )  # fmt: skip
        figure.add_vline(x=reference, line={"color": NEUTRAL, "dash": "dash", "width": 1.5})
    figure.update_xaxes(title_text=x_title)
    figure.update_yaxes(
        tickmode="array", tickvals=list(range(len(order))), ticktext=order,
        range=[len(order) - 0.4, -0.6], showgrid=False,
    )  # fmt: skip
    words = ", ".join(w for w in (f"bars: {interval}", detail) if w)
    height = 150 + max(26, 20 * len(groups)) * len(order)
    return finish(
        figure, title, source, height=max(height, 260), detail=words, legend=len(groups) > 1
    )
