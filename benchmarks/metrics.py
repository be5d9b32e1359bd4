"""Average precision and calibration error over millions of voxels."""

from __future__ import annotations

import math
import tracemalloc
from functools import cache

import numpy as np
from scipy.special import entr

from benchmarks.material import Benchmark, Material
from benchmarks.timing import Case, Limit, Row

__all__ = ["BENCHMARKS"]

CLASSES = 5


def make_average_precision(material: Material) -> Case:
    from sklearn.metrics import average_precision_score

    from paraspine import metrics

    voxels = material.size(26_000_000, 2_000_000)
    uncertainty, error = entropies(voxels)
    words = f"average precision over {voxels // 10**6} million voxels"

    def ours() -> float:
        return metrics.average_precision(uncertainty, error)

    def rival() -> float:
        return average_precision_score(error, uncertainty)

    def check() -> list[Limit]:
        tracemalloc.start()
        found = ours()
        extra = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        difference = abs(found - rival())
        assert difference < 1e-5, f"scikit-learn differs by {difference:.2g}, allowed are 1e-5"
        return [
            Limit(f"{words}: extra memory", "64 MiB", extra / 2**20, 64),
            Limit(f"{words}: difference from scikit-learn", "1e-5", difference, 1e-5),
        ]

    return Case(
        rows=[Row(words, "scikit-learn on all of them", ours, rival, 30)],
        check=check,
        threads=1,
        note="entropies of 5-class softmax in float32, half of them below 0.02, one error in 20",
        rounds=5,
    )


def entropies(voxels: int) -> tuple[np.ndarray, np.ndarray]:
    """Entropies ``(voxels,)`` float32 that pile up near zero, and errors likelier where high."""
    generator = np.random.default_rng(0)
    uncertainty, error = np.empty(voxels, np.float32), np.empty(voxels, bool)
    for start in range(0, voxels, 1 << 20):
        part = slice(start, min(start + (1 << 20), voxels))
        count = part.stop - part.start
        logits = generator.standard_normal((CLASSES, count), dtype=np.float32)
        logits *= 2
        logits[0] = 1.5 * logits[0] + 9
        logits -= logits.max(axis=0)
        np.exp(logits, out=logits)
        logits /= logits.sum(axis=0)
        entr(logits).sum(axis=0, out=uncertainty[part])
        error[part] = generator.random(count, dtype=np.float32) < 1.5 * (1 - logits.max(axis=0))
    return uncertainty, error


def make_ece(material: Material) -> Case:
    import torch
    from torchmetrics.functional.classification import multiclass_calibration_error

    from paraspine import metrics

    images, side = material.size((76, 256), (4, 128))
    probabilities, reference = predictions(images, side)
    theirs, target = torch.from_numpy(probabilities), torch.from_numpy(reference)
    words = f"ECE over {'5 million' if not material.quick else reference.size} voxels"

    def ours() -> float:
        calibration = metrics.Calibration(bins=10).update_batch(probabilities, reference)
        return calibration.error().expected

    def rival() -> float:
        return float(multiclass_calibration_error(theirs, target, CLASSES, n_bins=10))

    def check() -> list[Limit]:
        exact = plain_ece(probabilities, reference)
        difference = abs(ours() - exact)
        assert difference < 1e-9, f"float64 differs by {difference:.2g}, allowed are 1e-9"
        theirs_error = abs(rival() - exact)
        assert theirs_error < 5e-3, f"torchmetrics is {theirs_error:.2g} off"
        # It adds up in float32, whatever it is given, so a few voxels tell more of the definition.
        few = (slice(1), slice(None), slice(32), slice(32))
        there = few[0], *few[2:]
        other = float(multiclass_calibration_error(theirs[few], target[there], CLASSES, n_bins=10))
        gap = abs(plain_ece(probabilities[few], reference[there]) - other)
        assert gap < 1e-5, f"torchmetrics differs by {gap:.2g} on 1024 voxels, allowed are 1e-5"
        return [Limit(f"{words}: difference from float64", "1e-9", difference, 1e-9)]

    return Case(
        rows=[
            Row(
                words,
                "torchmetrics multiclass_calibration_error, arguments checked",
                ours,
                rival,
                7,
            )
        ],
        check=check,
        threads=1,
        note=f"{images} images (5 classes, {side}, {side}) in float32, 10 bins, 19 confidences in "
        "20 above 0.9; both check that the arguments fit (validate_args=True); "
        "torchmetrics adds up in float32: equal to 1e-5 on 1024 voxels, to 5e-3 on all",
    )


def predictions(images: int, side: int) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities ``(N, 5, H, W)`` float32 that are somewhat too sure, and what was right.

    19 voxels in 20 have a confidence above 0.9, as with the networks that segment muscles.
    """
    generator = np.random.default_rng(1)
    shape = (images, CLASSES, side, side)
    logits = 2 * generator.standard_normal(shape, dtype=np.float32)
    likely = generator.random((images, 1, side, side), dtype=np.float32)
    likely = np.maximum(0, np.ceil(25 * likely - 21)).astype(np.intp)  # 5 of 6 are background
    np.put_along_axis(logits, likely, np.take_along_axis(logits, likely, 1) + 9.5, 1)
    noise = generator.gumbel(size=shape).astype(np.float32)
    reference = (0.8 * logits + noise).argmax(axis=1)
    logits -= logits.max(axis=1, keepdims=True)
    np.exp(logits, out=logits)
    logits /= logits.sum(axis=1, keepdims=True)
    return logits, reference


def plain_ece(probabilities: np.ndarray, reference: np.ndarray, bins: int = 10) -> float:
    """ECE of ``(N, C, *spatial)`` by its definition, with sums exact to the last bit of float64."""
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == reference
    edges = (np.arange(1, bins) / bins).astype(confidence.dtype)
    place = np.searchsorted(edges, confidence, side="left")
    gaps = (
        abs(int(right[place == k].sum()) - math.fsum(confidence[place == k].tolist()))
        for k in range(bins)
    )
    return math.fsum(gaps) / reference.size


@cache
def _torchmetrics() -> str | None:
    try:
        import torchmetrics  # noqa: F401
    except ImportError:
        return "torchmetrics is not installed (it is one of the development packages)"
    return None


BENCHMARKS = (
    Benchmark("average-precision", make_average_precision),
    Benchmark("ece", make_ece, _torchmetrics),
)
