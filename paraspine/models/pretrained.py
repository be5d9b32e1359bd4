"""Start from weights of elsewhere, and say which tensors were taken."""

from __future__ import annotations

import math
import os
import pickle
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import safetensors
import safetensors.torch
import torch
import torch.nn.functional as F

from paraspine.arrays import ModelError
from paraspine.models.network import Network

__all__ = ["PretrainedReport", "load_pretrained"]

#: What reading a damaged file may raise.
_UNREADABLE = (
    OSError,
    ValueError,
    RuntimeError,
    EOFError,
    KeyError,
    pickle.UnpicklingError,
    zipfile.BadZipFile,
    safetensors.SafetensorError,
)


@dataclass(frozen=True)
class PretrainedReport:
    """What became of each tensor.

    Attributes
    ----------
    path : str
        The file's name.
    loaded : tuple of str
        The network's tensors that were taken as they are.
    adapted : tuple of str
        Those that were changed to fit: positions interpolated to another grid, or the first
        convolution summed over the colours, which is what it does to a grey image.
    missing : tuple of str
        The network's tensors that keep their random start.
    unexpected : tuple of str
        The file's tensors that the network doesn't have.
    mismatched : tuple of str
        Tensors of both whose shapes differ, with the shapes; they keep their random start and are
        among the missing too.
    """

    path: str
    loaded: tuple[str, ...]
    adapted: tuple[str, ...]
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    mismatched: tuple[str, ...]

    def __str__(self) -> str:
        taken = len(self.loaded) + len(self.adapted)
        lines = [f"{self.path}: {taken} of {taken + len(self.missing)} tensors taken."]
        for name in ("loaded", "adapted", "missing", "unexpected", "mismatched"):
            tensors = getattr(self, name)
            if tensors:
                lines.append(f"{name} ({len(tensors)}): {', '.join(tensors)}")
        return "\n".join(lines)


def load_pretrained(model: Network, path: str | os.PathLike) -> PretrainedReport:
    """Replace a network's random start by the tensors of a file that fit, in place.

    Known are files of `paraspine.models.save`; state dictionaries in PyTorch's format or in
    safetensors, whose names are the network's or those of torchvision's resnet34; and the
    vision transformer's published ``.npz`` (R50+ViT-B/16) for ``encoder="resnet50"``. Both
    transformers of a multi-task TransUNet start from one in the file, as in the authors' code.

    Parameters
    ----------
    model : Network
        From `build`; changed in place.
    path : path-like
        The local file.

    Returns
    -------
    PretrainedReport
        Printed, it lists what was taken and what was not.

    Raises
    ------
    ModelError
        If the file is missing or cannot be read, or none of its tensors fit: there is no silent
        random start.
    """
    path = Path(path)
    found, unexpected = _named(_read(path), model.state_dict())
    for name in [n for n in found if n.startswith("transformer.")]:
        if (twin := f"variance_{name}") in model.state_dict():
            found.setdefault(twin, found[name])
    loaded, adapted, mismatched = [], [], []
    own = model.state_dict()
    with torch.no_grad():
        for name, tensor in found.items():
            fitting = tensor if tensor.shape == own[name].shape else _adapt(name, tensor, own[name])
            if fitting is None:
                shapes = f"{tuple(tensor.shape)} in the file, {tuple(own[name].shape)} here"
                mismatched.append(f"{name} ({shapes})")
                continue
            own[name].copy_(fitting)
            (loaded if fitting is tensor else adapted).append(name)
    if not any(own[name].is_floating_point() for name in (*loaded, *adapted)):
        raise ModelError(
            f"{path}: none of its {len(found) + len(unexpected)} tensors fit the network "
            f"{model.settings['name']}, for example {', '.join([*mismatched, *unexpected][:3])}; "
            "choose the encoder and width that the file was made for."
        )
    taken = {*loaded, *adapted}
    # Counters of batches play no part in what the network computes.
    missing = [n for n in own if n not in taken and not n.endswith("num_batches_tracked")]
    return PretrainedReport(
        path.name, *map(tuple, (loaded, adapted, missing, unexpected, mismatched))
    )


def _read(path: Path) -> dict[str, torch.Tensor]:
    """Return the tensors of a file by name."""
    if not path.is_file():
        raise ModelError(
            f"{path}: no such file; pretrained weights are read from a local file, put it there "
            "or build the network without."
        )
    try:
        if path.suffix == ".npz":
            with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
                return _from_npz({name: arrays[name] for name in arrays.files})
        if path.suffix == ".safetensors":
            return safetensors.torch.load_file(path)
        content = torch.load(path, map_location="cpu", weights_only=True)
    except _UNREADABLE as error:
        raise ModelError(f"{path}: the weights cannot be read: {error}") from error
    for key in ("state_dict", "model"):
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
    if not isinstance(content, Mapping):
        raise ModelError(f"{path}: expected named tensors, got {type(content).__name__}.")
    return {str(k): v for k, v in content.items() if isinstance(v, torch.Tensor)}


