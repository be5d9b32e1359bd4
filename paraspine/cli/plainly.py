"""User errors as one message and exit code 1, never as a traceback."""

from __future__ import annotations

import functools
from collections.abc import Callable

import typer

__all__ = ["plainly"]


def plainly(command: Callable) -> Callable:
    """Let a command end with a message in place of a traceback where the user can help it."""

    @functools.wraps(command)
    def wrapped(*args, **kwargs):
        from paraspine.arrays import ParaspineError

        try:
            return command(*args, **kwargs)
        except ParaspineError as error:
            message = str(error)
        except OSError as error:
            place = f"{error.filename}: " if error.filename else ""
            message = f"{place}{error.strerror or error}"
        except KeyboardInterrupt:
            message = "stopped"
        typer.echo(f"Error: {message}", err=True)
        raise typer.Exit(1)

    return wrapped
