"""Several raters made into one target: entropy of the votes, STAPLE."""

from __future__ import annotations

import numpy as np
from scipy.special import xlogy

from benchmarks.material import Benchmark, Material
from benchmarks.timing import Case, Row

__all__ = ["BENCHMARKS"]


def make_entropy(material: Material) -> Case:
    from paraspine import fusion

    labels, classes = _labels(material)

    def ours() -> list[np.ndarray]:
        return [fusion.ground_truth_entropy(votes, classes) for votes in labels]

    def rival() -> list[np.ndarray]:
        return [one_hot_entropy(votes, classes) for votes in labels]

    def check() -> None:
        difference = np.abs(np.stack(ours()) - np.stack(rival())).max()
        assert difference < 1e-7, f"one-hot and xlogy differ by {difference:.2g}"

    raters = labels.shape[1]
    return Case(
        rows=[
            Row(
                f"GT entropy, {raters} raters, {classes} classes",
                "one-hot mean and xlogy",
                ours,
                rival,
                30,
            )
        ],
        check=check,
        threads=1,
        note=f"{_words(labels)}; equal to 1e-7, float32 against float64",
    )


def one_hot_entropy(votes: np.ndarray, classes: int) -> np.ndarray:
    """Entropy ``(*spatial)`` of votes ``(R, *spatial)`` as one would write it."""
    shares = np.eye(classes)[votes].mean(axis=0)
    return -xlogy(shares, shares).sum(axis=-1)


def make_staple(material: Material) -> Case:
    import SimpleITK as sitk

    from paraspine import fusion

    labels, classes = _labels(material)
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)

    def ours() -> list[np.ndarray]:
        # MultiLabelSTAPLE's start: from paraspine's own, tied votes may go to another class.
        return [found.labels for found in fusion.staple_many(labels, classes, start="simpleitk")]

    def rival() -> list[np.ndarray]:
        found = []
        for votes in labels:
            images = [sitk.GetImageFromArray(said) for said in votes]
            found.append(sitk.GetArrayFromImage(sitk.MultiLabelSTAPLE(images)))
        return found

    def check() -> None:
        found, theirs = np.stack(ours()), np.stack(rival())
        decided = theirs < classes  # SimpleITK's label for "undecided" is one past the classes
        assert decided.mean() > 0.999, f"SimpleITK decides {decided.mean():.2%} of the voxels"
        different = int((found != theirs)[decided].sum())
        assert not different, f"{different} voxels got another label than from SimpleITK"

    return Case(
        rows=[
            Row(
                f"STAPLE, {labels.shape[1]} raters, {classes} classes",
                "SimpleITK's MultiLabelSTAPLE",
                ours,
                rival,
                40,
            )
        ],
        check=check,
        threads=1,
        note=f"{_words(labels)}; the same label in every voxel that SimpleITK decides",
    )


def _labels(material: Material) -> tuple[np.ndarray, int]:
    data = material.slices
    return data.labels, data.classes.num_classes


def _words(labels: np.ndarray) -> str:
    return f"{len(labels)} phantom slices of {labels.shape[2]} x {labels.shape[3]}"


BENCHMARKS = (Benchmark("gt-entropy", make_entropy), Benchmark("staple", make_staple))
