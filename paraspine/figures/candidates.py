"""Candidates side by side: entropies, reliability, scores and losses (lemay2022)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from .calibration import arrays_of
from .entropies import NOTHING, POINT, X_TITLE, Y_TITLE, X, Y, entropies_of, identity_line
from .multiples import finish_grid, panel_grid
from .style import (
    HOVER,
    NEUTRAL,
    PALETTE,
    check_columns,
    empty,
    estimate_text,
    finish,
    groups_of,
    hover,
    looks,
)

#: Over-confidence and under-confidence, as in the other reliability diagram.
OVER, UNDER = PALETTE[4], PALETTE[0]


def entropy_panels(
    frame: pd.DataFrame,
    *,
    source: str,
    title: str,
    estimates: Mapping[str, object] | None = None,
    digits: int = 3,
) -> go.Figure:
    """`entropy_scatter` with a panel for each candidate, all on one scale (lemay2022, Fig. 1).

    Parameters
    ----------
    frame : DataFrame
        One row per image and candidate: ``condition``, ``gt_entropy``, ``entropy`` (nats); rows in
        which one is NaN are left out and counted.
    source, title : str
        Where the data comes from, and words.
    estimates : mapping of str to Estimate or float, optional
        Mean absolute error of each candidate; stands above its panel.
    digits : int
        Digits of the estimates.
    """
    complete, lost = entropies_of(frame, "condition", "entropy_panels")
    if complete.empty:
        return empty(NOTHING, title, source)
    groups = groups_of(complete, "condition")
    top = float(complete[[X, Y]].to_numpy().max()) * 1.05 or 1.0
    figure, places, height = panel_grid([_with(n, estimates, "MAE", digits) for n in groups])
    for at, (name, look) in zip(places, looks(groups).items(), strict=True):
        rows = groups[name]
        figure.add_trace(identity_line(top).update(showlegend=False), **at)
        figure.add_scatter(
            x=rows[X].to_numpy(float), y=rows[Y].to_numpy(float), mode="markers", name=name,
            marker={"color": look.colour, "size": 6, "opacity": 0.7}, showlegend=False,
            **hover(rows, HOVER, POINT), **at,
        )  # fmt: skip
    figure.update_xaxes(range=[0, top])
    figure.update_yaxes(range=[0, top])
    words = ["dashed: equal entropies", lost]
    return finish_grid(figure, places, height, X_TITLE, Y_TITLE, title, source, words, legend=False)


def reliability_panels(
    curves: Mapping[str, object],
    *,
    source: str,
    title: str,
    ece: Mapping[str, object] | None = None,
) -> go.Figure:
    """Reliability diagram of each candidate in a panel of its own (lemay2022, Figs. 4 and 6).

    A grey bar is the accuracy of a bin; between it and the bin's mean confidence, orange says
    over-confident and blue under-confident.

    Parameters
    ----------
    curves, source, title
        As for `reliability_diagram`.
    ece : mapping, optional
        Expected calibration error of each candidate, a number or an Estimate; stands above its
        panel.

    Raises
    ------
    ShapeError
        If the arrays of a curve don't match.
    """
    if not curves:
        return empty("No candidate was measured.", title, source)
    figure, places, height = panel_grid([_with(n, ece, "ECE", 3) for n in curves])
    listed = set()
    for at, (name, curve) in zip(places, curves.items(), strict=True):
        confidence, accuracy, count = arrays_of(name, curve)
        width = 1 / len(count)
        centre = (np.arange(len(count)) + 0.5) * width
        there = np.isfinite(confidence) & np.isfinite(accuracy)
        gap = confidence - accuracy
        bars = {
            "accuracy": (there, np.zeros_like(gap), accuracy, "rgba(128,136,144,0.45)"),
            "over-confident": (there & (gap > 0), accuracy, gap, OVER),
            "under-confident": (there & (gap < 0), confidence, -gap, UNDER),
        }
        for words, (shown, base, size, colour) in bars.items():
            if not shown.any():
                continue
            figure.add_bar(
                x=centre[shown], y=size[shown], base=base[shown], width=0.92 * width, name=words,
                legendgroup=words, showlegend=words not in listed, marker={"color": colour},
                customdata=np.stack([confidence, accuracy, count], axis=1)[shown],
                hovertemplate=f"{name}, {words}<br>confidence %{{customdata[0]:.3f}}<br>accuracy "
                "%{customdata[1]:.3f}<br>%{customdata[2]:,.0f} voxels<extra></extra>", **at,
            )  # fmt: skip
            listed.add(words)
        figure.add_scatter(
            x=[0, 1], y=[0, 1], mode="lines", name="calibrated", hoverinfo="skip",
            legendgroup="calibrated", showlegend="calibrated" not in listed,
            line={"color": NEUTRAL, "dash": "dash", "width": 1.5}, **at,
        )  # fmt: skip
        listed.add("calibrated")
    figure.update_layout(barmode="overlay")
    figure.update_xaxes(range=[0, 1])
    figure.update_yaxes(range=[0, 1.005])
    return finish_grid(figure, places, height, "confidence", "accuracy", title, source, [])


def _with(name: str, estimates: Mapping[str, object] | None, word: str, digits: int) -> str:
    """A panel's words: its name, and below it a number where there is one."""
    if estimates is None or name not in estimates:
        return name
    return f"{name}<br>{estimate_text(estimates[name], word, digits=digits)}"


