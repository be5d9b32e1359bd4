"""``paraspine publish``: a built book into a folder or a branch."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from paraspine.cli.plainly import plainly

__all__ = ["publish"]


@plainly
def publish(
    to: Annotated[str, typer.Argument(help="A folder (./site), or a branch (gh-pages).")],
    profile: Annotated[str, typer.Option(help="The profile of the book.")] = "quick",
    manifest: Annotated[str, typer.Option(help="The cohort.")] = "data_manifest.csv",
) -> None:
    """Check the built book for broken links and things of this machine; publish it."""
    from paraspine import graph, session
    from paraspine.book import release

    root = session.project_root()
    workspace = graph.make_plan(profile, manifest, root=root).workspace
    typer.echo(release(Path(root) / "book" / "_build" / workspace, to, root=root))
