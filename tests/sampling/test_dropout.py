"""Dropout samples: the fast path equals full passes, and statistics equal a plain loop's."""

from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

from paraspine import maps, models, sampling
from paraspine.arrays import ImageError, ModelError, SettingsError, ShapeError
from paraspine.augmentation import Augmentation
from paraspine.sampling.masks import Masks, dropping, sampled_layers

CPU = torch.device("cpu")
PLAIN = {"device": "cpu", "precision": "float32"}


def trained(norm="batch", **options):
    """A small network whose normalisation has seen data and whose biases are not 0."""
    model = models.build("unet", 1, 3, widths=[4, 6, 8, 8, 10], norm=norm, **options)
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.1 * torch.randn(parameter.shape, generator=generator)
        model(torch.rand(4, 1, 32, 32, generator=generator))
    return model.eval()


@pytest.fixture(scope="module")
def model():
    return trained()


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).random((5, 1, 32, 48), dtype=np.float32)


class Third(nn.Module):
    """A network from elsewhere: no encode, dropout by channel in the middle."""

    def __init__(self, kind=nn.Dropout2d, rate=0.5):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), kind(rate), nn.Conv2d(8, 3, 1)
        )

    def forward(self, images):
        return self.layers(images)


def test_moments_equal_full_passes_with_the_same_masks(model, images):
    samples = []
    with torch.no_grad():
        for sample in range(4):
            with dropping(model.sampled_dropout(), Masks(2, range(5), sample, CPU)):
                samples.append(torch.softmax(model(torch.as_tensor(images)), 1).numpy())
    samples = np.stack(samples)
    found = sampling.predict_dropout(model, images, 4, seed=2, **PLAIN)
    np.testing.assert_allclose(found.mean, samples.mean(0), atol=1e-4)
    expected = np.stack([maps.expected_entropy(samples[:, i]) for i in range(5)])
    np.testing.assert_allclose(found.expected_entropy, expected, atol=1e-4)
    assert (found.seen == 4).all()


def test_mean_and_variance_agree_with_torchs_own_dropout(model, images):
    # 400 samples of either kind; per-pixel means differ by their standard errors only.
    layers = model.sampled_dropout()
    torch.manual_seed(0)
    plain = []
    with torch.no_grad():
        batch = torch.as_tensor(images[:1, :, :16, :16])
        for layer in layers:
            layer.train()
        for _ in range(400):
            plain.append(torch.softmax(model(batch), 1).numpy())
        model.eval()
    ours = []
    found = sampling.predict_dropout(
        model, batch, 400, on_sample=lambda i, t, p, seen: ours.append(p), **PLAIN
    )
    plain, ours = np.stack(plain), np.stack(ours)
    np.testing.assert_allclose(found.mean, ours.mean(0), atol=1e-6)
    error = np.sqrt(plain.var(0) / 400 + ours.var(0) / 400)
    z = (plain.mean(0) - ours.mean(0)) / error
    assert np.abs(z).max() < 5
    assert 0.8 < z.std() < 1.25
    ratio = ours.var(0).mean() / plain.var(0).mean()
    assert 0.93 < ratio < 1.07


def test_share_and_scale_of_the_masks():
    values = torch.ones(2, 8, 50, 50)
    for rate in (0.18, 0.5, 0.9):
        out = Masks(0, [0, 1], 0, CPU)(rate, values)
        assert out.unique().tolist() == pytest.approx([0, 1 / (1 - rate)])
        # 40,000 draws: five standard errors.
        assert abs((out == 0).float().mean().item() - rate) < 5 * np.sqrt(rate * (1 - rate) / 4e4)
        assert not torch.equal(out[0], out[1])
    assert torch.equal(values, torch.ones_like(values))


def test_masks_by_channel():
    out = Masks(0, [0, 1], 0, CPU)(0.5, torch.ones(2, 64, 4, 4), by_channel=True)
    kept = out.flatten(2)
    assert (kept == kept[..., :1]).all()
    assert 0.3 < (kept[..., 0] == 0).float().mean() < 0.7


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
def test_masks_in_every_precision_and_memory_format(dtype):
    values = torch.rand(2, 3, 5, 7).add(1).to(dtype)
    first = Masks(1, [0, 1], 0, CPU).clear(0.4, values)
    last = values.clone(memory_format=torch.channels_last)
    second = Masks(1, [0, 1], 0, CPU).clear(0.4, last, in_place=True)
    assert second.data_ptr() == last.data_ptr()
    assert torch.equal(first, second)
    assert torch.equal(first == 0, first != values)


