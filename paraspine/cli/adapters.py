"""``paraspine from-bids``, ``from-scgm``, ``from-msseg``: a manifest from a data set's folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from paraspine.cli.plainly import plainly
from paraspine.cli.show import show_cohort

__all__ = ["from_bids", "from_msseg", "from_scgm"]

Output = Annotated[
    Path | None,
    typer.Argument(help="The manifest to write; data_manifest.csv in FOLDER if left out."),
]


@plainly
def from_bids(
    folder: Annotated[Path, typer.Argument(help="Top folder of the BIDS data set.")],
    output: Output = None,
    derivatives: Annotated[
        list[str] | None, typer.Option(help="A derivative to take; repeatable. All if left out.")
    ] = None,
    suffix: Annotated[str, typer.Option(help="The images' suffix.")] = "T2w",
) -> None:
    """Write a manifest for a BIDS data set with raters' label maps among its derivatives."""
    from paraspine.manifest import bids as room

    path = room.from_bids(folder, output, derivatives or None, suffix=suffix)
    _written(path, f"Look at the class names in {path.with_suffix('.json').name}, then")


@plainly
def from_scgm(
    folder: Annotated[Path, typer.Argument(help="Folder of the unpacked training data.")],
    output: Output = None,
) -> None:
    """Write a manifest for the spinal cord grey matter challenge as it is downloaded."""
    from paraspine.manifest import challenges as room

    _written(room.from_scgm(folder, output))


@plainly
def from_msseg(
    folder: Annotated[Path, typer.Argument(help="Folder of the unpacked challenge data.")],
    output: Output = None,
    contrast: Annotated[str, typer.Option(help="FLAIR, T1, T2, GADO or DP.")] = "FLAIR",
    images: Annotated[str, typer.Option(help="preprocessed or raw.")] = "preprocessed",
) -> None:
    """Write a manifest for the multiple sclerosis lesions of MSSEG-2016 as they are downloaded."""
    from paraspine.manifest import challenges as room

    _written(room.from_msseg(folder, output, contrast=contrast, images=images))


def _written(path: Path, first: str = "Next") -> None:
    """Say what was written, what is in it and what to do next."""
    from paraspine import manifest as room

    cohort = room.read(path, check_files=False)
    typer.echo(f"Wrote {path} and {path.with_suffix('.json').name}.")
    show_cohort(cohort, files=False)
    typer.echo(f"{first}: paraspine check {path}")
