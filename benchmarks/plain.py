"""What a user of MONAI would write: transforms, cached data, loaders, a training loop."""

from __future__ import annotations

import copy
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch

from paraspine.augmentation import Augmentation
from paraspine.dropout import Dropout
from paraspine.models.enlarge import Twofold
from paraspine.models.transposed import TwofoldTransposed

__all__ = ["best_loader", "cached", "random_transforms", "with_torchs_own", "without_metadata"]


def random_transforms(settings: Augmentation, size: Sequence[int], keys=("image", "label")) -> list:
    """MONAI's transforms that do what an `Augmentation` does: move, shift intensities, add noise.

    Images are interpolated linearly, labels by nearest neighbour; the grid is kept between calls.
    """
    with quiet():
        from monai.transforms import RandAffined, RandGaussianNoised, RandShiftIntensityd

    pixels = [settings.translation * side for side in size]
    return [
        RandAffined(
            keys,
            prob=1.0,
            rotate_range=settings.rotation,
            translate_range=pixels,
            spatial_size=tuple(size),
            mode=["bilinear" if key == "image" else "nearest" for key in keys],
            padding_mode="zeros",
            cache_grid=True,
        ),
        RandShiftIntensityd("image", offsets=settings.intensity_shift, prob=1.0),
        RandGaussianNoised("image", std=settings.noise, prob=1.0, sample_std=False),
    ]


def cached(images: np.ndarray, labels: np.ndarray, settings: Augmentation, metadata: bool = True):
    """Images ``(N, 1, H, W)`` and labels ``(N, H, W)`` as a CacheDataset with random transforms.

    With `metadata`, MONAI's default, they are MetaTensors; otherwise plain tensors, and what loads
    them should run inside `without_metadata`.
    """
    with quiet():
        from monai.data import CacheDataset
        from monai.transforms import Compose, EnsureTyped

    items = [
        {"image": image, "label": label[None]} for image, label in zip(images, labels, strict=True)
    ]
    steps = [EnsureTyped(("image", "label"), track_meta=metadata)]
    steps += random_transforms(settings, images.shape[2:])
    return CacheDataset(items, Compose(steps), progress=False)


def best_loader(dataset, batch_size: int, counts: Sequence[int], epoch: Callable) -> tuple:
    """Return the loader whose number of workers is fastest, and that number.

    Parameters
    ----------
    dataset : monai.data.CacheDataset
        What is loaded, shuffled.
    batch_size : int
        Items of a batch.
    counts : sequence of int
        Numbers of worker processes to try; they stay alive between epochs.
    epoch : callable
        ``epoch(loader)`` is what is timed, the second time.
    """
    with quiet():
        from monai.data import DataLoader

    tried = {}
    for count in counts:
        loader = DataLoader(
            dataset,
            batch_size=batch_size,
            shuffle=True,
            num_workers=count,
            persistent_workers=count > 0,
        )
        epoch(loader)
        start = time.perf_counter()
        epoch(loader)
        tried[count] = (time.perf_counter() - start, loader)
    best = min(tried, key=lambda count: tried[count][0])
    return tried[best][1], best


@contextmanager
def without_metadata() -> Iterator[None]:
    """Plain tensors instead of MONAI's MetaTensor, as its guide to fast training advises."""
    with quiet():
        from monai.data import get_track_meta, set_track_meta
    before = get_track_meta()
    set_track_meta(False)
    try:
        yield
    finally:
        set_track_meta(before)


@contextmanager
def quiet() -> Iterator[None]:
    """Silence the warnings of MONAI's own imports."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def threads_for_workers(threads: int) -> list[int]:
    """Numbers of worker processes worth a try: none to one per processor."""
    return sorted({0, 1, threads})


def as_tensor(values) -> torch.Tensor:
    """Return a plain tensor of what MONAI gives."""
    return values.as_tensor() if hasattr(values, "as_tensor") else torch.as_tensor(values)


def with_torchs_own(network: torch.nn.Module) -> torch.nn.Module:
    """Return a copy of a network with torch's own layers in place of paraspine's faster ones."""
    network = copy.deepcopy(network)
    for parent in list(network.modules()):
        for name, layer in parent.named_children():
            if isinstance(layer, Dropout):
                setattr(parent, name, torch.nn.Dropout(layer.p).train(layer.training))
            elif isinstance(layer, Twofold):
                own = torch.nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True)
                setattr(parent, name, own)
            elif isinstance(layer, TwofoldTransposed):
                sizes = layer.in_channels, layer.out_channels, 2, 2
                own = torch.nn.utils.skip_init(torch.nn.ConvTranspose2d, *sizes)
                own.weight, own.bias = layer.weight, layer.bias
                setattr(parent, name, own)
    return network
