"""Cohorts and samples small enough to be worked out by hand."""

import types

import numpy as np
import pandas as pd
import pytest

from paraspine import sampling
from paraspine.anatomy import ClassTable
from paraspine.slices import Slices

NAMES = ("background", "MF", "ES")


def make_data(labels, rated=None, *, classes=3, raters=None, spacing=(1.0, 1.0), **columns):
    """Slices with label maps ``(N, R, H, W)``; one subject each unless `columns` say otherwise."""
    labels = np.asarray(labels, dtype=np.uint8)
    n, r, *size = labels.shape
    rated = np.ones((n, r), bool) if rated is None else np.asarray(rated, dtype=bool)
    labels = np.where(rated[:, :, None, None], labels, 0).astype(np.uint8)
    table = pd.DataFrame(
        {
            "subject": [f"p{i}" for i in range(n)],
            "image": [f"{i}.nii.gz" for i in range(n)],
            "slice": [0] * n,
        }
    ).assign(**columns)
    return Slices(
        images=np.zeros((n, 1, *size), np.float32),
        labels=labels,
        rated=rated,
        table=table,
        classes=ClassTable(NAMES[:classes]),
        raters=tuple(raters or "abcdefgh"[:r]),
        spacing=spacing,
        source="made by hand",
    )


def make_moments(mean, expected=None, samples=1):
    """Samples' moments from probabilities ``(N, C, H, W)``; NaN is unseen."""
    mean = np.asarray(mean, dtype=np.float32)
    unseen = np.isnan(mean).any(axis=1)
    expected = np.zeros(unseen.shape) if expected is None else np.asarray(expected, dtype=float)
    return types.SimpleNamespace(
        mean=mean,
        expected_entropy=np.where(unseen, np.nan, expected).astype(np.float32),
        seen=np.where(unseen, 0, samples).astype(np.int32),
    )


def one_hot(labels, classes=3):
    """Certain predictions ``(N, C, H, W)`` of label maps ``(N, H, W)``."""
    return np.moveaxis(np.eye(classes)[np.asarray(labels)], -1, 1)


class Sampled:
    """What a run of 04_sample holds, in memory."""

    def __init__(self, frame=None, arrays=None, **parameters):
        condition = {"model": "unet", "fusion": "majority", "seed": 0, "method": "single"}
        self.parameters = condition | parameters
        self.frame, self.arrays = frame, arrays

    def read_frame(self, name):
        return self.frame

    def read_arrays(self, name):
        return self.arrays

    def read_json(self, name):
        assert name == "sampling.json"
        trained = [Sampled(seed=seed) for seed in self.parameters["members"]]
        return sampling.sampling_record(trained, self.parameters["method"], 10)


@pytest.fixture(scope="session")
def tools():
    return types.SimpleNamespace(
        data=make_data, moments=make_moments, one_hot=one_hot, Sampled=Sampled
    )


@pytest.fixture
def three(tools):
    """One image of 2 x 2 pixels by three raters, who never tie."""
    return tools.data([[[[1, 1], [0, 2]], [[1, 0], [0, 2]], [[1, 0], [0, 0]]]])