def _named(tensors: Mapping[str, torch.Tensor], own) -> tuple[dict, list[str]]:
    """Sort tensors into those that the network has, by its names, and the names of others."""
    found, unexpected = {}, []
    for name, tensor in tensors.items():
        bare = re.sub(r"^(module\.|model\.)+", "", name)
        target = next((n for n in (bare, f"encoder.{bare}") if n in own), None)
        if target is None:
            unexpected.append(name)
        else:
            found[target] = tensor
    return found, unexpected


def _adapt(name: str, tensor: torch.Tensor, own: torch.Tensor) -> torch.Tensor | None:
    """Return the tensor in the network's shape, or None where there is no good way."""
    if tensor.ndim != own.ndim:
        return None
    if name.endswith("transformer.positions") and tensor.shape[:2] == own.shape[:2]:
        return F.interpolate(tensor.float(), size=own.shape[2:], mode="bicubic")
    first = name in ("encoder.conv1.weight", "encoder.root.weight", "encoder.0.0.conv.weight")
    if first and own.shape[1] == 1 and tensor.shape[::2] == own.shape[::2]:
        return tensor.sum(dim=1, keepdim=True)
    return None


#: The published names of the vision transformer (left) and ours.
_NPZ = [
    (r"conv_root/kernel", r"encoder.root.weight"),
    (r"gn_root/(scale|bias)", r"encoder.root_norm.\1"),
    (r"block(\d+)/unit(\d+)/conv(\d)/kernel", r"encoder.block\1.\2.conv\3.weight"),
    (r"block(\d+)/unit(\d+)/gn(\d)/(scale|bias)", r"encoder.block\1.\2.norm\3.\4"),
    (r"block(\d+)/unit(\d+)/conv_proj/kernel", r"encoder.block\1.\2.projection.weight"),
    (r"block(\d+)/unit(\d+)/gn_proj/(scale|bias)", r"encoder.block\1.\2.projection_norm.\3"),
    (r"embedding/kernel", r"transformer.embedding.weight"),
    (r"embedding/bias", r"transformer.embedding.bias"),
    (r"Transformer/posembed_input/pos_embedding", r"transformer.positions"),
    (r"Transformer/encoder_norm/(scale|bias)", r"transformer.norm.\1"),
    (r"Transformer/encoderblock_(\d+)/LayerNorm_0/(scale|bias)", r"transformer.layers.\1.norm1.\2"),
    (r"Transformer/encoderblock_(\d+)/LayerNorm_2/(scale|bias)", r"transformer.layers.\1.norm2.\2"),
    (
        r"Transformer/encoderblock_(\d+)/MultiHeadDotProductAttention_1/(\w+)/(kernel|bias)",
        r"transformer.layers.\1.\2.\3",
    ),
    (
        r"Transformer/encoderblock_(\d+)/MlpBlock_3/Dense_0/(kernel|bias)",
        r"transformer.layers.\1.mlp.0.\2",
    ),
    (
        r"Transformer/encoderblock_(\d+)/MlpBlock_3/Dense_1/(kernel|bias)",
        r"transformer.layers.\1.mlp.3.\2",
    ),
]


def _from_npz(arrays: Mapping[str, np.ndarray]) -> dict[str, torch.Tensor]:
    """Give the vision transformer's published arrays the names and axes of PyTorch."""
    tensors = {}
    for name, array in arrays.items():
        target = next((re.sub(p, to, name) for p, to in _NPZ if re.fullmatch(p, name)), None)
        if target is None:
            tensors[name] = torch.empty(0)  # only its name is told
            continue
        # Units are counted from 1 there.
        target = re.sub(r"(block\d+\.)(\d+)", lambda m: f"{m[1]}{int(m[2]) - 1}", target)
        tensors[target.replace("kernel", "weight").replace("scale", "weight")] = _axes(
            target, np.asarray(array, dtype=np.float32)
        )
    for name in [n for n in tensors if ".query." in n]:
        parts = [
            tensors.pop(name.replace("query", part), None) for part in ("query", "key", "value")
        ]
        if all(part is not None for part in parts):
            tensors[name.replace("query", "qkv")] = torch.cat(parts)
    return tensors


def _axes(name: str, array: np.ndarray) -> torch.Tensor:
    """Reorder the axes of one array."""
    if name == "transformer.positions":
        # The first position is the class token's, which is not used here.
        side = math.isqrt(array.shape[1])
        positions = array[0, array.shape[1] - side**2 :]
        array = positions.reshape(side, side, -1).transpose(2, 0, 1)[None]
    elif array.ndim == 4 and name.endswith((".weight", "kernel")):
        array = array.transpose(3, 2, 0, 1)
    elif re.search(r"\.(query|key|value)\.kernel$", name):
        array = array.reshape(len(array), -1).T
    elif re.search(r"\.out\.kernel$", name):
        array = array.reshape(-1, array.shape[-1]).T
    elif name.endswith("kernel"):
        array = array.T
    else:
        array = array.reshape(-1)
    return torch.from_numpy(np.ascontiguousarray(array))
