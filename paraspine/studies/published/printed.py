"""What the papers print, and which of a book's runs each row is about."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from paraspine import published, text
from paraspine.arrays import SettingsError
from paraspine.evidence.conditions import ensemble_words
from paraspine.evidence.contrast import Cell, Evidence
from paraspine.evidence.printed import digits_of, unit_words, with_sd

__all__ = [
    "PAPER",
    "NAMES",
    "printed_cell",
    "missing_words",
    "runs_sentence",
    "as_published",
    "inconsistency_table",
    "inconsistency_sentence",
]

#: The paper whose tables this book measures.
PAPER = "roshanzamir2023"


#: The paper's words for models and ways of sampling.
NAMES = {
    "transunet": "TransUNet",
    "unet": "UNet",
    "single": "one pass",
    "dropout": "TTD",
    "tta": "TTA",
    "ensemble": "ensemble",
}


METHODS = {"TTD": "dropout", "TTA": "tta", "ensemble": "ensemble"}


NOT_YET = "this book does not run it yet"


#: Papers whose numbers stand beside a book's own in a chapter that not every book has.
ELSEWHERE = {"roshanzamir2022": "in the multi-task chapter, where there is one"}


def printed_cell(name: str, system: str, condition: str) -> tuple[Cell, ...]:
    """Which of a book's cells a row of a published table is about.

    Parameters
    ----------
    name : str
        ``"Table 1"`` to ``"Table 5"`` of roshanzamir2023.
    system, condition : str
        As `published.table` has them.

    Returns
    -------
    tuple of Cell
        One; for Table 5 two, the epistemic and the aleatoric. Table 1 does not say how its networks
        were sampled: it is taken as one pass without dropout.
    """
    model = system.lower()
    if name == "Table 1":
        return (Cell(model, condition, "single"),)
    if name == "Table 5":
        how, fusion = [*condition.removeprefix("TTA+").split(), "majority"][:2]
        return Cell(model, fusion, METHODS[how]), Cell(model, fusion, "tta")
    how, fusion = condition.split()
    return (Cell(model, fusion, METHODS[how]),)


def missing_words(found: Evidence, cells) -> str:
    """What a comparison needs that was not run, in as few words as say it; empty if nothing."""
    there = found.cells()
    words = []
    for cell in cells:
        if cell in there:
            continue
        model, method = NAMES.get(cell.model, cell.model), NAMES[cell.method]
        if cell.model not in {c.model for c in there}:
            words.append(model)
        elif cell.method not in {c.method for c in there}:
            words.append(method)
        elif (cell.model, cell.method) not in {(c.model, c.method) for c in there}:
            words.append(f"{method} of {model}")
        else:
            words.append(f"{model} ({cell.fusion}, {method})")
    return f"needs {text.listing(dict.fromkeys(words))}" if words else ""


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

    def named(key: str) -> str:
        return text.listing(dict.fromkeys(NAMES.get(p[key], p[key]) for p in chosen))

    words = (
        f"This run, on the {source}: {named('model')}, trained on {named('fusion')}, sampled by "
        f"{named('method')}"
    )
    drawn = sorted({p["samples"] for p in chosen if p["method"] in ("dropout", "tta")})
    if drawn:
        words += f"; {text.listing(drawn, 'or')} samples of TTD and TTA"
    members = [r for r in sampled if r.parameters["method"] == "ensemble"]
    if members:
        words += f"; {ensemble_words([r.read_json('sampling.json') for r in members])}"
    seeds = text.count(len({p["seed"] for p in chosen}), "training")
    return f"{words}; {seeds} of each network. The paper has 10 samples and ensembles of 10."


def as_published(source: str) -> pd.DataFrame:
    """The tables of another paper, as printed, with the words that no run stands beside them.

    Parameters
    ----------
    source : str
        Short name of the paper.

    Returns
    -------
    pandas.DataFrame
        One row per table, system, target and metric, one column per condition (empty where the
        paper has no such cell), and ``this run``.
    """
    if source == PAPER:
        raise SettingsError(f"source: {PAPER} is measured here; see beside_published.")
    table = published.table(source)
    groups = table.groupby(["table", "target", "metric"], sort=False)["value"]
    digits = {key: digits_of(values) for key, values in groups}
    shown = pd.DataFrame(
        {
            "table": table["table"],
            "system": table["system"],
            "target": table["target"],
            "metric": table["metric"] + table["unit"].map(unit_words),
            "condition": table["condition"],
            "cell": [
                row.bound + with_sd(row.value, row.sd, digits[row.table, row.target, row.metric])
                for row in table.itertuples()
            ],
        }
    )
    keys = ["table", "system", "target", "metric"]
    order = list(dict.fromkeys(shown[keys].itertuples(index=False, name=None)))
    columns = list(dict.fromkeys(shown["condition"]))
    wide = shown.set_index([*keys, "condition"])["cell"].unstack("condition").fillna("")
    return (
        wide.loc[order, columns]
        .rename_axis(columns=None)
        .assign(**{"this run": ELSEWHERE.get(source, NOT_YET)})
    )


def inconsistency_table() -> pd.DataFrame:
    """Where Table 5 of roshanzamir2023 does not follow from its Table 3, for reading."""
    table = published.inconsistencies()
    return pd.DataFrame(
        {
            "model": table["system"],
            "row of Table 5": table["row"],
            "column": table["column"],
            "printed, %": [text.number(v, 3) for v in table["printed"]],
            "r in Table 3": [text.number(v, 4) for v in table["r"]],
            "100 r², %": [text.number(v, 3) for v in table["implied"]],
            "follows": ["yes" if v else "no" for v in table["consistent"]],
            "the printed number is that of": table["fits"],
        }
    ).set_index(["model", "row of Table 5", "column"])


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
