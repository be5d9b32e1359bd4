"""Sampling by name does what the method of that name does."""

import numpy as np
import pytest
import torch
from torch import nn

from paraspine import sampling
from paraspine.arrays import SettingsError
from paraspine.augmentation import Augmentation

METHODS = ("single", "dropout", "tta", "ensemble")


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


@pytest.mark.parametrize("method", METHODS)
def test_each_name_is_its_method_with_all_options(images, method):
    model, other = Tiny(0), Tiny(1)
    plain = {"batch_size": 2, "precision": "float32"}
    settings = Augmentation(rotation=0.3, mirror=0.5)
    geometry = {"augmentation": settings, "mirror_classes": (0, 1), "spacing": (2.0, 0.5)}
    expected = {
        "single": lambda: sampling.predict(model, images, **plain),
        "dropout": lambda: sampling.predict_dropout(model, images, 4, seed=3, **plain),
        "tta": lambda: sampling.predict_tta(model, images, 4, seed=3, **geometry, **plain),
        "ensemble": lambda: sampling.predict_ensemble([model, other], images, **plain),
    }[method]()
    networks = [lambda: model, other] if method == "ensemble" else [lambda: model]
    equal(
        sampling.sample(method, networks, images, samples=4, seed=3, **geometry, **plain), expected
    )


@pytest.mark.parametrize("method", METHODS)
def test_segmentations_are_the_largest_class_of_each_sample(images, method):
    found = {}

    def keep(items, sample, probabilities, seen):
        for place, each, inside in zip(range(3)[items], probabilities, seen, strict=True):
            found[place, sample] = np.where(inside, each[1] > each[0], 0)  # of two classes

    networks = [Tiny(seed) for seed in range(2 if method == "ensemble" else 1)]
    options = {"samples": 4, "augmentation": Augmentation(), "batch_size": 2}
    sampling.sample(method, networks, images, on_sample=keep, **options)
    labels = sampling.segmentations(method, networks, images, **options)
    assert labels.dtype == np.uint8
    assert labels.shape == (3, {"single": 1, "ensemble": 2}.get(method, 4), 8, 8)
    assert 0 < labels.mean() < 1
    for (place, sample), expected in found.items():
        np.testing.assert_array_equal(labels[place, sample], expected)


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