def test_layers_of_a_sample_drop_independently():
    masks, values = Masks(0, [0, 1], 0, CPU), torch.ones(2, 8, 50, 50)
    first, second = (masks.clear(0.5, values) == 0 for _ in range(2))
    # 40,000 draws: five standard errors.
    assert abs((first & second).float().mean().item() - 0.25) < 5 * np.sqrt(0.25 * 0.75 / 4e4)


def test_everything_dropped():
    assert (Masks(1, [0], 0, CPU)(1.0, torch.ones(1, 3, 4)) == 0).all()


def test_samples_are_a_function_of_seed_image_and_number(model, images):
    def collect(images, samples, **options):
        found = {}

        def watch(items, sample, probabilities, seen):
            for place, p in zip(range(items.start, items.stop), probabilities, strict=True):
                found[place, sample] = p

        sampling.predict_dropout(model, images, samples, on_sample=watch, **PLAIN | options)
        return found

    whole = collect(images, 4, batch_size=5)
    other = collect(images[:3], 2, batch_size=2)
    # Batches of another size round otherwise, which these weights exaggerate.
    assert all(np.abs(p - whole[key]).max() < 1e-3 for key, p in other.items())
    reseeded = collect(images[:3], 2, seed=1)
    assert all(np.abs(p - whole[key]).max() > 0.01 for key, p in reseeded.items())
    assert np.abs(whole[0, 0] - whole[0, 1]).max() > 0.01


def test_same_image_gets_other_masks_at_another_place(model, images):
    found = sampling.predict_dropout(model, np.repeat(images[:1], 2, axis=0), 1, **PLAIN)
    assert np.abs(found.mean[0] - found.mean[1]).max() > 0.01


def test_expected_entropy_is_at_most_the_entropy_of_the_mean(model, images):
    found = sampling.predict_dropout(model, images, 5, **PLAIN)
    predictive = maps.entropy(found.mean, axis=1)
    assert (found.expected_entropy <= predictive + 1e-6).all()
    assert (predictive - found.expected_entropy).max() > 1e-3
    np.testing.assert_allclose(found.mean.sum(1), 1, atol=1e-6)
    assert (found.mean.dtype, found.expected_entropy.dtype) == (np.float32, np.float32)


def test_encoder_runs_once_for_each_batch(model, images):
    calls = []
    handle = model.encoder[0].register_forward_hook(lambda *_: calls.append(1))
    try:
        sampling.predict_dropout(model, images, 6, batch_size=2, **PLAIN)
    finally:
        handle.remove()
    assert len(calls) == 3


@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_encoder_replaced_on_the_instance_is_called(model, images, precision, monkeypatch):
    calls = []
    encode = model.encode
    monkeypatch.setattr(model, "encode", lambda x: (calls.append(1), encode(x))[1])
    watched = sampling.predict_dropout(
        model, images, 3, batch_size=5, device="cpu", precision=precision
    )
    monkeypatch.undo()
    assert len(calls) == 1
    usual = sampling.predict_dropout(
        model, images, 3, batch_size=5, device="cpu", precision=precision
    )
    difference = np.abs(watched.mean - usual.mean)
    assert difference.max() < (1e-3 if precision == "float32" else 0.2)
    assert difference.mean() < 0.01


def test_modes_weights_and_random_state_are_left(images):
    model = trained("group").train()
    model.decoder.eval()
    modes = [m.training for m in model.modules()]
    weights = {k: v.clone() for k, v in model.state_dict().items()}
    torch.manual_seed(11)
    before = torch.get_rng_state()
    sampling.predict_dropout(model, images, 2, **PLAIN)
    assert modes == [m.training for m in model.modules()]
    assert all(torch.equal(v, weights[k]) for k, v in model.state_dict().items())
    assert all(p.requires_grad for p in model.parameters())
    assert torch.equal(before, torch.get_rng_state())


def test_other_networks_are_left_as_they_were(images):
    model = Third()
    model.layers[1].eval()
    modes = [m.training for m in model.modules()]
    statistics = model.layers[1].running_mean.clone()
    torch.manual_seed(11)
    before = torch.get_rng_state()
    found = sampling.predict_dropout(model, images, 3, **PLAIN)
    assert modes == [m.training for m in model.modules()]
    assert torch.equal(statistics, model.layers[1].running_mean)
    assert torch.equal(before, torch.get_rng_state())
    assert not any(m._forward_hooks for m in model.modules())
    again = sampling.predict_dropout(model, images, 3, batch_size=2, **PLAIN)
    np.testing.assert_allclose(found.mean, again.mean, atol=1e-6)


