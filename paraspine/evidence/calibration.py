"""Expected calibration error from sums per bin."""

from __future__ import annotations

import numpy as np


def _ece(count, confidence, correct) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """ECE with its over- and underconfident parts from sums per bin, ``(B, bins)`` each."""
    voxels = count.sum(axis=1, keepdims=True)
    gap = (confidence - correct) / np.where(voxels > 0, voxels, np.nan)
    over, under = np.clip(gap, 0, None).sum(axis=1), np.clip(-gap, 0, None).sum(axis=1)
    return over + under, over, under
