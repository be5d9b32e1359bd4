"""Apply drawn transformations to images and targets, and take them back from predictions."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F

from paraspine.arrays import SettingsError, ShapeError
from paraspine.augmentation.geometry import (
    affine_points,
    grid,
    item_generators,
    matrices,
    resample,
    sample,
)
from paraspine.augmentation.parameters import Parameters
from paraspine.augmentation.settings import Augmentation, check_invertible, check_mirror

__all__ = [
    "apply",
    "apply_labels",
    "apply_maps",
    "apply_soft",
    "invert",
    "mirror",
]

#: How far (pixels) a point may lie beyond the outermost pixel centres and still count as seen:
#: room for rounding of float32 coordinates only.
EDGE = 1e-3


def _check(parameters: Parameters, tensor: torch.Tensor, axes: str, name: str) -> None:
    wanted = axes.split()
    if not isinstance(tensor, torch.Tensor) or tensor.ndim != len(wanted):
        shape = tuple(tensor.shape) if hasattr(tensor, "shape") else type(tensor).__name__
        raise ShapeError(f"{name}: expected a tensor ({', '.join(wanted)}), got {shape}.")
    if len(tensor) != len(parameters):
        raise ShapeError(
            f"{name}: expected {len(parameters)} items, one per drawn transformation, "
            f"got {len(tensor)}."
        )


def _smooth(images: torch.Tensor, sigma: torch.Tensor, largest: float) -> torch.Tensor:
    """Gaussian blur with one sigma (pixels) per item; edges continue with their last value."""
    b, c, h, w = images.shape
    radius = max(1, math.ceil(4 * largest))
    x = torch.arange(-radius, radius + 1, dtype=torch.float32, device=images.device)
    kernel = torch.exp(-0.5 * (x / sigma.clamp_min(1e-3)[:, None]) ** 2)
    kernel = (kernel / kernel.sum(dim=1, keepdim=True)).repeat_interleave(c, dim=0)
    flat = images.reshape(1, b * c, h, w)
    with torch.autocast(images.device.type, enabled=False):
        flat = F.pad(flat, (0, 0, radius, radius), mode="replicate")
        flat = F.conv2d(flat, kernel[:, None, :, None], groups=b * c)
        flat = F.pad(flat, (radius, radius, 0, 0), mode="replicate")
        flat = F.conv2d(flat, kernel[:, None, None, :], groups=b * c)
    return flat.reshape(b, c, h, w)


def apply(parameters: Parameters, images: torch.Tensor, *, fill: float | str = 0.0) -> torch.Tensor:
    """Transform a batch of images: move (one interpolation), blur, shift intensities, add noise.

    Parameters
    ----------
    parameters : Parameters
        From `draw`, on the images' device.
    images : torch.Tensor, ``(B, channels, H, W)``
        Intensities, scaled to about [0, 1]; of any size, square or not.
    fill : float or "border"
        What lies outside the image: an intensity, or the nearest pixel's.

    Returns
    -------
    torch.Tensor, ``(B, channels, H, W)``, float32
        Not clipped to [0, 1].

    Raises
    ------
    ShapeError
        If the images are not four-dimensional or not as many as the parameters.
    """
    _check(parameters, images, "B channels H W", "images")
    if isinstance(fill, str) and fill != "border":
        raise SettingsError(f'fill: expected an intensity or "border", got {fill!r}.')
    settings = parameters.settings
    out = images.float()
    if settings.geometric:
        if fill == "border":
            out = resample(parameters, out, "bilinear", "border")
        elif fill == 0:
            out = resample(parameters, out, "bilinear")
        else:
            out = resample(parameters, out - fill, "bilinear").add_(fill)
    elif out is images:
        out = images.clone()  # what follows is done in place
    if settings.smoothing > 0:
        out = _smooth(out, parameters.smoothing, settings.smoothing)
    if settings.intensity_shift > 0:
        out += parameters.shift[:, None, None, None]
    if settings.noise > 0:
        noise = torch.empty(out.shape[1:], dtype=torch.float32, device=out.device)
        for item, generator in enumerate(item_generators(parameters, 0, out.device)):
            noise.normal_(generator=generator)
            out[item].addcmul_(noise, parameters.noise[item])
    return out


def apply_labels(
    parameters: Parameters,
    labels: torch.Tensor,
    *,
    mirror_classes: Sequence[int] | None = None,
) -> torch.Tensor:
    """Move label maps with their images: nearest neighbour, background from outside.

    Parameters
    ----------
    parameters : Parameters
        Those of the images.
    labels : torch.Tensor, ``(B, H, W)``, integers
        Class numbers.
    mirror_classes : sequence of int, ``(C,)``
        Which class each becomes in a mirrored image; needed if images may be mirrored.

    Returns
    -------
    torch.Tensor, ``(B, H, W)``, of the same dtype

    Raises
    ------
    SettingsError
        If images may be mirrored and `mirror_classes` are missing.
    ShapeError
        As `apply`.
    """
    _check(parameters, labels, "B H W", "labels")
    swap = check_mirror(parameters.settings, mirror_classes)
    if labels.is_floating_point() or labels.is_complex():
        raise ShapeError(
            f"labels: expected class numbers, got {labels.dtype}; soft labels go through "
            "apply_soft."
        )
    if not parameters.settings.geometric:
        return labels
    moved = resample(parameters, labels[:, None].float(), "nearest")[:, 0]
    if swap is not None and parameters.settings.mirror > 0:
        table = torch.tensor(swap, dtype=torch.float32, device=labels.device)
        moved = torch.where(parameters.mirror[:, None, None], table[moved.long()], moved)
    return moved.to(labels.dtype)


def _swap(parameters: Parameters, values: torch.Tensor, swap) -> torch.Tensor:
    if swap is None or parameters.settings.mirror == 0:
        return values
    order = torch.tensor(swap, device=values.device)
    return torch.where(parameters.mirror[:, None, None, None], values[:, order], values)


def apply_soft(
    parameters: Parameters,
    soft: torch.Tensor,
    *,
    mirror_classes: Sequence[int] | None = None,
) -> torch.Tensor:
    """Move soft labels with their images: linear, so they stay soft and sum to 1.

    What comes from outside the image is background with probability 1.

    Parameters
    ----------
    parameters, mirror_classes
        As in `apply_labels`.
    soft : torch.Tensor, ``(B, C, H, W)``
        Probabilities over ``C``; class 0 is background.

    Returns
    -------
    torch.Tensor, ``(B, C, H, W)``, float32
    """
    _check(parameters, soft, "B C H W", "soft labels")
    swap = check_mirror(parameters.settings, mirror_classes, soft.shape[1])
    soft = soft.float()
    if not parameters.settings.geometric:
        return soft
    outside = torch.zeros(1, soft.shape[1], 1, 1, device=soft.device)
    outside[:, 0] = 1
    return _swap(parameters, resample(parameters, soft - outside, "bilinear") + outside, swap)


def apply_maps(
    parameters: Parameters,
    maps: torch.Tensor,
    *,
    mirror_classes: Sequence[int] | None = None,
) -> torch.Tensor:
    """Move maps of the foreground classes, such as rater variance, with their images.

    Linear interpolation; 0 comes from outside the image.

    Parameters
    ----------
    parameters, mirror_classes
        As in `apply_labels`; the permutation is that of all ``C`` classes.
    maps : torch.Tensor, ``(B, C - 1, H, W)``
        One map per class without background.

    Returns
    -------
    torch.Tensor, ``(B, C - 1, H, W)``, float32
    """
    _check(parameters, maps, "B C-1 H W", "maps")
    swap = check_mirror(parameters.settings, mirror_classes, maps.shape[1] + 1)
    maps = maps.float()
    if not parameters.settings.geometric:
        return maps
    moved = resample(parameters, maps, "bilinear")
    return _swap(parameters, moved, swap and tuple(c - 1 for c in swap[1:]))


def invert(
    parameters: Parameters,
    probabilities: torch.Tensor,
    *,
    mirror_classes: Sequence[int] | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Bring predictions on transformed images back to the grid of the original images.

    Parameters
    ----------
    parameters : Parameters
        Those that the images were transformed with.
    probabilities : torch.Tensor, ``(B, C, H, W)``
        Predicted probabilities.
    mirror_classes : sequence of int, ``(C,)``
        Needed if images may have been mirrored.

    Returns
    -------
    probabilities : torch.Tensor, ``(B, C, H, W)``, float32
        Linearly interpolated; 0 in every class where the pixel was not seen, so that a sum over
        samples divided by the sum of `seen` is the mean over the samples that saw the pixel.
    seen : torch.Tensor of bool, ``(B, H, W)``
        Whether the original pixel lay inside the transformed image (between its outermost pixel
        centres).

    Raises
    ------
    SettingsError
        If the transformation has no inverse, or `mirror_classes` are missing.
    ShapeError
        As `apply`.
    """
    _check(parameters, probabilities, "B C H W", "probabilities")
    check_invertible(parameters.settings)
    swap = check_mirror(parameters.settings, mirror_classes, probabilities.shape[1])
    size = probabilities.shape[-2:]
    device = probabilities.device
    values = probabilities.float()
    if not parameters.settings.geometric:
        return values, torch.ones(len(values), *size, dtype=torch.bool, device=device)
    forward, _ = matrices(parameters)
    sides = torch.tensor(size, dtype=torch.float32, device=device)
    points = affine_points(forward, parameters.translation * sides, size)
    h, w = size
    seen = (points[1].abs() <= (h - 1) / 2 + EDGE) & (points[0].abs() <= (w - 1) / 2 + EDGE)
    values = sample(values, grid(points), "bilinear", "border")
    return _swap(parameters, values, swap) * seen[:, None], seen


def mirror(values: torch.Tensor, mirror_classes: Sequence[int], *, class_axis: int = 1):
    """Exchange left and right of class channels, exactly: flip the last axis and swap classes.

    Parameters
    ----------
    values : torch.Tensor, ``(..., C, ..., W)``
        One channel per class, background included.
    mirror_classes : sequence of int, ``(C,)``
        ``mirror_classes[old] = new``.
    class_axis : int
        Where the classes stand.
    """
    swap = check_mirror(Augmentation(mirror=1.0), mirror_classes, values.shape[class_axis])
    order = torch.tensor(swap, device=values.device)
    return values.flip(-1).index_select(class_axis, order)
