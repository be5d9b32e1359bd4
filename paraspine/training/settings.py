"""Training settings: every number that the result depends on."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields

from paraspine import losses
from paraspine.arrays import SettingsError, check_whole
from paraspine.augmentation import Augmentation

__all__ = ["CIRCUMSTANCES", "Settings", "loss_for"]

#: Settings that may change between a run and its resumption: they do not touch the result.
CIRCUMSTANCES = ("checkpoint_every", "checkpoint_seconds", "threads", "device", "precision")

_CHOICES = {
    "optimizer": ("sgd", "adam", "adamw"),
    "schedule": ("polynomial", "onecycle", "cosine", "constant"),
    "monitor": ("loss", "dice"),
    "precision": ("auto", "float32", "tf32", "bf16"),
    "progress": ("best", "per cent"),
}


_LEAST = {"epochs": 1, "batch_size": 1, "repeats": 1, "seed": 0, "checkpoint_every": 0}


@dataclass(frozen=True)
class Settings:
    """How to train; the defaults are those of roshanzamir2023 where the paper or its code say.

    Parameters
    ----------
    epochs : int
        At most; the schedule spans all of them.
    batch_size : int
        At most. An epoch's images are spread evenly over ``ceil(N / batch_size)`` batches, whose
        sizes differ by one at most, so that no small batch is left for the end.
    repeats : int
        Times that an epoch shows each image, transformed anew each time.
    optimizer : "sgd", "adam" or "adamw"
        SGD with Nesterov-free `momentum`, Adam (weight decay as a penalty, as in SGD), or AdamW
        (decoupled weight decay).
    learning_rate : float
        At the start; the highest of the one-cycle schedule.
    momentum : float
        Of SGD; the one-cycle schedule moves it (and the first beta of Adam and AdamW) between 0.95
        and 0.85.
    weight_decay : float
        Of all parameters.
    schedule : "polynomial", "onecycle", "cosine" or "constant"
        Changes the learning rate with every iteration.
    power : float
        Of the polynomial ``(1 - step / steps)^power``.
    loss : str
        Name for `paraspine.losses.build`.
    loss_options : mapping
        Options of the loss.
    clip : float, optional
        Largest norm of the gradient over all parameters.
    augmentation : Augmentation, optional
        Random transformations of each batch; None trains on the images as they are.
    fill : float or "border"
        Intensity outside of moved images.
    binarise : bool
        Make soft targets class numbers once they were moved: the most probable class, the lower
        number where two are equal.
    monitor : "loss" or "dice"
        Validation measure that chooses the best weights and stops the training.
    patience : int, optional
        Stop after so many epochs without progress.
    min_delta : float
        What counts as progress for `patience`; the best weights are the best ones without it.
    progress : "best" or "per cent"
        ``"best"``: the measure is better than the best by more than `min_delta`, and epochs
        without progress are counted from there. ``"per cent"`` (ivadomed, as in lemay2022): it is
        better than in the epoch before by `min_delta` per cent of itself, and all epochs
        without progress count.
    seed : int
        Of shuffling, augmentation and dropout, each from a stream of its own. The network's
        initial weights are the caller's.
    precision : "auto", "float32", "tf32" or "bf16"
        ``"bf16"`` runs the network under autocast, losses and weights staying float32;
        ``"tf32"`` (NVIDIA only) allows TF32 in convolutions and matrix products, ``"float32"``
        forbids it. ``"auto"`` is bf16 where the processor or GPU has it, else float32.
    channels_last : bool
        Keep images and 2D convolution weights in channels-last memory order while training.
    device : str
        ``"auto"`` (a CUDA device if there is one), ``"cpu"``, ``"cuda"``, ``"cuda:1"``, ...
    threads : int, optional
        CPU threads; by default as many as torch has at the start. A resumed run takes as many as
        it began with, since their number changes the last bits.
    deterministic : bool
        On CUDA, choose algorithms that give the same bits each time (some are slower). On the CPU
        they all do.
    checkpoint_every : int
        Also write a checkpoint after every so many iterations; 0: at the end of epochs only.
    checkpoint_seconds : float
        Leave at least so much time between checkpoints at the end of epochs. A killed run repeats
        what came after the last one.

    Raises
    ------
    SettingsError
        If a value is of the wrong type or out of range.
    """

    epochs: int = 250
    batch_size: int = 8
    repeats: int = 1
    optimizer: str = "sgd"
    learning_rate: float = 0.0033
    momentum: float = 0.9
    weight_decay: float = 1e-4
    schedule: str = "polynomial"
    power: float = 0.9
    loss: str = "dice_ce"
    loss_options: Mapping = field(default_factory=dict)
    clip: float | None = None
    augmentation: Augmentation | None = None
    fill: float | str = 0.0
    binarise: bool = False
    monitor: str = "loss"
    patience: int | None = None
    min_delta: float = 0.0
    progress: str = "best"
    seed: int = 0
    precision: str = "auto"
    channels_last: bool = True
    device: str = "auto"
    threads: int | None = None
    deterministic: bool = True
    checkpoint_every: int = 0
    checkpoint_seconds: float = 0.0

    def __post_init__(self):
        for name, least in _LEAST.items():
            self._whole(name, least)
        for name in ("patience", "threads"):
            if getattr(self, name) is not None:
                self._whole(name, 1)
        for name in ("power", "weight_decay", "min_delta", "checkpoint_seconds"):
            self._number(name, 0, math.inf)
        self._number("learning_rate", 0, math.inf, open_below=True)
        self._number("momentum", 0, 1)
        if self.clip is not None:
            self._number("clip", 0, math.inf, open_below=True)
        if self.fill != "border":
            self._number("fill", -math.inf, math.inf)
        for name, choices in _CHOICES.items():
            if getattr(self, name) not in choices:
                self._refuse(name, f"one of {', '.join(choices)}")
        for name in ("binarise", "channels_last", "deterministic"):
            if not isinstance(getattr(self, name), bool):
                self._refuse(name, "True or False")
        if self.augmentation is not None and not isinstance(self.augmentation, Augmentation):
            self._refuse("augmentation", "an Augmentation or None")
        if not isinstance(self.device, str):
            self._refuse("device", '"auto", "cpu" or "cuda"')
        losses.build(self.loss, **self.loss_options)

    def _refuse(self, name: str, expected: str):
        raise SettingsError(f"{name}: expected {expected}, got {getattr(self, name)!r}.")

    def _whole(self, name: str, least: int) -> None:
        object.__setattr__(self, name, check_whole(name, getattr(self, name), least))

    def _number(self, name: str, least: float, most: float, open_below: bool = False) -> None:
        value = getattr(self, name)
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not number or not math.isfinite(value) or not least <= value <= most:
            number = False
        if not number or (open_below and value == least):
            above = "above" if open_below else "of at least"
            bounds = f" {above} {least:g}" if math.isfinite(least) else ""
            bounds += f" and at most {most:g}" if math.isfinite(most) else ""
            self._refuse(name, f"a finite number{bounds}")
        object.__setattr__(self, name, float(value))

    def result(self) -> dict:
        """What the trained weights depend on, as plain values."""
        flat = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in CIRCUMSTANCES}
        flat["loss_options"] = dict(self.loss_options)
        if self.augmentation is not None:
            flat["augmentation"] = asdict(self.augmentation)
        return flat


def loss_for(
    tasks: Sequence[str], loss: str = "dice_ce", *, variance_loss: str = "mse", **options
) -> dict:
    """Choose the settings of the loss that suits a network's tasks.

    Parameters
    ----------
    tasks : sequence of str
        What the network computes: "segmentation", and perhaps "variance".
    loss : str
        Of the segmentation, a name that `paraspine.losses.build` knows.
    variance_loss : str
        As in `paraspine.losses.multitask`; plays no part for a single task.
    **options
        Of the segmentation's loss, such as ``dice_weight``; what that loss has no use for is left
        out, so that a study can give all of them.

    Returns
    -------
    dict
        ``loss`` and ``loss_options`` of `Settings`.

    Raises
    ------
    SettingsError
        If two tasks are to be trained with another segmentation loss than Dice and cross-entropy
        over all classes (roshanzamir2022), or an option is one that no loss has.
    """
    own = losses.known_options(loss, **options)
    if "variance" not in tasks:
        return {"loss": loss, "loss_options": own}
    other = [f"{k}={own[k]!r}" for k in ("activation", "include_background") if not _plain(own, k)]
    if loss != "dice_ce" or other:
        raise SettingsError(
            "a network of two tasks is trained with the loss dice_ce over all classes and softmax, "
            f"got {', '.join([loss, *other])}."
        )
    chosen = losses.known_options("multitask", **options)
    return {"loss": "multitask", "loss_options": chosen | {"variance_loss": variance_loss}}


def _plain(options: Mapping, name: str) -> bool:
    plain = {"activation": "softmax", "include_background": True}
    return options.get(name, plain[name]) == plain[name]
