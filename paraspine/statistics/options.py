"""Number of resamples, confidence level and seed: set once, used by every function of the room."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import asdict, dataclass

from ..arrays import SettingsError, check_whole

__all__ = ["Defaults", "check_options", "defaults", "options", "set_defaults"]


@dataclass
class Defaults:
    """Options in force wherever a function's own argument is None.

    Attributes
    ----------
    resamples : int
        Bootstrap resamples.
    confidence : float
        Of intervals, such as 0.95.
    seed : int
        Makes the draws; the same seed gives the same interval.
    """

    resamples: int = 2000
    confidence: float = 0.95
    seed: int = 0


#: Changed by `set_defaults`. Part of what a number depends on: a run records what it has set.
defaults = Defaults()


def set_defaults(
    *, resamples: int | None = None, confidence: float | None = None, seed: int | None = None
) -> ExitStack:
    """Change options for all functions of the room; None leaves one as it is.

    Returns
    -------
    contextlib.ExitStack
        With ``with``, the options hold until the end of the block; otherwise until changed again.

    Raises
    ------
    SettingsError
        If an option makes no sense.

    Examples
    --------
    >>> with set_defaults(resamples=100):
    ...     defaults.resamples
    100
    >>> defaults.resamples
    2000
    """
    before = asdict(defaults)
    chosen = options(resamples, confidence, seed)
    defaults.resamples, defaults.confidence, defaults.seed = chosen
    restore = ExitStack()
    restore.callback(vars(defaults).update, before)
    return restore


def options(
    resamples: int | None = None, confidence: float | None = None, seed: int | None = None
) -> tuple[int, float, int]:
    """Resamples, confidence and seed, checked; the default for each that is None."""
    resamples = defaults.resamples if resamples is None else resamples
    confidence = defaults.confidence if confidence is None else confidence
    check_options(resamples, confidence)
    return resamples, confidence, defaults.seed if seed is None else seed


def check_options(resamples: int, confidence: float) -> None:
    """Raise `SettingsError` unless the number of resamples and the confidence make sense."""
    check_whole("resamples", resamples)
    if not 0 < confidence < 1:
        raise SettingsError(f"confidence: expected a number between 0 and 1, got {confidence!r}.")
