"""Published table rows, and the conditions that they correspond to."""

from __future__ import annotations

import pandas as pd

from paraspine import published, text
from paraspine.arrays import SettingsError
from paraspine.evidence import show
from paraspine.evidence.conditions import method_label, network_label, target_label
from paraspine.evidence.printed import digits_of, unit_words, with_sd
from paraspine.evidence.results import Condition, Results
from paraspine.evidence.show import Table

#: The paper whose tables this book measures.
PAPER = "roshanzamir2023"


#: The paper's words for uncertainty methods.
PRINTED = {"single": "", "dropout": "TTD", "tta": "TTA", "ensemble": "ensemble"}
METHODS = {printed: name for name, printed in PRINTED.items()}


def printed_cell(name: str, system: str, condition: str) -> tuple[Condition, ...]:
    """Which of a book's cells a row of a published table is about.

    Parameters
    ----------
    name : str
        ``"Table 1"`` to ``"Table 5"`` of roshanzamir2023.
    system, condition : str
        As `published.table` has them.

    Returns
    -------
    tuple of Condition
        One; for Table 5 two, the epistemic and the aleatoric. Table 1 does not say how its networks
        were sampled: it is taken as one pass without dropout.
    """
    model = system.lower()
    if name == "Table 1":
        return (Condition(model, condition, "single"),)
    if name == "Table 5":
        how, fusion = [*condition.removeprefix("TTA+").split(), "majority"][:2]
        return Condition(model, fusion, METHODS[how]), Condition(model, fusion, "tta")
    how, fusion = condition.split()
    return (Condition(model, fusion, METHODS[how]),)


def missing_words(found: Results, cells) -> str:
    """What a comparison needs that was not run, in as few words as say it; empty if nothing."""
    there = found.cells()
    words = []
    for cell in cells:
        if cell in there:
            continue
        model, method = network_label(cell.model), method_label(cell.method)
        if cell.model not in {c.model for c in there}:
            words.append(model)
        elif cell.method not in {c.method for c in there}:
            words.append(method)
        elif (cell.model, cell.method) not in {(c.model, c.method) for c in there}:
            words.append(f"{method} of {model}")
        else:
            words.append(f"{model} ({target_label(cell.fusion)}, {method})")
    return f"needs {text.listing(dict.fromkeys(words))}" if words else ""


def as_printed(source: str) -> pd.DataFrame:
    """The tables of another paper, as printed.

    Parameters
    ----------
    source : str
        Short name of the paper.

    Returns
    -------
    pandas.DataFrame
        One row per table, system, target and metric, one column per condition (empty where the
        paper has no such cell).
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
    return wide.loc[order, columns].rename_axis(columns=None)


def printed_display(source: str) -> Table:
    """The tables of another paper, folded."""
    table = as_printed(source)
    names = list(table.index.names)
    return show.table(
        table.reset_index(),
        names,
        {str(c): show.words(c) for c in table},
        caption=f"Tables of {source}, as printed, without their marks of significance",
        folded=True,
    )


#: Columns of `inconsistency_table` for reading.
INCONSISTENCIES = {
    "printed, %": show.number("printed", 3),
    "r in Table 3": show.number("r", 4),
    "100 r², %": show.number("implied", 3),
    "follows": show.words("follows"),
    "the printed number is that of": show.words("fits"),
}


def inconsistency_table() -> pd.DataFrame:
    """Where Table 5 of roshanzamir2023 does not follow from its Table 3."""
    table = published.inconsistencies()
    names = {"system": "model", "row": "row of Table 5"}
    follows = table["consistent"].map({True: "yes", False: "no"})
    return table.rename(columns=names).assign(follows=follows)
