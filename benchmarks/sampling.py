"""Dropout samples of full-size networks."""

from __future__ import annotations

import functools

import numpy as np
import torch

from benchmarks import plain
from benchmarks.material import Benchmark, Material
from benchmarks.timing import Case, Row
from paraspine import models, sampling
from paraspine.processor import computes_bf16
from paraspine.sampling.masks import Masks, dropping

__all__ = ["BENCHMARKS", "without_bf16"]

CLASSES, SAMPLES = 5, 10
#: How many times as fast as full passes, by network and precision.
BOUNDS = {
    "transunet": {"float32": 5.0, "bf16": 10.0},
    "unet": {"float32": 2.2, "bf16": 4.5},
}
TITLES = {"unet": "UNet", "transunet": "TransUNet"}


def without_bf16() -> str | None:
    """Say that the processor has no bf16, where it has none."""
    return None if computes_bf16() else "the processor does not compute in bf16"


def make_dropout(name: str, material: Material) -> Case:
    small = {"width": 8} if name == "unet" else {"width": 8, "layers": 2}
    model = models.build(name, 1, CLASSES, **material.size({}, small)).eval()
    # The network is prepared once a call; more images where that is a larger share of the time.
    images = material.images(material.size(2 if name == "unet" else 6, 1))
    batch = torch.from_numpy(images)
    side = images.shape[2]

    def ours(precision: str):
        return sampling.predict_dropout(
            model, images, SAMPLES, batch_size=1, device="cpu", precision=precision
        )

    full = plain.with_torchs_own(model)

    def rival() -> list[tuple[torch.Tensor, torch.Tensor]]:
        return [full_passes(full, image[None]) for image in batch]

    def check() -> None:
        # The same masks in both: what the fast path leaves out must not change a sample.
        rival()
        samples = torch.stack([masked_pass(full, batch, sample) for sample in range(2)])
        mean = samples.mean(dim=0).numpy()
        for precision in bounds:
            found = sampling.predict_dropout(
                model, images, 2, batch_size=1, device="cpu", precision=precision
            )
            difference = np.abs(found.mean - mean)
            worst, usual = float(difference.max()), float(difference.mean())
            words = (
                f"{precision}: full passes differ by {worst:.2g} at most, {usual:.2g} on average"
            )
            assert worst < 1e-4 if precision == "float32" else usual < 0.01, words
        spread = float(samples.std(dim=0).mean())
        assert spread > 1e-4, f"samples hardly differ ({spread:.2g})"

    bounds = {k: v for k, v in BOUNDS[name].items() if k == "float32" or computes_bf16()}
    return Case(
        rows=[
            Row(
                f"{SAMPLES} dropout samples, full-size {TITLES[name]}, {side} x {side}, "
                f"{precision}",
                f"{SAMPLES} full forward passes in float32",
                functools.partial(ours, precision),
                rival,
                bound,
            )
            for precision, bound in bounds.items()
        ],
        check=check,
        threads=material.threads,
        note=f"{models.parameter_count(model) / 1e6:.1f} million parameters, {len(images)} images "
        "one by one, mean and expected entropy on both sides; the full passes with torch's own "
        "dropout, enlargement and transposed convolution; with the same masks equal to 1e-4 in "
        "float32, to 0.01 on average in bf16",
        rounds=5,
    )


def full_passes(model, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean probabilities and expected entropy of full passes with torch's own dropout."""
    for layer in model.sampled_dropout():
        layer.train()
    total = entropy = 0.0
    try:
        with torch.inference_mode():
            for _ in range(SAMPLES):
                probabilities = torch.softmax(model(images), dim=1)
                total = total + probabilities
                entropy = entropy + torch.special.entr(probabilities).sum(dim=1)
    finally:
        model.eval()
    return total / SAMPLES, entropy / SAMPLES


def masked_pass(model, images: torch.Tensor, sample: int) -> torch.Tensor:
    """Probabilities of a full pass with the masks of `sampling.predict_dropout`, seed 0."""
    masks = Masks(0, range(len(images)), sample, torch.device("cpu"))
    with torch.inference_mode(), dropping(model.sampled_dropout(), masks):
        return torch.softmax(model(images), dim=1)


BENCHMARKS = tuple(
    Benchmark(f"dropout-{name}", functools.partial(make_dropout, name))
    for name in ("transunet", "unet")
    if name in models.names()
)
