"""What the processor computes in."""

from __future__ import annotations

import torch

__all__ = ["computes_bf16"]


def computes_bf16() -> bool:
    """Whether oneDNN is there and the processor computes in bf16."""
    return torch.backends.mkldnn.is_available() and bool(
        torch.ops.mkldnn._is_mkldnn_bf16_supported()
    )
