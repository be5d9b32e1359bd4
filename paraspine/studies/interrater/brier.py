"""Which architecture and which training target keeps the raters' disagreement: Table 1's tests."""

from __future__ import annotations

import pandas as pd

from paraspine import statistics, text
from paraspine.evidence.comparisons import paired_both_ways
from paraspine.evidence.conditions import method_labels
from paraspine.evidence.show import estimate
from paraspine.evidence.words import NOBODY
from paraspine.frames import rows

__all__ = ["brier_comparison", "brier_comparison_display", "brier_sentence"]

#: What is compared, in which column, within which other one, against which (None: each two).
KINDS = (("architectures", "model", "fusion", None), ("targets", "fusion", "model", "majority"))
COLUMNS = ["compared", "of", "a", "b", "n", "difference", "low", "high"]
COLUMNS += ["effect", "effect_low", "effect_high"]
COLUMNS += ["p", "p_holm", "subjects", "p_subject", "p_holm_subject"]


def brier_comparison(frame: pd.DataFrame, *, resamples: int = 2000) -> pd.DataFrame:
    """Paired tests of the Brier score, between architectures and between training targets.

    The score is the mean over structures, without background, and over trainings of a network.
    Architectures are compared target by target; targets with the majority vote, architecture by
    architecture; both for each way of sampling.

    Parameters
    ----------
    frame : pandas.DataFrame
        `join` of ``measures.parquet``.
    resamples : int
        Bootstrap resamples of subjects, for the intervals.

    Returns
    -------
    pandas.DataFrame
        ``compared`` (``"architectures"`` or ``"targets"``), ``of`` (what both have in common),
        ``a``, ``b``, ``n`` (images), ``difference`` (mean of a - b) and ``effect`` (Cohen's d of
        the differences) with their intervals; ``p`` of the two-sided paired t test by image, and
        of that by subject ``subjects`` and ``p_subject``; ``p_holm`` and ``p_holm_subject`` are
        adjusted over all rows. Empty where there is nothing to compare.
    """
    structures = set(rows(frame, "dice")["class"])
    chosen = rows(frame, "brier")
    chosen = chosen[chosen["class"].isin(structures)]
    chosen = chosen.assign(how=method_labels(chosen))
    keys = [c for c in ("subject", "image", "slice") if c in chosen]
    names = ["model", "fusion", "how"]
    chosen = chosen.groupby([*keys, *names], sort=False, as_index=False)["value"].mean()
    parts = []
    for kind, condition, fixed, reference in KINDS:
        part = chosen.assign(of=chosen[fixed] + ", " + chosen["how"])
        cell = part.groupby("of")[condition]
        comparable = cell.transform("nunique") > 1
        if reference is not None:
            comparable &= cell.transform(lambda found, known=reference: known in set(found))
        if not comparable.any():
            continue
        table = paired_both_ways(
            part[comparable], condition, keys, by="of", reference=reference, resamples=resamples
        )
        parts.append(table.assign(compared=kind))
    if not parts:
        return pd.DataFrame(columns=COLUMNS)
    table = pd.concat(parts, ignore_index=True)
    for end in ("", "_subject"):
        table[f"p_holm{end}"] = statistics.holm(table[f"p{end}"].to_numpy(float))
    return table[COLUMNS]


def brier_comparison_display(table: pd.DataFrame, *, source: str) -> pd.DataFrame:
    """`brier_comparison` for reading, in thousandths as Table 1.

    Parameters
    ----------
    table : pandas.DataFrame
        `brier_comparison`.
    source : str
        Where the data comes from.
    """
    shown = table[["of"]].assign(**{"a - b": table["a"] + " - " + table["b"]})
    for head, scale, columns in (
        ("difference × 10⁻³ (95 % interval)", 1e3, ["difference", "low", "high"]),
        ("effect, d (95 % interval)", 1.0, ["effect", "effect_low", "effect_high"]),
    ):
        values = scale * table[columns].to_numpy(dtype=float)
        shown[head] = [text.cell(statistics.Estimate(*row)) for row in values]
    for end, words in (("", ""), ("_subject", "by subject: ")):
        for name, head in (("p", "p"), ("p_holm", "p (Holm)")):
            shown[f"{words}{head}"] = [text.p_value(p) for p in table[f"{name}{end}"]]
    shown["images, subjects"] = [f"{n}, {k}" for n, k in table[["n", "subjects"]].to_numpy()]
    return shown.set_index(["a - b", "of"]).rename_axis(columns=source)


def brier_sentence(table: pd.DataFrame, brier: pd.DataFrame) -> str:
    """Which architecture and which training target keeps the raters' disagreement better.

    Parameters
    ----------
    table : pandas.DataFrame
        `brier_comparison`.
    brier : pandas.DataFrame
        `brier_table`; empty where nobody rated the images.
    """
    if brier.empty:
        return NOBODY
    words = []
    for (a, b), part in table.groupby(["a", "b"], sort=False):
        better = [
            text.verdict(estimate(row), below=a, above=b, unclear="")
            for row in part.rename(columns={"difference": "mean"}).to_dict("records")
        ]
        sides = []
        for side in (a, b):
            own = [of for of, best in zip(part["of"], better, strict=True) if best == side]
            names = f" ({'; '.join(own)})" if 0 < len(own) <= 3 else ""
            sides.append(f"for {side} in {len(own)}{names}")
        words.append(
            f"Of {text.count(len(part), 'comparison')} of {a} with {b}, the Brier score is lower "
            f"{sides[0]} and {sides[1]}; in {better.count('')} the interval of its difference "
            "can't tell"
        )
    if len(table):
        image, subject = (int((table[n] < 0.05).sum()) for n in ("p_holm", "p_holm_subject"))
        words.append(
            f"An adjusted p is below 0.05 in {image} of {text.count(len(table), 'comparison')} by "
            f"image, in {subject} by subject"
        )
    if "targets" not in set(table["compared"]):
        words.append(
            "No target is set beside the majority: no network was trained on both and sampled in "
            "the same way"
        )
    return ". ".join(words) + "."
