"""The U-Net: shapes, hand-worked parameter counts, seeds, refusals."""

import numpy as np
import pytest
import torch
from torch import nn

from paraspine import models
from paraspine.arrays import ModelError, SettingsError

SMALL = {"widths": [4, 6, 8, 8, 10]}


@pytest.fixture(scope="module")
def images():
    return torch.rand(2, 1, 32, 48, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("norm", ["batch", "instance", "group"])
def test_logits_have_the_images_size(images, norm):
    model = models.build("unet", 1, 3, norm=norm, **SMALL)
    assert model(images).shape == (2, 3, 32, 48)
    assert model.divisor == 16
    assert model.activation == "softmax"
    assert torch.equal(model.eval()(images), model.decode(model.encode(images)))


def test_eight_dropouts_all_in_the_decoder():
    model = models.build("unet", 1, 3, dropout=0.25, **SMALL)
    layers = [n for n, m in model.named_modules() if isinstance(m, nn.Dropout)]
    assert len(layers) == 8
    assert all(n.startswith("decoder.") for n in layers)
    assert {m.p for m in model.sampled_dropout()} == {0.25}
    assert {m.p for m in models.build("unet", 1, 3, **SMALL).sampled_dropout()} == {0.18}
    assert models.build("unet", 1, 3, dropout=0, **SMALL).sampled_dropout() == []


def test_parameter_count_by_hand():
    # Widths 2, 3; one image channel; two classes. A block without bias and with batch norm has
    # 9 in out + 2 out parameters.
    down = (9 * 1 * 2 + 4) + (9 * 2 * 2 + 4)  # 22 + 40
    deep = (9 * 2 * 3 + 6) + (9 * 3 * 3 + 6)  # 60 + 87
    up = 4 * 3 * 2 + 2  # transposed 2 x 2 convolution with bias: 26
    level = (9 * 4 * 2 + 4) + (9 * 2 * 2 + 4)  # 76 + 40
    head = 2 * 2 + 2  # 6
    expected = 62 + 147 + 26 + 116 + 6
    assert down + deep + up + level + head == expected == 357
    assert models.parameter_count(models.build("unet", 1, 2, widths=[2, 3])) == 357


def test_parameter_count_of_the_full_size():
    # Widths 64 to 1024, one channel, five classes:
    # blocks down    576+128 + 36864+128; 73728+256 + 147456+256; 294912+512 + 589824+512;
    #                1179648+1024 + 2359296+1024; 4718592+2048 + 9437184+2048
    # enlargements   2097152+512; 524288+256; 131072+128; 32768+64
    # blocks up      4718592+1024 + 2359296+1024; 1179648+512 + 589824+512;
    #                294912+256 + 147456+256; 73728+128 + 36864+128
    # head           320+5
    assert models.parameter_count(models.build("unet", 1, 5)) == 31_036_741


def test_trainable_parameters_only():
    model = models.build("unet", 1, 2, widths=[2, 3])
    model.decoder.head.requires_grad_(False)
    assert models.parameter_count(model, trainable=True) == 357 - 6


def test_width_doubles_at_each_of_four_steps():
    model = models.build("unet", 1, 2, width=3)
    assert model.settings["widths"] == [3, 6, 12, 24, 48]


def test_settings_build_the_same_network():
    model = models.build("unet", 2, 3, seed=5, dropout=0.3, norm="group", **SMALL)
    again = models.build(**model.settings, seed=5)
    assert all(
        torch.equal(a, b)
        for a, b in zip(model.state_dict().values(), again.state_dict().values(), strict=True)
    )


def test_seed_sets_the_weights_and_leaves_the_global_state(images):
    torch.manual_seed(3)
    before = torch.get_rng_state()
    first = models.build("unet", 1, 3, seed=1, **SMALL)
    assert torch.equal(before, torch.get_rng_state())
    torch.rand(5)
    second = models.build("unet", 1, 3, seed=1, **SMALL)
    third = models.build("unet", 1, 3, seed=2, **SMALL)
    assert torch.equal(first.encoder[0][0].conv.weight, second.encoder[0][0].conv.weight)
    assert not torch.equal(first.encoder[0][0].conv.weight, third.encoder[0][0].conv.weight)


def test_activations_neither_vanish_nor_explode_at_the_start():
    model = models.build("unet", 1, 4, widths=[16, 32, 32, 32, 32], norm="batch").eval()
    x = torch.randn(2, 1, 64, 64, generator=torch.Generator().manual_seed(1))
    spread = [f.std().item() for f in model.encode(x)]
    assert min(spread) > 0.2
    assert max(spread) < 3
    assert 0.05 < model(x).std().item() < 3


@pytest.mark.parametrize(
    ("shape", "words"), [((1, 1, 30, 48), "32 x 48"), ((1, 1, 17, 1), "32 x 16")]
)
def test_other_sizes_are_refused_with_what_to_pad_to(shape, words):
    with pytest.raises(ModelError, match=f"multiples of 16.*{words}"):
        models.build("unet", 1, 2, **SMALL)(torch.zeros(shape))


@pytest.mark.parametrize("shape", [(1, 2, 32, 32), (1, 32, 32), (32, 32)])
def test_other_channels_and_axes_are_refused(shape):
    with pytest.raises(ModelError, match=r"expected images \(batch, 1, H, W\)"):
        models.build("unet", 1, 2, **SMALL)(torch.zeros(shape))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"steps": 4}, "unknown option 'steps'; it has width, depth, widths, dropout, norm"),
        ({"depth": 0}, "depth: expected a whole number of at least 1, got 0"),
        ({"activation": "tanh"}, "activation: expected one of softmax, normalised_relu"),
        ({"widths": [8]}, "widths: expected a list of at least 2"),
        ({"widths": [8, 0]}, r"widths\[1\]: expected a whole number of at least 1"),
        ({"widths": "864"}, "widths: expected a list"),
        ({"width": 8.0}, "width: expected a whole number"),
        ({"width": True}, "width: expected a whole number"),
        ({"width": 8, "widths": [8, 16]}, "either width or widths"),
        ({"dropout": 1.0}, "dropout: expected a rate"),
        ({"dropout": float("nan")}, "dropout: expected a rate"),
        ({"norm": "layer"}, "norm: expected one of batch, instance, group"),
        ({"in_channels": 0}, "in_channels: expected a whole number of at least 1"),
        ({"num_classes": 1}, "num_classes: expected a whole number of at least 2"),
        ({"seed": "a"}, "seed: expected a whole number"),
        ({"name": "vnet"}, "model: expected one of unet"),
    ],
)
def test_bad_settings_are_refused(change, words):
    settings = {"name": "unet", "in_channels": 1, "num_classes": 2} | change
    with pytest.raises(SettingsError, match=words):
        models.build(**settings)


def test_whole_numbers_of_numpy_are_taken():
    assert models.build("unet", np.int64(1), 2, width=np.int64(2)).settings["widths"][0] == 2


def test_gradients_reach_every_parameter(images):
    model = models.build("unet", 1, 3, **SMALL)
    model(images).square().mean().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters())


def test_depth_doubles_the_width_so_many_times():
    assert models.build("unet", 1, 3, width=4, depth=2).settings["widths"] == [4, 8, 16]
    assert models.build("unet", 1, 3, width=4, depth=2).divisor == 4


@pytest.mark.parametrize("name", ["unet", "transunet"])
def test_the_activation_comes_back_from_the_file(name, tmp_path):
    small = {"width": 4} if name == "unet" else {"width": 4, "hidden": 16, "layers": 1,
                                                 "image_size": 16}  # fmt: skip
    network = models.build(name, 1, 3, activation="normalised_relu", **small)
    assert (network.decoder.head.bias == 1).all()  # every class begins where its ReLU learns
    path = models.save(network, tmp_path / "model.safetensors")
    assert models.load(path).activation == "normalised_relu"
    assert network.for_inference().activation == "normalised_relu"
    assert models.build(name, 1, 3, **small).activation == "softmax"
