"""Train a network from its arguments to the files of a run."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd
import safetensors
import safetensors.torch
import torch
from torch import nn

from paraspine import losses, runs
from paraspine.arrays import RunError, SettingsError
from paraspine.training import checkpoint
from paraspine.training.data import Data, Images, Maps, Targets, check
from paraspine.training.hardware import choose_device, choose_precision, conditions, switches
from paraspine.training.loop import Loop
from paraspine.training.place import Place, Setting
from paraspine.training.settings import Settings

__all__ = ["History", "fit"]

WEIGHTS, HISTORY = "model.safetensors", "history.parquet"
SUMMARY, TIMES = "training.json", "times.json"


@dataclass(frozen=True)
class History:
    """How a training went.

    Attributes
    ----------
    frame : pandas.DataFrame
        One row per epoch: ``epoch`` (from 1), ``step`` (iterations done), ``train_loss`` (mean
        over images, while learning), ``validation_loss``, ``validation_dice`` (mean over
        foreground classes of the mean over images; NaN where no class occurs or there is no
        validation), ``learning_rate`` (of the epoch's last iteration), ``seconds``; and where the
        loss compares variance maps ``validation_variance_mse`` (mean over the images whose map is
        known; NaN without one).
    best_epoch : int
        Whose weights were kept.
    stopped : str
        Why it ended: ``"epochs"`` (all done) or ``"patience"``.
    notes : tuple of str
        What may keep the result from being exactly repeatable; empty otherwise.
    """

    frame: pd.DataFrame
    best_epoch: int
    stopped: str
    notes: tuple[str, ...] = ()


def fit(
    model: nn.Module, data: Data, settings: Settings, run: runs.Run, *, progress: bool = False
) -> History:
    """Train a network; take up a training that was killed where it stopped.

    Shuffling, augmentation and dropout draw from streams of their own that start from
    ``settings.seed``; torch's global random numbers, thread count and precision switches are as
    before afterwards.

    The run folder gets ``model.safetensors`` (the best weights), ``history.parquet`` (without
    times), ``training.json`` (why it ended, and all that it depends on) and ``times.json``. Killed
    at any moment and called again with the same arguments, the first three get the same bytes as
    without the kill, on the same machine. Called again after it was done, it reads the result.

    Parameters
    ----------
    model : torch.nn.Module
        Images ``(B, channels, *spatial)`` to logits ``(B, C, *spatial)``, freshly initialised. For
        a loss that compares more than those, it has a method ``outputs(images)`` that gives all by
        name (`paraspine.losses.compares`). It ends on the training device, in evaluation mode, with
        the best weights.
    data : Data
        Images and targets.
    settings : Settings
        How to train.
    run : paraspine.runs.Run
        An open run.
    progress : bool
        Show a bar with the time left on stderr.

    Returns
    -------
    History

    Raises
    ------
    RunError
        If the run folder holds a training of other settings, data or network (each is named).
    SettingsError, ShapeError, LabelError, ProbabilityError, ImageError
        If settings or data do not fit together.
    ModelError
        If the loss becomes NaN or infinite, or the images are too few for a normalisation layer.
    """
    device = choose_device(settings.device)
    precision = choose_precision(settings.precision, device)
    tasks = losses.compares(settings.loss)
    if len(tasks) > 1 and not set(tasks) <= set(getattr(model, "tasks", ())):
        raise SettingsError(
            f"loss: {settings.loss!r} compares {' and '.join(tasks)}, expected a network with both "
            f"(its `tasks`), got {getattr(model, 'tasks', ('segmentation',))}."
        )
    check(data, settings.augmentation, tasks)
    train = Images(data.train_images, device, "train")
    targets = Targets(data.train_targets, train, data.num_classes, "train")
    maps, validation = {}, None
    validation_targets = None
    if data.validation_images is not None:
        validation = Images(data.validation_images, device, "validation")
        validation_targets = Targets(
            data.validation_targets, validation, data.num_classes, "validation"
        )
    elif settings.patience is not None:
        raise SettingsError("patience: early stopping needs validation images; set patience=None.")
    if "variance" in tasks:
        maps["train"] = Maps(data.train_variance, train, data.num_classes, "train")
        if validation is not None:
            known = data.validation_variance
            maps["validation"] = Maps(known, validation, data.num_classes, "validation", False)
    fingerprint = checkpoint.fingerprint(model, data, settings, targets, validation_targets)
    if run.path(SUMMARY).is_file():
        return _finished(model.to(device), fingerprint, run)
    found = checkpoint.load(run)
    if found is not None:
        checkpoint.refuse_other(run, found["fingerprint"], fingerprint, "the checkpoint")
    threads = settings.threads or (found or {}).get("conditions", {}).get("threads")
    model.to(device)
    with switches(settings, device, precision, threads), _memory_order(model, settings):
        here = conditions(device, precision, torch.get_num_threads())
        notes = checkpoint.say_other(run, found["conditions"], here) if found else []
        given = Setting(
            settings=settings,
            data=data,
            train=train,
            train_targets=targets,
            validation=validation,
            validation_targets=validation_targets,
            maps=maps,
            tasks=tasks,
            device=device,
            precision=precision,
            fingerprint=fingerprint,
            conditions=found["conditions"] if found else here,
        )
        loop = Loop(model, given, run, found)
        loop.place.notes += notes
        place = loop.run_all(progress)
        if loop.best is not None:
            model.load_state_dict(loop.best)
        loop.optimizer.zero_grad(set_to_none=True)
    model.eval()
    return _finish(model, place, given, run)


@contextlib.contextmanager
def _memory_order(model: nn.Module, settings: Settings) -> Iterator[None]:
    """Keep 2D convolution weights channels-last while training, contiguous afterwards."""

    def order(memory_format) -> None:
        for tensor in [*model.parameters(), *model.buffers()]:
            if tensor.ndim == 4:
                tensor.data = tensor.data.contiguous(memory_format=memory_format)

    order(torch.channels_last if settings.channels_last else torch.contiguous_format)
    try:
        yield
    finally:
        order(torch.contiguous_format)


def _finish(model: nn.Module, place: Place, given: Setting, run: runs.Run) -> History:
    """Write the results, the summary after them, and drop the checkpoint last."""
    frame = pd.DataFrame(place.rows)
    best = place.best_epoch or place.epoch
    run.write_bytes(WEIGHTS, checkpoint.weights_bytes(model))
    run.write_frame(HISTORY, frame)
    run.write_json(TIMES, {"epoch_seconds": place.seconds, "notes": place.notes})
    run.write_json(
        SUMMARY,
        {
            "stopped": place.stopped,
            "best_epoch": best,
            "epochs": place.epoch,
            "steps": place.step,
            "conditions": given.conditions,
            "depends_on": given.fingerprint,
        },
    )
    run.path(checkpoint.CHECKPOINT).unlink(missing_ok=True)
    frame = frame.assign(seconds=place.seconds)
    return History(frame, best, place.stopped, tuple(place.notes))


def _finished(model: nn.Module, fingerprint: dict, run: runs.Run) -> History:
    """Read the result of a training that is done."""
    summary, times = run.read_json(SUMMARY), run.read_json(TIMES)
    checkpoint.refuse_other(run, summary["depends_on"], fingerprint, "the result")
    frame = run.read_frame(HISTORY).assign(seconds=times["epoch_seconds"])
    try:
        model.load_state_dict(safetensors.torch.load(run.read_bytes(WEIGHTS)))
    except (RuntimeError, safetensors.SafetensorError) as error:
        raise RunError(
            f"{run.folder.name}: {WEIGHTS} cannot be read ({error}); remove the folder and train "
            "again."
        ) from error
    model.eval()
    if not run.complete:
        run.path(checkpoint.CHECKPOINT).unlink(missing_ok=True)
    return History(frame, summary["best_epoch"], summary["stopped"], tuple(times["notes"]))
