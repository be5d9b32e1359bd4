"""A process of its own for a piece of work."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

__all__ = ["in_fresh_process"]


def in_fresh_process(name: str, work: Callable, *words):
    """Call a function in a new process; what it returns or raises comes back.

    The process is started anew and not forked: a fork would begin with this one's memory, its
    allocator's habits and its thread pools. What it starts itself, such as a loader's workers, it
    starts as this one would.

    Parameters
    ----------
    name : str
        What the error calls it.
    work : callable
        One that can be pickled, as its arguments and result can.

    Raises
    ------
    RuntimeError
        If the process ended before it was done, or its result could not be read.
    """
    context = multiprocessing.get_context("spawn")
    manner = multiprocessing.get_start_method()
    with ProcessPoolExecutor(1, context, initializer=_start_as, initargs=(manner,)) as pool:
        try:
            return pool.submit(work, *words).result()
        except BrokenProcessPool as error:
            raise RuntimeError(
                f"{name}: its process gave no result ({error}); was there too little memory? "
                "With --in-process a debugger sees it."
            ) from error


def _start_as(manner: str) -> None:
    # A spawned process would spawn its own ones too, which is not what a script does on Linux.
    multiprocessing.set_start_method(manner, force=True)
