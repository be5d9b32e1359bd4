"""The small study, made once."""

import types

import pytest

from paraspine import statistics
from paraspine.studies.label_fusion import frames
from tests.studies.label_fusion.small import make


@pytest.fixture(autouse=True)
def few_resamples():
    """Intervals of few resamples, quickly."""
    with statistics.set_defaults(resamples=200):
        yield


@pytest.fixture(scope="session")
def made(tools):
    repeated, predictions = make(tools)
    return types.SimpleNamespace(
        repeated=repeated,
        predictions=predictions,
        frame=frames.fusion_frame(repeated, predictions),
        counts=frames.fusion_reliability(repeated, predictions),
    )
