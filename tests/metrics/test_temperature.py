"""Temperature scaling: worked answers, PyTorch, scikit-learn, properties."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax
from sklearn.metrics import log_loss

from paraspine import metrics
from paraspine.arrays import LabelError, ProbabilityError, SettingsError, ShapeError


def network(seed, classes=3, voxels=400, sharpness=1.0):
    """Predictions, and labels that follow them when `sharpness` is 1."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2, (classes, voxels))
    chances = softmax(logits, axis=0)
    labels = (rng.random(voxels) > chances.cumsum(axis=0)).sum(axis=0).clip(0, classes - 1)
    return softmax(sharpness * logits, axis=0), labels


def test_hand_worked():
    # Sure to 0.9 and right in 3 of 4 voxels: log-odds log 9 must become log 3, so T is 2.
    probabilities = np.array([[0.9, 0.9, 0.9, 0.9], [0.1, 0.1, 0.1, 0.1]])
    found = metrics.fit_temperature(probabilities, [0, 0, 0, 1])
    assert float(found) == pytest.approx(2)
    assert (found.voxels, found.bounded) == (4, False)
    assert found.before == pytest.approx(-(3 * np.log(0.9) + np.log(0.1)) / 4)
    assert found.after == pytest.approx(-(3 * np.log(0.75) + np.log(0.25)) / 4)
    scaled = metrics.apply_temperature(probabilities, found)
    assert scaled == pytest.approx(np.repeat([[0.75], [0.25]], 4, axis=1))


def test_hand_worked_soft_reference():
    # Two voxels that 2 of 3 raters marked: the best single certainty is 2/3, log-odds log 2.
    probabilities, soft = np.full((2, 2), [[0.2], [0.8]]), np.full((2, 2), [[1 / 3], [2 / 3]])
    found = metrics.fit_temperature(probabilities, soft)
    assert float(found) == pytest.approx(np.log(4) / np.log(2))
    assert metrics.apply_temperature(probabilities, found) == pytest.approx(soft)


@pytest.mark.parametrize("sharpness", [0.5, 1.0, 3.0])
def test_torch_finds_the_same(sharpness):
    probabilities, labels = network(3, sharpness=sharpness)
    found = metrics.fit_temperature(probabilities, labels)
    logits = torch.log(torch.tensor(probabilities.T).clamp(min=2.0**-24))
    temperature = torch.ones(1, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS(
        [temperature],
        max_iter=200,
        tolerance_grad=1e-10,
        tolerance_change=1e-16,
        line_search_fn="strong_wolfe",
    )

    def loss():
        optimiser.zero_grad()
        value = torch.nn.functional.cross_entropy(logits / temperature, torch.tensor(labels))
        value.backward()
        return value

    optimiser.step(loss)
    assert float(found) == pytest.approx(temperature.item(), rel=1e-5)
    assert found.after == pytest.approx(loss().item(), rel=1e-9)
    assert float(found) == pytest.approx(sharpness, rel=0.25)


def test_scikit_learn_log_loss():
    probabilities, labels = network(5, sharpness=2)
    found = metrics.fit_temperature(probabilities, labels)
    assert found.before == pytest.approx(log_loss(labels, probabilities.T))
    scaled = metrics.apply_temperature(probabilities, found)
    assert found.after == pytest.approx(log_loss(labels, scaled.T))
    ece = [metrics.expected_calibration_error(p, labels) for p in (probabilities, scaled)]
    assert ece[1] < 0.5 * ece[0]


def test_images_at_once_and_unseen_voxels():
    probabilities, labels = network(7, voxels=48)
    images = np.moveaxis(probabilities.reshape(3, 4, 3, 4), 1, 0).astype(np.float32)
    answers = labels.reshape(4, 3, 4)
    found = metrics.fit_temperature(images, answers, axis=1)
    assert float(found) == pytest.approx(
        float(metrics.fit_temperature(probabilities, labels)), rel=1e-4
    )
    lost = images.copy()
    lost[0, :, 0] = np.nan
    kept = metrics.fit_temperature(lost, answers, axis=1)
    seen = ~np.isnan(lost[:, 0])
    alone = metrics.fit_temperature(np.moveaxis(images, 1, 0)[:, seen], answers[seen])
    assert (kept.voxels, kept.value) == (44, pytest.approx(alone.value))
    scaled = metrics.apply_temperature(lost, 2, axis=1)
    assert scaled.dtype == np.float32
    assert (np.isnan(scaled) == np.isnan(lost)).all()
    nothing = metrics.fit_temperature(np.full((2, 3), np.nan), [0, 0, 1])
    assert np.isnan(nothing.value)
    assert nothing.voxels == 0


def test_where_there_is_no_best_temperature():
    sure = np.array([[0.8, 0.3], [0.2, 0.7]])
    right, wrong = (metrics.fit_temperature(sure, answer) for answer in ([0, 1], [1, 0]))
    assert (right.value, right.bounded) == (0.01, True)
    assert (wrong.value, wrong.bounded) == (100, True)
    even = metrics.fit_temperature(np.full((3, 5), 1 / 3), [0, 1, 2, 0, 0])
    assert (even.value, even.bounded) == (1, False)
    assert even.after == pytest.approx(np.log(3))


def test_zeros_are_not_forever():
    # A normalised ReLU says 0 to the right class; a likelihood of 0 must not decide everything.
    probabilities = np.array([[1.0, 1, 1, 1], [0, 0, 0, 0]])
    found = metrics.fit_temperature(probabilities, [0, 0, 0, 1])
    assert np.isfinite([found.value, found.before, found.after]).all()
    assert metrics.apply_temperature(probabilities, found)[1] == pytest.approx(0.25)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10_000), st.integers(2, 4), st.floats(0.7, 4))
def test_properties(seed, classes, temperature):
    probabilities, labels = network(seed, classes, 60)
    scaled = metrics.apply_temperature(probabilities, temperature)
    assert scaled.sum(axis=0) == pytest.approx(1)
    assert (scaled.argmax(axis=0) == probabilities.argmax(axis=0)).all()
    assert metrics.apply_temperature(probabilities, 1) == pytest.approx(probabilities, abs=1e-6)
    entropy = [-(p * np.log(p)).sum() for p in (probabilities, scaled)]
    assert (entropy[1] >= entropy[0]) == (temperature >= 1) or temperature == pytest.approx(1)
    found = metrics.fit_temperature(probabilities, labels)
    assert found.after <= found.before + 1e-12
    if not found.bounded:
        for other in (0.9, 1.1):
            near = metrics.apply_temperature(probabilities, other * found.value)
            assert -np.log(near[labels, range(60)]).mean() >= found.after - 1e-9
        again = metrics.fit_temperature(scaled, labels)  # scaling first changes nothing
        assert again.after == pytest.approx(found.after, abs=1e-4)
    onehot = np.eye(classes)[labels].T
    assert metrics.fit_temperature(probabilities, onehot).value == pytest.approx(found.value)


def test_messages():
    good = np.full((2, 3), 0.5)
    with pytest.raises(ShapeError, match="a label map"):
        metrics.fit_temperature(good, 1)
    with pytest.raises(ShapeError, match="probabilities of one class and reference"):
        metrics.fit_temperature(good, [0, 1])
    with pytest.raises(LabelError, match="classes 0 to 1"):
        metrics.fit_temperature(good, [0, 1, 2])
    with pytest.raises(ProbabilityError, match="softmax first"):
        metrics.apply_temperature([[3.0], [-3.0]], 2)
    for bad in (0, -1, np.nan, np.inf):
        with pytest.raises(SettingsError, match="above 0"):
            metrics.apply_temperature(good, bad)
