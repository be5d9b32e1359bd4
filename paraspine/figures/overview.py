"""Figures of a cohort and of a training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from .style import PALETTE, check_columns, colours_for, finish, note

__all__ = ["split_overview", "training_curves"]

#: Order and colours of the sides of a split.
SPLITS = {"train": PALETTE[0], "validation": PALETTE[1], "test": PALETTE[2]}


def training_curves(
    history: pd.DataFrame | Mapping[str, pd.DataFrame],
    *,
    source: str,
    best: int | Mapping[str, int] | None = None,
    title: str = "Training",
    detail: str = "",
) -> go.Figure:
    """Loss of training and validation, and validation Dice, over epochs.

    Parameters
    ----------
    history : DataFrame or mapping of str to DataFrame
        `training.History.frame`: ``epoch``, ``train_loss``, and where they were computed
        ``validation_loss``, ``validation_dice``; one row an epoch.
    source : str
        Where the data comes from.
    best : int or mapping, optional
        Epoch whose weights were kept; a dot on the validation curve.
    title, detail : str
        Words.
    """
    runs = {"": history} if isinstance(history, pd.DataFrame) else dict(history)
    for name, frame in runs.items():
        check_columns(frame, ["epoch", "train_loss"], name=f"training_curves {name}".strip())
    dice = any(_has(f, "validation_dice") for f in runs.values())
    figure = make_subplots(rows=1, cols=2 if dice else 1, horizontal_spacing=0.12)
    curves = [("train_loss", "loss, training", "dot", 1)]
    curves += [("validation_loss", "loss, validation", "solid", 1)]
    curves += [("validation_dice", "Dice, validation", "solid", 2)] if dice else []
    chosen = colours_for(list(runs))
    for name, frame in runs.items():
        kept = best.get(name) if isinstance(best, Mapping) else best
        for place, (column, words, dash, col) in enumerate(curves):
            if not _has(frame, column):
                continue
            colour = chosen[name] if name else PALETTE[place]
            label = f"{name}, {words}" if name else words
            shown = {"name": name or words, "legendgroup": name or words}
            listed = not name or place == (1 if _has(frame, "validation_loss") else 0)
            figure.add_scatter(
                x=frame["epoch"], y=frame[column], mode="lines", row=1, col=col, **shown,
                showlegend=listed, line={"color": colour, "dash": dash, "width": 2},
                hovertemplate=f"{label}<br>epoch %{{x}}: %{{y:.4f}}<extra></extra>",
            )  # fmt: skip
            here = frame[frame["epoch"] == kept]
            if column.startswith("validation") and len(here):
                figure.add_scatter(
                    x=here["epoch"], y=here[column], mode="markers", row=1, col=col,
                    showlegend=False, **shown,
                    marker={"color": colour, "size": 10, "symbol": "circle-open",
                            "line": {"width": 2}},
                    hovertemplate=f"{label}: kept<br>epoch %{{x}}: %{{y:.4f}}<extra></extra>",
                )  # fmt: skip
    figure.update_xaxes(title_text="epoch")
    figure.update_yaxes(title_text="loss", row=1, col=1)
    if dice:
        figure.update_yaxes(title_text="mean Dice", row=1, col=2)
    words = ["dotted: training, solid: validation"] if len(runs) > 1 or "" not in runs else []
    words += ["ring: weights that were kept"] if best is not None else []
    words = ", ".join([*words, detail] if detail else words)
    return finish(figure, title, source, height=400, detail=words)


def _has(frame: pd.DataFrame, column: str) -> bool:
    return column in frame.columns and bool(frame[column].notna().any())


def split_overview(
    table: pd.DataFrame,
    *,
    source: str,
    split: str = "split",
    subject: str = "subject",
    columns: Sequence[str] = ("sex", "age", "center", "level"),
    orders: Mapping[str, Sequence[str]] | None = None,
    title: str = "Who is on which side of the split",
) -> go.Figure:
    """How many subjects are on each side of a split, and how they compare.

    Parameters
    ----------
    table : DataFrame
        One row an image; `split` names its side.
    source : str
        Where the data comes from.
    split, subject : str
        Columns.
    columns : sequence of str
        What to compare. Numbers become boxes over subjects, words shares of the subjects (of the
        images, where a subject has several values, as with levels). Columns that the table lacks,
        or that hold nothing, are passed over.
    orders : mapping, optional
        Column to the order of its values.
    title : str
        Above the figure.
    """
    check_columns(table, [split, subject], name="split_overview")
    sides = [s for s in SPLITS if (table[split] == s).any()]
    sides += [s for s in dict.fromkeys(table[split].dropna().astype(str)) if s not in sides]
    shown = [c for c in columns if c in table.columns and table[c].notna().any()]
    figure = make_subplots(
        rows=1 + (len(shown) + 1) // 2, cols=2, vertical_spacing=0.34 / (1 + (len(shown) + 1) // 2),
        horizontal_spacing=0.13, subplot_titles=["subjects", "images", *shown],
    )  # fmt: skip
    if table.empty:
        return finish(note(figure, "No image."), title, source, legend=False)
    chosen = colours_for(sides, SPLITS)
    subjects = table.drop_duplicates([subject, split])
    for col, frame in enumerate((subjects, table), start=1):
        counts = [int((frame[split] == s).sum()) for s in sides]
        figure.add_bar(
            x=sides, y=counts, text=counts, textposition="inside", row=1, col=col, showlegend=False,
            marker={"color": [chosen[s] for s in sides]}, insidetextfont={"color": "white"},
            hovertemplate="%{x}: %{y}<extra></extra>",
        )  # fmt: skip
    for place, column in enumerate(shown):
        row, col = 2 + place // 2, 1 + place % 2
        several = (table.groupby(subject)[column].nunique() > 1).any()
        frame = table if several else subjects
        _compare(figure, frame, column, split, sides, chosen, row, col, (orders or {}).get(column),
                 "images" if several else "subjects", subject)  # fmt: skip
    figure.update_layout(bargap=0.3, boxgap=0.3, barmode="group")
    rows = 1 + (len(shown) + 1) // 2
    height = 110 + 210 * rows
    finish(figure, title, source, height=height, legend=False, bottom=40)
    figure.update_layout(margin_t=100)
    figure.update_annotations(font_size=13.5)
    return figure


def _compare(figure, frame, column, split, sides, chosen, row, col, order, unit, subject) -> None:
    """One panel: boxes of a number, or shares of words, a side."""
    values = frame[column]
    if pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values):
        for side in sides:
            own = frame[(frame[split] == side).to_numpy() & values.notna().to_numpy()]
            figure.add_box(
                y=own[column].to_numpy(float), name=side, row=row, col=col, showlegend=False,
                marker={"color": chosen[side], "size": 4}, boxpoints="all", jitter=0.5, pointpos=0,
                hoveron="points", customdata=own[subject].astype(str),
                hovertemplate=f"{side}, %{{customdata}}: %{{y}}<extra></extra>",
            )  # fmt: skip
        figure.update_yaxes(title_text="years" if column == "age" else column, row=row, col=col)
        return
    words = values.dropna().astype(str)
    names = [n for n in order if (words == n).any()] if order else sorted(set(words))
    for side in sides:
        own = words[(frame.loc[words.index, split] == side).to_numpy()]
        counts = np.array([int((own == n).sum()) for n in names])
        share = counts / max(int(counts.sum()), 1)
        figure.add_bar(
            x=names, y=share, name=side, row=row, col=col, showlegend=False, customdata=counts,
            marker={"color": chosen[side]},
            hovertemplate=f"{side}, %{{x}}: %{{y:.0%}} (%{{customdata}} {unit})<extra></extra>",
        )  # fmt: skip
    figure.update_yaxes(title_text=f"share of {unit}", tickformat=".0%", row=row, col=col)
