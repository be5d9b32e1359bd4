"""Calibration and error detection: reliability, precision-recall, retention, intervals."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from paraspine.arrays import check_same_shape

from .style import NEUTRAL, check_columns, empty, estimate_text, finish, looks


def arrays_of(name: str, curve) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Confidence, accuracy and count of a curve; `ShapeError` if they don't match."""
    confidence, accuracy, count = (
        np.asarray(getattr(curve, k), dtype=float) for k in ("confidence", "accuracy", "count")
    )
    check_same_shape(confidence, accuracy, names=(f"{name} confidence", "accuracy"))
    check_same_shape(confidence, count, names=(f"{name} confidence", "count"))
    return confidence, accuracy, count


def reliability_diagram(
    curves: Mapping[str, object],
    *,
    source: str,
    title: str,
    ece: Mapping[str, object] | None = None,
    detail: str = "",
) -> go.Figure:
    """Accuracy over confidence with both kinds of miscalibration shaded, and counts below.

    Parameters
    ----------
    curves : mapping of str to Reliability
        Objects with ``confidence``, ``accuracy`` and ``count``, ``(bins,)`` each, NaN where a bin
        is empty (`paraspine.metrics.Reliability`).
    source, title, detail : str
        Where the data comes from, and words.
    ece : mapping, optional
        Expected calibration error of each curve, a number or an Estimate; stands in the legend.

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
    for name, look in looks(curves).items():
        confidence, accuracy, count = arrays_of(name, curves[name])
        own = None if ece is None else ece.get(name)
        words = name if own is None else f"{name} ({estimate_text(own, 'ECE', digits=4)})"
        there = np.isfinite(confidence) & np.isfinite(accuracy)
        line = {"color": look.colour, "dash": look.dash, "width": 2}
        figure.add_scatter(
            x=confidence[there], y=accuracy[there], mode="lines+markers", name=words,
            legendgroup=name, customdata=count[there], line=line,
            marker={"size": 8, "symbol": look.symbol},
            hovertemplate=f"{name}<br>confidence %{{x:.3f}}<br>accuracy %{{y:.3f}}"
            "<br>%{customdata:,.0f} voxels<extra></extra>",
        )  # fmt: skip
        shown = np.where(count > 0, count, np.nan)
        figure.add_scatter(
            x=np.linspace(0, 1, len(count) + 1), y=np.append(shown, shown[-1]), mode="lines",
            name=words, row=2, col=1, legendgroup=name, showlegend=False,
            line={**line, "shape": "hv"},
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
    prevalence: Mapping[str, float],
    *,
    source: str,
    title: str,
    average_precision: Mapping[str, object] | None = None,
) -> go.Figure:
    """Precision over recall of errors found by uncertainty, with the share of errors as chance.

    Parameters
    ----------
    curves : mapping of str to (recall, precision)
        Arrays of the same length.
    prevalence : mapping of str to float
        Share of misclassified voxels: what guessing would reach. One line where it is the same
        for all curves, else one a curve in its colour; of more than three the legend names the
        range alone.
    source, title : str
        Where the data comes from, and words.
    average_precision : mapping, optional
        Number or Estimate for each curve, for the legend.
    """
    figure = go.Figure()
    chosen = looks(curves)
    for name, (recall, precision) in curves.items():
        check_same_shape(recall, precision, names=(f"{name} recall", "precision"))
        own = None if average_precision is None else average_precision.get(name)
        figure.add_scatter(
            x=recall, y=precision, mode="lines",
            name=name if own is None else f"{name} ({estimate_text(own, 'AP', digits=3)})",
            line={"color": chosen[name].colour, "dash": chosen[name].dash, "width": 2},
            hovertemplate=f"{name}<br>recall %{{x:.3f}}<br>precision %{{y:.3f}}<extra></extra>",
        )  # fmt: skip
    same = len({round(float(v), 6) for v in prevalence.values()}) <= 1
    lines = dict([("", v) for v in prevalence.values()][:1]) if same else prevalence
    for place, (name, share) in enumerate(lines.items()):
        words = f"chance{f', {name}' if name else ''}: {100 * float(share):.2f} % are errors"
        if len(lines) > 3:
            low, high = (100 * float(end(lines.values())) for end in (min, max))
            words = f"chance: {low:.2f} to {high:.2f} % are errors"
        figure.add_scatter(
            x=[0, 1], y=[share, share], mode="lines", name=words, hoverinfo="skip",
            line={"color": chosen[name].colour if name else NEUTRAL, "dash": "dot", "width": 1.2},
            legendgroup=words, showlegend=len(lines) <= 3 or place == 0,
        )  # fmt: skip
    figure.update_xaxes(title_text="recall: share of the errors found", range=[0, 1.005])
    figure.update_yaxes(title_text="precision: share that are errors", range=[0, 1.005])
    return finish(figure, title, source, height=480)


def intervals(
    estimates: Mapping[str, object] | pd.DataFrame,
    *,
    source: str,
    x_title: str,
    title: str,
    reference: float | None = None,
    group: str | None = None,
    detail: str = "",
    bars: str = "95 % interval",
) -> go.Figure:
    """Estimates with their intervals, one a line (a forest plot).

    Parameters
    ----------
    estimates : mapping of str to Estimate, or DataFrame
        A frame has the columns ``name``, ``value``, ``low``, ``high``. Undefined values keep
        their line and say so.
    source : str
        Where the data comes from.
    x_title, title, detail : str
        The measure with its unit, and words above.
    reference : float, optional
        A dashed line, for example at no difference or at a published value.
    group : str, optional
        A column of the frame; its values have a colour and a symbol each.
    bars : str
        What ``low`` and ``high`` are.
    """
    if not isinstance(estimates, pd.DataFrame):
        rows = [
            {"name": n, "value": float(getattr(e, "value", e)),
             "low": float(getattr(e, "low", math.nan)), "high": float(getattr(e, "high", math.nan))}
            for n, e in estimates.items()
        ]  # fmt: skip
        estimates = pd.DataFrame(rows, columns=["name", "value", "low", "high"])
    check_columns(estimates, ["name", "value", "low", "high", group], name="intervals")
    if estimates.empty:
        return empty("No estimate.", title, source)
    figure = go.Figure()
    order = list(dict.fromkeys(estimates["name"].astype(str)))
    keys = pd.Series("", estimates.index) if group is None else estimates[group].astype(str)
    groups = list(dict.fromkeys(keys))
    for place, (key, look) in enumerate(looks(groups).items()):
        rows = estimates[(keys == key).to_numpy()]
        defined = rows[rows["value"].notna()]
        value = defined["value"].to_numpy(float)
        shift = 0.0 if len(groups) == 1 else 0.5 * ((place + 0.5) / len(groups) - 0.5)
        figure.add_scatter(
            x=value, y=[order.index(n) + shift for n in defined["name"].astype(str)],
            mode="markers", name=key or "estimate",
            marker={"color": look.colour, "symbol": look.symbol, "size": 9},
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
    words = ", ".join(w for w in (f"bars: {bars}", detail) if w)
    height = 150 + max(26, 20 * len(groups)) * len(order)
    return finish(
        figure, title, source, height=max(height, 260), detail=words, legend=len(groups) > 1
    )
