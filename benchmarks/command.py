"""The command: run the cases, print the table, write it."""

from __future__ import annotations

import gc
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from benchmarks.fresh import in_fresh_process
from benchmarks.material import Benchmark, Material
from benchmarks.report import FOLDER, print_table, write_results
from benchmarks.timing import Case, Measured, measure

__all__ = ["app", "run"]

app = typer.Typer(add_completion=False)


@app.command()
def bench(
    only: Annotated[
        str | None, typer.Option(help="Run the cases whose name this regular expression finds.")
    ] = None,
    quick: Annotated[
        bool, typer.Option(help="Small sizes, to try the harness; the ratios mean little.")
    ] = False,
    repeats: Annotated[
        int | None, typer.Option(min=1, help="Rounds of each case, instead of its own number.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(help="Folder for results.csv and results.json, whatever was run."),
    ] = None,
    isolated: Annotated[
        bool,
        typer.Option(
            "--isolated/--in-process",
            help="Each case in a process of its own, or all in this one, as a debugger wants it.",
        ),
    ] = True,
    names: Annotated[bool, typer.Option("--list", help="Name the cases and stop.")] = False,
) -> None:
    """Time what is fast against what a user would write, side by side.

    Each case has a process of its own, both of its sides the same one: what the memory allocator
    and the libraries keep from other cases would change their ratio.

    A whole run at full size writes benchmarks/results.csv and results.json; with --only or --quick
    nothing is written, unless --output says where. The exit code is 1 if two ways that must agree
    do not; a bound that is missed is shown in the table.
    """
    from benchmarks.catalogue import choose
    from paraspine import runs

    console = Console()
    if not console.is_terminal:
        console.width = 160
    try:
        chosen = choose(only)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    if names:
        console.print("\n".join(benchmark.name for benchmark in chosen))
        return
    started = time.time()
    with tempfile.TemporaryDirectory(prefix="benchmarks-") as folder:
        material = Material(Path(folder), quick)
        lines, left_out, seconds = run(chosen, material, repeats, console, isolated)
    print_table(lines, console)
    for name, reason in left_out.items():
        console.print(f"{name} is left out: {reason}.")
    console.print(f"{sum(line.holds for line in lines)} of {len(lines)} rows hold.")
    if output is None and not quick and not only:
        output = FOLDER
    if output is not None:
        provenance = runs.provenance(started=started, durations=seconds, threads=material.threads)
        provenance |= {"processes": "a fresh one for each case" if isolated else "one for all"}
        if isolated:
            del provenance["peak_memory_mib"]  # of this process, which only waits
        for path in write_results(lines, output, provenance=provenance, left_out=left_out):
            console.print(f"Written: {path.name}")
    if any(line.problem for line in lines):
        raise typer.Exit(1)


def run(
    benchmarks: Sequence[Benchmark],
    material: Material,
    repeats: int | None,
    console: Console,
    isolated: bool = True,
) -> tuple[list[Measured], dict[str, str], dict[str, float]]:
    """Measure cases one after another, each in a fresh process unless told otherwise.

    Returns
    -------
    tuple
        Lines of the table, reasons of cases that were left out, and seconds that each took.

    Raises
    ------
    RuntimeError
        If the process of a case gave no result.
    """
    lines, left_out, seconds = [], {}, {}
    for benchmark in benchmarks:
        if reason := benchmark.missing():
            left_out[benchmark.name] = reason
            continue
        start = time.perf_counter()
        with console.status(f"{benchmark.name} ..."):
            words = (benchmark.make, material, repeats)
            lines += (
                in_fresh_process(benchmark.name, _measure, *words) if isolated else _measure(*words)
            )
        seconds[benchmark.name] = time.perf_counter() - start
        console.print(f"{benchmark.name}: {seconds[benchmark.name]:.0f} s", style="dim")
    return lines, left_out, seconds


def _measure(
    make: Callable[[Material], Case], material: Material, repeats: int | None
) -> list[Measured]:
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(material.threads)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the rivals
            case = make(material)
            torch.set_num_threads(case.threads)
            return measure(case, repeats or (3 if material.quick else None))
    finally:
        torch.set_num_threads(before)
        gc.collect()
