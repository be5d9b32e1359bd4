"""The sampling methods."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import torch
from torch import nn

from paraspine import augmentation as augment
from paraspine.arrays import SettingsError
from paraspine.sampling.inference import Runner, batches, check_count, check_images, running
from paraspine.sampling.masks import Masks, dropping, sampled_layers
from paraspine.sampling.moments import BatchSums, SampleMoments, Sums

__all__ = ["augmented", "dropout", "ensemble", "single"]

#: ``on_sample(images, sample, probabilities, seen)``.
Watcher = Callable[[slice, int, np.ndarray, np.ndarray], None]


def single(
    model: nn.Module,
    images,
    *,
    batch_size: int = 8,
    device="auto",
    precision: str = "auto",
    progress: bool = False,
    on_sample: Watcher | None = None,
) -> SampleMoments:
    """Predict once, without dropout: the softmax's own uncertainty.

    Parameters
    ----------
    model : torch.nn.Module
        Computes logits ``(B, C, H, W)``; normalisation in evaluation mode. It is left as it was.
    images : array or tensor, ``(N, channels, H, W)``
        Intensities, scaled as in training.
    batch_size : int
        Images at a time; the result does not depend on it beyond rounding.
    device : str or torch.device
        "auto" takes a GPU if there is one.
    precision : str
        "float32", "bf16", or "auto": bf16 where the processor computes in it. Probabilities and
        their moments are always computed in float32.
    progress : bool
        Whether to show a progress bar.
    on_sample : callable, optional
        Called with every sample as ``on_sample(images, sample, probabilities, seen)``: the slice
        of images, the sample's number, probabilities ``(B, C, H, W)`` in float32 (NaN where the
        sample did not see the pixel) and ``(B, H, W)`` bool; for what moments do not tell.

    Returns
    -------
    SampleMoments
        Of one sample.

    Raises
    ------
    ModelError
        If normalisation is in training mode, or the images do not fit the network.
    ShapeError, ImageError
        If the images have the wrong axes, or are not finite.
    SettingsError
        If an argument is of the wrong type or out of range.
    """
    return ensemble(
        [model],
        images,
        batch_size=batch_size,
        device=device,
        precision=precision,
        progress=progress,
        on_sample=on_sample,
    )


def ensemble(
    models: Iterable[nn.Module | Callable[[], nn.Module]],
    images,
    *,
    batch_size: int = 8,
    device="auto",
    precision: str = "auto",
    progress: bool = False,
    on_sample: Watcher | None = None,
) -> SampleMoments:
    """Predict with several networks, each one sample (Lakshminarayanan et al. 2017).

    Parameters
    ----------
    models : iterable of torch.nn.Module, or of functions that return one
        Functions, such as ``functools.partial(models.load, path)``, are called one after another,
        so that one network at a time is in memory.
    images, batch_size, device, precision, progress, on_sample
        As in `single`.

    Returns
    -------
    SampleMoments
        Of as many samples as there are models.

    Raises
    ------
    ModelError, ShapeError, ImageError
        As `single`; also if the networks differ in their classes.
    SettingsError
        As `single`; also if there is no model.
    """
    check_images(images)
    if isinstance(models, nn.Module):
        raise SettingsError("models: expected several networks, got one; use sampling.single.")
    sums = Sums(len(images))
    member = -1
    for member, model in enumerate(models):
        if not isinstance(model, nn.Module) and callable(model):
            model = model()
        with running(model, device, precision) as runner:
            for items, batch in batches(images, batch_size, progress, f"model {member + 1}"):
                probabilities = runner.probabilities(runner.network(runner.images(batch)))
                one = BatchSums()
                one.add(probabilities)
                sums.add(items, one)
                _tell(on_sample, items, member, probabilities)
        del model, runner
    if member < 0:
        raise SettingsError("models: expected at least one network, got none.")
    return sums.moments()


def dropout(
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
        As in `single`. On a CPU small batches are the faster ones for large images.
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
        As `single`; also if the network has no dropout.
    ShapeError, ImageError, SettingsError
        As `single`.
    """
    check_images(images)
    samples = check_count("samples", samples)
    seed = _seed(seed, generator)
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
                _tell(on_sample, items, sample, probabilities)
            sums.add(items, batch_sums)
    return sums.moments()


