"""What is kept of the samples: sums that grow sample by sample, so that no sample is stored."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from paraspine.arrays import ModelError

__all__ = ["BatchSums", "SampleMoments", "Sums"]


@dataclass(frozen=True)
class SampleMoments:
    """Moments of the predictions for ``N`` images, over the samples that saw each pixel.

    Attributes
    ----------
    mean : numpy.ndarray of float32, ``(N, C, H, W)``
        Mean probabilities, normalised to sum to 1 over the classes; NaN where no sample saw the
        pixel.
    expected_entropy : numpy.ndarray of float32, ``(N, H, W)``
        Mean of the samples' entropies, in nats; NaN where no sample saw the pixel.
    seen : numpy.ndarray of int32, ``(N, H, W)``
        How many samples saw the pixel.
    """

    mean: np.ndarray
    expected_entropy: np.ndarray
    seen: np.ndarray

    def __len__(self) -> int:
        return len(self.mean)


class BatchSums:
    """Sums over the samples of one batch, on the batch's device."""

    def __init__(self):
        self.probabilities = self.entropy = self.seen = None

    def add(self, probabilities: torch.Tensor, seen: torch.Tensor | None = None) -> None:
        """Add one sample.

        Parameters
        ----------
        probabilities : torch.Tensor, ``(B, C, H, W)``, float32
            0 in all classes where the sample did not see the pixel.
        seen : torch.Tensor of bool, ``(B, H, W)``, optional
            Everything was seen if left out.
        """
        # As torch.special.entr does, in half its time.
        smallest = torch.finfo(probabilities.dtype).tiny
        entropy = -(probabilities * probabilities.clamp_min(smallest).log_()).sum(dim=1)
        if seen is None:
            seen = torch.ones_like(entropy, dtype=torch.bool)
        if self.probabilities is None:
            self.probabilities, self.entropy = probabilities.clone(), entropy
            self.seen = seen.to(torch.int32)
        else:
            self.probabilities += probabilities
            self.entropy += entropy
            self.seen += seen


class Sums:
    """Sums over samples of all images, in main memory."""

    def __init__(self, images: int):
        self.images = images
        self.probabilities = self.entropy = self.seen = None

    def add(self, items: slice, sums: BatchSums) -> None:
        """Add what one batch summed up."""
        classes = sums.probabilities.shape[1]
        if self.probabilities is None:
            size = sums.probabilities.shape[2:]
            self.probabilities = torch.zeros(self.images, classes, *size)
            self.entropy = torch.zeros(self.images, *size)
            self.seen = torch.zeros(self.images, *size, dtype=torch.int32)
        if classes != self.probabilities.shape[1]:
            raise ModelError(
                f"models: expected the same classes from all, got {self.probabilities.shape[1]} "
                f"and {classes}."
            )
        self.probabilities[items] += sums.probabilities.to(self.probabilities.device)
        self.entropy[items] += sums.entropy.to(self.entropy.device)
        self.seen[items] += sums.seen.to(self.seen.device)

    def moments(self) -> SampleMoments:
        """Divide by what was seen; the sums become the result, so call it once."""
        # The classes' sum is the number of samples, up to rounding, and 0 where nothing was seen.
        mean = self.probabilities.div_(self.probabilities.sum(dim=1, keepdim=True))
        entropy = self.entropy.clamp_(min=0).div_(self.seen)
        return SampleMoments(mean.numpy(), entropy.numpy(), self.seen.numpy())
