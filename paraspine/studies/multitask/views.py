"""What tables and figures of multi-task networks show: Table 3.1, steps, outlines, maps, errors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np
import pandas as pd
from scipy.special import expit

from paraspine import fusion
from paraspine.arrays import SettingsError
from paraspine.evidence.printed import with_sd
from paraspine.evidence.views import name_of, views
from paraspine.figures import Compared, Steps
from paraspine.slices.choosing import orders, spread
from paraspine.statistics import Estimate
from paraspine.studies.multitask.maps import MAP, MEASURES
from paraspine.studies.multitask.tables import QUANTITIES, names_of

#: Most rows of `level_views`.
ROWS = 3
#: Panels of `variance_views`.
WANTED, PREDICTED, ERROR = "raters' variance", "predicted variance", "absolute error"
#: Quantities by their part of the published table.
PARTS = {quantity.part: quantity for quantity in QUANTITIES.values()}


def table_rows(cells: pd.DataFrame) -> pd.DataFrame:
    """Table 3.1 in its layout: ``measure``, ``network``, ``from``, ``target``, ``cell``.

    A star marks the thesis's p < 0.01 between its two networks.
    """
    lines = []
    for row in cells.to_dict("records"):
        quantity = PARTS[row["condition"]]
        star = "*" if row["note"].startswith("p<0.01") else ""
        theirs = with_sd(row["published"], row["published_sd"], quantity.digits)
        ours = with_sd(row["value"], row["sd"], quantity.digits) if not row["status"] else ""
        for by, cell in (("this run", ours), ("thesis", theirs + star)):
            if cell:
                keys = {"measure": quantity.words, "network": row["system"], "from": by}
                lines.append(keys | {"target": row["target"], "cell": cell})
    table, order = pd.DataFrame(lines), [quantity.words for quantity in PARTS.values()]
    return table.sort_values("measure", key=lambda own: own.map(order.index), kind="stable")


def claim_rows(table: pd.DataFrame) -> pd.DataFrame:
    """Claims as text: what the thesis has, this run's value, the range without one subject."""
    lines = []
    for row in table.to_dict("records"):
        digits = QUANTITIES[row["measure"]].digits + 1
        found = Estimate(row["mean"], row["low"], row["high"])
        ends = (f"{row[k]:.{digits}f}" for k in ("without_low", "without_high"))
        why = f": {row['why']}" if row["why"] else ""
        lines.append(
            {
                "statistic": row["statistic"],
                "class": row["class"],
                "thesis": f"{row['published']:.{digits}f}",
                "ours": f"{found:.{digits}f brackets}",
                "range": " to ".join(ends),
                "verdict": row["verdict"] + why,
            }
        )
    return pd.DataFrame(lines, columns=None if lines else ["statistic", "class", "verdict"])


def in_units(table: pd.DataFrame, *names: str) -> pd.DataFrame:
    """A table with its measure in words and some columns in the units of Table 3.1."""
    known = {measure: (q.words, q.scale) for measure, q in QUANTITIES.items()}
    words, scale = (table["measure"].map({m: q[i] for m, q in known.items()}) for i in (0, 1))
    return table.assign(measure=words, **{name: table[name] * scale for name in names})


def ranking_rows(ranking: pd.DataFrame, difference: pd.DataFrame, cost=None) -> pd.DataFrame:
    """A row a map: average precision, r, the predicted variance's lead in both, and its cost."""
    keys = ["mean", "low", "high"]
    found = ranking[MAP].drop_duplicates()
    for short, words in (
        ("ap", MEASURES["average_precision"]),
        ("pearson", MEASURES["correlation"]),
    ):
        for kind, table in (("", ranking), ("_lead", difference)):
            own = table[table["measure"] == words][[*MAP, *keys]]
            names = (f"{short}{kind}", f"{short}{kind}_low", f"{short}{kind}_high")
            own = own.rename(columns=dict(zip(keys, names, strict=True)))
            found = found.merge(own, on=MAP, how="left")
    found = found if cost is None else found.merge(cost, on=MAP, how="left")
    return found.rename(columns={"label": "map"})