def test_modes_are_put_back_after_an_error(images):
    model = Third()
    model.layers[1].eval()

    def broken(*_):
        raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        sampling.predict_dropout(model, images, 3, on_sample=broken, **PLAIN)
    assert model.training
    assert not any(m._forward_hooks for m in model.modules())


def test_dropout_in_the_encoder_runs_the_whole_network(images):
    class Early(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.last = nn.Conv2d(1, 4, 1), nn.Conv2d(4, 2, 1)
            self.drop = nn.Dropout(0.5)
            self.calls = 0

        def encode(self, images):
            self.calls += 1
            return self.drop(self.first(images))

        def decode(self, features):
            return self.last(features)

        def forward(self, images):
            return self.decode(self.encode(images))

    model = Early()
    found = sampling.predict_dropout(model, images, 4, **PLAIN)
    assert model.calls == 5
    seen = sampling.predict(model, images, **PLAIN)
    assert np.abs(found.mean - seen.mean).max() > 0.01


@pytest.mark.parametrize(
    "method", [sampling.predict_dropout, partial(sampling.predict_tta, augmentation=Augmentation())]
)
def test_a_seed_can_come_from_a_generator(model, images, method):
    def run(state):
        generator = torch.Generator().manual_seed(state)
        return method(model, images, 2, generator=generator, **PLAIN).mean

    np.testing.assert_array_equal(run(1), run(1))
    assert not np.array_equal(run(1), run(2), equal_nan=True)


def test_bf16_is_close_to_float32(model, images):
    half = sampling.predict_dropout(model, images, 4, device="cpu", precision="bf16")
    full = sampling.predict_dropout(model, images, 4, **PLAIN)
    # Random weights and logits of up to 10 exaggerate the rounding.
    assert 0 < np.abs(half.mean - full.mean).max() < 0.15
    assert np.abs(half.mean - full.mean).mean() < 0.01
    np.testing.assert_allclose(half.mean.sum(1), 1, atol=1e-6)


@pytest.mark.parametrize(
    "model",
    [
        models.build("unet", 1, 2, widths=[2, 3], dropout=0.0).eval(),
        Third(rate=0.0).eval(),
    ],
)
def test_a_model_without_dropout_is_refused(model, images):
    with pytest.raises(ModelError, match="no dropout layer"):
        sampling.predict_dropout(model, images)


def test_other_dropout_is_refused(images):
    with pytest.raises(ModelError, match="AlphaDropout cannot be sampled"):
        sampling.predict_dropout(Third(nn.AlphaDropout).eval(), images)
    assert len(sampled_layers(Third())) == 1


@pytest.mark.parametrize("method", ["predict", "predict_dropout"])
def test_normalisation_in_training_mode_is_refused(images, method):
    model = trained()
    model.decoder.levels[1].first.norm.train()
    with pytest.raises(ModelError, match=r"decoder.levels.1.first.norm' is in training mode"):
        getattr(sampling, method)(model, images)


def test_normalisation_without_statistics_is_refused(images):
    model = nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2, track_running_stats=False)).eval()
    with pytest.raises(ModelError, match="keeps no statistics"):
        sampling.predict(model, images)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"samples": 0}, "samples: expected a whole number of at least 1"),
        ({"samples": 2.5}, "samples: expected a whole number"),
        ({"batch_size": 0}, "batch_size: expected a whole number of at least 1"),
        ({"seed": -1}, "seed: expected a whole number from 0"),
        ({"seed": 0.5}, "seed: expected a whole number from 0"),
        ({"generator": 3}, "generator: expected a torch.Generator"),
        ({"device": "cudo"}, "device: expected"),
        ({"precision": "half"}, "precision: expected one of auto, bf16, float32"),
    ],
)
def test_bad_arguments_are_refused(model, images, options, words):
    with pytest.raises(SettingsError, match=words):
        sampling.predict_dropout(model, images, **options)


def test_bad_images_are_refused(model, images):
    with pytest.raises(ShapeError, match="at least one image"):
        sampling.predict_dropout(model, images[:0])
    with pytest.raises(ShapeError, match=r"expected \(images, channels, H, W\)"):
        sampling.predict_dropout(model, images[0])
    with pytest.raises(ModelError, match="multiples of 16"):
        sampling.predict_dropout(model, images[..., :40])
    bad = images.copy()
    bad[3, 0, 4, 4] = np.nan
    with pytest.raises(ImageError, match="images 2 to 3"):
        sampling.predict_dropout(model, bad, 1, batch_size=2)
