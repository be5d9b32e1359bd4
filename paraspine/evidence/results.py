"""Results of a book's sample runs: every condition, image by image."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import pandas as pd

from paraspine import metrics, statistics
from paraspine.arrays import SettingsError
from paraspine.evidence.conditions import CONDITION, join, method_labels
from paraspine.frames import error_detectors

__all__ = ["Condition", "Results", "read_results", "samples_of"]


class Condition(NamedTuple):
    """A network and a way of sampling it: `model`, `fusion`, `method`, as runs name them."""

    model: str
    fusion: str
    method: str


@dataclass(frozen=True)
class Results:
    """What a book has measured, for comparisons.

    Attributes
    ----------
    frame : pandas.DataFrame
        `join` of ``measures.parquet``: columns ``subject``, ``image``, ``slice``,
        ``class``, ``measure``, ``value``, ``model``, ``fusion``, ``seed``, ``method``.
    detectors : mapping
        (model, fusion, seed, method) to subject to the `metrics.ErrorDetection` of predictive
        entropy.
    resamples : int
        Bootstrap resamples of subjects.
    """

    frame: pd.DataFrame
    detectors: Mapping[tuple, Mapping[str, metrics.ErrorDetection]] = field(default_factory=dict)
    resamples: int = field(default_factory=lambda: statistics.defaults.resamples)
    _tables: dict = field(default_factory=dict, repr=False, compare=False)

    def cells(self) -> set[Condition]:
        """Every cell that at least one run fills."""
        return {Condition(m, f, how) for m, f, _, how in self.runs()}

    def runs(self) -> list[tuple]:
        """(model, fusion, seed, method) of every run."""
        if "runs" not in self._tables:
            named = self.frame[list(CONDITION)].drop_duplicates()
            self._tables["runs"] = list(named.itertuples(index=False, name=None))
        return self._tables["runs"]

    def runs_of(self, cell: Condition) -> list[tuple]:
        """The runs that fill a cell: one per seed."""
        return [run for run in self.runs() if Condition(run[0], run[1], run[3]) == cell]

    def ensembles(self, cells: Iterable[Condition]) -> str:
        """Kind and size of the ensembles among some cells, as their runs are named; else empty."""
        if "condition" not in self.frame:
            return ""
        models = {(c.model, c.fusion) for c in cells if c.method == "ensemble"}
        own = self.frame[self.frame["method"] == "ensemble"].drop_duplicates("condition")
        kinds = method_labels(own)
        return " and ".join(dict.fromkeys(
            kind for kind, pair in zip(kinds, own[["model", "fusion"]].to_numpy(), strict=True)
            if tuple(pair) in models
        ))  # fmt: skip

    def subjects(self) -> int:
        """How many subjects were measured."""
        return self.frame["subject"].nunique()

    def without(self, subject) -> Results:
        """The same without one subject: for what it decides alone."""
        rest = {
            run: {name: one for name, one in own.items() if name != str(subject)}
            for run, own in self.detectors.items()
        }
        frame = self.frame[self.frame["subject"] != subject]
        return replace(self, frame=frame, detectors=rest, _tables={})

    def structures(self) -> list[str]:
        """Classes without background."""
        return list(dict.fromkeys(self.frame.loc[self.frame["measure"] == "dice", "class"]))

    def wide(self, measure: str) -> pd.DataFrame:
        """One row per image (and structure), one column per run."""
        if measure not in self._tables:
            rows = self.frame[self.frame["measure"] == measure]
            if measure == "brier":  # has background too
                rows = rows[rows["class"].isin(self.structures())]
            keys = [c for c in ("subject", "image", "slice", "class") if c in rows]
            table = rows.set_index([*keys, *CONDITION])["value"]
            order = rows.set_index(keys).index.unique()
            if table.index.has_duplicates:
                raise SettingsError(
                    f"{measure}: an image has several values in one run; give each run once."
                )
            runs = pd.MultiIndex.from_tuples(self.runs(), names=CONDITION)
            self._tables[measure] = table.unstack(list(CONDITION)).reindex(order, columns=runs)
        return self._tables[measure]


def read_results(sampled: Iterable) -> Results:
    """Read what sample runs measured.

    Parameters
    ----------
    sampled : iterable of runs.Run
        Runs of ``04_sample``.
    """
    sampled = list(sampled)
    if not sampled:
        raise SettingsError("sampled: expected at least one run of 04_sample.")
    found = {
        tuple(run.parameters[key] for key in CONDITION): error_detectors(
            run.read_arrays("errors.npz")
        ).get("entropy", {})
        for run in sampled
    }
    return Results(join(sampled, "measures.parquet"), found)


def samples_of(session, run) -> list:
    """The sample runs from which another run was computed.

    Parameters
    ----------
    session : session.Session
        The open run; what is read becomes an input of it.
    run : runs.Run
        A run of ``05_interrater``, for example.
    """
    inputs = run.read_json("inputs.json")["inputs"]
    opened = [session.upstream(name) for name, entry in inputs.items() if entry["kind"] == "run"]
    return [found for found in opened if set(CONDITION) <= set(found.parameters)]
