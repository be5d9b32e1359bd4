"""The paper's tables in the paper's layout, the published value beside this run's."""

from __future__ import annotations

import numpy as np
import pandas as pd

from paraspine import published
from paraspine.evidence.conditions import network_label, target_label, with_condition
from paraspine.evidence.printed import structure_named
from paraspine.evidence.show import Table, interval, number, p_value, table, words
from paraspine.evidence.words import SCORE_NAMES

PAPER = "roshanzamir2023"
#: How the paper calls networks and ways of sampling.
SYSTEMS = {"UNet": "unet", "TransUNet": "transunet"}
#: Columns with what the paper prints of the variance explained.
PAPERS = ("paper epistemic", "paper aleatoric", "paper joint")
METHODS = {"TTD": "dropout", "TTA": "tta", "ensemble": "ensemble"}


def printed_values(name: str) -> pd.DataFrame:
    """A published table with the columns of a condition: ``model``, ``fusion``, ``method``."""
    lines = []
    for row in published.table(PAPER, name).to_dict("records"):
        how, _, fusion = row["condition"].removeprefix("TTA+").partition(" ")
        if name == "Table 1":  # doesn't say how its networks were sampled
            how, fusion = "single", row["condition"]
        lines.append(
            {
                "model": SYSTEMS[row["system"]],
                "fusion": fusion or "majority",
                "method": METHODS.get(how, how),
                "target": row["target"],
                "published": row["value"],
            }
        )
    return pd.DataFrame(lines)


def brier_display(brier: pd.DataFrame, frame: pd.DataFrame, *, source: str, caption: str) -> Table:
    """Table 1: Brier score of each network by structure, the paper's row under each."""
    own = with_condition(brier, frame)
    chosen = own[own["method"] == _first(own["method"], "single")]
    printed = printed_values("Table 1")
    lines = []
    for (model, fusion), part in chosen.groupby(["model", "fusion"], sort=False):
        name = {"network": network_label(model), "trained on": target_label(fusion)}
        lines += [name | {"from": "this run"} | row for row in part.to_dict("records")]
        same = printed[(printed["model"] == model) & (printed["fusion"] == fusion)]
        lines += [
            name | {"from": "paper", "class": structure, "mean": row["published"]}
            for row in same.to_dict("records")
            if (structure := structure_named(part["class"], row["target"]))
        ]
    cells = ["network", "trained on", "from"]
    frame = pd.DataFrame(lines)
    return table(frame, cells, interval("mean", 2), "class", caption=caption, source=source)


def dice_display(differences: pd.DataFrame, *, source: str, caption: str) -> Table:
    """Table 4: mean Dice over structures of both architectures, in percent, with both tests."""
    shown = differences[differences["compared"] == "architectures"]
    (a, b), *_ = [*shown[["a", "b"]].drop_duplicates().itertuples(index=False, name=None), ("", "")]
    printed = printed_values("Table 4").groupby(["model", "fusion", "method"])["published"].mean()
    lines = []
    for row in shown.to_dict("records"):
        line = row | {"sampled": row["method_label"], "without": _range(row, 100)}
        line["trained on"] = target_label(row["fusion"])
        for side in ("a", "b"):
            key = (row[side], row["fusion"], row["method"])
            line[f"paper_{side}"] = printed.get(key, np.nan)
        apart = line["paper_a"] - line["paper_b"]
        lines.append(line | {"paper": "–" if np.isnan(apart) else f"{apart:.1f}"})
    a, b = network_label(a), network_label(b)
    cells = {
        a: number("mean_a", 1, 100),
        b: number("mean_b", 1, 100),
        f"{a} − {b}, points": interval("difference", 1, 100),
        "leaving one subject out": words("without"),
        "p by image": p_value("p_holm"),
        "p by subject": p_value("p_holm_subject"),
        f"paper: {a} − {b}": words("paper"),
    }
    frame = pd.DataFrame(lines)
    rows = ["sampled", "trained on"]
    return table(frame, rows, cells, caption=caption, source=source)


def partition_display(
    partition: pd.DataFrame, frame: pd.DataFrame, *, source: str, caption: str
) -> Table:
    """Table 5: variance of GT entropy explained by each uncertainty and by both."""
    own = with_condition(partition[partition["score"] == "entropy"], frame, "epistemic")
    printed = printed_values("Table 5").set_index(["model", "fusion", "method", "target"])
    lines: dict[str, dict] = {}
    for row in own.to_dict("records"):
        line = lines.setdefault(row["epistemic"], {"condition": row["epistemic"]})
        part = row["part"]
        line |= {part: row["mean"], f"{part}_low": row["low"], f"{part}_high": row["high"]}
        key = (row["model"], row["fusion"], row["method"], part)
        if key in printed.index:
            line[f"paper {part}"] = f"{printed.loc[key, 'published']:.1f}"
        if part == "joint":
            line["without"] = _range(row, 1, 0)
    cells = {}
    for part, head in (("epistemic", "epistemic"), ("aleatoric", "aleatoric"), ("joint", "both")):
        cells[head] = interval(part, 1)
        if any(f"paper {part}" in line for line in lines.values()):
            cells[f"{head}, paper"] = words(f"paper {part}")
    cells["both, leaving one subject out"] = words("without")
    shown = pd.DataFrame(lines.values()).fillna(dict.fromkeys(PAPERS, "–"))
    return table(shown, "condition", cells, caption=caption, source=source)


def with_ranges(found: pd.DataFrame, digits: int = 2) -> pd.DataFrame:
    """A table with the words ``without``: the range over leaving one subject out."""
    words = [_range(row, 1, digits) for row in found.to_dict("records")]
    return found.assign(without=words)


def _range(row: dict, scale: float, digits: int = 1) -> str:
    ends = [scale * row[f"without_{end}"] for end in ("low", "high")]
    return "–" if np.isnan(ends).any() else " to ".join(f"{end:.{digits}f}" for end in ends)


def _first(found: pd.Series, preferred: str) -> str:
    """A way of sampling, or the first there is."""
    return preferred if (found == preferred).any() else next(iter(found), "")


#: Kinds of correlation in words.
KINDS = {"pearson": "over images", "spearman": "by rank (ρ)", "by subject": "over subjects"}


def kinds(correlations: pd.DataFrame) -> pd.DataFrame:
    """Correlations of predictive entropy with their kind in words."""
    chosen = correlations[correlations["score"] == "entropy"]
    return chosen.assign(kind=chosen["kind"].map(KINDS))


def changes_display(changes: pd.DataFrame, *, caption: str, source: str) -> Table:
    """What changes with a part of the entropy, folded."""
    shown = changes.assign(part=changes["score"].map(SCORE_NAMES))
    cells = {
        "average precision": interval("AP", 2),
        "r with disagreement": interval("correlation", 2),
        "variance explained, points": interval("R²", 1),
    }
    rows = ["condition", "part"]
    return table(shown, rows, cells, caption=caption, source=source, folded=True)


def labelled(frame: pd.DataFrame) -> pd.DataFrame:
    """A table of differences with labels: what is compared, and under what both were made."""
    names = frame["compared"].map({"architectures": network_label, "targets": target_label}.get)
    sides = {
        side: [name(value) for name, value in zip(names, frame[side], strict=True)]
        for side in ("a", "b")
    }
    shared = [
        target_label(row["fusion"]) if row["fusion"] else network_label(row["model"])
        for row in frame.to_dict("records")
    ]
    return frame.assign(**sides, shared=shared)
