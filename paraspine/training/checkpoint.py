"""What a killed training needs to go on: written atomically, refused where it does not fit."""

from __future__ import annotations

import hashlib
import json
import pickle
import warnings
from collections.abc import Mapping

import safetensors.torch
import torch
from torch import nn

from paraspine import runs
from paraspine.arrays import RunError
from paraspine.training.data import Data, Targets, digest
from paraspine.training.settings import Settings

__all__ = [
    "CHECKPOINT",
    "fingerprint",
    "load",
    "refuse_other",
    "save",
    "weights_bytes",
]

CHECKPOINT = "checkpoint.pt"
FORMAT = 1


def _state_digest(model: nn.Module) -> str:
    found = hashlib.sha256()
    for name, tensor in model.state_dict().items():
        found.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        found.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
    return found.hexdigest()[:16]


def fingerprint(
    model: nn.Module, data: Data, settings: Settings, train: Targets, validation: Targets | None
) -> dict:
    """Name everything that the result depends on: settings, data and the untrained network."""
    found = dict(settings.result())
    found["classes"] = data.num_classes
    found["mirror classes"] = None if data.mirror is None else [int(c) for c in data.mirror]
    found["spacing"] = [float(s) for s in data.spacing]
    found["train images"] = digest(data.train_images)
    found["train targets"] = digest(train.raw(0))
    if validation is not None:
        found["validation images"] = digest(data.validation_images)
        found["validation targets"] = digest(validation.raw(0))
    for side in ("train", "validation"):
        if (maps := getattr(data, f"{side}_variance")) is not None:
            found[f"{side} variance"] = digest(maps)
    found["network"] = hashlib.sha256(str(model).encode()).hexdigest()[:16]
    found["initial weights"] = _state_digest(model)
    return json.loads(json.dumps(found))


def refuse_other(run: runs.Run, before: Mapping, now: Mapping, what: str) -> None:
    """Raise `RunError` naming each entry in which a training that lies there differs."""
    differing = []
    for key in [*before, *(k for k in now if k not in before)]:
        a, b = before.get(key), now.get(key)
        if a != b:
            differing.append(f"{key} was {a!r}, is {b!r}")
    if differing:
        raise RunError(
            f"{run.folder.name}: {what} is of another training: {'; '.join(differing)}. Repeat "
            "the call as it was (a network must be built anew, with the same seed), or train into "
            "another run folder."
        )


def say_other(run: runs.Run, before: Mapping, now: Mapping) -> list[str]:
    """Refuse other precision or device; return and warn of what may change the last bits."""
    firm = ("device", "precision")
    refuse_other(run, {k: before.get(k) for k in firm}, {k: now[k] for k in firm}, "the checkpoint")
    notes = [
        f"resumed with {key} {now.get(key)}, begun with {before.get(key)}: the last bits may "
        "differ from an uninterrupted training"
        for key in now
        if key not in firm and before.get(key) != now.get(key)
    ]
    for note in notes:
        warnings.warn(f"{run.folder.name}: {note}.", stacklevel=4)
    return notes


def save(run: runs.Run, content: dict) -> None:
    """Write the checkpoint; the one before stands until it is whole."""
    with runs.atomic(run.path(CHECKPOINT)) as temporary:
        torch.save({"format": FORMAT, **content}, temporary)


def load(run: runs.Run) -> dict | None:
    """Content of the run's checkpoint, on the CPU; None without one.

    Raises
    ------
    RunError
        If it cannot be read.
    """
    path = run.path(CHECKPOINT)
    if not path.is_file():
        return None
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, OSError, EOFError, pickle.UnpicklingError, KeyError) as error:
        raise RunError(
            f"{run.folder.name}: {CHECKPOINT} is damaged ({error}); remove it to train from the "
            "beginning."
        ) from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise RunError(
            f"{run.folder.name}: {CHECKPOINT} is of another version of paraspine; remove it to "
            "train from the beginning."
        )
    return content


def weights_bytes(model: nn.Module) -> bytes:
    """A network as a safetensors file; equal networks give equal bytes.

    The settings of a network that has some stand in the metadata, so that `paraspine.models.load`
    can build it again.
    """
    tensors = {k: v.detach().cpu().contiguous().clone() for k, v in model.state_dict().items()}
    own = getattr(model, "settings", None)
    metadata = {"paraspine": json.dumps(own)} if isinstance(own, dict) else None
    return safetensors.torch.save(tensors, metadata=metadata)
