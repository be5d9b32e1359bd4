"""Random transformations of a training batch, and test-time augmentation without its network."""

from __future__ import annotations

import contextlib
import functools
from collections import Counter

import numpy as np
import torch

from benchmarks import plain
from benchmarks.material import Benchmark, Material
from benchmarks.timing import Case, Row
from paraspine import augmentation, sampling

__all__ = ["BENCHMARKS"]

BATCH = 8
SAMPLES = 10


def make_training(metadata: bool, material: Material) -> Case:
    count = material.size(48, 8)
    images, labels = material.images(count), material.votes(count)
    settings = augmentation.Augmentation()
    inputs, targets = torch.from_numpy(images), torch.from_numpy(labels)
    generator = torch.Generator().manual_seed(0)
    context = contextlib.nullcontext if metadata else plain.without_metadata

    def ours() -> None:
        for chosen in torch.randperm(count, generator=generator).split(BATCH):
            drawn = augmentation.draw(settings, len(chosen), generator=generator)
            augmentation.apply(drawn, inputs[chosen])
            augmentation.apply_labels(drawn, targets[chosen])

    def epoch(loader) -> None:
        with context():
            assert sum(len(batch["image"]) for batch in loader) == count

    dataset = plain.cached(images, labels, settings, metadata)
    loader, workers = plain.best_loader(
        dataset, BATCH, plain.threads_for_workers(material.threads), epoch
    )

    def check() -> None:
        ours()
        epoch(loader)
        compare_with_monai(inputs[:BATCH], targets[:BATCH], settings)

    side = images.shape[2]
    against = "MONAI CacheDataset + the same random transforms, best worker count"
    return Case(
        rows=[
            Row(
                f"augmentation of a training batch of {BATCH}, {side} x {side}",
                against if metadata else f"{against}, metadata switched off",
                ours,
                lambda: epoch(loader),
                3.5 if metadata else 1.0,
            )
        ],
        check=check,
        threads=material.threads,
        note=f"{count} images and label maps in batches of {BATCH}: rotation, translation, shift, "
        f"noise; MONAI with {workers} worker processes, grid cached; images equal to 1e-3 for the "
        "same transformation, labels but for one pixel in 1000",
        rounds=11,
    )


def compare_with_monai(images, labels, settings) -> None:
    """Assert that MONAI gives the same images and labels for the same movements."""
    with plain.quiet():
        from monai.transforms import Affine
    still = augmentation.Augmentation(
        settings.rotation, settings.translation, intensity_shift=0, noise=0
    )
    drawn = augmentation.draw(still, len(images), generator=torch.Generator().manual_seed(1))
    moved = augmentation.apply(drawn, images)
    followed = augmentation.apply_labels(drawn, labels)
    for i in range(len(images)):
        rotation, shift = movement(drawn, i, images.shape[2:])
        options = {"rotate_params": rotation, "translate_params": shift, "padding_mode": "zeros"}
        theirs, _ = Affine(**options, mode="bilinear")(images[i])
        difference = float((moved[i] - plain.as_tensor(theirs)).abs().max())
        assert difference < 1e-3, f"an image differs from MONAI's by {difference:.2g}"
        theirs, _ = Affine(**options, mode="nearest")(labels[i][None])
        share = float((followed[i] != plain.as_tensor(theirs)[0]).float().mean())
        assert share < 1e-3, f"{share:.2%} of a label map differ from MONAI's"


def movement(drawn, item: int, size) -> tuple[float, list[float]]:
    """Rotation and translation (pixels) of an item as MONAI has them, the other way round."""
    shift = [-float(t) * side for t, side in zip(drawn.translation[item], size, strict=True)]
    return -float(drawn.rotation[item]), shift


