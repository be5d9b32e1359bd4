"""By how much a STAPLE reference favours what was trained on STAPLE."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from paraspine import statistics, text
from paraspine.arrays import SettingsError
from paraspine.evidence.show import estimate
from paraspine.frames import rows
from paraspine.studies.label_fusion.composite import things

__all__ = ["FAVOUR", "reference_table", "reference_sentence"]

#: How `reference_table` names the gain of some candidates over the others'.
FAVOUR = "gain beyond the others'"


def reference_table(
    frame: pd.DataFrame,
    measure: str,
    favoured: Iterable[str],
    *,
    condition: str = "condition",
    first: str = "staple",
    second: str = "majority",
    resamples: int = 2000,
) -> pd.DataFrame:
    """What each candidate gains when it is measured against another reference.

    Parameters
    ----------
    frame : pandas.DataFrame
        Tidy, each row twice: with a column ``reference`` that says what it was measured against.
    measure : str
        What was measured.
    favoured : iterable of str
        The candidates trained on the first reference.
    condition : str
        Column of the candidates.
    first, second : str
        The references; the gain is the value against the first minus that against the second.
    resamples : int
        Bootstrap resamples of subjects.

    Returns
    -------
    pandas.DataFrame
        ``condition``, ``trained`` (``"on staple"`` if among `favoured`, or ``"otherwise"``), ``n``
        (images x structures), ``value_first``, ``value_second`` (means over them), ``mean`` (the
        gain), ``low``, ``high`` (resampling subjects), one row a candidate; then, where there are
        both kinds, the row ``"gain beyond the others'"``: how much larger the mean gain of the
        favoured candidates is, image by image. Undefined and infinite values are left out.

    Raises
    ------
    SettingsError
        If a column, a reference or the measure is missing, or a row occurs twice.
    """
    keys = things(frame, condition)
    if "reference" not in frame:
        raise SettingsError("frame: no column 'reference' that says what a row was measured on.")
    chosen = rows(frame, measure)
    if missing := {first, second} - set(chosen["reference"]):
        raise SettingsError(
            f"reference: {measure} was not measured against {' and '.join(sorted(missing))}."
        )
    index = [*keys, "class", condition, "reference"]
    if chosen.duplicated(index).any():
        raise SettingsError(f"frame: a row occurs more than once for {', '.join(index)}.")
    table = chosen.set_index(index)["value"].astype(float).unstack("reference")[[first, second]]
    table = table[np.isfinite(table).all(axis=1)]
    gain = (table[first] - table[second]).unstack(condition)
    favoured = [w for w in dict.fromkeys(chosen[condition]) if w in set(favoured)]
    lines = []
    for who in dict.fromkeys(chosen[condition]):
        own = gain[who].dropna() if who in gain else pd.Series(dtype=float)
        means = (
            table.xs(who, level=condition).mean() if len(own) else {first: np.nan, second: np.nan}
        )
        trained = f"on {first}" if who in favoured else "otherwise"
        found = _over_subjects(own, resamples)
        lines.append((who, trained, len(own), means[first], means[second], *found))
    others = [w for w in gain if w not in favoured]
    if favoured and others:
        complete = gain.dropna()
        beyond = complete[favoured].mean(axis=1) - complete[others].mean(axis=1)
        found = _over_subjects(beyond, resamples)
        lines.append((FAVOUR, "", len(beyond), np.nan, np.nan, *found))
    columns = ["condition", "trained", "n", "value_first", "value_second", "mean", "low", "high"]
    return pd.DataFrame(lines, columns=columns)


def _over_subjects(values: pd.Series, resamples: int) -> tuple[float, float, float]:
    if values.empty:
        return np.nan, np.nan, np.nan
    subjects = values.index.get_level_values("subject").to_numpy()
    found = statistics.mean_interval(values.to_numpy(), subjects, resamples)
    return found.value, found.low, found.high


def reference_sentence(
    table: pd.DataFrame, what: str = "Dice", *, first: str = "STAPLE", second: str = "the majority"
) -> str:
    """Whether the first reference favours those who were trained on it, and by how much.

    Parameters
    ----------
    table : pandas.DataFrame
        `reference_table` of a measure of which more is better.
    what : str
        Words for the measure.
    first, second : str
        Words for the references.
    """
    known = table[(table["condition"] != FAVOUR) & table["mean"].notna()]
    if known.empty:
        return "Nothing was measured against both references, so there is nothing to compare."
    words = "; ".join(
        f"{r['condition']} by {text.interval(estimate(r), 4)}" for _, r in known.iterrows()
    )
    sentence = f"Measured against {first} instead of {second}, {what} changes for {words}"
    beyond = table[table["condition"] == FAVOUR]
    if beyond.empty:
        return f"{sentence}. Only one kind of training is here, so there is no one to favour."
    found = estimate(beyond.iloc[0])
    # Decided as printed: what rounds to nothing favours no one.
    as_printed = statistics.Estimate(*(round(v, 4) for v in (found.value, found.low, found.high)))
    phrase = text.verdict(
        as_printed, above=f"favours the candidates trained on {first}",
        below=f"puts the candidates trained on {first} at a disadvantage",
        unclear="is not seen to favour anyone",
    )  # fmt: skip
    return (
        f"{sentence}. The reference {phrase}: their {what} gains {text.interval(found, 4)} beyond "
        "the others'."
    )
