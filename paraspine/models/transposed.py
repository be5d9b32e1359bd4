r"""U-Net's transposed convolution, its gradient as matrix products.

With a kernel of 2 x 2 and a stride of 2, no two pixels reach the same enlarged one: the layer is
one product of the pixels ``x`` (rows of channels) with the weights ``w`` as a matrix, ``y = x w``,
each row of ``y`` the four enlarged pixels of a pixel. So are the gradients,

.. math:: g_x = g_y w^T, \qquad g_w = x^T g_y,

after ``g_y`` has been brought into that order. The library's own gradient in bf16 takes 1.6 to 3
times as long on a CPU (3 where 32 channels become 16 at 256 x 256); its forward pass does not, and
is used.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn
from torch.autograd.function import once_differentiable

from paraspine.processor import computes_bf16, computing_dtype

__all__ = ["TwofoldTransposed", "transposed_twofold"]


class TwofoldTransposed(nn.ConvTranspose2d):
    """A transposed convolution with a kernel of 2 x 2 and a stride of 2.

    Its parameters are those of `torch.nn.ConvTranspose2d`, their names and start too.

    Parameters
    ----------
    in_channels, out_channels : int
        Channels that come in and go out.
    """

    def __init__(self, in_channels: int, out_channels: int):
        super().__init__(in_channels, out_channels, 2, stride=2)

    def forward(self, values: torch.Tensor, output_size=None) -> torch.Tensor:
        """Compute ``(B, out, 2 H, 2 W)``."""
        if output_size is None and _pays(values):
            return transposed_twofold(values, self.weight, self.bias)
        return super().forward(values, output_size)


def _pays(values: torch.Tensor) -> bool:
    """Whether there will be a gradient, in bf16, on a CPU that has it."""
    return (
        torch.is_grad_enabled()
        and values.ndim == 4
        and values.device.type == "cpu"
        and computing_dtype(values) == torch.bfloat16
        and computes_bf16()
    )


def transposed_twofold(
    values: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor
) -> torch.Tensor:
    """Compute ``conv_transpose2d(values, weight, bias, stride=2)`` for a kernel of 2 x 2.

    All three have a gradient, but not a second one.

    Parameters
    ----------
    values : torch.Tensor, ``(B, in, H, W)``
        The images.
    weight : torch.Tensor, ``(in, out, 2, 2)``
        The kernel.
    bias : torch.Tensor, ``(out,)``
        Added to every pixel.

    Returns
    -------
    torch.Tensor, ``(B, out, 2 H, 2 W)``
        Under autocast in its precision, else in that of `values`.
    """
    kind = computing_dtype(values)
    # Subclasses, such as MONAI's MetaTensor, end here: not all can do what comes next.
    values = values.as_subclass(torch.Tensor)
    return _Transposed.apply(values.to(kind), weight.to(kind), bias.to(kind))


class _Transposed(torch.autograd.Function):
    @staticmethod
    def forward(ctx, values, weight, bias):
        ctx.save_for_backward(values, weight)
        return F.conv_transpose2d(values, weight, bias, stride=2)

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient):
        return _backward(*ctx.saved_tensors, gradient, ctx.needs_input_grad)


def _backward(
    values: torch.Tensor, weight: torch.Tensor, gradient: torch.Tensor, needed: tuple[bool, ...]
) -> tuple[torch.Tensor | None, ...]:
    images, channels, height, width = values.shape
    outer = weight.shape[1]
    lines = gradient.permute(0, 2, 3, 1).reshape(images, height, 2, width, 2, outer)
    rows = lines.transpose(2, 3).reshape(-1, 4 * outer)
    inner = weights = biases = None
    if needed[0]:
        matrix = weight.permute(0, 2, 3, 1).reshape(channels, 4 * outer)
        inner = torch.mm(rows, matrix.t())
        inner = inner.view(images, height, width, channels).permute(0, 3, 1, 2)
    if needed[1]:
        pixels = values.permute(0, 2, 3, 1).reshape(-1, channels)
        weights = torch.mm(pixels.t(), rows).view(channels, 2, 2, outer).permute(0, 3, 1, 2)
    if needed[2]:
        biases = rows.sum(0, dtype=torch.promote_types(rows.dtype, torch.float32))
        biases = biases.view(4, outer).sum(0).to(rows.dtype)
    return inner, weights, biases
