"""One epoch of training against a plain float32 loop with MONAI's parts."""

from __future__ import annotations

import copy
import functools
import shutil

import numpy as np
import torch

from benchmarks import plain
from benchmarks.material import Benchmark, Material, processors
from benchmarks.sampling import TITLES, without_bf16
from benchmarks.timing import Case, Row
from paraspine import augmentation, models, runs, session, training

__all__ = ["BENCHMARKS"]

CLASSES = 5


def make_epoch(name: str, together: bool, material: Material) -> Case:
    """One epoch on one thread, as the graph runs trainings side by side, or on all threads."""
    threads = material.threads if together else 1
    torch.set_num_threads(threads)
    manner = "on all threads" if together else "on one thread, as in the graph"
    profile = session.load_profile(session.project_root() / "profiles" / "quick.yaml")
    options = {k: v for k, v in profile.items() if k in models.options(name)}
    options |= material.size({}, {"width": 4})
    network = models.build(name, 1, CLASSES, **options)
    # About as many as an epoch of the quick profile has.
    count = material.size(84, 8)
    images, labels = material.images(count), material.votes(count)
    size = images.shape[2:]
    settings = training.Settings(
        optimizer="adamw",
        learning_rate=profile["learning_rate"],
        schedule="constant",
        weight_decay=profile["weight_decay"],
        epochs=1,
        batch_size=profile["batch_size"],
        clip=profile["clip"],
        precision="bf16",
        device="cpu",
        augmentation=augmentation.Augmentation(
            rotation=profile["rotation"],
            translation=profile["translation"],
            intensity_shift=profile["intensity_shift"],
            noise=profile["noise"],
        ),
    )

    def ours() -> None:
        train(network, images, labels, settings, material)

    def epoch(loader) -> list[float]:
        return plain_epochs(network, loader, settings)

    dataset = plain.cached(images, labels, settings.augmentation)
    # A worker would be a second thread.
    candidates = sorted({0, min(2, material.threads)}) if together else [0]
    loader, workers = plain.best_loader(dataset, settings.batch_size, candidates, epoch)

    def check() -> None:
        ours()
        compare_losses(name, options, images[:8], labels[:8], settings, material)

    return Case(
        rows=[
            Row(
                f"one training epoch, quick-size {TITLES[name]}, {size[0]} x {size[1]}, bf16, "
                f"{manner}",
                "the same network and data in a plain float32 MONAI loop",
                ours,
                lambda: epoch(loader),
                2.5,
            )
        ],
        check=check,
        threads=threads,
        note=f"{count} images in batches of {settings.batch_size}, augmented; "
        f"{models.parameter_count(network) / 1e6:.2f} million parameters; ours with the "
        f"files that it leaves; MONAI with CacheDataset, DiceCELoss, torch's own dropout, "
        f"enlargement and transposed convolution, {workers} worker processes; the first "
        "loss equal to 1e-5 in float32 and 0.02 in bf16, the second to 2e-3",
        rounds=5,
    )


def train(network, images, labels, settings, material: Material) -> np.ndarray:
    """Train a copy of a network with `training.fit`; returns the loss of each epoch."""
    data = training.Data(images, labels, None, None, num_classes=CLASSES)
    folder = material.folder / "epoch"
    shutil.rmtree(folder, ignore_errors=True)
    run = runs.start(folder, {})
    history = training.fit(copy.deepcopy(network), data, settings, run)
    return history.frame["train_loss"].to_numpy()


def plain_epochs(network, loader, settings, epochs: int = 1) -> list[float]:
    """Train a copy of a network in float32; returns the loss of each step."""
    with plain.quiet():
        from monai.losses import DiceCELoss

    model = plain.with_torchs_own(network).train()
    criterion = DiceCELoss(softmax=True, to_onehot_y=True, batch=True)
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
    )
    losses = []
    for _ in range(epochs):
        for batch in loader:
            optimizer.zero_grad()
            loss = criterion(model(batch["image"]), batch["label"])
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), settings.clip)
            optimizer.step()
            losses.append(loss.item())
    return losses


def compare_losses(name, options, images, labels, settings, material: Material) -> None:
    """Assert equal losses without randomness: no dropout, no augmentation, one batch an epoch."""
    changes = {"augmentation": None, "epochs": 2, "batch_size": len(images)}
    network = models.build(name, 1, CLASSES, **options | {"dropout": 0.0})
    middle = slice(images.shape[2] // 2 - 32, images.shape[2] // 2 + 32)
    images, labels = images[..., middle, middle], labels[..., middle, middle]
    batch = {"image": torch.from_numpy(images), "label": torch.from_numpy(labels[:, None])}
    theirs = plain_epochs(network, [batch], settings, epochs=2)
    found = {
        precision: train(
            network,
            images,
            labels,
            copy_settings(settings, precision=precision, **changes),
            material,
        )
        for precision in ("float32", "bf16")
    }
    for precision, step, allowed in (("float32", 0, 1e-5), ("float32", 1, 2e-3), ("bf16", 0, 0.02)):
        gap = abs(found[precision][step] / theirs[step] - 1)
        assert gap < allowed, f"loss {step + 1} in {precision} differs by {gap:.2g} of it"


def copy_settings(settings: training.Settings, **changes) -> training.Settings:
    """Return settings with other values."""
    return training.Settings(**vars(settings) | changes)


def without_threads() -> str | None:
    """Say why there is nothing to see with several threads."""
    return without_bf16() or (None if processors() > 1 else "there is one processor")


BENCHMARKS = tuple(
    Benchmark(
        f"epoch-{name}" + ("-threads" if together else ""),
        functools.partial(make_epoch, name, together),
        without_threads if together else without_bf16,
    )
    for name in ("unet", "transunet")
    if name in models.names()
    for together in (False, True)
)
