"""Pixel coordinates of the transformations, and sampling at them.

Coordinates are pixels (row, column) around the image's centre: no scaling to the image side enters
before the points are handed to `torch.nn.functional.grid_sample`.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F

from paraspine.augmentation.parameters import Parameters

__all__ = [
    "affine_points",
    "grid",
    "item_random",
    "matrices",
    "resample",
    "sample",
    "source_points",
]


def matrices(parameters: Parameters) -> tuple[torch.Tensor, torch.Tensor]:
    """Return ``A`` and its inverse, ``(B, 2, 2)``, in pixels around the centre."""
    cos, sin = parameters.rotation.cos(), parameters.rotation.sin()
    ratio = parameters.spacing[0] / parameters.spacing[1]
    flip = 1 - 2 * parameters.mirror.to(cos.dtype)
    rotation = torch.stack([cos, -sin / ratio, sin * ratio, cos], dim=1).view(-1, 2, 2)
    turned_back = torch.stack([cos, sin / ratio, -sin * ratio, cos], dim=1).view(-1, 2, 2)
    scale = parameters.scale[:, None, None]
    one = torch.ones_like(flip)
    mirrored = torch.stack([one, flip], dim=1)
    return rotation * scale * mirrored[:, None, :], mirrored[:, :, None] * turned_back / scale


def _centred(size: Sequence[int], device) -> tuple[torch.Tensor, torch.Tensor]:
    h, w = size
    rows = torch.arange(h, dtype=torch.float32, device=device) - (h - 1) / 2
    columns = torch.arange(w, dtype=torch.float32, device=device) - (w - 1) / 2
    return rows[:, None], columns[None, :]


def affine_points(
    matrix: torch.Tensor, offset: torch.Tensor, size
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return row and column, ``(B, H, W)`` around the centre, of ``matrix @ p + offset``."""
    rows, columns = _centred(size, matrix.device)
    m, b = matrix[:, :, :, None, None], offset[:, :, None, None]
    return (
        m[:, 0, 0] * rows + m[:, 0, 1] * columns + b[:, 0],
        m[:, 1, 0] * rows + m[:, 1, 1] * columns + b[:, 1],
    )


def item_random(parameters: Parameters, shape, stream: int, device, kind) -> torch.Tensor:
    """Fill with `kind` from every item's own seed, so that batches may be cut anywhere."""
    out = torch.empty(len(parameters), *shape, dtype=torch.float32, device=device)
    generator = torch.Generator(device=device)
    for item, seed in zip(out, parameters.seed.tolist(), strict=True):
        generator.manual_seed(2 * seed + stream)
        kind(item, generator)
    return out


def source_points(parameters: Parameters, size, device) -> tuple[torch.Tensor, torch.Tensor]:
    """Return where each pixel of the transformed image comes from, around the centre."""
    _, inverse = matrices(parameters)
    sides = torch.tensor(size, dtype=torch.float32, device=device)
    moved = parameters.translation * sides
    offset = -(inverse * moved[:, None, :]).sum(dim=2)
    rows, columns = affine_points(inverse, offset, size)
    if parameters.settings.elastic > 0:
        points = parameters.settings.elastic_points
        # Drawn on the CPU, so that the geometry is the same on every device.
        knots = item_random(
            parameters,
            (2, points, points),
            1,
            "cpu",
            lambda item, g: item.uniform_(-1, 1, generator=g),
        ).to(device)
        field = F.interpolate(knots, size=tuple(size), mode="bicubic", align_corners=True)
        field = field * parameters.elastic[:, None, None, None] * sides[None, :, None, None]
        rows, columns = rows + field[:, 0], columns + field[:, 1]
    return rows, columns


def grid(rows: torch.Tensor, columns: torch.Tensor, size) -> torch.Tensor:
    """Return the same points in the units of `torch.nn.functional.grid_sample`."""
    h, w = size
    return torch.stack([columns * (2 / w), rows * (2 / h)], dim=-1)


def sample(values: torch.Tensor, rows, columns, mode: str, padding: str = "zeros") -> torch.Tensor:
    """Return ``(B, channels, H, W)`` values at points around the centre, in float32."""
    with torch.autocast(values.device.type, enabled=False):
        points = grid(rows, columns, values.shape[-2:])
        return F.grid_sample(values, points, mode=mode, padding_mode=padding, align_corners=False)


def resample(
    parameters: Parameters, values: torch.Tensor, mode: str, padding: str = "zeros"
) -> torch.Tensor:
    """Return ``(B, channels, H, W)`` values moved by the transformations."""
    rows, columns = source_points(parameters, values.shape[-2:], values.device)
    return sample(values, rows, columns, mode, padding)
