"""The table: printed, and written with where it comes from."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.timing import Measured
from paraspine import runs

__all__ = ["COLUMNS", "FOLDER", "print_table", "read_results", "write_results"]

FOLDER = Path(__file__).parent
COLUMNS = ("what", "against", "ratio", "low", "high", "bound", "holds")


def print_table(lines: Sequence[Measured], console: Console) -> None:
    """Print one line per row: ratio, interval, bound, whether it holds, seconds."""
    table = Table(box=box.SIMPLE_HEAD, header_style="bold")
    table.add_column("what", ratio=3)
    table.add_column("against", ratio=3)
    for name in ("ratio", "interval", "at least"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("holds", no_wrap=True)
    table.add_column("seconds", justify="right", no_wrap=True)
    for line in lines:
        table.add_row(
            line.what,
            line.against,
            f"{line.ratio:.3g}",
            f"{line.low:.3g} to {line.high:.3g}",
            f"{line.bound:g}",
            _verdict(line),
            "" if math.isnan(line.ours) else f"{line.ours:.3g} / {line.rival:.3g}",
        )
    console.print(table)
    for line in lines:
        if line.problem:
            console.print(f"[red]{line.what}: {line.problem}[/red]")


def _verdict(line: Measured) -> str:
    if line.problem:
        return "[red]results differ[/red]"
    colour = "green" if line.holds else "red"
    return f"[{colour}]{'yes' if line.holds else 'no'}{'' if line.sure else ', just'}[/{colour}]"


def write_results(
    lines: Sequence[Measured],
    folder: Path | str,
    *,
    provenance: Mapping,
    left_out: Mapping[str, str],
) -> tuple[Path, Path]:
    """Write ``results.csv`` and ``results.json``, each whole or not at all.

    Parameters
    ----------
    lines : sequence of Measured
        The table.
    folder : path
        Where they go.
    provenance : mapping
        As `paraspine.runs.provenance` gives it.
    left_out : mapping of str to str
        Cases that could not run, and why.

    Returns
    -------
    tuple of Path
        The two files.
    """
    table, record = Path(folder) / "results.csv", Path(folder) / "results.json"
    with (
        runs.atomic(table) as temporary,
        open(temporary, "w", newline="", encoding="utf-8") as file,
    ):
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows({k: getattr(line, k) for k in COLUMNS} for line in lines)
    rows = [asdict(line) | {"holds": line.holds, "sure": line.sure} for line in lines]
    content = {"provenance": dict(provenance), "left_out": dict(left_out), "rows": rows}
    with runs.atomic(record) as temporary:
        text = json.dumps(_plain(content), indent=2, ensure_ascii=False, allow_nan=False)
        temporary.write_text(text + "\n", encoding="utf-8")
    return table, record


def read_results(path: Path | str) -> list[dict]:
    """Read a ``results.csv``: numbers as floats, ``holds`` as a bool."""
    with open(path, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        row |= {k: float(row[k]) for k in ("ratio", "low", "high", "bound")}
        row["holds"] = {"True": True, "False": False}[row["holds"]]
    return rows


def _plain(value):
    """The same with None for NaN, which JSON doesn't have."""
    if isinstance(value, Mapping):
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
