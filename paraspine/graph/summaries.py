"""Main results of several books side by side."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from paraspine import runs, statistics, text
from paraspine.arrays import RunError, SettingsError
from paraspine.evidence.conditions import RATERS
from paraspine.evidence.limits import FEWEST
from paraspine.session.digests import project_root
from paraspine.studies.label_fusion.claims import fusion_claims_sentence
from paraspine.studies.label_fusion.tables import against

__all__ = ["Summary", "summary", "STUDIES", "write_summary"]

Result = tuple[str, statistics.Estimate, int, float]


@dataclass(frozen=True)
class Summary:
    """Main results of several books.

    Attributes
    ----------
    table : pandas.DataFrame
        ``result`` and a column per workspace, estimates with 95 % intervals as text.
    words : str
        Where two books differ beyond their intervals, and which code computed them.
    """

    table: pd.DataFrame
    words: str


def summary(
    workspaces: Iterable[str], study: str = "interrater", *, root: Path | str | None = None
) -> Summary:
    """Set the main results of several books side by side.

    Parameters
    ----------
    workspaces : iterable of str
        Folders below ``runs/``, for example ``"quick"``.
    study : str
        Which results: ``"interrater"`` (raters, networks, calibration) or ``"label_fusion"`` (its
        candidates, and what became of the paper's claims).

    Returns
    -------
    Summary

    Raises
    ------
    SettingsError
        If there is no such study.
    RunError
        If a workspace lacks a complete run that the table needs.
    """
    if study not in STUDIES:
        raise SettingsError(f"study: expected one of {', '.join(STUDIES)}, got {study!r}.")
    results, compare = STUDIES[study]
    root = Path(root or project_root())
    columns = {}
    for name in workspaces:
        folder = root / "runs" / name
        if not folder.is_dir():
            raise RunError(f"runs/{name}: there is no such workspace; make its book first.")
        columns[name] = {key: found for key, *found in results(folder)}
    order = list(dict.fromkeys(key for column in columns.values() for key in column))
    table = pd.DataFrame({"result": order})
    for name, column in columns.items():
        table[name] = [
            text.interval(*column[key][:2]) if key in column else "not measured" for key in order
        ]
    words = compare(root, columns)
    words += [_origin(root / "runs" / name, study) for name in columns]
    return Summary(table, "\n\n".join(dict.fromkeys(words)))


def _differences(root: Path, columns: dict[str, dict]) -> list[str]:
    return [_difference(*columns.items())] if len(columns) == 2 else []


def _fusion_claims(root: Path, columns: dict[str, dict]) -> list[str]:
    """What became of the claims in each workspace."""
    words = []
    for name in columns:
        claims = runs.read(_place(root / "runs" / name, "label_fusion")).read_frame(
            "claims.parquet"
        )
        words.append(fusion_claims_sentence(claims, f"'{name}'"))
    return words


def _difference(first: tuple[str, dict], second: tuple[str, dict]) -> str:
    """Which results of two books have intervals that do not overlap."""
    (name, before), (other, after) = first, second
    known = [
        k
        for k in before
        if k in after
        and not any(math.isnan(v) for side in (before, after) for v in _numbers(side[k][0]))
    ]
    shared = [k for k in known if min(before[k][2], after[k][2]) >= FEWEST]
    few = len(known) - len(shared)
    rest = ""
    if few:
        rest = (
            f" {text.count(few, 'result')} from fewer than {FEWEST} subjects "
            f"{'is' if few == 1 else 'are'} not compared: of so few, intervals tell nothing apart."
        )
    rose = [k for k in shared if after[k][0].low > before[k][0].high]
    fell = [k for k in shared if after[k][0].high < before[k][0].low]
    if not shared and few:
        return rest.strip()
    if not rose and not fell:
        return (
            f"The intervals of '{name}' and '{other}' overlap in all of the {len(shared)} results "
            f"that can be compared.{rest}"
        )
    words = [f"higher: {text.listing(rose)}"] if rose else []
    words += [f"lower: {text.listing(fell)}"] if fell else []
    return (
        f"Beyond their intervals, '{other}' differs from '{name}' in {len(rose) + len(fell)} of "
        f"{text.count(len(shared), 'result')} ({'; '.join(words)}).{rest}"
    )


def _numbers(estimate: statistics.Estimate) -> tuple[float, float, float]:
    return estimate.value, estimate.low, estimate.high


def _place(folder: Path, experiment: str) -> Path:
    return folder / experiment / experiment


def _origin(folder: Path, study: str) -> str:
    """When and with what the runs of a workspace were computed."""
    found = runs.read(_place(folder, study)).read_json("provenance.json")
    revision = (found["git"]["revision"] or "no revision")[:10]
    versions = found["versions"]
    return (
        f"'{folder.name}' was computed on {found['finished'][:10]} at revision {revision}, with "
        f"PyTorch {versions.get('torch', 'unknown')} on {found['processor']}."
    )


def _cell(row: dict, value: str = "mean", low: str = "low", high: str = "high"):
    return statistics.Estimate(row[value], row[low], row[high])


def _interrater(folder: Path) -> Iterator[Result]:
    """Name, estimate, digits and number of subjects (infinite where unknown) of each result."""

    def read(experiment: str, name: str) -> list[dict]:
        run = runs.read(_place(folder, experiment))
        return run.read_frame(f"{name}.parquet").to_dict("records")

    def subjects(row: dict) -> float:
        return row.get("clusters", math.inf)

    for row in read("raters", "agreement"):
        yield f"pairwise Dice of the raters, {row['class']}", _cell(row), 3, subjects(row)
    for row in read("raters", "entropy"):
        yield "GT entropy, nats a voxel", _cell(row), 4, subjects(row)
    networks = [row for row in read("interrater", "overlap") if row["condition"] != RATERS]
    tested = max(map(subjects, networks), default=math.inf)
    for row in networks:
        yield f"Dice, {row['class']}, {row['condition']}", _cell(row), 3, subjects(row)
    for row in read("interrater", "brier"):
        yield f"Brier score × 10³, {row['class']}, {row['condition']}", _cell(row), 2, subjects(row)
    for row in read("interrater", "correlations"):
        if row["kind"] == "pearson" and row["score"] == "entropy":
            yield (
                f"r of entropy with GT entropy, {row['condition']}",
                _cell(row, "r"),
                2,
                subjects(row),
            )
    for row in read("interrater", "detection"):
        if row["score"] == "entropy":
            yield f"average precision of entropy, {row['condition']}", _cell(row), 3, tested
    for row in read("calibration", "calibration"):
        yield f"ECE, {row['condition']}", _cell(row), 4, tested


def _label_fusion(folder: Path) -> Iterator[Result]:
    """The same of the label-fusion study's candidates."""
    run = runs.read(_place(folder, "label_fusion"))
    calibration = run.read_frame("calibration.parquet").to_dict("records")
    for row in calibration:
        yield f"ECE, {row['condition']}", _cell(row), 4, row["subjects"]
    for row in calibration:
        gap = _cell(row, "gap", "gap_low", "gap_high")
        yield f"confidence minus accuracy, {row['condition']}", gap, 4, row["subjects"]
    frame = against(run.read_frame("measures.parquet"), "STAPLE")
    structures = frame[frame["class"] != "all"]
    for measure, name, digits, scale in (
        ("dice", "Dice", 3, 1),
        ("brier", "Brier score × 10³", 3, 1e3),
    ):
        chosen = structures[structures["measure"] == measure]
        chosen = chosen.assign(value=scale * chosen["value"])
        for row in statistics.mean_table(chosen, by=["condition"]).to_dict("records"):
            yield f"{name}, {row['condition']}", _cell(row), digits, row.get("clusters", math.inf)


#: Each study's results and what is said of several books.
STUDIES: dict[str, tuple[Callable[[Path], Iterator[Result]], Callable]] = {
    "interrater": (_interrater, _differences),
    "label_fusion": (_label_fusion, _fusion_claims),
}


def write_summary(found: Summary, path: Path | str) -> Path:
    """Write a summary's table as CSV and its words as Markdown beside it, whole or not at all."""
    path = Path(path)
    with runs.atomic(path) as temporary:
        found.table.to_csv(temporary, index=False, lineterminator="\n")
    with runs.atomic(path.with_suffix(".md")) as temporary:
        temporary.write_text(found.words + "\n", encoding="utf-8")
    return path
