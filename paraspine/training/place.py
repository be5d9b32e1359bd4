"""Where a training stands, and what it is given."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch

from paraspine.training.data import Data, Images, Maps, Targets
from paraspine.training.settings import Settings

__all__ = ["Place", "Setting"]


@dataclass
class Place:
    """Where a training stands; plain values only, so that it can lie in a checkpoint."""

    epoch: int = 0
    batch: int = 0  # of the epoch's batches, how many are done
    step: int = 0
    order: list[int] = field(default_factory=list)  # of the epoch's images; empty between epochs
    losses: list[float] = field(default_factory=list)  # of the epoch's batches
    rows: list[dict] = field(default_factory=list)  # of the history
    seconds: list[float] = field(default_factory=list)  # of each epoch
    elapsed: float = 0.0  # seconds of this epoch in earlier processes
    best_score: float = -math.inf
    best_epoch: int = 0
    reference: float = -math.inf  # score that patience compares with
    waited: int = 0
    stopped: str = ""
    notes: list[str] = field(default_factory=list)

    def enter(self, score: float, settings: Settings) -> bool:
        """Enter the score of a finished epoch; return whether it is the best so far."""
        best = score > self.best_score
        if best:
            self.best_score, self.best_epoch = score, self.epoch
        if settings.progress == "per cent":
            gain = 100 * (score - self.reference) / abs(score) if score else 0.0
            self.waited += gain < settings.min_delta
            self.reference = score
        elif score > self.reference + settings.min_delta:
            self.reference, self.waited = score, 0
        else:
            self.waited += 1
        if self.epoch == settings.epochs:
            self.stopped = "epochs"
        elif settings.patience is not None and self.waited >= settings.patience:
            self.stopped = "patience"
        return best


@dataclass(frozen=True)
class Setting:
    """What a training is given, on its device."""

    settings: Settings
    data: Data
    train: Images
    train_targets: Targets
    validation: Images | None
    validation_targets: Targets | None
    maps: dict[str, Maps]  # variance maps of "train" and "validation", where the loss has any
    tasks: tuple[str, ...]  # outputs that the loss compares
    device: torch.device
    precision: str
    fingerprint: dict
    conditions: dict
