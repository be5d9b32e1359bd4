"""Dropout whose masks are a function of seed, image and sample, and of nothing else."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from torch import nn

from paraspine.arrays import ModelError
from paraspine.dropout import clear, keep_bits, random_words, threshold_of, words_for

__all__ = ["Masks", "dropping", "sampled_layers"]

_BY_CHANNEL = (nn.Dropout1d, nn.Dropout2d, nn.Dropout3d)


def sampled_layers(model: nn.Module) -> list[nn.Module]:
    """Return the dropout layers that are sampled: the model's choice, or all with a rate above 0.

    Raises
    ------
    ModelError
        If there is none, or one of a kind that does not set values to 0.
    """
    if hasattr(model, "sampled_dropout"):
        layers = list(model.sampled_dropout())
    else:
        kinds = (nn.Dropout, *_BY_CHANNEL, nn.AlphaDropout, nn.FeatureAlphaDropout)
        layers = [m for m in model.modules() if isinstance(m, kinds) and m.p > 0]
    for layer in layers:
        if isinstance(layer, (nn.AlphaDropout, nn.FeatureAlphaDropout)):
            raise ModelError(
                f"model: {type(layer).__name__} cannot be sampled; use Dropout or Dropout2d."
            )
    if not layers:
        raise ModelError(
            "model: no dropout layer with a rate above 0, so every sample would be the same; "
            "build and train it with dropout, or use sampling.predict or sampling.ensemble."
        )
    return layers


class Masks:
    """The dropout of one sample of a batch.

    Every item has a random stream of its own, seeded by `seed`, its image's number and the
    sample's, and the dropout layers take from it in the order in which they run. So a mask does
    not depend on how images are cut into batches, nor on how much of the network is run again.

    Parameters
    ----------
    seed : int
        Of all samples.
    images : sequence of int
        Numbers of the batch's images.
    sample : int
        Number of the sample.
    device : torch.device
        Where the values are; streams of different kinds of devices differ.
    """

    def __init__(self, seed: int, images: Sequence[int], sample: int, device: torch.device):
        seeds = [np.random.SeedSequence((seed, image, sample)) for image in images]
        if torch.device(device).type == "cpu":
            self.streams = [np.random.SFC64(seed) for seed in seeds]
        else:
            self.streams = [_generator(seed, device) for seed in seeds]

    def __call__(self, rate: float, values: torch.Tensor, by_channel: bool = False) -> torch.Tensor:
        """Apply dropout: set a share of the values to 0 and scale the others up."""
        return self.clear(rate, values, by_channel=by_channel).mul_(
            1 / (1 - rate) if rate < 1 else 1
        )

    def clear(
        self,
        rate: float,
        values: torch.Tensor,
        in_place: bool = False,
        by_channel: bool = False,
    ) -> torch.Tensor:
        """Set a share of the values to 0, without scaling.

        Parameters
        ----------
        rate : float
            Share that is set to 0, rounded to a multiple of 2^-16.
        values : torch.Tensor, ``(B, ...)``
            Floating-point, one entry per item.
        in_place : bool
            Whether `values` may be overwritten.
        by_channel : bool
            Whether whole channels are cleared.

        Returns
        -------
        torch.Tensor
            Of the shape and dtype of `values`.
        """
        threshold = threshold_of(rate)
        if threshold >= 2**16:
            return torch.zeros_like(values)
        return clear(values, self._keep(values, threshold, by_channel), in_place)

    def _keep(self, values: torch.Tensor, threshold: int, by_channel: bool) -> torch.Tensor:
        """Return -1 (all bits set) where a value is kept, else 0."""
        items = len(self.streams)
        if values.ndim < 2 or values.shape[0] % items:
            raise ModelError(
                f"model: expected dropout on (batch, ...) values of {items} images, got shape "
                f"{tuple(values.shape)}."
            )
        shape = [values.shape[0] // items, *values.shape[1:]]
        if by_channel:
            shape[2:] = [1] * len(shape[2:])
        # Pixels first, as channels-last memory has them.
        shape = [shape[0], *shape[2:], shape[1]]
        count = math.prod(shape)
        words = [_words(words_for(count), stream) for stream in self.streams]
        draws = torch.stack(words) if items > 1 else words[0][None]
        keep = keep_bits(draws, threshold)[:, :count].unflatten(1, shape).movedim(-1, 2)
        return keep.flatten(0, 1) if shape[0] > 1 else keep[:, 0]


def _generator(seed: np.random.SeedSequence, device: torch.device) -> torch.Generator:
    generator = torch.Generator(device=device)
    generator.manual_seed(int(seed.generate_state(1, np.uint64)[0] >> np.uint64(1)))
    return generator


def _words(count: int, stream: np.random.SFC64 | torch.Generator) -> torch.Tensor:
    if isinstance(stream, torch.Generator):
        draws = torch.empty(count, dtype=torch.int64, device=stream.device)
        return draws.random_(-(2**63), None, generator=stream)
    return random_words(count, stream)


@contextmanager
def dropping(layers: Sequence[nn.Module], drop: Masks) -> Iterator[None]:
    """Let dropout layers, which are and stay in evaluation mode, drop values by given masks."""

    def hook(layer, _, output):
        return drop(layer.p, output, by_channel=isinstance(layer, _BY_CHANNEL))

    handles = [layer.register_forward_hook(hook) for layer in layers]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