def steps_of(data, wanted) -> tuple[list[Steps], list[str]]:
    """Steps of each structure of the slice whose raters differ most, and who rated it.

    `wanted` are variance maps ``(N, C - 1, H, W)``, NaN where fewer than two rated. Raises
    `SettingsError` if no slice was rated by two.
    """
    total = np.asarray(wanted).mean(axis=(1, 2, 3))
    if np.isnan(total).all():
        raise SettingsError(
            f"raters: expected a test slice that two or more rated, got {len(total)} without; "
            "another split_seed may bring some to the test set."
        )
    item = int(np.nanargmax(total))
    rated = data.rated[item]
    found = []
    for number, name in enumerate(data.classes.foreground, start=1):
        masks = data.labels[item, rated] == number
        if not masks.any():
            continue
        distance = np.stack([fusion.signed_distance(mask) for mask in masks])
        found.append(
            Steps(
                title=f"{name_of(data, item)}: {name}",
                image=data.images[item, 0],
                masks=masks,
                distance=distance,
                soft=expit(distance),
                variance=np.asarray(wanted)[item, number - 1],
            )
        )
    return found, [n for n, yes in zip(data.raters, rated, strict=True) if yes]


def level_views(data, together: Mapping, subjects: int = 2):
    """Majority vote and predictions of the subjects with most slices, level by level.

    Returns a `figures.Compared` for each, the rows' names (levels, at most `ROWS` of them; empty
    where the cohort has none) and the columns'.
    """
    table, rated = data.table, data.rated.any(axis=1)
    counts = table["subject"][rated].value_counts(sort=False)
    names = list(counts.sort_values(ascending=False, kind="stable").index[:subjects])
    levels = orders(table).get("level") if "level" in table else None
    if levels and len(levels) > ROWS:
        levels = [levels[i] for i in np.linspace(0, len(levels) - 1, ROWS).round().astype(int)]
    found = []
    for name in names:
        own = np.flatnonzero((table["subject"] == name).to_numpy() & rated)
        if levels:
            by_level = {table["level"].iloc[i]: i for i in reversed(own)}
            items = [by_level.get(level) for level in levels]
        else:
            items = [int(own[i]) for i in spread(data.select(own), ROWS)]
            items += [None] * (ROWS - len(items))
        found.append(
            Compared(
                title=str(name),
                images=[None if i is None else data.images[i, 0] for i in items],
                labels=[[] if i is None else _outlined(data, i, together) for i in items],
            )
        )
    used = [r for r in range(len(found[0].images)) if any(f.images[r] is not None for f in found)]
    found = [
        replace(f, images=[f.images[r] for r in used], labels=[f.labels[r] for r in used])
        for f in found
    ]
    rows = [levels[r] if levels else "" for r in used]
    return found, rows, ["majority vote", *(names_of(name)["condition"] for name in together)]


def _outlined(data, item: int, together: Mapping) -> list[np.ndarray]:
    labels = data.labels[item, data.rated[item]]
    vote = fusion.majority_vote(labels, data.classes.num_classes)
    return [vote, *(j.moments.mean[item].argmax(axis=0) for j in together.values())]


def variance_views(data, shown: Iterable[int], together: Mapping, wanted) -> list:
    """Raters' variance of some slices beside each network's, and its error, summed over structures.

    Slices that fewer than two raters rated are left out; `wanted` as in `steps_of`.
    """
    found = []
    known = [i for i in shown if data.rated[i].sum() > 1]
    for name, joint in together.items():
        for item, view in zip(known, views(data, known), strict=True):
            true, said = (np.asarray(m)[item].sum(axis=0) for m in (wanted, joint.variance))
            found.append(
                replace(
                    view,
                    title=f"{view.title} · {names_of(name)['condition']}",
                    prediction=joint.moments.mean[item].argmax(axis=0),
                    maps={WANTED: true, PREDICTED: said, ERROR: np.abs(said - true)},
                )
            )
    return found


def variance_limits(shown: Iterable) -> dict[str, float]:
    """Tops of the scales of `variance_views`: predicted maps have their own, else all is dark."""
    found = {}
    for name in (WANTED, PREDICTED, ERROR):
        highest = max((float(v.maps[name].max()) for v in shown), default=0.0)
        found[name] = highest if highest > 0 else 0.25
    return found | {ERROR: found[WANTED]}
