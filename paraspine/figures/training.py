"""Learning curves of one training."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from .style import PALETTE, check_columns, finish


def training_curves(history: pd.DataFrame, *, source: str, best: int | None = None) -> go.Figure:
    """Loss of training and validation, and validation Dice, over epochs.

    Parameters
    ----------
    history : DataFrame
        `training.History.frame`: ``epoch``, ``train_loss``, and where they were computed
        ``validation_loss``, ``validation_dice``; one row an epoch.
    source : str
        Where the data comes from.
    best : int, optional
        Epoch whose weights were kept; a ring on the validation curves.
    """
    check_columns(history, ["epoch", "train_loss"], name="training_curves")
    dice = _has(history, "validation_dice")
    figure = make_subplots(rows=1, cols=2 if dice else 1, horizontal_spacing=0.12)
    curves = [("train_loss", "loss, training", "dot", 1)]
    curves += [("validation_loss", "loss, validation", "solid", 1)]
    curves += [("validation_dice", "Dice, validation", "solid", 2)] if dice else []
    for (column, words, dash, col), colour in zip(curves, PALETTE, strict=False):
        if not _has(history, column):
            continue
        figure.add_scatter(
            x=history["epoch"], y=history[column], mode="lines", row=1, col=col, name=words,
            line={"color": colour, "dash": dash, "width": 2},
            hovertemplate=f"{words}<br>epoch %{{x}}: %{{y:.4f}}<extra></extra>",
        )  # fmt: skip
        kept = history[history["epoch"] == best]
        if column.startswith("validation") and len(kept):
            figure.add_scatter(
                x=kept["epoch"], y=kept[column], mode="markers", row=1, col=col, name=words,
                showlegend=False, marker={"color": colour, "size": 10, "symbol": "circle-open",
                                          "line": {"width": 2}},
                hovertemplate=f"{words}: kept<br>epoch %{{x}}: %{{y:.4f}}<extra></extra>",
            )  # fmt: skip
    figure.update_xaxes(title_text="epoch")
    figure.update_yaxes(title_text="loss", row=1, col=1)
    if dice:
        figure.update_yaxes(title_text="mean Dice", row=1, col=2)
    detail = "" if best is None else "ring: weights that were kept"
    return finish(figure, "Training", source, height=400, detail=detail)


def _has(frame: pd.DataFrame, column: str) -> bool:
    return column in frame.columns and bool(frame[column].notna().any())
