"""Segmentation networks by name: `build`, `save` and `load`.

A network computes logits ``(B, C, H, W)`` from images ``(B, channels, H, W)`` in two steps,
``decode(encode(images))``, so that test-time dropout, which lives in the decoder only, needs the
encoder once for any number of samples. Multi-task networks say more than that in one pass:
``outputs(images)`` gives what each of their ``tasks`` asks for, by name.
"""

from paraspine.models.files import load, loader, save
from paraspine.models.multitask import MultiTaskTransUNet, MultiTaskUNet
from paraspine.models.network import Network
from paraspine.models.pretrained import PretrainedReport, load_pretrained
from paraspine.models.registry import (
    build,
    known_options,
    names,
    options,
    parameter_count,
    parameter_counts,
    tasks,
)
from paraspine.models.transunet import TransUNet
from paraspine.models.unet import UNet

__all__ = [
    "MultiTaskTransUNet",
    "MultiTaskUNet",
    "Network",
    "PretrainedReport",
    "TransUNet",
    "UNet",
    "build",
    "known_options",
    "load",
    "load_pretrained",
    "loader",
    "names",
    "options",
    "parameter_count",
    "parameter_counts",
    "save",
    "tasks",
]
