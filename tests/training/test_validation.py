import math
from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.metrics import f1_score

from paraspine import losses
from paraspine.arrays import SettingsError
from paraspine.training import Settings
from paraspine.training.data import Images, Maps
from paraspine.training.validation import activation_of, mean_dice, overlaps, validate


def logits_of(labels, classes=3):
    return torch.nn.functional.one_hot(torch.as_tensor(labels), classes).movedim(-1, 1).float()


def test_by_hand():
    predicted = [[[1, 1], [0, 2]], [[0, 0], [0, 1]]]
    target = torch.tensor([[[1, 0], [0, 2]], [[0, 0], [0, 0]]])
    counts = overlaps(logits_of(predicted), target)
    assert counts.tolist() == [[[1, 3], [1, 2]], [[0, 1], [0, 0]]]
    # class 1: 2/3 and 0; class 2: 1, and left out of the second image
    assert mean_dice(counts) == pytest.approx((1 / 3 + 1) / 2)
    assert math.isnan(mean_dice(np.zeros((2, 2, 2))))


def test_soft_targets_count_by_their_largest_class():
    soft = torch.tensor([[[[0.4, 0.1]], [[0.6, 0.2]], [[0.0, 0.7]]]])
    # reference 1 and 2, predicted 1 and 1
    assert overlaps(logits_of([[[1, 1]]]), soft).tolist() == [[[1, 3], [0, 1]]]


@given(hnp.arrays(np.int64, (2, 3, 4, 5), elements=st.integers(0, 3)))
@settings(deadline=None, max_examples=40)
def test_equals_scikit_learn(pair):
    predicted, target = pair
    found = mean_dice(overlaps(logits_of(predicted, 4), torch.as_tensor(target)))
    scores = np.array(
        [
            f1_score(t.ravel(), p.ravel(), labels=[1, 2, 3], average=None, zero_division=np.nan)
            for p, t in zip(predicted, target, strict=True)
        ]
    )
    classes = [c[~np.isnan(c)].mean() for c in scores.T if not np.isnan(c).all()]
    assert found == pytest.approx(np.mean(classes) if classes else np.nan, nan_ok=True)


def test_loss_is_a_mean_over_images_whatever_the_batches():
    model = torch.nn.Sequential(torch.nn.Conv2d(1, 3, 3, padding=1), torch.nn.Dropout(0.5)).train()
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(5, 1, 4, 4, generator=generator)
    targets = torch.randint(0, 3, (5, 4, 4), generator=generator)
    cross_entropy = torch.nn.functional.cross_entropy

    def loss(outputs, target, maps):
        assert maps is None
        return cross_entropy(outputs["segmentation"], target)

    def network(images):
        return {"segmentation": model(images)}

    found = [validate(model, images, targets, loss, size, network) for size in (1, 2, 5)]
    assert model.training
    expected = cross_entropy(model.eval()(images), targets)
    for measured in found:
        assert list(measured) == ["validation_loss", "validation_dice"]
        assert measured["validation_loss"] == pytest.approx(float(expected.detach()), rel=1e-5)
        assert measured["validation_dice"] == found[0]["validation_dice"]


def test_error_of_variance_maps_is_a_mean_over_images_with_a_known_map():
    images = torch.zeros(3, 1, 2, 2)
    wanted = torch.zeros(3, 2, 2, 2)
    wanted[0, 0] = 0.1
    wanted[1] = torch.nan
    maps = Maps(wanted, Images(images, torch.device("cpu"), "validation"), 3, "validation")
    assert maps.known.tolist() == [True, False, True]

    def network(images):
        shape = (len(images), 3, 2, 2)
        return {"segmentation": torch.ones(shape), "variance": torch.full((shape[0], 2, 2, 2), 0.2)}

    def loss(outputs, target, maps):
        return torch.zeros(())

    targets = torch.zeros(3, 2, 2, dtype=torch.int64)
    for size in (1, 2, 3):
        found = validate(torch.nn.Identity(), images, targets, loss, size, network, maps)
        # first image (0.1^2 + 0.2^2) / 2, last one 0.2^2
        assert found["validation_variance_mse"] == pytest.approx((0.025 + 0.04) / 2)


def test_the_networks_own_activation_decides_which_class_is_the_largest():
    model = torch.nn.Conv2d(1, 3, 1).eval()
    with torch.no_grad():
        model.weight[:] = torch.tensor([8.0, 1.0, 2.0]).view(3, 1, 1, 1)
        model.bias[:] = torch.tensor([1.0, 4.0, 0.0])
    images = torch.tensor([[[[1.0, 0.1], [0.0, 0.5]]]])
    # scores at 1, 0.1, 0, 0.5: (9, 5, 2), (1.8, 4.1, 0.2), (1, 4, 0), (5, 4.5, 1); each class over
    # its maximum 9, 5, 2: class 0, class 1 (0.82), class 1 (0.8), class 1 (0.9 before 0.56)
    target, name = torch.tensor([[[0, 1], [1, 1]]]), "normalised_relu_by_class"

    def loss(outputs, target, maps):
        return losses.build("dice", activation=name)(outputs["segmentation"], target)

    def network(images):
        return {"segmentation": model(images)}

    own = partial(losses.probabilities, activation=name)
    given = (model, images, target, loss, 1, network)
    assert validate(*given, activation=own)["validation_dice"] == 1.0
    assert validate(*given)["validation_dice"] == pytest.approx(4 / 5)


def test_a_loss_of_another_activation_than_the_networks_is_refused():
    model = torch.nn.Conv2d(1, 3, 1)
    plain = Settings(loss="dice")
    assert activation_of(model, plain) is None
    with pytest.raises(SettingsError, match="takes the activation 'normalised_relu' and the net"):
        activation_of(model, Settings(loss="adaptive_wing"))
    model.activation = "normalised_relu"
    assert activation_of(model, Settings(loss="adaptive_wing")) is not None
    with pytest.raises(SettingsError, match="takes the activation 'softmax'"):
        activation_of(model, plain)
