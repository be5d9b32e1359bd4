"""Write a manifest and its JSON file for a data set in folders."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from paraspine import storage
from paraspine.anatomy import ClassTable
from paraspine.arrays import SettingsError

__all__ = ["absolute", "destination", "row", "save"]


def destination(folder: Path, output, what: str, places: Iterable[Path] = ()) -> Path:
    """Where the manifest goes, after checking that it can reach the data.

    Parameters
    ----------
    folder : Path
        The data set.
    output : str or Path or None
        The manifest, or a folder for it; ``data_manifest.csv`` in `folder` if left out.
    what : str
        Words for the data set, in the message where there is no such folder.
    places : iterable of Path
        Other folders that hold files of the data set.

    Raises
    ------
    SettingsError
        If the folder is missing or the manifest would lie where it cannot reach the images.
    """
    if not folder.is_dir():
        raise SettingsError(f"{folder}: there is no such folder; name the {what}.")
    output = Path(output) if output is not None else folder / "data_manifest.csv"
    if output.is_dir():
        output = output / "data_manifest.csv"
    if output.suffix.lower() != ".csv":
        raise SettingsError(f"{output}: expected a name that ends in .csv for the manifest.")
    for place in (folder, *places):
        if not absolute(place).is_relative_to(absolute(output.parent)):
            raise SettingsError(
                f"{output}: paths in a manifest may not leave its folder, and {place} lies outside "
                f"of it; write to {folder / output.name}, or to a folder that holds both."
            )
    return output


def row(
    subject: str,
    image: Path,
    labels: Mapping[str, Path | None],
    output: Path,
    **columns: str,
) -> dict[str, str]:
    """One row of a manifest: label maps by rater (None: not rated), and further columns."""
    root = absolute(output.parent)

    def relative(file: Path) -> str:
        return absolute(file).relative_to(root).as_posix()

    there = image.is_file()  # annexed files may be links to what is not here yet
    return {
        "subject": subject,
        **{k: v for k, v in columns.items() if k == "session"},
        "image": relative(image),
        **{f"rater_{r}": relative(file) if file else "" for r, file in labels.items()},
        **{k: v for k, v in columns.items() if k != "session"},
        "sha256_image": storage.sha256(image) if there else "",
    }


def save(
    output: Path, rows: Sequence[Mapping[str, str]], classes: ClassTable, title: str, **more
) -> Path:
    """Write the manifest and the JSON file beside it; `more` goes into the latter."""
    header = list(dict.fromkeys(name for one in rows for name in one))
    text = io.StringIO()
    writer = csv.DictWriter(text, header, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    sidecar = classes.to_json() | {
        "name": title,
        "source": title,
        "synthetic": False,
        "intensity": {"kind": "MR", "window": None},
        **more,
    }
    storage.write_bytes(
        output.with_suffix(".json"), (json.dumps(sidecar, indent=2) + "\n").encode()
    )
    return storage.write_bytes(output, text.getvalue().encode())


def absolute(path: Path) -> Path:
    """Without following links: in annexed data sets every file is one."""
    return Path(os.path.abspath(path))
