"""Correlations, variance and Dice in every cell of the grid, and what turning a knob changes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from paraspine import statistics
from paraspine.evidence import influence
from paraspine.evidence.conditions import summarise
from paraspine.evidence.judge import judge
from paraspine.statistics import ClusterWeights, sums
from paraspine.studies.noise.frames import KINDS, KNOBS

PAPER = "roshanzamir2023"
#: Value of ``noise`` for a cohort in which every slice occurs at every noise level.
MIXED = "mixed"
PARTS = {
    "unique_aleatoric": "aleatoric alone adds",
    "unique_epistemic": "epistemic alone adds",
    "shared": "either explains",
    "joint": "both together",
}
#: The paper's hypothesis on its own result.
CLAIM = "Aleatoric uncertainty goes with disagreement only where images differ in noise"


def dice_table(frame: pd.DataFrame) -> pd.DataFrame:
    """Mean Dice of dropout's mean prediction at each noise and bias field.

    Against the vote at the lowest coupling, where labels do not depend on the image; ``column``
    names the bias field.
    """
    chosen = frame[frame["method"] == "dropout"]
    chosen = chosen[chosen["noise_coupling"] == chosen["noise_coupling"].min()]
    found = summarise(chosen, "dice", ["noise", "bias_field"])
    return found.assign(column="bias field " + found["bias_field"].map(shown_knob))


def levels_table(images: pd.DataFrame) -> pd.DataFrame:
    """Mean disagreement and uncertainty (``what``) in every cell, 10⁻³ nats."""
    names = {"gt_entropy": "disagreement"} | {kind: kind for kind in KINDS}
    tidy = images.melt(["subject", *KNOBS], list(names), "what")
    tidy = tidy.assign(what=tidy["what"].map(names), value=1e3 * tidy["value"])
    return statistics.mean_table(tidy, by=[*KNOBS, "what"])


def correlations_table(images: pd.DataFrame) -> pd.DataFrame:
    """Pearson's r of GT entropy with each kind of uncertainty, in every cell and mixed.

    `KNOBS`, ``kind``, ``n``, ``clusters``, ``r``, ``low``, ``high``, ``p``, and the columns of
    `influence.Influence`.
    """
    table = with_mixed(images)
    parts = [
        statistics.correlation_table(table, "gt_entropy", kind, by=list(KNOBS)).assign(kind=kind)
        for kind in KINDS
    ]
    found = pd.concat(parts, ignore_index=True)
    cells = dict(list(table.groupby(list(KNOBS))))
    moved = [
        influence.correlation(cell["gt_entropy"], cell[kind], cell["subject"]).columns()
        for *key, kind in found[[*KNOBS, "kind"]].itertuples(index=False)
        for cell in [cells[tuple(key)]]
    ]
    columns = [*KNOBS, "kind", "n", "clusters", "r", "low", "high", "p"]
    return pd.concat([found[columns], pd.DataFrame(moved)], axis=1)


def partition_table(images: pd.DataFrame) -> pd.DataFrame:
    """Percent of the variance of GT entropy explained: `KNOBS`, ``part``, ``mean`` and interval."""
    parts = []
    for key, cell in with_mixed(images).groupby(list(KNOBS), sort=False):
        table = statistics.variance_partition_table(
            cell["gt_entropy"], cell["epistemic"], cell["aleatoric"], cell["subject"].to_numpy()
        )
        table[["value", "low", "high"]] *= 100
        parts.append(table.assign(**dict(zip(KNOBS, key, strict=True))))
    table = pd.concat(parts, ignore_index=True).rename(columns={"value": "mean"})
    return table[[*KNOBS, "part", "mean", "low", "high"]]


def changes_table(images: pd.DataFrame) -> pd.DataFrame:
    """By how much r changes from the lowest to the highest value of each knob, slices paired.

    The noise is turned at the first bias field, at the lowest and the highest coupling; the bias
    field and the coupling at every noise level, the coupling in the mixed cohort too. Columns:
    ``knob``, ``kind``, `KNOBS` as text (``"from → to"`` of the one that is turned), ``first`` and
    ``last`` (both r), ``mean`` (their difference) with its interval, ``clusters`` and the columns
    of `influence.Influence`. Knobs with one value are left out.
    """
    table = with_mixed(images)
    levels = {knob: list(dict.fromkeys(images[knob])) for knob in KNOBS}
    start = {knob: shown_knob(min(values)) for knob, values in levels.items()}
    start["bias_field"] = shown_knob(levels["bias_field"][0])
    places = [("bias_field", level) for level in map(shown_knob, levels["noise"])]
    places += [("noise_coupling", level) for level in dict.fromkeys(table["noise"])]
    couplings = dict.fromkeys(shown_knob(f(levels["noise_coupling"])) for f in (min, max))
    turns = [("noise", start | {"noise_coupling": coupling}) for coupling in couplings]
    turns += [(knob, start | {"noise": level}) for knob, level in places]
    lines = []
    for knob, where in turns:
        ends = shown_knob(min(levels[knob])), shown_knob(max(levels[knob]))
        if ends[0] == ends[1]:
            continue
        first, last = (_cell(table, where | {knob: end}) for end in ends)
        for kind in KINDS:
            own, moved = _change(first, last, kind)
            place = {"knob": knob, "kind": kind, **where, knob: " → ".join(ends)}
            lines.append(place | own | moved.columns())
    columns = ["knob", "kind", *KNOBS, "first", "last", "mean", "low", "high", "clusters"]
    return pd.DataFrame(lines, columns=[*columns, *influence.Influence().columns()])


def claims_table(images: pd.DataFrame) -> pd.DataFrame:
    """The paper's hypothesis on image noise, judged at each bias field and coupling.

    r of aleatoric uncertainty with disagreement in the mixed cohort, minus r where all images have
    the lowest noise; no row with one noise level. Columns as `judge.claims_summary` takes them.
    """
    table = with_mixed(images)
    lowest = shown_knob(images["noise"].min())
    lines = []
    for (bias, coupling), own in table.groupby(["bias_field", "noise_coupling"]):
        mixed = own[own["noise"] == MIXED]
        if mixed.empty:
            continue
        row, moved = _change(own[own["noise"] == lowest], mixed, "aleatoric")
        found = statistics.Estimate(row["mean"], row["low"], row["high"])
        verdict, why = judge(found, "above", subjects=row["clusters"], without=moved.each)
        lines.append(
            {
                "paper": PAPER, "table": "Discussion", "said": "Discussion, as a hypothesis",
                "claim": CLAIM, "statistic": "r in images of mixed noise minus r at one noise",
                "where": f"bias field {bias:g}, coupling {coupling:g}",
                **row, **moved.columns(), "verdict": verdict, "why": why,
            }
        )  # fmt: skip
    columns = ["paper", "table", "said", "claim", "statistic", "where", "verdict", "why"]
    return pd.DataFrame(lines, columns=None if lines else columns)


def curves(table: pd.DataFrame, bias_field: float) -> pd.DataFrame:
    """Correlations or variance shares at one bias field for `figures.small_multiples`."""
    table = table[table["bias_field"] == bias_field]
    if "kind" in table:
        panel, value = table["kind"], "r"
    else:
        table = table[table["part"].isin(list(PARTS))]
        panel, value = table["part"].map(PARTS), "mean"
    coupling = table["noise_coupling"]
    misled = "raters misled by noise, coupling " + coupling.map(shown_knob)
    raters = misled.where(coupling > 0, "raters unaffected by noise")
    shown = table.assign(raters=raters, panel=panel, value=table[value])
    return shown[["noise", "raters", "panel", "value", "low", "high"]]


def with_mixed(images: pd.DataFrame) -> pd.DataFrame:
    """The cells, and where there are several noise levels all of them as one more."""
    own = images.assign(noise=images["noise"].map(shown_knob))
    if images["noise"].nunique() < 2:
        return own
    return pd.concat([own, images.assign(noise=MIXED)], ignore_index=True)


def shown_knob(value) -> str:
    """A knob's value as text."""
    return value if isinstance(value, str) else f"{value:g}"


