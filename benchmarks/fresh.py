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
    allocator's habits and its thread pools.

    Parameters
    ----------
    name : str
        What the error calls it.
    work : callable
        One that can be pickled, as its arguments and result can.

    Raises
    ------
    RuntimeError
        If the process was killed.
    """
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=1, mp_context=context) as pool:
        try:
            return pool.submit(work, *words).result()
        except BrokenProcessPool as error:
            raise RuntimeError(
                f"{name}: its process was killed before it was done; was there too little memory?"
            ) from error
