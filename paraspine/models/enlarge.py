r"""Enlarge twofold and convolve in one, at the price of convolving before enlarging.

A 3 x 3 convolution of a bilinearly enlarged image mixes the channels of four times as many pixels
as there were. Mixing channels and enlarging are both linear and act on different axes, so they may
change places: with ``U`` the enlargement, ``S`` the shift by a tap of the convolution (zeros come
in from outside) and ``w`` the tap's weights,

.. math:: \sum_t S_t U x w_t = \sum_t (S_t U) (x w_t).

The products with ``w`` then see a quarter of the pixels. ``S U`` is a narrow band along rows and
another along columns, each applied as a product with small dense blocks of it.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn
from torch.autograd.function import once_differentiable

from paraspine.processor import computes_bf16, computing_dtype

__all__ = [
    "Twofold",
    "TwofoldConvolution",
    "enlarge_and_convolve",
    "pays",
    "taps_of",
    "weight_of",
]

#: Fewest channels for which it pays.
CHANNELS = {torch.bfloat16: 32, torch.float32: 64}
#: Up to so many pixels of a side make one block; longer sides have blocks of about so many.
WHOLE, BLOCK = 32, 16
#: Enlarged pixels that a block's pixels reach, beyond twice their own number, at either end.
REACH = 2


class Twofold(nn.Upsample):
    """Bilinear enlargement to twice the sides, corners on corners, as TransUNet's."""

    def __init__(self):
        super().__init__(scale_factor=2, mode="bilinear", align_corners=True)


