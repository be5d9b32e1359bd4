"""Single passes, ensembles and test-time augmentation."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import torch
from torch import nn

from paraspine import augmentation as augment
from paraspine.arrays import SettingsError
from paraspine.sampling.inference import (
    Watcher,
    batches,
    check_count,
    check_images,
    check_seed,
    running,
    tell,
)
from paraspine.sampling.moments import BatchSums, SampleMoments, Sums

__all__ = ["predict", "predict_ensemble", "predict_tta"]


def predict(
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
    return predict_ensemble(
        [model],
        images,
        batch_size=batch_size,
        device=device,
        precision=precision,
        progress=progress,
        on_sample=on_sample,
    )


def predict_ensemble(
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
        As in `predict`.

    Returns
    -------
    SampleMoments
        Of as many samples as there are models.

    Raises
    ------
    ModelError, ShapeError, ImageError
        As `predict`; also if the networks differ in their classes.
    SettingsError
        As `predict`; also if there is no model.
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
                tell(on_sample, items, member, probabilities)
        del model, runner
    if member < 0:
        raise SettingsError("models: expected at least one network, got none.")
    return sums.moments()


def predict_tta(
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
        As in `predict`.
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
        As in `predict_dropout`.

    Returns
    -------
    SampleMoments
        Of up to ``T`` samples, see `SampleMoments.seen`.

    Raises
    ------
    SettingsError
        As `predict`; also if the transformation has no inverse, or images may be mirrored without
        `mirror_classes`.
    ModelError, ShapeError, ImageError
        As `predict`.
    """
    check_images(images)
    samples = check_count("samples", samples)
    if not isinstance(augmentation, augment.Augmentation):
        raise SettingsError(
            f"augmentation: expected an Augmentation, got {type(augmentation).__name__}."
        )
    augment.check_invertible(augmentation)
    augment.check_mirror(augmentation, mirror_classes)
    source = torch.Generator().manual_seed(check_seed(seed, generator))
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
                tell(on_sample, items, sample, probabilities, seen)
            sums.add(items, batch_sums)
    return sums.moments()
