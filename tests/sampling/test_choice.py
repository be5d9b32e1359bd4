"""Sampling by name does what the method of that name does."""

import numpy as np
import pytest
import torch
from torch import nn

from paraspine import sampling
from paraspine.arrays import SettingsError
from paraspine.augmentation import Augmentation


class Tiny(nn.Module):
    """Two classes, one convolution, one dropout layer."""

    activation = "softmax"
    divisor = 1

    def __init__(self, seed):
        super().__init__()
        self.drop = nn.Dropout2d(0.5)
        self.conv = nn.Conv2d(1, 2, 3, padding=1)
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for weight in self.conv.parameters():
                weight.copy_(torch.randn(weight.shape, generator=generator))

    def forward(self, images):
        return self.conv(self.drop(images))


@pytest.fixture
def images():
    return np.random.default_rng(0).random((3, 1, 8, 8), dtype=np.float32)


def equal(first, second):
    np.testing.assert_array_equal(first.mean, second.mean)
    np.testing.assert_array_equal(first.expected_entropy, second.expected_entropy)
    np.testing.assert_array_equal(first.seen, second.seen)


def test_each_name_is_its_method(images):
    model, other = Tiny(0), Tiny(1)
    settings = Augmentation(rotation=0.1, translation=0.1, intensity_shift=0.1, noise=0.05)
    equal(sampling.sample("single", [model], images), sampling.predict(model, images))
    equal(
        sampling.sample("dropout", [lambda: model], images, samples=4, seed=3),
        sampling.predict_dropout(model, images, 4, seed=3),
    )
    equal(
        sampling.sample("tta", [model], images, samples=4, seed=3, augmentation=settings),
        sampling.predict_tta(model, images, 4, augmentation=settings, seed=3),
    )
    equal(
        sampling.sample("ensemble", [model, lambda: other], images),
        sampling.predict_ensemble([model, other], images),
    )


@pytest.mark.parametrize(
    ("method", "networks", "message"),
    [
        ("mcmc", 1, "expected one of single, dropout, tta, ensemble"),
        ("ensemble", 1, "an ensemble needs two or more, got 1"),
        ("dropout", 2, "'dropout' samples from one, got 2"),
        ("tta", 1, "needs to know how to transform"),
    ],
)
def test_what_does_not_fit_is_refused(images, method, networks, message):
    with pytest.raises(SettingsError, match=message):
        sampling.sample(method, [Tiny(i) for i in range(networks)], images)
