"""Candidates against a baseline: Wilcoxon tests as published, by subject beside them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from paraspine import text
from paraspine.arrays import SettingsError
from paraspine.evidence.comparisons import paired_both_ways
from paraspine.evidence.show import cells, estimate
from paraspine.frames import rows
from paraspine.studies.label_fusion.composite import things

__all__ = ["candidate_table", "candidate_display", "candidate_sentence"]

_COLUMNS = [
    "measure", "class", "condition", "baseline", "n", "dropped", "infinite", "value",
    "value_baseline", "mean", "low", "high", "median_difference", "p", "p_holm", "effect",
    "effect_low",
    "effect_high", "subjects", "p_subject", "p_holm_subject", "effect_subject",
]  # fmt: skip


def candidate_table(
    frame: pd.DataFrame,
    measure: str | Sequence[str],
    baseline: str,
    *,
    condition: str = "condition",
    pair: Sequence[str] | None = None,
    resamples: int = 2000,
) -> pd.DataFrame:
    """Every candidate against one baseline: Wilcoxon signed-rank test (lemay2022, Tables 2 and 3).

    Parameters
    ----------
    frame : pandas.DataFrame
        Tidy: identifying columns with ``subject``, `condition`, ``class``, ``measure``, ``value``.
    measure : str or sequence of str
        What is compared.
    baseline : str
        The candidate that the others are compared with.
    condition : str
        Column of the candidates.
    pair : sequence of str, optional
        Columns that say which rows of two candidates belong together; ``subject``, ``image``,
        ``slice`` and ``split``, as far as the frame has them, if left out.
    resamples : int
        Bootstrap resamples of subjects.

    Returns
    -------
    pandas.DataFrame
        One row per measure, class and candidate: ``measure``, ``class``, ``condition``,
        ``baseline``; ``n`` (images tested), ``dropped`` (left out as undefined in either),
        ``infinite`` (left out as infinite in either); ``value`` and ``value_baseline`` (means over
        those images); ``mean`` (difference to the baseline) with ``low`` and ``high`` by
        resampling subjects; ``median_difference``; by image, as published, ``p``, ``p_holm``,
        ``effect`` (matched-pairs rank-biserial correlation, -1 to 1) with ``effect_low`` and
        ``effect_high``; and by subject, whose images are averaged first, ``subjects``,
        ``p_subject``, ``p_holm_subject``, ``effect_subject``. Holm's adjustment is over the rows
        of a measure. Empty where there is no candidate beside the baseline.

    Raises
    ------
    SettingsError
        If a column, a measure or the baseline is missing, or a row occurs twice.
    """
    keys = things(frame, condition, pair)
    tables = []
    for name in [measure] if isinstance(measure, str) else measure:
        chosen = rows(frame, name)
        if chosen.empty:
            raise SettingsError(
                f"measure: the frame has no {name!r}; there are "
                f"{', '.join(sorted(set(frame['measure'])))}."
            )
        if chosen[condition].nunique() > 1 or baseline not in set(chosen[condition]):
            tables.append(_tests(chosen, condition, keys, baseline, resamples))
    if not tables:
        return pd.DataFrame(columns=_COLUMNS)
    return pd.concat(tables, ignore_index=True)[_COLUMNS]


def _tests(chosen, condition, keys, baseline, resamples) -> pd.DataFrame:
    values = chosen["value"].to_numpy(dtype=float)
    infinite = np.isinf(values)
    finite = chosen.assign(value=np.where(infinite, np.nan, values))
    table = paired_both_ways(
        finite, condition, keys, "wilcoxon", by="class", reference=baseline, resamples=resamples
    ).assign(measure=chosen["measure"].iloc[0])
    lost = chosen.assign(value=infinite).set_index([*keys, "class", condition])["value"]
    lost = lost.unstack(condition, fill_value=False)
    structure = lost.index.get_level_values("class")
    table["infinite"] = [
        int(lost.loc[structure == row["class"], [row["a"], row["b"]]].any(axis=1).sum())
        for _, row in table.iterrows()
    ]
    table["dropped"] -= table["infinite"]
    names = {"a": "condition", "b": "baseline", "difference": "mean"}
    return table.rename(columns=names | {"mean_a": "value", "mean_b": "value_baseline"})


def candidate_display(
    table: pd.DataFrame, *, source: str, digits: int = 3, scale: float = 1.0
) -> pd.DataFrame:
    """`candidate_table` for reading.

    Parameters
    ----------
    table : pandas.DataFrame
        `candidate_table`.
    source : str
        Words about the data; they stand in the table's corner.
    digits : int
        Digits after the point.
    scale : float
        Factor on the values, such as 100 for percent.
    """
    shown = pd.DataFrame(index=table.index)
    for name in ("measure", "class", "condition"):
        shown[name] = table[name]
    shown["measure"] = shown["measure"].astype(str).str.replace("_", " ")
    for name, head in (("value_baseline", "baseline"), ("value", "candidate")):
        shown[head] = [text.number(scale * v, digits) for v in table[name].to_numpy(dtype=float)]
    scaled = table[["mean", "low", "high"]].astype(float) * scale
    shown["difference (95 % interval)"] = [
        text.cell(estimate(row), digits) for _, row in scaled.iterrows()
    ]
    for suffix, words in (("", "by image"), ("_subject", "by subject")):
        shown[f"p (Holm), {words}"] = [text.p_value(p) for p in table[f"p_holm{suffix}"]]
        names = [f"effect{suffix}{end}" for end in ("", "_low", "_high")]
        shown[f"effect, {words}"] = cells(table, [n for n in names if n in table], 2)
    return shown.set_index(["measure", "class", "condition"]).rename_axis(columns=source)


def candidate_sentence(table: pd.DataFrame, what: str | None = None) -> str:
    """Which candidates differ from the baseline after adjustment, by image and by subject.

    Parameters
    ----------
    table : pandas.DataFrame
        `candidate_table`.
    what : str, optional
        Words for the measure; its name if left out. Of several measures each has an item.
    """
    if table.empty:
        return "There is no candidate beside the baseline, so there is nothing to compare."
    sentences = []
    for measure, part in table.groupby("measure", sort=False):
        name = what or str(measure).replace("_", " ")
        ways = []
        for suffix, words in (
            ("", "By image, as published"),
            ("_subject", "By subject, as images of a subject are not independent"),
        ):
            p, effect = part[f"p_holm{suffix}"], part[f"effect{suffix}"]
            groups = {
                "higher": (p < 0.05) & (effect > 0),
                "lower": (p < 0.05) & (effect < 0),
                "not told apart": ~(p < 0.05) & p.notna(),
                "not to be tested": p.isna(),
            }
            found = [_told(how, part, chosen) for how, chosen in groups.items() if chosen.any()]
            ways.append(f"{words}: {'; '.join(found)}")
        sentences.append(
            f"{name} against {part['baseline'].iloc[0]}, Wilcoxon signed-rank test, adjusted p "
            f"below 0.05. {'. '.join(ways)}"
        )
    found = [f"{s[0].upper()}{s[1:]}." for s in sentences]
    return found[0] if len(found) == 1 else "\n".join(f"- {s}" for s in found)


def _told(how: str, part: pd.DataFrame, chosen: pd.Series) -> str:
    """Words for some comparisons of a measure; with several classes, what is not decided by number.

    A candidate is named once, with the classes in brackets.
    """
    classes = list(dict.fromkeys(part["class"]))
    if len(classes) < 2:
        return f"{how} for {text.listing(part['condition'][chosen])}"
    if how.startswith("not"):
        return f"{how} in {chosen.sum()} of {text.count(len(part), 'comparison')}"
    names = []
    for who, mine in part[chosen].groupby("condition", sort=False):
        where = [c for c in classes if c in set(mine["class"])]
        names.append(f"{who} ({'every class' if where == classes else text.listing(where)})")
    return f"{how} for {text.listing(names)}"
