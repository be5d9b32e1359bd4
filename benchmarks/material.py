"""What the cases work on: sizes, threads, a synthetic cohort that is made once."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from benchmarks.fresh import in_fresh_process
from benchmarks.timing import Case

__all__ = ["Benchmark", "Material", "processors"]


def processors() -> int:
    """Processors that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not Linux
        return os.cpu_count() or 1


@dataclass
class Material:
    """Sizes and data for all cases.

    Attributes
    ----------
    folder : Path
        For temporary files.
    quick : bool
        Small sizes, to try the harness and not to measure.
    threads : int
        What cases with several threads take.
    """

    folder: Path
    quick: bool = False
    threads: int = field(default_factory=processors)

    def size(self, full, quick):
        """Return the first, or the second for a quick try."""
        return quick if self.quick else full

    @cached_property
    def slices(self):
        """Slices of a phantom cohort with three raters and five classes; 256 x 256, quick 64."""
        from paraspine import manifest, slices

        path = self.folder / "cohort" / "data_manifest.csv"
        if not path.is_file():
            # Elsewhere, so that the case that asks first is timed as the others are.
            in_fresh_process(
                "cohort", _make_cohort, path.parent, self.size(14, 2), self.size(256, 64)
            )
        return slices.load(manifest.read(path))

    def images(self, count: int) -> np.ndarray:
        """Images ``(count, 1, H, W)`` of the cohort, float32."""
        images = self.slices.images[:count]
        if len(images) < count:
            raise ValueError(f"count: the cohort has {len(images)} slices, {count} were asked for.")
        return np.ascontiguousarray(images)

    def votes(self, count: int) -> np.ndarray:
        """Majority votes ``(count, H, W)`` of the raters, uint8."""
        from paraspine import fusion

        data = self.slices
        return fusion.majority_vote_many(data.labels[:count], data.classes.num_classes)


def _make_cohort(folder: Path, subjects: int, side: int) -> None:
    from paraspine import phantom

    phantom.make_cohort(
        folder,
        subjects=subjects,
        missing_slices=0.0,
        single_rater=0.0,
        size=(side, side),
        spacing=(0.7 * 256 / side, 0.7 * 256 / side),
    )


@dataclass(frozen=True)
class Benchmark:
    """A case that can be made.

    Attributes
    ----------
    name : str
        What ``--only`` looks at.
    make : callable
        Makes the case of a `Material`.
    missing : callable
        Says why it can't run here; None where it can.
    """

    name: str
    make: Callable[[Material], Case]
    missing: Callable[[], str | None] = lambda: None
