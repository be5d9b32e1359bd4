"""Linear layers for inference on a CPU, with their weights laid out for it once."""

from __future__ import annotations

import copy

import torch
from torch import nn

from paraspine.processor import computes_bf16

__all__ = ["pack_linear"]


class _Packed(nn.Module):
    """A linear layer on weights that oneDNN has arranged; what torch.compile makes of one."""

    def __init__(self, layer: nn.Linear, dtype: torch.dtype):
        super().__init__()
        weight = layer.weight.detach().to("cpu", dtype)
        self.weight = torch.ops.mkldnn._reorder_linear_weight(weight, None)
        self.bias = layer.bias

    def __deepcopy__(self, memo: dict) -> _Packed:
        # The arranged weights cannot be copied, and are never written to.
        other = nn.Module.__new__(_Packed)
        nn.Module.__init__(other)
        other.weight, other.bias = self.weight, copy.deepcopy(self.bias, memo)
        return other

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Compute ``(..., out)`` from ``(..., in)``."""
        return torch.ops.mkldnn._linear_pointwise(values, self.weight, self.bias, "none", [], "")


def pack_linear(network: nn.Module, dtype: torch.dtype) -> None:
    """Exchange the linear layers of a network on a CPU for faster ones, in place.

    In float32 torch would ask MKL for their products, which on processors of other makers is the
    slower library; in bf16 it would arrange the weights anew in every pass. The network can then
    neither be trained nor saved, nor brought to another precision than `dtype`. Without oneDNN, and
    in bf16 on a processor that does not compute in it, nothing is done.

    Parameters
    ----------
    network : torch.nn.Module
        Its other tensors, the layers' biases too, stay as they are: bring them to `dtype` next.
    dtype : torch.dtype
        That the layers will compute in.
    """
    mkldnn = torch.ops.mkldnn
    known = hasattr(mkldnn, "_reorder_linear_weight") and hasattr(mkldnn, "_linear_pointwise")
    if not (torch.backends.mkldnn.is_available() and known):
        return
    if dtype != torch.float32 and not (dtype == torch.bfloat16 and computes_bf16()):
        return
    for parent in list(network.modules()):
        for name, layer in parent.named_children():
            if type(layer) is nn.Linear:
                setattr(parent, name, _Packed(layer, dtype))
