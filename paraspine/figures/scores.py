"""Candidates side by side: violins of a score, curves of their validation losses (lemay2022)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from .style import (
    DASHES,
    HOVER,
    check_columns,
    colours_for,
    finish,
    groups_of,
    hover,
    note,
)

__all__ = ["score_violins", "validation_losses"]


def score_violins(
    frame: pd.DataFrame,
    *,
    source: str,
    value: str = "value",
    group: str = "condition",
    marks: Mapping[str, str] | None = None,
    lower_is_better: bool = False,
    hover_columns: Sequence[str] = (*HOVER, "split"),
    colours: Mapping[str, str] | None = None,
    title: str = "Composite score of each candidate",
    x_title: str = "composite score (sum of z-scores)",
    detail: str = "",
) -> go.Figure:
    """Distribution of a score for each candidate, best mean first (lemay2022, Fig. 5).

    Parameters
    ----------
    frame : DataFrame
        One row per image (and split) and candidate; NaN (undefined) is left out and counted.
    source : str
        Where the data comes from.
    value, group : str
        Columns of the score and of the candidate.
    marks : mapping of str to str, optional
        Words after a candidate's name, such as ``"*"`` for a significant difference; `detail`
        says what they mean.
    lower_is_better : bool
        Put the lowest mean first.
    hover_columns, colours, title, x_title, detail
        Words and colours.
    """
    check_columns(frame, [value, group], name="score_violins")
    rows = frame[frame[value].notna()]
    if rows.empty:
        empty = note(go.Figure(), "No score is defined for these candidates.")
        return finish(empty, title, source, legend=False, height=260)
    groups = groups_of(rows, group)
    means = {name: float(own[value].mean()) for name, own in groups.items()}
    order = sorted(means, key=lambda name: means[name] if lower_is_better else -means[name])
    chosen = colours_for(list(groups), colours)
    labels = {name: f"{name} {(marks or {}).get(name, '')}".strip() for name in order}
    figure = go.Figure()
    for name in order:
        own, colour = groups[name], chosen[name]
        figure.add_violin(
            x=own[value].to_numpy(float), y=[labels[name]] * len(own), name=name,
            orientation="h", line={"color": colour, "width": 1.5}, points="all", pointpos=0,
            jitter=0.4, marker={"size": 3.5, "opacity": 0.5, "color": colour}, hoveron="points",
            spanmode="hard", **hover(own, hover_columns, f"{name}: %{{x:.3f}}"),
        )  # fmt: skip
    figure.add_scatter(
        x=[means[name] for name in order], y=[labels[name] for name in order], mode="markers",
        name="mean",
        marker={"size": 10, "color": "#24292f", "line": {"width": 2, "color": "white"}},
        hovertemplate="%{y}<br>mean %{x:.3f}<extra></extra>",
    )  # fmt: skip
    figure.update_xaxes(title_text=x_title)
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
    losses: Mapping[str, str] | None = None,
    column: str = "validation_loss",
    best: Mapping[str, int] | None = None,
    colours: Mapping[str, str] | None = None,
    title: str = "Validation loss of each training",
    detail: str = "",
) -> go.Figure:
    """Validation loss of several trainings over epochs, a panel for each loss (lemay2022, Fig. 7).

    Parameters
    ----------
    histories : mapping of str to DataFrame
        `training.History.frame` by the name of the training; one row an epoch, with ``epoch`` and
        `column`. Trainings without a value are left out and named.
    source : str
        Where the data comes from.
    losses : mapping of str to str, optional
        Which loss a training minimised, in words. Values of different losses can't be compared, so
        each has a panel with an axis of its own; one panel if left out.
    column : str
        What is drawn.
    best : mapping of str to int, optional
        Epoch whose weights were kept; a ring on the curve.
    colours, title, detail
        Words and colours.
    """
    for name, frame in histories.items():
        check_columns(frame, ["epoch", column], name=f"validation_losses {name}")
    drawn = {n: f for n, f in histories.items() if f[column].notna().any()}
    if not drawn:
        empty = note(go.Figure(), "No training was validated, so there is no curve.")
        return finish(empty, title, source, legend=False, height=260)
    owner = {n: (losses or {}).get(n, "loss") for n in drawn}
    panels = list(dict.fromkeys(owner.values()))
    figure = make_subplots(rows=1, cols=len(panels), horizontal_spacing=0.12)
    chosen = colours_for(list(histories), colours)
    for place, name in enumerate(drawn):
        rows = drawn[name][drawn[name][column].notna()]
        at = {"row": 1, "col": panels.index(owner[name]) + 1}
        line = {"color": chosen[name], "dash": DASHES[place % len(DASHES)], "width": 2}
        figure.add_scatter(
            x=rows["epoch"], y=rows[column], mode="lines", name=name, legendgroup=name, line=line,
            hovertemplate=f"{name}<br>epoch %{{x}}: %{{y:.4f}}<extra></extra>", **at,
        )  # fmt: skip
        here = rows[rows["epoch"] == (best or {}).get(name)]
        if len(here):
            figure.add_scatter(
                x=here["epoch"], y=here[column], mode="markers", name=name, legendgroup=name,
                showlegend=False, hovertemplate=f"{name}: kept<br>epoch %{{x}}<extra></extra>",
                marker={"color": chosen[name], "size": 10, "symbol": "circle-open",
                        "line": {"width": 2}}, **at,
            )  # fmt: skip
    figure.update_xaxes(title_text="epoch")
    for place, words in enumerate(panels, start=1):
        figure.update_yaxes(title_text=words, row=1, col=place)
    lost = [n for n in histories if n not in drawn]
    words = ["ring: weights that were kept"] if best else []
    words += [f"not validated: {', '.join(lost)}"] if lost else []
    words = ", ".join([*words, detail] if detail else words)
    return finish(figure, title, source, height=430, detail=words)
