"""What all networks have in common, and each against its definition written out."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from paraspine import models
from paraspine.arrays import ModelError, SettingsError
from paraspine.models.resnet import ResNet50
from paraspine.sampling.masks import Masks, dropping

TRANSUNET = {"name": "transunet", "width": 8, "hidden": 24, "heads": 2, "layers": 2,
             "image_size": 32}  # fmt: skip
CASES = {
    "unet": {"name": "unet", "widths": [4, 6, 8, 12, 16]},
    "resnet34": TRANSUNET,
    "resnet50": TRANSUNET | {"encoder": "resnet50"},
}
each = pytest.mark.parametrize("case", list(CASES))
normalised = pytest.mark.parametrize(
    ("case", "norm"),
    [("unet", "batch"), ("unet", "instance"), ("unet", "group"), ("resnet34", "batch"),
     ("resnet34", "instance"), ("resnet50", "group")],
)  # fmt: skip
#: Groups of so many channels, by hand.
GROUPS = {4: 4, 6: 2, 8: 8, 12: 4, 16: 8, 32: 8, 64: 8}


def build(case, **options):
    return models.build(**{"in_channels": 1, "num_classes": 3} | CASES[case] | options)


def moved(network):
    """In float64 and evaluation mode, with norms that are no identity and biases that are not 0."""
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter += 0.1 * torch.randn(parameter.shape, generator=generator)
        for name, tensor in network.named_buffers():
            if name.endswith("running_mean"):
                tensor += 0.1 * torch.randn(tensor.shape, generator=generator)
            if name.endswith("running_var"):
                tensor += torch.rand(tensor.shape, generator=generator)
    return network.double().eval()


@pytest.fixture(scope="module")
def images():
    generator = torch.Generator().manual_seed(0)
    return torch.rand(2, 1, 32, 48, generator=generator, dtype=torch.float64)


# --- definitions -----------------------------------------------------------------------------


def block(values, state, at):
    """3 x 3 convolution, normalisation, ReLU."""
    values = F.conv2d(values, state[f"{at}.conv.weight"], padding=1)
    own = {k.removeprefix(f"{at}.norm."): v for k, v in state.items() if k.startswith(f"{at}.norm")}
    weight, bias = own["weight"], own["bias"]
    if state["norm"] == "batch":
        values = F.batch_norm(values, own["running_mean"], own["running_var"], weight, bias)
    elif state["norm"] == "instance":
        values = F.instance_norm(values, weight=weight, bias=bias)
    else:
        values = F.group_norm(values, GROUPS[len(weight)], weight, bias)
    return values.relu()


def level(values, skip, state, at):
    values = values if skip is None else torch.cat([values, skip], dim=1)
    return block(block(values, state, f"{at}.first"), state, f"{at}.second")


def unet(network, images, state):
    skips, values = [], images
    for k in range(len(network.encoder)):
        values = F.max_pool2d(values, 2) if k else values
        values = block(block(values, state, f"encoder.{k}.0"), state, f"encoder.{k}.1")
        skips.append(values)
    for k, skip in enumerate(skips[-2::-1]):
        at = f"decoder.levels.{k}"
        values = F.conv_transpose2d(
            values, state[f"{at}.up.weight"], state[f"{at}.up.bias"], stride=2
        )
        values = level(values, skip, state, at)
    return F.conv2d(values, state["decoder.head.weight"], state["decoder.head.bias"])


def transunet(network, images, state):
    """With the encoder and the transformer's layers as they are: they have tests of their own."""
    deep, *skips = network.encoder(images)
    tokens = F.conv2d(
        deep, state["transformer.embedding.weight"], state["transformer.embedding.bias"]
    )
    positions = state["transformer.positions"].float()  # of square images, unlike these
    tokens = tokens + F.interpolate(positions, size=deep.shape[2:], mode="bicubic")
    rows = [network.transformer.layers(row[None])[0] for row in tokens.flatten(2).mT]
    norm = state["transformer.norm.weight"], state["transformer.norm.bias"]
    tokens = F.layer_norm(torch.stack(rows), norm[0].shape, *norm, eps=1e-6)
    values = tokens.mT.reshape(len(images), -1, *deep.shape[2:])
    values = block(values, state, "decoder.entry")
    for k, skip in enumerate([*skips, None]):
        values = F.interpolate(values, scale_factor=2, mode="bilinear", align_corners=True)
        values = level(values, skip, state, f"decoder.levels.{k}")
    return F.conv2d(values, state["decoder.head.weight"], state["decoder.head.bias"], padding=1)


