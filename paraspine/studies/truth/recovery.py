"""What is recovered of the truth: tables with intervals over subjects, and sentences."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from paraspine import fusion, statistics, text
from paraspine.evidence.show import estimate
from paraspine.evidence.views import name_of
from paraspine.figures import View
from paraspine.frames import rows
from paraspine.studies.truth.panels import APPROXIMATED, CORRECTED, EXPECTED, MAJORITY, SOFT, STAPLE
from paraspine.studies.truth.theory import Known
from paraspine.studies.truth.worth import ratio

__all__ = [
    "population_sentence",
    "recovery_table",
    "recovery_curves",
    "recovery_sentence",
    "entropy_shares",
    "bias_sentence",
    "headline_bias",
    "truth_views",
]

#: What each line of `entropy_shares` is called.
SHARES = {
    SOFT: "measured",
    EXPECTED: "expected, exactly",
    APPROXIMATED: "expected, Miller-Madow approximation",
    CORRECTED: "measured, Miller-Madow corrected",
    STAPLE: "STAPLE posterior",
}


def population_sentence(known: Sequence[Known], data) -> str:
    """What the truth is, and how well it is known."""
    first = known[0]
    worst = 0.5 / np.sqrt(first.draws)
    raters, pool = len(data.raters), len(first.labels)
    return (
        f"{text.count(len(known), 'slice')} of "
        f"{text.count(data.table['subject'].nunique(), 'subject')}. The truth is the mean of "
        f"{text.count(first.draws, 'rater')}, each with a style of their own, so a probability is "
        f"known to {text.number(worst, 3)} or better (standard error). Panels are drawn from "
        f"{pool} others"
        + (f", of whom the first {raters} are the cohort's." if pool <= 26 else ".")
        + f" ({data.source})"
    )


def recovery_table(
    frame: pd.DataFrame,
    measure: str = "brier",
    who: Sequence[str] | None = None,
    *,
    resamples: int = 2000,
) -> pd.DataFrame:
    """Mean error times 1000 for each number of raters and estimate, with its interval.

    Parameters
    ----------
    frame : pandas.DataFrame
        `truth_frame`.
    measure : str
        ``brier`` (mean over the structures without background), ``entropy_bias`` or
        ``entropy_error`` (nats).
    who : sequence of str, optional
        Which estimates; all if left out.
    resamples : int
        Bootstrap resamples of subjects.

    Returns
    -------
    pandas.DataFrame
        ``raters`` (0 for networks), ``condition`` and the columns of `statistics.mean_table`.
    """
    chosen = rows(frame, measure)
    names = list(dict.fromkeys(chosen["class"]))
    if len(names) > 1:  # background comes first
        chosen = chosen[chosen["class"] != names[0]]
    if who is not None:
        chosen = chosen[chosen["condition"].isin(list(who))]
    chosen = chosen.assign(value=1e3 * chosen["value"])
    return statistics.mean_table(chosen, by=["raters", "condition"], resamples=resamples)


def recovery_curves(frame: pd.DataFrame, *, resamples: int = 2000) -> pd.DataFrame:
    """Brier score and entropy error over the number of raters, for `figures.small_multiples`.

    Returns
    -------
    pandas.DataFrame
        ``raters``, ``condition``, ``measure`` (in words), ``value``, ``low``, ``high`` (× 10⁻³).
    """
    words = {
        "brier": "Brier score against P* (× 10⁻³)",
        "entropy_error": "entropy error (10⁻³ nats)",
        "entropy_bias": "entropy bias (10⁻³ nats)",
    }
    lines = {
        "brier": [SOFT, EXPECTED, MAJORITY, STAPLE],
        "entropy_error": [SOFT, MAJORITY, STAPLE],
        "entropy_bias": [SOFT, EXPECTED, MAJORITY, STAPLE],
    }
    parts = [
        recovery_table(frame, measure, lines[measure], resamples=resamples).assign(measure=word)
        for measure, word in words.items()
    ]
    return pd.concat(parts, ignore_index=True).rename(columns={"mean": "value"})


def recovery_sentence(table: pd.DataFrame, cohort_raters: int = 3) -> str:
    """How the Brier score of each fusion falls with the number of raters.

    Parameters
    ----------
    table : pandas.DataFrame
        `recovery_table` of the Brier score.
    cohort_raters : int
        How many raters the cohort has.
    """
    found = table.set_index(["condition", "raters"])
    most = int(table["raters"].max())
    few = min(cohort_raters, most)
    words = []
    for who in (SOFT, MAJORITY, STAPLE):
        one, other = (estimate(found.loc[(who, r)]) for r in (few, most))
        fall = one.value / other.value if other.value > 0 else float("nan")
        words.append(
            f"the {who} errs by {text.interval(one)} with {text.count(few, 'rater')} and by "
            f"{text.interval(other)} with {most} (a factor of {text.number(fall, 1)})"
        )
    theory = most / few
    best = min((SOFT, MAJORITY, STAPLE), key=lambda w: found.loc[(w, few), "mean"])
    nearest = (
        "With 1 rater all three are what that rater said."
        if few == 1
        else f"With {text.count(few, 'rater')} the {best} is nearest."
    )
    return (
        f"Brier score against the truth, × 10⁻³: {'; '.join(words)}. Independent raters' soft "
        f"label must fall by a factor of {text.number(theory, 1)}; what settles on one class keeps "
        f"an error however many vote. {nearest}"
    )


def entropy_shares(frame: pd.DataFrame, *, resamples: int = 2000) -> pd.DataFrame:
    """How much of the true entropy a few raters' entropy is, in percent.

    Parameters
    ----------
    frame : pandas.DataFrame
        `truth_frame`.
    resamples : int
        Bootstrap resamples of subjects.

    Returns
    -------
    pandas.DataFrame
        ``raters``, ``what`` (measured; expected exactly; by the approximation of Miller and Madow
        from the classes that occur; measured and corrected; of the STAPLE posterior), ``mean``
        (ratio of the means over slices), ``low``, ``high``. NaN where nobody ever disagrees.
    """
    entropies = rows(frame, "entropy_bias").set_index(["subject", "image", "slice", "condition"])
    true = rows(frame, "entropy")
    true = true[true["condition"] == "P*"].set_index(["subject", "image", "slice"])["value"]
    lines = []
    for who, what in SHARES.items():
        own = entropies.xs(who, level="condition")
        for raters, part in own.groupby("raters"):
            bias = part["value"].reindex(true.index)
            found = ratio(true + bias, true, resamples)
            lines.append((int(raters), what, 100 * found.value, 100 * found.low, 100 * found.high))
    table = pd.DataFrame(lines, columns=["raters", "what", "mean", "low", "high"])
    return table.sort_values("raters", kind="stable", ignore_index=True)


def bias_sentence(shares: pd.DataFrame, cohort_raters: int = 3) -> str:
    """How far the GT entropy of the cohort's number of raters falls short, and whether as expected.

    Parameters
    ----------
    shares : pandas.DataFrame
        `entropy_shares`.
    cohort_raters : int
        How many raters the cohort has.
    """
    few, most = min(cohort_raters, shares["raters"].max()), shares["raters"].max()
    found = shares.set_index(["what", "raters"])
    measured = estimate(found.loc[("measured", few)])
    if np.isnan(measured.value):
        return "The raters never disagree, so there is no entropy to underestimate."
    expected = found.loc[("expected, exactly", few), "mean"]
    rough = found.loc[("expected, Miller-Madow approximation", few), "mean"]
    corrected = estimate(found.loc[("measured, Miller-Madow corrected", few)])
    inside = measured.low - 1e-9 <= expected <= measured.high + 1e-9
    turn = text.verdict(
        corrected, reference=100, above="which is too much", below="which is still too little",
        unclear="which the data cannot tell from all of it",
    )  # fmt: skip
    return (
        f"{text.count(int(few), 'rater')} {'sees' if few == 1 else 'see'} "
        f"{text.interval(measured, 1)} % of the true entropy, "
        f"where {text.number(expected, 1)} % was expected"
        f"{'' if inside else ' (outside the interval, which resamples subjects, not raters)'}; "
        f"{int(most)} see {text.interval(estimate(found.loc[('measured', most)]), 1)} %. Miller "
        f"and Madow's approximation predicts {text.number(rough, 1)} %, because it counts a class "
        "that hardly anybody chooses like any other; their correction of the measured entropy "
        f"gives {text.interval(corrected, 1)} %, {turn}."
    )


def headline_bias(shares: pd.DataFrame, cohort_raters: int = 3) -> str:
    """Share of the true entropy that the cohort's number of raters see, in one phrase."""
    few = min(cohort_raters, shares["raters"].max())
    row = shares[(shares["what"] == "measured") & (shares["raters"] == few)].iloc[0]
    return f"{text.interval(estimate(row), 1)} % of the true entropy"


def truth_views(data, known: Sequence[Known], shown, sizes: Sequence[int]) -> list[View]:
    """Slices with the true entropy beside that of a few raters, for `figures.slice_explorer`.

    Parameters
    ----------
    data : slices.Slices
        The slices.
    known : sequence of Known
        Their truth.
    shown : iterable of int
        Which of them.
    sizes : sequence of int
        Numbers of raters; the outlines are those of the cohort's number.
    """
    found = []
    for item in shown:
        own = known[item]
        panels = {
            f"entropy of {text.count(r, 'rater')}": fusion.ground_truth_entropy(
                own.labels[:r], len(own.probabilities)
            )
            for r in sizes
        }
        found.append(
            View(
                image=np.clip(own.image, 0, 1),
                title=name_of(data, item),
                labels=own.labels[: len(data.raters)],
                maps={**panels, "true entropy": own.entropy},
            )
        )
    return found
