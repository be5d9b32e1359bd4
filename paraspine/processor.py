"""What the processor computes in, and what a layer will."""

from __future__ import annotations

import torch

__all__ = ["computes_bf16", "computing_dtype"]


def computes_bf16() -> bool:
    """Whether oneDNN is there and the processor computes in bf16."""
    return torch.backends.mkldnn.is_available() and bool(
        torch.ops.mkldnn._is_mkldnn_bf16_supported()
    )


def computing_dtype(values: torch.Tensor) -> torch.dtype:
    """Return the precision that a layer on a CPU computes values with: autocast's, or their own."""
    if torch.is_autocast_enabled("cpu") and values.dtype != torch.float64:
        return torch.get_autocast_dtype("cpu")
    return values.dtype
