"""``paraspine run``, ``book``, ``estimate``, ``summary``: notebooks and what comes of them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from paraspine.cli.plainly import plainly

__all__ = ["book", "estimate", "run", "summary"]


@plainly
def run(
    notebook: Annotated[Path, typer.Argument(help="A notebook in notebooks/.")],
    parameter: Annotated[
        list[str] | None,
        typer.Option("--parameter", "-p", help="NAME=VALUE, the value as YAML; repeatable."),
    ] = None,
    profile: Annotated[
        str | None,
        typer.Option(help="Start from profiles/NAME.yaml and the cohort's own parameters."),
    ] = None,
    force: Annotated[bool, typer.Option(help="Run even where a fresh result stands.")] = False,
    progress: Annotated[bool, typer.Option(help="Show the notebook's output as it comes.")] = False,
) -> None:
    """Run one notebook under papermill, its parameters checked; skip what stands already."""
    import time

    from paraspine import graph, session

    given = dict(graph.parse_assignment(text) for text in parameter or [])
    if profile is not None:
        declared = session.declared_parameters(notebook)
        own = declared | {"profile": profile} | given
        common = session.common_parameters(session.project_root(), own) | {"profile": profile}
        given = {k: v for k, v in common.items() if k in declared} | given
    started = time.time()
    folder = session.run_notebook(notebook, given, force=force, progress=progress)
    fresh = (folder / "notebook.ipynb").stat().st_mtime < started
    words = "nothing to do" if fresh else f"{time.time() - started:.0f} s"
    typer.echo(f"{notebook.stem}: {_short(folder)} ({words})")


@plainly
def book(
    profile: Annotated[str, typer.Option(help="The profile whose runs to publish.")] = "quick",
    manifest: Annotated[str, typer.Option(help="The cohort.")] = "data_manifest.csv",
    parameter: Annotated[
        list[str] | None,
        typer.Option("--parameter", "-p", help="NAME=VALUE that the runs were made with."),
    ] = None,
) -> None:
    """Build the book from the runs of a profile and a cohort; all must be there and fresh."""
    from paraspine import graph

    changes = dict(graph.parse_assignment(text) for text in parameter or [])
    page = graph.build_book(profile, manifest, **changes)
    typer.echo(f"The book: {_short(page)}")


@plainly
def estimate(
    profile: Annotated[str, typer.Option(help="The profile whose trainings to try.")] = "paper",
    manifest: Annotated[str, typer.Option(help="The cohort.")] = "data_manifest.csv",
    parameter: Annotated[
        list[str] | None,
        typer.Option("--parameter", "-p", help="NAME=VALUE that the runs would be made with."),
    ] = None,
    steps: Annotated[int, typer.Option(min=1, help="Iterations to try of each kind.")] = 3,
    output: Annotated[
        Path | None,
        typer.Option(help="A JSON file to write too; the book shows benchmarks/estimate.json."),
    ] = None,
) -> None:
    """Say how long a book's trainings will take here, from a few steps of each kind."""
    from paraspine import graph
    from paraspine.arrays import SettingsError
    from paraspine.graph.estimating import BRIEF, write_estimate

    if output is not None and output.is_dir():  # said before minutes are spent
        raise SettingsError(f"--output: expected a file to write, got the folder {output}.")
    changes = dict(graph.parse_assignment(text) for text in parameter or [])
    found = graph.estimate(profile, manifest, steps=steps, **changes)
    shown = found.table[list(BRIEF)].round({"seconds": 3, "hours": 2})
    typer.echo(shown.to_string(index=False))
    typer.echo(found.words())
    if output is not None:
        write_estimate(found, output)


@plainly
def summary(
    workspaces: Annotated[list[str], typer.Argument(help="Folders below runs/, as in quick.")],
    study: Annotated[
        str, typer.Option(help="Which results: interrater or label_fusion.")
    ] = "interrater",
    output: Annotated[
        Path | None, typer.Option(help="A CSV file to write too, with its words in .md beside it.")
    ] = None,
) -> None:
    """Set the main results of several books side by side."""
    from paraspine import graph

    found = graph.summary(workspaces, study)
    typer.echo(found.table.to_string(index=False))
    typer.echo(found.words)
    if output is not None:
        graph.write_summary(found, output)


def _short(path: Path) -> str:
    try:
        return path.relative_to(Path.cwd()).as_posix()
    except ValueError:
        return str(path)
