"""Both tasks in one pass, and the time that it takes."""

import time

import numpy as np
import pytest
import torch

from paraspine import models, sampling
from paraspine.arrays import ModelError, SettingsError, ShapeError


@pytest.fixture(scope="module")
def network():
    return models.build("multitask_unet", 1, 3, widths=[3, 4, 5]).eval()


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).random((5, 1, 16, 12), dtype=np.float32)


def test_one_pass_gives_what_each_task_gives_alone(network, images):
    found = sampling.predict_multitask(network, images, precision="float32", batch_size=2)
    alone = sampling.predict(network, images, precision="float32", batch_size=2)
    np.testing.assert_allclose(found.moments.mean, alone.mean, atol=1e-6)
    assert (found.moments.seen == 1).all()
    with torch.no_grad():
        expected = network.outputs(torch.as_tensor(images))["variance"].numpy()
    assert found.variance.shape == (5, 2, 16, 12)
    assert found.variance.dtype == np.float32
    np.testing.assert_allclose(found.variance, expected, rtol=1e-4, atol=1e-7)


def test_batches_and_bf16_change_little(network, images):
    one, other = (sampling.predict_multitask(network, images, batch_size=b, precision=p)
                  for b, p in ((5, "float32"), (1, "bf16")))  # fmt: skip
    np.testing.assert_allclose(other.variance, one.variance, rtol=0.1, atol=1e-4)


def test_the_encoder_runs_once_for_both_tasks(network, images):
    calls = []
    hook = network.encoder[0].register_forward_hook(lambda *_: calls.append(1))
    network.outputs(torch.as_tensor(images))
    hook.remove()
    assert len(calls) == 1


def test_refusals(network, images):
    with pytest.raises(ModelError, match="expected a network with the tasks segmentation and var"):
        sampling.predict_multitask(models.build("unet", 1, 3, widths=[3, 4]).eval(), images)
    with pytest.raises(ShapeError):
        sampling.predict_multitask(network, images[:, 0])
    with pytest.raises(SettingsError, match="batch_size"):
        sampling.predict_multitask(network, images, batch_size=0)
    network.train()
    with pytest.raises(ModelError, match="training mode"):
        sampling.predict_multitask(network, images)
    network.eval()


def test_the_fastest_of_several_calls_counts(monkeypatch):
    clock = iter([0.0, 5.0, 10.0, 12.0, 20.0, 23.0])
    monkeypatch.setattr(time, "perf_counter", lambda: next(clock))
    said = iter("abc")
    assert sampling.timed(lambda x, y: next(said) + x + y, "1", y="2", repeats=3) == ("c12", 2.0)
    with pytest.raises(SettingsError, match="repeats"):
        sampling.timed(print, repeats=0)
