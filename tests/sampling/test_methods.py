"""Single passes, ensembles and test-time augmentation."""

import functools
import weakref

import numpy as np
import pytest
import torch
from torch import nn

from paraspine import augmentation, maps, models, sampling
from paraspine.arrays import ModelError, SettingsError
from paraspine.augmentation import Augmentation

PLAIN = {"device": "cpu", "precision": "float32"}
SMALL = {"widths": [4, 6, 8]}


@pytest.fixture(scope="module")
def members():
    return [models.build("unet", 1, 3, seed=seed, **SMALL).eval() for seed in range(3)]


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).random((5, 1, 16, 24), dtype=np.float32)


class Ramp(nn.Module):
    """Probabilities that are a known function of the intensity: softmax of (0, image)."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, images):
        return torch.cat([torch.zeros_like(images), images * self.scale], dim=1)


def softmax(model, images):
    with torch.no_grad():
        return torch.softmax(model(torch.as_tensor(images)), 1).numpy()


def test_single_is_the_softmax_and_its_entropy(members, images):
    found = sampling.predict(members[0], images, **PLAIN)
    expected = softmax(members[0], images)
    np.testing.assert_allclose(found.mean, expected, atol=1e-6)
    np.testing.assert_allclose(found.expected_entropy, maps.entropy(expected, 1), atol=1e-5)
    assert (found.seen == 1).all()
    assert len(found) == 5


@pytest.mark.parametrize("batch_size", [1, 2, 5, 100])
def test_single_does_not_depend_on_the_batches(members, images, batch_size):
    whole = sampling.predict(members[0], images, **PLAIN)
    found = sampling.predict(members[0], images, batch_size=batch_size, **PLAIN)
    np.testing.assert_allclose(found.mean, whole.mean, atol=2e-6)


def test_single_takes_tensors_and_whole_numbers(members, images):
    first = sampling.predict(members[0], torch.as_tensor(images), **PLAIN)
    assert np.array_equal(first.mean, sampling.predict(members[0], images, **PLAIN).mean)
    counts = (images * 255).astype(np.uint8)
    third = sampling.predict(members[0], counts, **PLAIN)
    fourth = sampling.predict(members[0], counts.astype(np.float64), **PLAIN)
    assert np.array_equal(third.mean, fourth.mean)


def test_automatic_choices_give_probabilities(members, images):
    found = sampling.predict(members[0], images)
    np.testing.assert_allclose(found.mean.sum(1), 1, atol=1e-6)
    assert np.abs(found.mean - softmax(members[0], images)).max() < 0.05


def test_another_activation(images):
    model = Ramp()
    model.activation = lambda logits: torch.relu(logits) + 1
    found = sampling.predict(model, images, **PLAIN)
    np.testing.assert_allclose(found.mean[:, 0], 1 / (2 + images[:, 0]), atol=1e-6)
    half = sampling.predict(model, images, device="cpu", precision="bf16")
    np.testing.assert_allclose(half.mean.sum(1), 1, atol=1e-6)
    np.testing.assert_allclose(half.mean, found.mean, atol=2e-3)
    model.activation = "sigmoid"
    with pytest.raises(ModelError, match="expected an activation among softmax, norm"):
        sampling.predict(model, images, **PLAIN)


def test_the_normalised_relu_by_name(images):
    model = Ramp()
    model.activation = "normalised_relu"
    found = sampling.predict(model, images, **PLAIN)
    scores = torch.relu(model(torch.as_tensor(images)).detach().float())
    share = (scores[:, 1] / scores.sum(1)).nan_to_num(0.5).numpy()
    np.testing.assert_allclose(found.mean[:, 1], share, atol=1e-6)


def test_progress_is_shown(members, images, capsys):
    sampling.predict(members[0], images, progress=True, **PLAIN)
    assert "model 1" in capsys.readouterr().err


def test_ensemble_is_the_mean_over_members(members, images):
    samples = np.stack([softmax(m, images) for m in members])
    found = sampling.predict_ensemble(members, images, batch_size=2, **PLAIN)
    np.testing.assert_allclose(found.mean, samples.mean(0), atol=1e-6)
    expected = np.mean([maps.entropy(s, 1) for s in samples], axis=0)
    np.testing.assert_allclose(found.expected_entropy, expected, atol=1e-5)
    assert (found.seen == 3).all()


def test_ensemble_loads_one_network_at_a_time(members, images, tmp_path):
    paths = [models.save(m, tmp_path / f"{i}.safetensors") for i, m in enumerate(members)]
    alive = []

    def load(path):
        assert not any(reference() is not None for reference in alive)
        model = models.load(path)
        alive.append(weakref.ref(model))
        return model

    found = sampling.predict_ensemble((functools.partial(load, p) for p in paths), images, **PLAIN)
    expected = sampling.predict_ensemble(members, images, **PLAIN)
    assert len(alive) == 3
    assert np.array_equal(found.mean, expected.mean)


def test_ensembles_that_make_no_sense_are_refused(members, images):
    with pytest.raises(SettingsError, match="at least one network"):
        sampling.predict_ensemble([], images)
    with pytest.raises(SettingsError, match=r"use sampling\.single"):
        sampling.predict_ensemble(members[0], images)
    other = models.build("unet", 1, 4, **SMALL).eval()
    with pytest.raises(ModelError, match="same classes from all, got 3 and 4"):
        sampling.predict_ensemble([members[0], other], images)
    with pytest.raises(ModelError, match=r"expected a network \(torch.nn.Module\), got str"):
        sampling.predict_ensemble(["model.safetensors"], images)


def test_logits_of_another_kind_are_refused(images):
    with pytest.raises(ModelError, match="background as a class"):
        sampling.predict(nn.Conv2d(1, 1, 1), images, **PLAIN)
    with pytest.raises(ModelError, match="background as a class"):
        sampling.predict(nn.Flatten(), images, **PLAIN)


def test_augmentation_that_does_nothing_equals_a_single_pass(members, images):
    nothing = Augmentation(rotation=0, translation=0, intensity_shift=0, noise=0)
    found = sampling.predict_tta(members[0], images, 3, augmentation=nothing, **PLAIN)
    expected = sampling.predict(members[0], images, **PLAIN)
    np.testing.assert_allclose(found.mean, expected.mean, atol=1e-6)
    assert (found.seen == 3).all()


def test_augmented_equals_a_plain_loop(members, images):
    settings = Augmentation(rotation=0.5, translation=0.2, intensity_shift=0.1, noise=0.05)
    geometry = {"spacing": (2.0, 0.5)}
    drawn = augmentation.draw(settings, 15, generator=torch.Generator().manual_seed(4), **geometry)
    total, entropy, count = 0, 0, 0
    for sample in range(3):
        parameters = drawn[[3 * image + sample for image in range(5)]]
        moved = augmentation.apply(parameters, torch.as_tensor(images), fill=0.7)
        back, seen = augmentation.invert(parameters, torch.as_tensor(softmax(members[0], moved)))
        total = total + back.numpy()
        entropy = entropy + np.nan_to_num(
            maps.entropy(np.where(seen[:, None], back, np.nan), 1), nan=0.0
        )
        count = count + seen.numpy()
    found = sampling.predict_tta(
        members[0], images, 3, augmentation=settings, seed=4, batch_size=2, fill=0.7,
        **geometry, **PLAIN,
    )  # fmt: skip
    assert np.array_equal(found.seen, count)
    assert 0 < (count < 3).mean() < 1
    seen = np.broadcast_to(count[:, None] > 0, total.shape)
    expected = total / np.maximum(count, 1)[:, None]
    np.testing.assert_allclose(found.mean[seen], expected[seen], atol=2e-6)
    expected = (entropy / np.maximum(count, 1))[count > 0]
    np.testing.assert_allclose(found.expected_entropy[count > 0], expected, atol=1e-5)


def test_a_known_prediction_comes_back_where_it_was_seen():
    # The prediction is a function of the intensity alone, and the image a linear ramp, which
    # interpolation keeps: whatever the shift, each sample that saw a pixel gives the same.
    rows, columns = np.mgrid[:20, :30]
    images = ((rows + 2 * columns) / 80).astype(np.float32)[None, None]
    shift = Augmentation(rotation=0, translation=0.5, intensity_shift=0, noise=0)
    found = sampling.predict_tta(Ramp(), images, 6, augmentation=shift, fill="border", **PLAIN)
    expected = 1 / (1 + np.exp(-images[:, 0]))
    seen = found.seen > 0
    assert (found.seen[seen] < 6).any()
    # Not at the border of what was seen, where a fraction of a pixel came from outside.
    np.testing.assert_allclose(found.mean[:, 1][seen], expected[seen], atol=0.02)
    np.testing.assert_allclose(np.median(np.abs(found.mean[:, 1] - expected)[seen]), 0, atol=1e-4)


def test_a_pixel_that_no_sample_saw_is_nan():
    images = np.ones((4, 1, 16, 16), dtype=np.float32)
    far = Augmentation(rotation=0, translation=0.9, intensity_shift=0, noise=0)
    watched = []
    found = sampling.predict_tta(
        Ramp(),
        images,
        1,
        augmentation=far,
        on_sample=lambda items, sample, p, seen: watched.append((p, seen)),
        **PLAIN,
    )
    lost = found.seen == 0
    assert 0 < lost.mean() < 1
    assert np.isnan(found.mean[np.broadcast_to(lost[:, None], found.mean.shape)]).all()
    assert np.isnan(found.expected_entropy[lost]).all()
    assert np.isfinite(found.mean[np.broadcast_to(~lost[:, None], found.mean.shape)]).all()
    assert np.isfinite(found.expected_entropy[~lost]).all()
    (probabilities, seen) = watched[0]
    assert np.array_equal(~lost, seen)
    assert np.array_equal(np.isnan(probabilities[:, 0]), lost)


def test_transformations_do_not_depend_on_the_batches(members, images):
    first = sampling.predict_tta(
        members[0], images, 2, augmentation=Augmentation(), seed=1, batch_size=5, **PLAIN
    )
    second = sampling.predict_tta(
        members[0], images[:3], 2, augmentation=Augmentation(), seed=1, batch_size=2, **PLAIN
    )
    assert np.array_equal(first.seen[:3], second.seen)
    np.testing.assert_allclose(first.mean[:3], second.mean, atol=2e-6)
    other = sampling.predict_tta(
        members[0], images, 2, augmentation=Augmentation(), seed=2, **PLAIN
    )
    assert not np.array_equal(first.seen, other.seen)


def test_mirrored_samples_swap_the_classes(images):
    # Class 1 is bright on the left half, class 2 on the right: after mirroring and swapping, an
    # asymmetric image gives what it gave before.
    class Sides(nn.Module):
        def forward(self, images):
            ramp = torch.linspace(2, -2, images.shape[-1]).expand_as(images)
            return torch.cat([torch.zeros_like(images), images * ramp, -images * ramp], dim=1)

    settings = Augmentation(rotation=0, translation=0, intensity_shift=0, noise=0, mirror=1.0)
    found = sampling.predict_tta(
        Sides(), images, 1, augmentation=settings, mirror_classes=(0, 2, 1), **PLAIN
    )
    np.testing.assert_allclose(
        found.mean, sampling.predict(Sides(), images, **PLAIN).mean, atol=1e-5
    )


def test_transformations_that_cannot_be_taken_back_are_refused(members, images):
    with pytest.raises(SettingsError, match="no inverse"):
        sampling.predict_tta(members[0], images, augmentation=Augmentation(elastic=0.02))
    with pytest.raises(SettingsError, match="mirror_classes"):
        sampling.predict_tta(members[0], images, augmentation=Augmentation(mirror=0.5))
    with pytest.raises(SettingsError, match="expected an Augmentation, got dict"):
        sampling.predict_tta(members[0], images, augmentation={"noise": 0.1})


def test_global_state_is_left(members, images):
    before = torch.get_rng_state()
    sampling.predict_tta(members[0], images, 2, augmentation=Augmentation(), **PLAIN)
    sampling.predict_ensemble(members, images, **PLAIN)
    assert torch.equal(before, torch.get_rng_state())
    assert torch.is_grad_enabled()
