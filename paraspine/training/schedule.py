"""Learning rate and momentum as functions of the iteration.

They hold no state, so a resumed run needs to know nothing but its place.
"""

from __future__ import annotations

import math

from paraspine.training.settings import Settings

__all__ = ["learning_rate", "momentum"]

#: One-cycle (Smith and Topin 2019) with the numbers of `torch.optim.lr_scheduler.OneCycleLR`: the
#: share of rising steps, initial and final divisors of the learning rate, bounds of the momentum.
RISING, FIRST, LAST = 0.3, 25.0, 1e4
LOW, HIGH = 0.85, 0.95


def _between(start: float, end: float, share: float) -> float:
    return end + (start - end) / 2 * (1 + math.cos(math.pi * share))


def _cycle(start: float, middle: float, end: float, step: int, steps: int) -> float:
    turn, last = RISING * steps - 1, steps - 1
    if step <= turn:
        return _between(start, middle, step / turn if turn > 0 else 1.0)
    return _between(middle, end, (step - turn) / (last - turn))


def learning_rate(settings: Settings, step: int, steps: int) -> float:
    """Learning rate of an iteration.

    Parameters
    ----------
    settings : Settings
        ``schedule``, ``learning_rate`` and ``power``.
    step : int
        Number of iterations done before it, ``0 .. steps - 1``.
    steps : int
        Number of iterations of the whole training.
    """
    first = settings.learning_rate
    if settings.schedule == "polynomial":
        return first * (1 - step / steps) ** settings.power
    if settings.schedule == "cosine":
        return _between(first, 0.0, step / steps)
    if settings.schedule == "onecycle":
        return _cycle(first / FIRST, first, first / FIRST / LAST, step, steps)
    return first


def momentum(settings: Settings, step: int, steps: int) -> float:
    """Momentum of SGD, or first beta of AdamW, of an iteration; arguments as `learning_rate`."""
    if settings.schedule == "onecycle":
        return _cycle(HIGH, LOW, HIGH, step, steps)
    return settings.momentum if settings.optimizer == "sgd" else 0.9
