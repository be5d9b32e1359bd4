"""Sides of a split: how many subjects, and how they compare."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from .style import PALETTE, check_columns, empty, finish, looks

#: Order and colours of the sides of a split.
SPLITS = {"train": PALETTE[0], "validation": PALETTE[1], "test": PALETTE[2]}
#: What is compared, where the table has it and it holds something.
COMPARED = ("sex", "age", "center", "level")
TITLE = "Who is on which side of the split"


def split_overview(
    table: pd.DataFrame,
    *,
    source: str,
    split: str = "split",
    orders: Mapping[str, Sequence[str]] | None = None,
) -> go.Figure:
    """Subjects and images on each side of a split, and how they compare.

    Parameters
    ----------
    table : DataFrame
        One row an image, with ``subject`` and the columns `COMPARED`. Numbers become boxes over
        subjects, words shares of the subjects (of the images, where a subject has several values,
        as with levels).
    source : str
        Where the data comes from.
    split : str
        Column that names the side.
    orders : mapping, optional
        Column to the order of its values.
    """
    check_columns(table, [split, "subject"], name="split_overview")
    if table.empty:
        return empty("No image.", TITLE, source)
    sides = [s for s in SPLITS if (table[split] == s).any()]
    sides += [s for s in dict.fromkeys(table[split].dropna().astype(str)) if s not in sides]
    shown = [c for c in COMPARED if c in table.columns and table[c].notna().any()]
    rows = 1 + (len(shown) + 1) // 2
    figure = make_subplots(
        rows=rows, cols=2, vertical_spacing=0.34 / rows, horizontal_spacing=0.13,
        subplot_titles=["subjects", "images", *shown],
    )  # fmt: skip
    chosen = {s: look.colour for s, look in looks(sides).items()} | SPLITS
    subjects = table.drop_duplicates(["subject", split])
    for col, frame in enumerate((subjects, table), start=1):
        counts = [int((frame[split] == s).sum()) for s in sides]
        figure.add_bar(
            x=sides, y=counts, text=counts, textposition="inside", row=1, col=col, showlegend=False,
            marker={"color": [chosen[s] for s in sides]}, insidetextfont={"color": "white"},
            hovertemplate="%{x}: %{y}<extra></extra>",
        )  # fmt: skip
    for place, column in enumerate(shown):
        row, col = 2 + place // 2, 1 + place % 2
        several = (table.groupby("subject")[column].nunique() > 1).any()
        frame = table if several else subjects
        _compare(figure, frame, column, split, sides, chosen, row, col, (orders or {}).get(column),
                 "images" if several else "subjects")  # fmt: skip
    figure.update_layout(bargap=0.3, boxgap=0.3, barmode="group")
    height = 110 + 210 * rows
    finish(figure, TITLE, source, height=height, legend=False, bottom=40)
    figure.update_layout(margin_t=100)
    figure.update_annotations(font_size=13.5)
    return figure


def _compare(figure, frame, column, split, sides, chosen, row, col, order, unit) -> None:
    """One panel: boxes of a number, or shares of words, a side."""
    values = frame[column]
    if pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values):
        for side in sides:
            own = frame[(frame[split] == side).to_numpy() & values.notna().to_numpy()]
            figure.add_box(
                y=own[column].to_numpy(float), name=side, row=row, col=col, showlegend=False,
                marker={"color": chosen[side], "size": 4}, boxpoints="all", jitter=0.5, pointpos=0,
                hoveron="points", customdata=own["subject"].astype(str),
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
