"""Pixel coordinates of the transformations, and sampling at them.

Coordinates are pixels (row, column) around the image's centre: no scaling to the image side enters
before the points are handed to `torch.nn.functional.grid_sample`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
import torch.nn.functional as F

from paraspine.augmentation.parameters import Parameters

__all__ = [
    "affine_points",
    "grid",
    "item_generators",
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


def affine_points(matrix: torch.Tensor, offset: torch.Tensor, size) -> torch.Tensor:
    """Return ``matrix @ p + offset`` of every pixel, ``(2, B, H, W)``: columns, then rows."""
    rows, columns = _centred(size, matrix.device)
    m, b = matrix[:, :, :, None, None], offset[:, :, None, None]
    points = torch.empty(2, len(matrix), *size, dtype=torch.float32, device=matrix.device)
    for place, axis in enumerate((1, 0)):
        torch.add(m[:, axis, 0] * rows, m[:, axis, 1] * columns, out=points[place])
        points[place] += b[:, axis]
    return points


def item_generators(parameters: Parameters, stream: int, device) -> Iterator[torch.Generator]:
    """Give each item a generator at its own seed, so that batches may be cut anywhere.

    It is the same object every time, valid until the next is asked for.
    """
    generator = torch.Generator(device=device)
    for seed in parameters.seed.tolist():
        yield generator.manual_seed(2 * seed + stream)


def source_points(parameters: Parameters, size, device) -> torch.Tensor:
    """Return where each pixel of the transformed image comes from, as `affine_points` does."""
    _, inverse = matrices(parameters)
    sides = torch.tensor(size, dtype=torch.float32, device=device)
    moved = parameters.translation * sides
    points = affine_points(inverse, -(inverse * moved[:, None, :]).sum(dim=2), size)
    if parameters.settings.elastic > 0:
        side = parameters.settings.elastic_points
        # Drawn on the CPU, so that the geometry is the same on every device.
        knots = torch.empty(len(parameters), 2, side, side, dtype=torch.float32)
        for item, generator in zip(knots, item_generators(parameters, 1, "cpu"), strict=True):
            item.uniform_(-1, 1, generator=generator)
        field = F.interpolate(
            knots.to(device), size=tuple(size), mode="bicubic", align_corners=True
        )
        field = field * parameters.elastic[:, None, None, None] * sides[None, :, None, None]
        points[0] += field[:, 1]
        points[1] += field[:, 0]
    return points


def grid(points: torch.Tensor) -> torch.Tensor:
    """Turn points into the units of `torch.nn.functional.grid_sample`, in place.

    Returns
    -------
    torch.Tensor, ``(B, H, W, 2)``
        A view of the points.
    """
    h, w = points.shape[2:]
    points[0] *= 2 / w
    points[1] *= 2 / h
    return points.permute(1, 2, 3, 0)


def sample(
    values: torch.Tensor, grid: torch.Tensor, mode: str, padding: str = "zeros"
) -> torch.Tensor:
    """Return values ``(B, channels, H, W)`` at the places of a grid, in float32."""
    with torch.autocast(values.device.type, enabled=False):
        return F.grid_sample(values, grid, mode=mode, padding_mode=padding, align_corners=False)


def resample(
    parameters: Parameters, values: torch.Tensor, mode: str, padding: str = "zeros"
) -> torch.Tensor:
    """Return ``(B, channels, H, W)`` values moved by the transformations.

    The grid is kept with the parameters: labels that follow their images use it again.
    """
    place = (*values.shape[-2:], values.device)
    found = parameters.grids.get(place)
    if found is None:
        found = grid(source_points(parameters, place[:2], values.device))
        if not found.is_inference():  # which could not take part in gradients later
            parameters.grids.clear()
            parameters.grids[place] = found
    return sample(values, found, mode, padding)
