"""Sentences on the published claims and tables."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from paraspine import published, text
from paraspine.evidence.conditions import ensemble_words, method_label, network_label, target_label
from paraspine.evidence.judge import claims_summary
from paraspine.evidence.limits import MANY


def runs_sentence(sampled: Iterable, source: str) -> str:
    """What this run has to set beside the papers, in their words, and on which data.

    Parameters
    ----------
    sampled : iterable of runs.Run
        Runs of ``04_sample``.
    source : str
        Where the data comes from.
    """
    sampled = list(sampled)
    chosen = [run.parameters for run in sampled]

    def named(key: str, label) -> str:
        return text.listing(dict.fromkeys(label(p[key]) for p in chosen))

    words = (
        f"This run, on the {source}: {named('model', network_label)}, trained on "
        f"{named('fusion', target_label)}, sampled by {named('method', method_label)}"
    )
    drawn = sorted({p["samples"] for p in chosen if p["method"] in ("dropout", "tta")})
    if drawn:
        words += f"; {text.listing(drawn, 'or')} samples of each"
    members = [r for r in sampled if r.parameters["method"] == "ensemble"]
    if members:
        words += f"; {ensemble_words([r.read_json('sampling.json') for r in members])}"
    seeds = text.count(len({p["seed"] for p in chosen}), "training")
    return f"{words}; {seeds} of each network. The paper has 10 samples and ensembles of 10."


def inconsistency_sentence() -> str:
    """The two faults of the published tables in words, found by comparing them."""
    table = published.inconsistencies()
    wrong = table[~table["consistent"]]
    swaps = {
        (row.system, *sorted((row.row, row.exchanged_with)))
        for row in wrong.itertuples()
        if row.exchanged_with
    }
    words = [
        f"of {system}'s epistemic column, the rows '{a}' and '{b}' are exchanged"
        for system, a, b in sorted(swaps)
    ]
    words += [
        f"of {row.system}'s {row.column} column, '{row.row}' repeats the "
        f"{text.number(row.printed, 3)} % of '{row.repeats}' where r = {text.number(row.r, 4)} "
        f"gives {text.number(row.implied, 3)} %"
        for row in wrong[(wrong["exchanged_with"] == "") & (wrong["repeats"] != "")].itertuples()
    ]
    if not words:
        return "Every number of Table 5 follows from Table 3."
    return (
        f"Of the {len(table)} numbers of Table 5 that Table 3 gives back by squaring, "
        f"{int(table['consistent'].sum())} follow. The others: {'; '.join(words)}."
    )


def claims_sentence(table: pd.DataFrame, source: str) -> str:
    """Which claims this run supports and contradicts, as a list."""
    summary = claims_summary(table)
    words = [f"{headline_claims(table)} (data: {source})."]
    for verdicts, phrase in (
        (("supported", "supported in part"), "Supported, at least in part"),
        (("contradicted", "contradicted in part"), "Contradicted, at least in part"),
        (("mixed",), "Supported in one place and contradicted in another"),
    ):
        chosen = summary.loc[summary["verdict"].isin(verdicts), "claim"]
        if len(chosen):
            words.append(f"{phrase}:\n" + "".join(f"\n- {claim}" for claim in chosen))
    return "\n\n".join(words)


def answer(table: pd.DataFrame) -> str:
    """How many claims hold, for the first page."""
    summary = claims_summary(table)
    checked = summary[summary["verdict"] != "not run"]
    if checked.empty:
        return "None of the claims can be checked with these runs."
    good, bad = (
        int(checked["verdict"].isin([v, f"{v} in part"]).sum())
        for v in ("supported", "contradicted")
    )
    mixed = int((checked["verdict"] == "mixed").sum())
    words = f"Of {text.count(len(checked), 'claim')} of Roshanzamir et al. (2023), {good} "
    words += f"{'is' if good == 1 else 'are'} supported here at least in part, {bad} contradicted"
    words += f", {mixed} supported in one place and contradicted in another" if mixed else ""
    if rest := len(checked) - good - bad - mixed:
        words += f"; for {rest} the data can't tell"
    return f"{words}."


def chance_sentence(table: pd.DataFrame) -> str:
    """How many comparisons stand behind the verdicts, and what their intervals hold."""
    checked = table[table["verdict"] != "not run"]
    if checked.empty:
        return ""
    subjects = int(checked["subjects"].iloc[0])
    few = ", and more of them with so few subjects" if subjects < MANY else ""
    return (
        f"Behind the verdicts stand {text.count(len(checked), 'comparison')} on "
        f"{text.count(subjects, 'test subject')}, not adjusted for their number: where nothing "
        f"differs, about one in twenty intervals excludes 0{few}. {_trainings_sentence(checked)}"
    )


def _trainings_sentence(checked: pd.DataFrame) -> str:
    """What the intervals hold of the trainings' chance, and what they don't."""
    words = []
    known = checked.loc[checked["trainings"] > 0, "trainings"]
    if (known > 1).any():
        counts = known[known > 1].agg(["min", "max"]).unique().tolist()
        told = f"{text.listing(counts, 'to')} trainings"
        words.append(f"The intervals hold what another training would change, from {told} of each.")
    if (known == 1).any():
        each = "Each network" if (known == 1).all() else "Some networks"
        verb = "was" if (known == 1).all() else "were"
        words.append(
            f"{each} {verb} trained once: these verdicts are about these trainings, not about the "
            "architectures (for that: `make book SET='seeds=[0,1,2]'`)."
        )
    if ((checked["ensemble"] != "") | (checked["trainings"] == 0)).any():
        words.append("An ensemble is taken as it is; what another would change is in no interval.")
    return " ".join(words)


def headline_claims(table: pd.DataFrame) -> str:
    """How many claims got which verdict, in one phrase."""
    summary = claims_summary(table)
    counts = summary["verdict"].value_counts()
    order = ("supported", "supported in part", "contradicted", "contradicted in part", "mixed")
    told = [f"{counts[v]} {v}" for v in (*order, "can't tell", "not run") if v in counts]
    return f"Of the paper's {text.count(len(summary), 'claim')}: {text.listing(told)}"