def augmented(
    model: nn.Module,
    images,
    samples: int = 10,
    *,
    augmentation: augment.Augmentation,
    mirror_classes: Sequence[int] | None = None,
    fill: float | str = 0.0,
    spacing: Sequence[float] = (1.0, 1.0),
    seed: int = 0,
    generator: torch.Generator | None = None,
    batch_size: int = 8,
    device="auto",
    precision: str = "auto",
    progress: bool = False,
    on_sample: Watcher | None = None,
) -> SampleMoments:
    """Predict for transformed images and bring the predictions back (Wang et al. 2019).

    Geometry is inverted on the probabilities. A pixel that left the image in a sample is left out
    of that pixel's mean; one that left it in all of them is NaN, with 0 samples seen.

    The transformations of an image depend on `seed`, its place in `images` and `samples`, not on
    `batch_size`.

    Parameters
    ----------
    model, images, batch_size, device, precision, progress, on_sample
        As in `single`.
    samples : int
        Samples ``T`` for each image.
    augmentation : Augmentation
        What is drawn; as in training, as published.
    mirror_classes : sequence of int, ``(C,)``, optional
        Which class each becomes in a mirrored image; needed if images may be mirrored.
    fill : float or "border"
        What lies outside the image, as in training.
    spacing : (float, float)
        Pixel spacing (rows, columns).
    seed, generator
        As in `dropout`.

    Returns
    -------
    SampleMoments
        Of up to ``T`` samples, see `SampleMoments.seen`.

    Raises
    ------
    SettingsError
        As `single`; also if the transformation has no inverse, or images may be mirrored without
        `mirror_classes`.
    ModelError, ShapeError, ImageError
        As `single`.
    """
    check_images(images)
    samples = check_count("samples", samples)
    if not isinstance(augmentation, augment.Augmentation):
        raise SettingsError(
            f"augmentation: expected an Augmentation, got {type(augmentation).__name__}."
        )
    augment.check_invertible(augmentation)
    augment.check_mirror(augmentation, mirror_classes)
    source = torch.Generator().manual_seed(_seed(seed, generator))
    drawn = augment.draw(augmentation, len(images) * samples, generator=source, spacing=spacing)
    sums = Sums(len(images))
    with running(model, device, precision) as runner:
        for items, batch in batches(images, batch_size, progress, "augmented"):
            batch = batch.to(runner.device)
            batch_sums = BatchSums()
            for sample in range(samples):
                places = [image * samples + sample for image in range(items.start, items.stop)]
                parameters = drawn[places].to(runner.device)
                moved = augment.apply(parameters, batch, fill=fill)
                probabilities, seen = augment.invert(
                    parameters,
                    runner.probabilities(runner.network(runner.images(moved))),
                    mirror_classes=mirror_classes,
                )
                batch_sums.add(probabilities, seen)
                _tell(on_sample, items, sample, probabilities, seen)
            sums.add(items, batch_sums)
    return sums.moments()


def _seed(seed: int, generator: torch.Generator | None) -> int:
    if generator is not None:
        if not isinstance(generator, torch.Generator):
            raise SettingsError(f"generator: expected a torch.Generator, got {generator!r}.")
        return int(
            torch.randint(2**63 - 1, (), generator=generator, device=generator.device).item()
        )
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or not 0 <= seed < 2**63:
        raise SettingsError(f"seed: expected a whole number from 0 to 2^63 - 1, got {seed!r}.")
    return int(seed)


def _tell(watcher: Watcher | None, items, sample, probabilities, seen=None) -> None:
    if watcher is None:
        return
    if seen is None:
        seen = torch.ones_like(probabilities[:, 0], dtype=torch.bool)
    values = probabilities.masked_fill(~seen[:, None], torch.nan)
    watcher(items, sample, values.cpu().numpy(), seen.cpu().numpy())


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