def score_violins(
    frame: pd.DataFrame,
    *,
    source: str,
    title: str,
    marks: Mapping[str, str] | None = None,
    detail: str = "",
) -> go.Figure:
    """Distribution of the composite score of each candidate, best first (lemay2022, Fig. 5).

    Parameters
    ----------
    frame : DataFrame
        One row per image (and split) and candidate: ``condition``, ``value``; NaN (undefined) is
        left out and counted.
    source, title, detail : str
        Where the data comes from, and words.
    marks : mapping of str to str, optional
        Words after a candidate's name, such as ``"*"`` for a significant difference; `detail`
        says what they mean.
    """
    check_columns(frame, ["value", "condition"], name="score_violins")
    rows = frame[frame["value"].notna()]
    if rows.empty:
        return empty("No score is defined for these candidates.", title, source)
    groups = groups_of(rows, "condition")
    means = {name: float(own["value"].mean()) for name, own in groups.items()}
    order = sorted(means, key=lambda name: -means[name])
    colours = {name: look.colour for name, look in looks(groups).items()}
    labels = {name: f"{name} {(marks or {}).get(name, '')}".strip() for name in order}
    figure = go.Figure()
    for name in order:
        own, colour = groups[name], colours[name]
        figure.add_violin(
            x=own["value"].to_numpy(float), y=[labels[name]] * len(own), name=name,
            orientation="h", line={"color": colour, "width": 1.5}, points="all", pointpos=0,
            jitter=0.4, marker={"size": 3.5, "opacity": 0.5, "color": colour}, hoveron="points",
            spanmode="hard", **hover(own, (*HOVER, "split"), f"{name}: %{{x:.3f}}"),
        )  # fmt: skip
    figure.add_scatter(
        x=[means[name] for name in order], y=[labels[name] for name in order], mode="markers",
        name="mean",
        marker={"size": 10, "color": "#24292f", "line": {"width": 2, "color": "white"}},
        hovertemplate="%{y}<br>mean %{x:.3f}<extra></extra>",
    )  # fmt: skip
    figure.update_xaxes(title_text="composite score (sum of z-scores)")
    figure.update_yaxes(
        categoryorder="array", categoryarray=[labels[n] for n in reversed(order)], showgrid=False
    )
    lost = len(frame) - len(rows)
    words = ["dots with a rim: means, best first", detail]
    words += [f"{lost} undefined scores left out"] if lost else []
    return finish(
        figure, title, source, height=140 + 62 * len(order), legend=False,
        detail=", ".join(w for w in words if w),
    )  # fmt: skip


def validation_losses(
    histories: Mapping[str, pd.DataFrame],
    *,
    source: str,
    title: str,
    losses: Mapping[str, str] | None = None,
) -> go.Figure:
    """Validation loss of several trainings over epochs, a panel for each loss (lemay2022, Fig. 7).

    Parameters
    ----------
    histories : mapping of str to DataFrame
        `training.History.frame` by the name of the training; one row an epoch, with ``epoch`` and
        ``validation_loss``. Trainings without a value are left out and named.
    source, title : str
        Where the data comes from, and words.
    losses : mapping of str to str, optional
        Which loss a training minimised, in words. Values of different losses can't be compared, so
        each has a panel with an axis of its own; one panel if left out.
    """
    for name, frame in histories.items():
        check_columns(frame, ["epoch", "validation_loss"], name=f"validation_losses {name}")
    drawn = {n: f[f["validation_loss"].notna()] for n, f in histories.items()}
    drawn = {n: f for n, f in drawn.items() if len(f)}
    if not drawn:
        return empty("No training was validated, so there is no curve.", title, source)
    owner = {n: (losses or {}).get(n, "loss") for n in drawn}
    panels = list(dict.fromkeys(owner.values()))
    figure = make_subplots(rows=1, cols=len(panels), horizontal_spacing=0.12)
    chosen = looks(histories)
    for name, rows in drawn.items():
        figure.add_scatter(
            x=rows["epoch"], y=rows["validation_loss"], mode="lines", name=name,
            line={"color": chosen[name].colour, "dash": chosen[name].dash, "width": 2},
            hovertemplate=f"{name}<br>epoch %{{x}}: %{{y:.4f}}<extra></extra>",
            row=1, col=panels.index(owner[name]) + 1,
        )  # fmt: skip
    figure.update_xaxes(title_text="epoch")
    for place, words in enumerate(panels, start=1):
        figure.update_yaxes(title_text=words, row=1, col=place)
    lost = [n for n in histories if n not in drawn]
    detail = f"not validated: {', '.join(lost)}" if lost else ""
    return finish(figure, title, source, detail=detail)
