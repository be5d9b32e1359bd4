"""The ``paraspine`` command: check a manifest, make one, run notebooks, build the book.

Rooms are imported inside the commands, so that ``paraspine --help`` answers at once.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from paraspine import __version__
from paraspine.cli.adapters import from_bids, from_msseg, from_scgm
from paraspine.cli.notebooks import book, estimate, run, summary
from paraspine.cli.plainly import plainly
from paraspine.cli.publishing import publish
from paraspine.cli.show import show_cohort, show_problems

app = typer.Typer(
    name="paraspine",
    help="Rater disagreement and network uncertainty in paraspinal muscle segmentation.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"paraspine {__version__}")
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say the version.")
    ] = False,
) -> None:
    """Rater disagreement and network uncertainty in paraspinal muscle segmentation."""


@app.command()
@plainly
def check(
    manifest: Annotated[Path, typer.Argument(help="The manifest, a CSV.")],
    data_root: Annotated[
        Path | None, typer.Option(help="Folder that the paths start from, if not the manifest's.")
    ] = None,
    files: Annotated[bool, typer.Option(help="Open the images and label maps.")] = True,
    sums: Annotated[bool, typer.Option(help="Compare checksums.")] = True,
    everything: Annotated[bool, typer.Option("--all", help="Show every problem.")] = False,
    materialise: Annotated[
        bool, typer.Option(help="Of a phantom's manifest, make the missing images first.")
    ] = False,
    workers: Annotated[int, typer.Option(min=1, help="Processes that make images.")] = 1,
) -> None:
    """Check a manifest and every file that it names; say all that is wrong at once."""
    from paraspine import manifest as room
    from paraspine.arrays import ManifestError

    if materialise:
        from paraspine import phantom, session

        if session.is_generated(manifest):
            _materialise(phantom, manifest, workers)

    if data_root is not None and not data_root.is_dir():
        raise ManifestError(f"{data_root}: there is no such folder; name the data's top folder.")
    try:
        cohort = room.read(manifest, data_root=data_root, check_files=files, check_sums=sums)
    except ManifestError as error:
        if not error.problems:
            raise
        show_problems(manifest, error.problems, everything)
        raise typer.Exit(1) from None
    show_cohort(cohort, files)


@app.command()
@plainly
def phantom(
    target: Annotated[
        Path, typer.Argument(help="Folder to make a cohort in, or a phantom's manifest (CSV).")
    ] = Path("data_manifest.csv"),
    subjects: Annotated[int, typer.Option(min=1, help="How many subjects.")] = 24,
    seed: Annotated[int, typer.Option(min=0, help="Another seed, other subjects.")] = 0,
    raters: Annotated[int, typer.Option(min=1, help="How many raters.")] = 3,
    size: Annotated[int, typer.Option(min=32, help="Rows and columns of an image.")] = 256,
    spacing: Annotated[float, typer.Option(min=0.01, help="Pixel size in mm.")] = 0.7,
    workers: Annotated[int, typer.Option(min=1, help="Processes that make images.")] = 1,
    knob: Annotated[
        list[str] | None,
        typer.Option(help="Another setting of phantom.make_cohort, NAME=VALUE; repeatable."),
    ] = None,
) -> None:
    """Make a synthetic cohort in a folder, or the missing images of a phantom's manifest."""
    from paraspine import phantom as room

    if target.suffix.lower() == ".csv":
        _materialise(room, target, workers)
        return
    path = room.make_cohort(
        target,
        subjects=subjects,
        seed=seed,
        raters=raters,
        size=(size, size),
        spacing=(spacing, spacing),
        workers=workers,
        progress=sys.stderr.isatty(),
        **_knobs(knob or []),
    )
    typer.echo(f"Wrote {path}, a synthetic cohort. Next: paraspine check {path}")


def _materialise(room, manifest: Path, workers: int) -> None:
    from paraspine.arrays import ManifestError

    if not manifest.is_file():
        raise ManifestError(
            f"{manifest}: there is no such manifest; name a phantom's manifest to make its images, "
            "or a folder to make a new cohort in."
        )
    made = room.materialise(manifest, workers=workers, progress=sys.stderr.isatty())
    typer.echo(f"{manifest}: {len(made)} files made." if made else f"{manifest}: nothing to make.")
    for note in getattr(made, "notes", ()):
        typer.echo(f"Note: {note}")


def _knobs(given: list[str]) -> dict:
    """NAME=VALUE words as keyword arguments; values are read as JSON where they are JSON."""
    import json

    from paraspine.arrays import SettingsError

    knobs = {}
    for word in given:
        name, equals, text = word.partition("=")
        name = name.strip().replace("-", "_")
        if not equals or not name.isidentifier():
            raise SettingsError(f"--knob: expected NAME=VALUE, got {word!r}.")
        try:
            value = json.loads(text)
        except json.JSONDecodeError:
            value = text
        knobs[name] = tuple(value) if isinstance(value, list) else value
    return knobs


for command in (run, book, publish, estimate, summary):
    app.command()(command)
for command in (from_bids, from_scgm, from_msseg):
    app.command(command.__name__.replace("_", "-"))(command)