def make_tta(material: Material) -> Case:
    images = material.images(material.size(4, 1))
    settings = augmentation.Augmentation()
    network = nearly_free_network()
    size = images.shape[2:]
    seeds = Counter()

    def ours():
        seeds["next"] += 1
        return samples_of(images, settings, network, seed=seeds["next"])

    transform = plain.random_transforms(settings, size, keys=("image",))

    def rival() -> list[tuple[torch.Tensor, torch.Tensor]]:
        moments = []
        for image in images:
            samples = monai_samples(image, transform, network, SAMPLES)
            expected = torch.special.entr(samples).sum(dim=1).mean(dim=0)
            moments.append((samples.mean(dim=0), expected))
        return moments

    def check() -> None:
        ours()
        rival()
        compare_tta(images[:1], network)

    return Case(
        rows=[
            Row(
                f"TTA, {SAMPLES} samples, without the network's own time",
                "MONAI's TestTimeAugmentation",
                ours,
                rival,
                3.5,
            )
        ],
        check=check,
        threads=material.threads,
        note=f"{len(images)} images of {size[0]} x {size[1]}, 5 classes, a 1 x 1 convolution for a "
        "network; rotation, translation, shift, noise; mean and expected entropy on both sides; "
        "equal to 1e-4 for the same movements where the sample saw the pixel",
    )


def samples_of(images, settings, network, seed: int, samples: int = SAMPLES, watch=None):
    """Our test-time augmentation in float32 on the CPU."""
    return sampling.predict_tta(
        network,
        images,
        samples,
        augmentation=settings,
        seed=seed,
        batch_size=4,
        device="cpu",
        precision="float32",
        on_sample=watch,
    )


def monai_samples(image: np.ndarray, transforms: list, network, samples: int) -> torch.Tensor:
    """MONAI's samples ``(T, C, H, W)`` of an image ``(1, H, W)``."""
    with plain.quiet():  # it warns that what doesn't move pixels has no inverse
        from monai.data import MetaTensor, TestTimeAugmentation
        from monai.transforms import Compose

        augment = TestTimeAugmentation(
            Compose(transforms),
            batch_size=samples,
            inferrer_fn=lambda batch: torch.softmax(network(batch), dim=1),
            orig_key="image",
            nearest_interp=False,
            return_full_data=True,
            progress=False,
        )
        with torch.no_grad():
            return plain.as_tensor(augment({"image": MetaTensor(image)}, num_examples=samples))


def compare_tta(images: np.ndarray, network, samples: int = 3) -> None:
    """Assert that both give the same samples for the same movements."""
    with plain.quiet():
        from monai.transforms import RandAffined
    settings = augmentation.Augmentation(intensity_shift=0, noise=0)
    found = {}
    samples_of(
        images, settings, network, 5, samples, lambda _, t, p, seen: found.update({t: (p, seen)})
    )
    drawn = augmentation.draw(settings, samples, generator=torch.Generator().manual_seed(5))
    for t, (probabilities, seen) in found.items():
        angle, shift = movement(drawn, t, images.shape[2:])
        moving = RandAffined(
            ("image",),
            prob=1.0,
            rotate_range=[(angle, angle)],
            translate_range=[(s, s) for s in shift],
            padding_mode="zeros",
        )
        theirs = monai_samples(images[0], [moving], network, 1)[0].numpy()
        inside = seen[0] & (theirs.sum(axis=0) > 1 - 1e-5)  # MONAI blends zeros in at the border
        assert inside.mean() > 0.3, "no pixel was seen by both"
        difference = np.abs(probabilities[0] - theirs)[:, inside].max()
        assert difference < 1e-4, f"a sample differs from MONAI's by {difference:.2g}"


def nearly_free_network() -> torch.nn.Module:
    """A network that takes next to no time: a 1 x 1 convolution to five classes."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        return torch.nn.Conv2d(1, 5, 1).eval()


BENCHMARKS = (
    Benchmark("augmentation", functools.partial(make_training, True)),
    Benchmark("augmentation-without-metadata", functools.partial(make_training, False)),
    Benchmark("tta", make_tta),
)