class TwofoldConvolution(nn.Module):
    """`Twofold` and a 3 x 3 convolution with fixed weights, whichever way is faster.

    Parameters
    ----------
    weight : torch.Tensor, ``(out, in, 3, 3)``
        Of the convolution; copied.
    """

    def __init__(self, weight: torch.Tensor):
        super().__init__()
        self.up = Twofold()
        self.taps = nn.Parameter(taps_of(weight.detach()).clone(), requires_grad=False)

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Compute ``(B, out, 2 H, 2 W)``."""
        if pays(values):
            return enlarge_and_convolve(values, self.taps)
        return F.conv2d(self.up(values), weight_of(self.taps), padding=1)


def pays(values: torch.Tensor) -> bool:
    """Whether `enlarge_and_convolve` is the faster way for values ``(B, in, H, W)``."""
    kind = computing_dtype(values)
    if values.device.type != "cpu" or values.shape[1] < CHANNELS.get(kind, math.inf):
        return False
    return kind == torch.float32 or computes_bf16()


def taps_of(weight: torch.Tensor) -> torch.Tensor:
    """Rearrange a convolution's weights ``(out, in, 3, 3)`` to ``(3, in, 3 out)``.

    The first axis is the tap's row, the last its column and the output's channel.
    """
    out, channels = weight.shape[:2]
    return weight.permute(2, 1, 3, 0).reshape(3, channels, 3 * out)


def weight_of(taps: torch.Tensor) -> torch.Tensor:
    """Bring what `taps_of` gave back to ``(out, in, 3, 3)``."""
    return taps.unflatten(2, (3, -1)).permute(3, 1, 0, 2)


def enlarge_and_convolve(values: torch.Tensor, taps: torch.Tensor) -> torch.Tensor:
    """Compute ``conv2d(upsample(values), weight, padding=1)`` on a CPU.

    ``upsample`` doubles the sides, bilinearly with ``align_corners=True``. Both arguments have a
    gradient, but not a second one. A pixel that is not finite spoils its whole neighbourhood, up to
    a side of some 30 pixels, instead of the next ones alone.

    Parameters
    ----------
    values : torch.Tensor, ``(B, in, H, W)``
        float32, or bf16.
    taps : torch.Tensor, ``(3, in, 3 out)``
        As `taps_of` gives them.

    Returns
    -------
    torch.Tensor, ``(B, out, 2 H, 2 W)``
        In channels-last order. Under autocast in its precision, else in that of `values`.
    """
    kind = computing_dtype(values)
    # Subclasses, such as MONAI's MetaTensor, end here: not all can do what comes next.
    values = values.as_subclass(torch.Tensor)
    return _EnlargedAndConvolved.apply(values.to(kind), taps.to(kind))


class _EnlargedAndConvolved(torch.autograd.Function):
    @staticmethod
    def forward(ctx, values, taps):
        ctx.save_for_backward(values, taps)
        return _forward(values, taps)

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient):
        return _backward(*ctx.saved_tensors, gradient, ctx.needs_input_grad)


@dataclass(frozen=True)
class _Side:
    """``S U`` of a side, in blocks.

    Attributes
    ----------
    block, count : int
        Pixels of a block before enlarging; how many blocks there are.
    border, reach : int
        Pixels that a block needs beyond its own at either end: of the values to compute the
        enlarged ones, and of those to compute the values' gradient.
    forward_rows, forward_columns : torch.Tensor, ``(count, 2 block, 3 (block + 2 border))``
        Enlarged pixels of each block from pixels and taps: taps first, or pixels first.
    backward_rows : torch.Tensor, ``(3, count, block, 2 (block + reach))``
        For each tap, pixels from enlarged ones.
    backward_columns : torch.Tensor, ``(count, 3 block, 2 (block + reach))``
        Pixels and taps, pixels first, from enlarged ones.
    """

    block: int
    count: int
    border: int
    reach: int
    forward_rows: torch.Tensor
    forward_columns: torch.Tensor
    backward_rows: torch.Tensor
    backward_columns: torch.Tensor


def _block(pixels: int) -> int:
    """Choose the divisor of a number of pixels that makes the best blocks."""
    if pixels <= WHOLE:
        return pixels
    divisors = [d for d in range(1, pixels + 1) if pixels % d == 0]
    return min(divisors, key=lambda d: max(d / BLOCK, BLOCK / d))


def _matrix(pixels: int) -> torch.Tensor:
    """``S_t U`` of a side: float64, ``(2 pixels, pixels, 3 taps)``."""
    unit = torch.eye(pixels, dtype=torch.float64, device="cpu")[None, None]
    up = F.interpolate(unit, size=(2 * pixels, pixels), mode="bilinear", align_corners=True)[0, 0]
    whole = up.new_zeros(2 * pixels, pixels, 3)
    whole[1:, :, 0], whole[:, :, 1], whole[:-1, :, 2] = up[:-1], up, up[1:]
    return whole


@functools.lru_cache(maxsize=64)
def _side(pixels: int, dtype: torch.dtype) -> _Side:
    # Outside of inference mode, so that trainings may use what a prediction made.
    with torch.inference_mode(False), torch.no_grad():
        whole, block = _matrix(pixels), _block(pixels)
        count = pixels // block
        border, reach = (1, REACH) if count > 1 else (0, 0)
        near = F.pad(whole, (0, 0, border, border))
        far = F.pad(whole, (0, 0, 0, 0, reach, reach))
        starts = range(0, pixels, block)
        forward = torch.stack(
            [near[2 * k : 2 * (k + block), k : k + block + 2 * border] for k in starts]
        ).to(dtype)
        backward = torch.stack(
            [far[2 * k : 2 * (k + block + reach), k : k + block] for k in starts]
        ).to(dtype)
        return _Side(
            block,
            count,
            border,
            reach,
            forward.transpose(2, 3).flatten(2).contiguous(),
            forward.flatten(2),
            backward.permute(3, 0, 2, 1).contiguous(),
            backward.permute(0, 2, 3, 1).flatten(1, 2).contiguous(),
        )


def _along_columns(blocks: torch.Tensor, lines: torch.Tensor, step: int, out=None) -> torch.Tensor:
    """Multiply overlapping pieces of lines ``(N, pixels, channels)`` by their blocks.

    Piece k begins at pixel ``k * step``; the result is ``(N, count, rows of a block, channels)``.
    """
    count, _, size = blocks.shape
    if count == 1:
        whole = None if out is None else out[:, 0]
        return torch.bmm(blocks.expand(len(lines), -1, -1), lines, out=whole)[:, None]
    line, pixel, _ = lines.stride()
    pieces = lines.as_strided(
        (len(lines), count, size, lines.shape[2]),
        (line, step * pixel, pixel, 1),
        lines.storage_offset(),
    )
    return torch.matmul(blocks, pieces, out=out)


def _forward(values: torch.Tensor, taps: torch.Tensor) -> torch.Tensor:
    images, channels, height, width = values.shape
    rows, columns = _side(height, values.dtype), _side(width, values.dtype)
    tall, wide = rows.block + 2 * rows.border, width + 2 * columns.border
    outer = taps.shape[2] // 3
    margin = (columns.border, columns.border, rows.border, rows.border)
    # Rows first, so that all images share the products along rows.
    values = F.pad(values, margin).permute(2, 0, 3, 1).contiguous()
    size = (images, outer, 2 * height, 2 * width)
    result = torch.empty(size, dtype=values.dtype, memory_format=torch.channels_last)
    out = result.permute(0, 2, 3, 1)
    out = out.view(images, rows.count, 2 * rows.block, columns.count, 2 * columns.block, outer)
    mixed = values.new_empty(3, tall * images * wide, 3 * outer)
    enlarged = values.new_empty(2 * rows.block, images * wide * 3 * outer)
    lines = enlarged.view(2 * rows.block, images, wide * 3, outer).unbind(1)
    for k in range(rows.count):
        own = values[k * rows.block : k * rows.block + tall].view(-1, channels)
        for tap in range(3):
            torch.mm(own, taps[tap], out=mixed[tap])
        torch.mm(rows.forward_rows[k], mixed.view(3 * tall, -1), out=enlarged)
        for image in range(images):
            _along_columns(columns.forward_columns, lines[image], 3 * columns.block, out[image, k])
    return result


def _backward(
    values: torch.Tensor, taps: torch.Tensor, gradient: torch.Tensor, needed: tuple[bool, bool]
) -> tuple[torch.Tensor | None, torch.Tensor | None]:
    images, channels, height, width = values.shape
    outer = taps.shape[2] // 3
    rows, columns = _side(height, values.dtype), _side(width, values.dtype)
    tall = 2 * (rows.block + rows.reach)
    margin = (0, 0, columns.reach, columns.reach, rows.reach, rows.reach)
    gradient = gradient.permute(0, 2, 3, 1).contiguous()
    gradient = F.pad(gradient, margin)
    # Rows first, so that all images share the products along rows.
    mixed = values.new_empty(3, height, images * width * 3 * outer)
    lines = values.new_empty(tall, images, columns.count, 3 * columns.block, outer)
    for k in range(rows.count):
        for image in range(images):
            own = gradient[image, 2 * k * rows.block : 2 * k * rows.block + tall]
            _along_columns(columns.backward_columns, own, 2 * columns.block, lines[:, image])
        for tap in range(3):
            torch.mm(
                rows.backward_rows[tap, k],
                lines.view(tall, -1),
                out=mixed[tap, k * rows.block : (k + 1) * rows.block],
            )
    mixed = mixed.view(3, -1, 3 * outer)
    inner = weights = None
    if needed[0]:
        inner = torch.mm(mixed[0], taps[0].t())
        for tap in (1, 2):
            inner.addmm_(mixed[tap], taps[tap].t())
        inner = inner.view(height, images, width, channels).permute(1, 3, 0, 2)
        inner = inner.contiguous(memory_format=torch.channels_last)
    if needed[1]:
        flat = values.permute(2, 0, 3, 1).reshape(-1, channels)
        weights = torch.stack([torch.mm(flat.t(), mixed[tap]) for tap in range(3)])
    return inner, weights