@normalised
@torch.no_grad()
def test_logits_are_those_of_the_definition(case, norm, images):
    network = moved(build(case, norm=norm))
    state = network.state_dict() | {"norm": norm}
    expected = (unet if case == "unet" else transunet)(network, images, state)
    found = network(images)
    assert found.shape == (2, 3, 32, 48)
    assert found.flatten(2).std(-1).min() > 0.01
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)
    assert torch.equal(found, network.decode(network.encode(images)))


@torch.no_grad()
def test_r50_is_that_of_the_definition(images):
    network = moved(ResNet50(1, width=8))
    state = network.state_dict()

    def conv(values, at, stride=1):
        weight = state[f"{at}.weight"]
        flat = weight.flatten(1)
        spread = (flat.var(1, keepdim=True, correction=0) + 1e-5).sqrt()
        weight = ((flat - flat.mean(1, keepdim=True)) / spread).view_as(weight)
        return F.conv2d(values, weight, stride=stride, padding=weight.shape[-1] // 2)

    def norm(values, at, groups=None, eps=1e-6):
        groups = groups or min(32, values.shape[1] // 2)
        return F.group_norm(values, groups, state[f"{at}.weight"], state[f"{at}.bias"], eps)

    values = norm(conv(images, "root", 2), "root_norm").relu()
    expected = [values]
    # "SAME" of TensorFlow: of an even side, one pixel is padded at the far end.
    values = F.max_pool2d(F.pad(values, (0, 1, 0, 1), value=-math.inf), 3, 2)
    for number, (count, stride) in enumerate([(3, 1), (4, 2), (9, 2)], start=1):
        for k in range(count):
            at, by, short = f"block{number}.{k}", stride if k == 0 else 1, values
            if k == 0:
                short = conv(values, f"{at}.projection", by)
                short = norm(short, f"{at}.projection_norm", short.shape[1], 1e-5)
            values = norm(conv(values, f"{at}.conv1"), f"{at}.norm1").relu()
            values = norm(conv(values, f"{at}.conv2", by), f"{at}.norm2").relu()
            values = (norm(conv(values, f"{at}.conv3"), f"{at}.norm3") + short).relu()
        expected.insert(0, values)
    for one, other in zip(network(images), expected, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-3)  # filters are float32 inside
        assert other.std() > 0.2


@normalised
@pytest.mark.parametrize("prepared", [False, True])
@torch.no_grad()
def test_replay_equals_full_passes_with_the_same_masks(case, norm, prepared, images):
    # In float64, so that only a wrong rearrangement could make a difference.
    network = moved(build(case, norm=norm, dropout=0.3))
    fast = network.for_inference(dtype=torch.float64, replay=True) if prepared else network
    torch.testing.assert_close(fast(images), network(images), rtol=1e-9, atol=1e-9)
    again, full = fast.replay(fast.encode(images)), []
    for sample in range(2):
        masks = [Masks(5, [3, 4], sample, torch.device("cpu")) for _ in range(2)]
        with dropping(network.sampled_dropout(), masks[0]):
            full.append(network(images))
        torch.testing.assert_close(again(masks[1].clear), full[-1], rtol=1e-9, atol=1e-9)
    assert (full[0] - full[1]).abs().max() > 0.01


# --- how they start --------------------------------------------------------------------------


@each
def test_convolutions_start_as_he_et_al_have_it(case):
    """Standard deviation sqrt(2 / inputs): neither do activations vanish nor explode."""
    small = {"widths": [16, 32, 32, 32, 32]} if case == "unet" else {"width": 16, "image_size": 64}
    network = build(case, num_classes=4, **small).train()
    images = torch.rand(4, 1, 64, 64, generator=torch.Generator().manual_seed(1))
    spread = [f.std().item() for f in network.encode(images)]
    assert 0.2 < min(spread) < max(spread) < 5
    assert 0.05 < network(images).std().item() < 3
    for layer in network.modules():
        # A transposed convolution reads one pixel for each that it makes.
        inputs = {(3, 3): 9, (2, 2): 1}.get(getattr(layer, "kernel_size", None), 0)
        if inputs and layer.weight.numel() > 2000:
            spread = layer.weight.detach().std() / math.sqrt(2 / inputs / layer.in_channels)
            assert spread == pytest.approx(1, abs=0.1)


@each
def test_gradients_reach_every_parameter(case, images):
    network = build(case)
    network(images.float()).square().mean().backward()
    # A key's bias moves all of a query's scores alike, so only rounding reaches it.
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters())


@each
def test_eight_dropouts_all_in_the_decoder(case):
    network = build(case, dropout=0.25)
    layers = [n for n, m in network.named_modules() if isinstance(m, nn.Dropout)]
    assert len(layers) == 8
    assert all(n.startswith("decoder.levels.") for n in layers)
    assert [m.p for m in network.sampled_dropout()] == [0.25] * 8
    assert {m.p for m in build(case).sampled_dropout()} == {0.18}
    assert build(case, dropout=0).sampled_dropout() == []


@each
def test_settings_and_files_build_the_same_network(case, tmp_path, images):
    network = build(case, in_channels=2, seed=5, dropout=0.3, norm="group",
                    activation="normalised_relu")  # fmt: skip
    assert (network.divisor, network.activation) == (16, "normalised_relu")
    # every class begins where its ReLU learns
    torch.testing.assert_close(network.decoder.head.bias.detach(), torch.full((3,), 0.2))
    again = models.build(**network.settings, seed=5)
    loaded = models.load(models.save(network, tmp_path / "model.safetensors"))
    for other in (again, loaded):
        assert other.settings == network.settings
        for name, tensor in network.state_dict().items():
            assert torch.equal(tensor, other.state_dict()[name])
    two = images.float().expand(-1, 2, -1, -1)
    assert torch.equal(network.eval()(two), loaded(two))
    assert loaded.activation == network.for_inference().activation == "normalised_relu"
    assert build(case).activation == "softmax"


# --- refusals --------------------------------------------------------------------------------


@each
@pytest.mark.parametrize(
    ("shape", "words"),
    [
        ((1, 1, 30, 48), "multiples of 16, got 30 x 48.*32 x 48"),
        ((1, 1, 17, 1), "multiples of 16.*32 x 16"),
        ((1, 2, 32, 32), r"expected images \(batch, 1, H, W\)"),
        ((1, 32, 32), r"expected images \(batch, 1, H, W\)"),
    ],
)
def test_other_images_are_refused_with_what_to_pad_to(case, shape, words):
    with pytest.raises(ModelError, match=words):
        build(case)(torch.zeros(shape))


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("unet", {"steps": 4}, "unknown option 'steps'; it has width, depth, widths, dropout"),
        ("unet", {"depth": 0}, "depth: expected a whole number of at least 1, got 0"),
        ("unet", {"activation": "tanh"}, "activation: expected one of softmax, normalised_relu"),
        ("unet", {"widths": [8]}, "widths: expected a list of at least 2"),
        ("unet", {"widths": [8, 0]}, r"widths\[1\]: expected a whole number of at least 1"),
        ("unet", {"widths": "864"}, "widths: expected a list"),
        ("unet", {"width": 8.0}, "width: expected a whole number"),
        ("unet", {"width": True}, "width: expected a whole number"),
        ("unet", {"width": 8, "widths": [8, 16]}, "either width or widths"),
        ("unet", {"dropout": 1.0}, "dropout: expected a rate"),
        ("unet", {"dropout": float("nan")}, "dropout: expected a rate"),
        ("unet", {"norm": "layer"}, "norm: expected one of batch, instance, group"),
        ("unet", {"in_channels": 0}, "in_channels: expected a whole number of at least 1"),
        ("unet", {"num_classes": 1}, "num_classes: expected a whole number of at least 2"),
        ("unet", {"seed": "a"}, "seed: expected a whole number"),
        ("vnet", {}, "model: expected one of unet"),
        ("transunet", {"encoder": "vgg"}, "encoder: expected one of resnet34, resnet50"),
        ("transunet", {"hidden": 10, "heads": 3}, "heads: expected a divisor of hidden = 10"),
        ("transunet", {"decoder_widths": [8, 8, 8]}, "expected 4 whole numbers, got 3"),
        ("transunet", {"image_size": 100}, "image_size: expected a multiple of 16"),
        ("transunet", {"layers": 0}, "layers: expected a whole number of at least 1"),
        ("transunet", {"transformer_dropout": -0.1}, "transformer_dropout: expected a rate"),
        ("transunet", {"widths": [8]}, "unknown option 'widths'; it has encoder, width"),
        ("transunet", {"norm": "none", "width": 8, "layers": 1}, "norm: expected one of"),
    ],
)
def test_bad_settings_are_refused(name, change, words):
    with pytest.raises(SettingsError, match=words):
        models.build(**{"name": name, "in_channels": 1, "num_classes": 2} | change)
