"""Networks in files: weights and settings together in one safetensors file."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import safetensors
import safetensors.torch
import torch
from torch.overrides import TorchFunctionMode

from paraspine.arrays import ModelError, SettingsError
from paraspine.models.network import Network
from paraspine.models.registry import build
from paraspine.storage import write_bytes

__all__ = ["load", "loader", "save"]

#: Under this key of the file's metadata stand the settings, as JSON. One key only: the order in
#: which several would be written is not fixed, and equal networks should give equal bytes.
KEY = "paraspine"


def save(model: Network, path: str | os.PathLike) -> Path:
    """Write weights and settings into one file, whole or not at all.

    Parameters
    ----------
    model : Network
        From `build` or `load`; on any device.
    path : path-like
        The file, by custom ``model.safetensors``; its folder must exist.

    Returns
    -------
    pathlib.Path
        The file. Equal networks give equal bytes.

    Raises
    ------
    ModelError
        If the model has no settings to rebuild it from, or the folder does not exist.
    """
    path = Path(path)
    if not isinstance(getattr(model, "settings", None), dict):
        raise ModelError(
            f"model: expected a network from models.build, got {type(model).__name__} without "
            "settings; it could not be rebuilt from the file."
        )
    if not path.parent.is_dir():
        raise ModelError(f"{path}: the folder does not exist; make it first.")
    tensors = {k: v.detach().cpu().contiguous() for k, v in model.state_dict().items()}
    content = safetensors.torch.save(tensors, metadata={KEY: json.dumps(model.settings)})
    return write_bytes(path, content)


class _Undrawn(TorchFunctionMode):
    """Leave out the initial weights: nothing of them is left after loading, and they take time."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        drawing = (torch.Tensor.normal_, torch.Tensor.uniform_)
        if func in drawing or getattr(func, "__module__", None) == "torch.nn.init":
            return kwargs["tensor"] if "tensor" in kwargs else args[0]
        return func(*args, **kwargs)


def load(path: str | os.PathLike, *, device: torch.device | str = "cpu") -> Network:
    """Read a network that `save` wrote.

    Parameters
    ----------
    path : path-like
        The file.
    device : optional
        Where its weights go.

    Returns
    -------
    Network
        In evaluation mode.

    Raises
    ------
    ModelError
        If the file is missing, damaged, not from `save`, or its tensors do not fit its settings.
    """
    path = Path(path)
    if not path.is_file():
        raise ModelError(f"{path}: no such file; train the network first, or correct the path.")
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
        state = safetensors.torch.load_file(path)
    except (safetensors.SafetensorError, OSError) as error:
        raise ModelError(
            f"{path}: expected a safetensors file, but reading it failed: {error}."
        ) from (error)
    if KEY not in metadata:
        raise ModelError(
            f"{path}: no network settings in the file, so it is not from models.save; weights "
            "from elsewhere go through models.load_pretrained."
        )
    try:
        settings = json.loads(metadata[KEY])
        with torch.device("meta"), _Undrawn():
            model = build(**settings)
    except (json.JSONDecodeError, SettingsError, TypeError) as error:
        raise ModelError(f"{path}: the settings in the file cannot be used: {error}") from error
    try:
        model.load_state_dict(state, assign=True)
    except RuntimeError as error:
        raise ModelError(f"{path}: its tensors do not fit its settings: {error}") from error
    return model.to(device).eval()


def loader(path: str | os.PathLike) -> Callable[[], Network]:
    """Return a function that loads the network at `path`, so that only those in use are in memory.

    A missing file is told of at once.

    Raises
    ------
    ModelError
        If there is no such file.
    """
    if not Path(path).is_file():
        raise ModelError(f"{path}: there is no such file; train the network first.")
    return partial(load, path)
