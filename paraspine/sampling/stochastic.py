"""Test-time dropout."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from paraspine.sampling.inference import (
    Runner,
    Watcher,
    batches,
    check_count,
    check_images,
    check_seed,
    running,
    tell,
)
from paraspine.sampling.masks import Masks, dropping, sampled_layers
from paraspine.sampling.moments import BatchSums, SampleMoments, Sums

__all__ = ["predict_dropout"]


def predict_dropout(
    model: nn.Module,
    images,
    samples: int = 10,
    *,
    seed: int = 0,
    generator: torch.Generator | None = None,
    batch_size: int = 8,
    device="auto",
    precision: str = "auto",
    progress: bool = False,
    on_sample: Watcher | None = None,
) -> SampleMoments:
    """Predict with dropout on: test-time dropout (Gal and Ghahramani 2016).

    Only dropout layers act; all others, normalisation included, are in evaluation mode. The
    encoder runs once for each image, and of the decoder only what depends on the dropout runs for
    each sample. A network chooses its layers by a method ``sampled_dropout``; without one, all its
    dropout layers are sampled, and it runs as a whole if one of them is in its encoder or it has
    no ``encode`` and ``decode``.

    Masks are drawn from `seed`, the image's place in `images` and the sample's number alone, for
    one kind of device: they depend neither on `batch_size` nor on `samples`, and the global
    random state is neither read nor changed.

    Parameters
    ----------
    model, images, batch_size, device, precision, progress, on_sample
        As in `predict`. On a CPU small batches are the faster ones for large images.
    samples : int
        Samples ``T`` for each image.
    seed : int
        Of the masks.
    generator : torch.Generator, optional
        Draws the seed, instead of `seed`.

    Returns
    -------
    SampleMoments
        Of ``T`` samples.

    Raises
    ------
    ModelError
        As `predict`; also if the network has no dropout.
    ShapeError, ImageError, SettingsError
        As `predict`.
    """
    check_images(images)
    samples = check_count("samples", samples)
    seed = check_seed(seed, generator)
    sums = Sums(len(images))
    with running(model, device, precision, replay=True) as runner:
        layers = sampled_layers(runner.network)
        for items, batch in batches(images, batch_size, progress, "dropout"):
            again = _replay(runner, layers, runner.images(batch))
            numbers = range(items.start, items.stop)
            batch_sums = BatchSums()
            for sample in range(samples):
                logits = again(Masks(seed, numbers, sample, runner.device))
                probabilities = runner.probabilities(logits)
                batch_sums.add(probabilities)
                tell(on_sample, items, sample, probabilities)
            sums.add(items, batch_sums)
    return sums.moments()


def _replay(runner: Runner, layers, images: torch.Tensor) -> Callable[[Masks], torch.Tensor]:
    """Return what computes the logits of one sample, after doing what all samples share."""
    network = runner.network
    if not (hasattr(network, "encode") and hasattr(network, "decode")):
        return lambda masks: _dropped(network, images, layers, masks)
    inside = []
    handles = [layer.register_forward_hook(lambda *_: inside.append(1)) for layer in layers]
    try:
        features = network.encode(images)
    finally:
        for handle in handles:
            handle.remove()
    if inside:
        return lambda masks: _dropped(network, images, layers, masks)
    if hasattr(network, "replay") and "decode" not in vars(network):
        again = network.replay(features)
        return lambda masks: again(masks.clear)
    return lambda masks: _dropped(network.decode, features, layers, masks)


def _dropped(function, values, layers, masks: Masks) -> torch.Tensor:
    with dropping(layers, masks):
        return function(values)