def _cell(table: pd.DataFrame, where: dict) -> pd.DataFrame:
    chosen = np.ones(len(table), dtype=bool)
    for knob, value in where.items():
        chosen &= (table[knob].map(shown_knob) == value).to_numpy()
    return table[chosen]


def _change(first: pd.DataFrame, last: pd.DataFrame, kind: str) -> tuple[dict, influence.Influence]:
    """Both r, and their difference from draws of subjects that both share."""
    rows = pd.concat([first, last], ignore_index=True)
    is_first = np.arange(len(rows)) < len(first)
    values = rows[["gt_entropy", kind]].to_numpy(dtype=float)
    subjects = rows["subject"].to_numpy()

    def r_of(own: np.ndarray) -> Callable[[ClusterWeights], np.ndarray]:
        kept = np.where(own[:, None], values, np.nan)
        return lambda draws: sums.correlation(sums.moments(draws, kept))

    ends = r_of(is_first), r_of(~is_first)
    draws = statistics.cluster_weights(subjects, values=values)
    before, after = (r(draws) for r in ends)
    found = sums.estimate(after - before)
    row = {
        "first": before[0], "last": after[0], "mean": found.value, "low": found.low,
        "high": found.high, "clusters": len(draws.labels),
    }  # fmt: skip
    return row, influence.leave_one_out(
        lambda draws: ends[1](draws) - ends[0](draws), subjects, values
    )
