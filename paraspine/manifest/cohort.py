"""Read and check a manifest: `Cohort`."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import pandas as pd

from paraspine.anatomy import ClassTable
from paraspine.arrays import SettingsError
from paraspine.manifest import files, sidecar, tables
from paraspine.manifest.problem import Problem, error, ordered

__all__ = ["Cohort", "problems", "read"]


@dataclass(frozen=True)
class Cohort:
    """The images of a study, who outlined them and what is known of the subjects.

    Attributes
    ----------
    table : pandas.DataFrame
        One row per image, numbered from 0 in the manifest's order, with the manifest's columns.
        Blank cells are missing values; ``age`` and ``fat`` are numbers, the rest is text.
    classes : ClassTable
        Names, mirror pairs and colours of the classes.
    root : Path
        Folder that paths start from.
    path : Path
        The manifest.
    metadata : dict
        What the JSON file says.
    notes : tuple of str
        What is allowed but worth knowing, in sentences.
    """

    table: pd.DataFrame
    classes: ClassTable
    root: Path
    path: Path
    metadata: dict = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.table)

    @property
    def raters(self) -> tuple[str, ...]:
        """Names of the raters: what follows ``rater_`` in the columns, in their order."""
        return tuple(tables.rater_names(self.table.columns))

    @property
    def subjects(self) -> tuple[str, ...]:
        """The subjects, each once, in order of appearance."""
        return tuple(dict.fromkeys(self.table["subject"]))

    @property
    def name(self) -> str:
        """What the cohort is called: the JSON's ``name``, else the manifest's file name."""
        return str(self.metadata.get("name") or self.path.stem)

    @property
    def source(self) -> str:
        """Words that stand under every figure: the JSON's ``source``, else the name."""
        if words := self.metadata.get("source"):
            return str(words)
        return f"synthetic: {self.name}" if self.synthetic else self.name

    @property
    def synthetic(self) -> bool:
        """Whether the images are made up."""
        return bool(self.metadata.get("synthetic", False))

    @property
    def intensity(self) -> dict:
        """What the intensities are: ``{"kind": "MR" | "CT" | "other", "window": ... | None}``."""
        return {"kind": "other", "window": None} | dict(self.metadata.get("intensity") or {})

    def has(self, column: str) -> bool:
        """Whether the manifest has this column with at least one entry."""
        return column in self.table and bool(self.table[column].notna().any())

    def image_path(self, row) -> Path:
        """Where an image lies; `row` is a row of the table or its number."""
        return self.root / str(self._cell(row, "image"))

    def label_path(self, row, rater: str) -> Path | None:
        """Where a rater's label map of an image lies; None where the rater did not rate it."""
        if f"rater_{rater}" not in self.table:
            raise SettingsError(
                f"rater: expected one of {', '.join(self.raters) or '(none)'}, got {rater!r}."
            )
        value = self._cell(row, f"rater_{rater}")
        return None if pd.isna(value) else self.root / str(value)

    def rated(self) -> pd.DataFrame:
        """Which rater rated which image: booleans, one column per rater."""
        columns = {r: self.table[f"rater_{r}"].notna() for r in self.raters}
        return pd.DataFrame(columns, index=self.table.index)

    def select(self, rows) -> Cohort:
        """The cohort with some rows only, by a boolean mask or by the table's index."""
        return replace(self, table=self.table.loc[rows])

    def _cell(self, row, column: str):
        if isinstance(row, tuple):  # from DataFrame.itertuples, which renames odd columns
            return row[self.table.columns.get_loc(column) + (hasattr(row, "Index"))]
        return row[column] if hasattr(row, "keys") else self.table.loc[row, column]


def read(
    path, *, data_root=None, check_files: bool = True, check_sums: bool = True, workers: int = 0
) -> Cohort:
    """Read a manifest and check it, its JSON file and every file that it names.

    Parameters
    ----------
    path : str or Path
        The CSV; the JSON of the same name lies beside it.
    data_root : str or Path, optional
        Folder that the manifest's paths start from, if not the manifest's own.
    check_files : bool
        Whether to open the images and label maps. Without, only the two text files are checked.
    check_sums : bool
        Whether to compare files with the checksums that the manifest states.
    workers : int
        Threads that read files; 0 takes as many as there are cores, up to 8.

    Returns
    -------
    Cohort

    Raises
    ------
    ManifestError
        If anything is wrong; ``problems`` holds all of it, the message the first twenty.
    """
    cohort, found = _inspect(path, data_root, check_files, check_sums, workers)
    if found or cohort is None:
        raise error(Path(path), found)
    return cohort


def problems(
    path, *, data_root=None, check_files: bool = True, check_sums: bool = True, workers: int = 0
) -> list[Problem]:
    """Everything that is wrong with a manifest; an empty list where nothing is.

    Parameters as in `read`.
    """
    return _inspect(path, data_root, check_files, check_sums, workers)[1]


def _inspect(
    path, data_root, check_files: bool, check_sums: bool, workers: int
) -> tuple[Cohort | None, list[Problem]]:
    path = Path(path)
    root = Path(data_root) if data_root is not None else path.parent
    table, rows, found, notes = tables.load(path)
    if table is None and not path.is_file():
        return None, found
    metadata, classes, more = sidecar.load(path.with_suffix(".json"))
    found = found + more
    if table is None:
        return None, ordered(found)
    source = tables.Source(path, root, data_root is not None, metadata, rows)
    found += tables.check_paths(table, source)
    if check_files:
        more, words = files.check(table, classes, source, check_sums=check_sums, workers=workers)
        found += more
        notes = notes + words
    if found or classes is None:
        return None, ordered(found)
    words = [*table.columns, *table.get("level", pd.Series(dtype=str)).dropna(), *classes.names]
    words += [str(metadata[key]) for key in ("name", "source", "note") if key in metadata]
    notes = notes + sidecar.notes(metadata) + sidecar.markup(words)
    return Cohort(table, classes, root, path, metadata, tuple(notes)), []
