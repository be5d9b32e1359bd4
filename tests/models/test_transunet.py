"""TransUNet: its parts against independent implementations, hand-worked counts."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from paraspine import models
from paraspine.models.resnet import ResNet34, ResNet50, StandardConv
from paraspine.models.transformer import TransformerLayer, _attention

SMALL = {"width": 8, "hidden": 24, "heads": 2, "layers": 2, "image_size": 32}
ENCODERS = ("resnet34", "resnet50")


@pytest.fixture(scope="module")
def images():
    return torch.rand(2, 1, 32, 48, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("shape", [(16, 16), (16, 80), (48, 32)])
@pytest.mark.parametrize("encoder", ENCODERS)
def test_any_multiple_of_16_will_do(shape, encoder):
    model = models.build("transunet", 1, 2, encoder=encoder, **SMALL).eval()
    assert model(torch.rand(1, 1, *shape)).shape == (1, 2, *shape)


def test_dropout_of_the_transformer_has_its_own_rate_and_is_not_sampled():
    model = models.build("transunet", 1, 3, dropout=0.2, transformer_dropout=0.1, **SMALL)
    rates = [m.p for m in model.transformer.modules() if isinstance(m, nn.Dropout)]
    assert rates == [0.1] * (1 + 2 * 2)
    assert [m.p for m in model.sampled_dropout()] == [0.2] * 8


def test_count_of_resnet34_by_hand():
    # The classifier's 512,000 + 1,000 left out of torchvision's 21,797,672 parameters, and two of
    # the three colours of the first convolution: 2 * 64 * 49.
    assert models.parameter_count(ResNet34(3)) == 21_797_672 - 513_000 == 21_284_672
    assert models.parameter_count(ResNet34(1)) == 21_284_672 - 2 * 64 * 49 == 21_278_400


def test_count_of_the_original_by_hand():
    # R50: root 49*3*64 + 128. Bottlenecks in-mid-out: in*mid + 9 mid^2 + mid*out + 4 mid + 2 out;
    # the first of a stage also has in*out + 2 out.
    def stage(blocks, before, middle, after):
        norms = 4 * middle + 2 * after
        first = before * middle + 9 * middle**2 + middle * after + norms
        other = after * middle + 9 * middle**2 + middle * after + norms
        return first + before * after + 2 * after + (blocks - 1) * other

    root = 9_408 + 128
    r50 = root + stage(3, 64, 64, 256) + stage(4, 256, 128, 512) + stage(9, 512, 256, 1024)
    # 12 layers: attention 4 (768^2 + 768), perceptron 2*768*3072 + 3072 + 768, norms 4*768.
    layer = 2_362_368 + 4_722_432 + 3_072
    transformer = 1024 * 768 + 768 + 14 * 14 * 768 + 12 * layer + 2 * 768
    # Up-sampler: blocks of 9 in out + 2 out; head 9*16*classes + classes.
    pairs = [(768, 512), (1024, 256), (256, 256), (512, 128), (128, 128), (192, 64), (64, 64)]
    decoder = sum(9 * a * b + 2 * b for a, b in [*pairs, (64, 16), (16, 16)]) + 145 * 9
    expected = r50 + transformer + decoder
    model = models.build("transunet", 3, 9, encoder="resnet50", image_size=224)
    assert models.parameter_count(model.encoder) == r50 == 11_894_848
    assert models.parameter_count(model.transformer) == transformer == 85_993_728
    assert models.parameter_count(model.decoder) == decoder == 7_388_505
    # "105 M", as the networks of Chen et al. are listed.
    assert models.parameter_count(model) == expected == 105_277_081


def test_count_of_the_default_by_hand():
    # ResNet-34 in one colour; embedding 512*768 + 768; 16 x 16 positions; 12 layers; final norm;
    # up-sampler with skips of 128, 64 and 64 channels; 5 classes.
    transformer = 393_984 + 196_608 + 12 * 7_087_872 + 1_536
    pairs = [(768, 512), (640, 256), (256, 256), (320, 128), (128, 128), (192, 64), (64, 64)]
    decoder = sum(9 * a * b + 2 * b for a, b in [*pairs, (64, 16), (16, 16)]) + 145 * 5
    model = models.build("transunet", 1, 5)
    assert models.parameter_count(model) == 21_278_400 + transformer + decoder == 113_206_997


def test_sizes_follow_from_the_width():
    settings = models.build("transunet", 1, 2, width=16, layers=1).settings
    assert (settings["hidden"], settings["heads"], settings["mlp"]) == (192, 3, 768)
    assert settings["decoder_widths"] == [64, 32, 16, 16]
    model = models.build("transunet", 1, 2, width=16, hidden=128, layers=4)
    assert models.parameter_count(model) < 3_000_000


def test_transformer_layer_equals_torchs():
    ours = TransformerLayer(12, 3, 20)
    theirs = nn.TransformerEncoderLayer(
        12, 3, 20, 0.0, "gelu", layer_norm_eps=1e-6, batch_first=True, norm_first=True
    )
    state = ours.state_dict()
    names = {
        "self_attn.in_proj_weight": "qkv.weight",
        "self_attn.in_proj_bias": "qkv.bias",
        "self_attn.out_proj.weight": "out.weight",
        "self_attn.out_proj.bias": "out.bias",
        "linear1.weight": "mlp.0.weight",
        "linear1.bias": "mlp.0.bias",
        "linear2.weight": "mlp.3.weight",
        "linear2.bias": "mlp.3.bias",
    } | {n: n for n in ("norm1.weight", "norm1.bias", "norm2.weight", "norm2.bias")}
    theirs.load_state_dict({theirs_: state[ours_] for theirs_, ours_ in names.items()})
    tokens = torch.randn(2, 7, 12)
    torch.testing.assert_close(ours(tokens), theirs(tokens), rtol=1e-5, atol=1e-5)


def test_standardised_filters():
    conv = StandardConv(3, 4, 3)
    weight = conv.standardised().detach().flatten(1)
    torch.testing.assert_close(weight.mean(1), torch.zeros(4), atol=1e-6, rtol=0)
    torch.testing.assert_close(weight.std(1, correction=0), torch.ones(4), atol=1e-3, rtol=0)
    images = torch.rand(1, 3, 8, 8)
    before = conv(images)
    conv.fold()
    torch.testing.assert_close(conv(images), before)


def test_r50_does_not_depend_on_the_batch():
    network = ResNet50(1, width=8).train().double()
    images = torch.rand(3, 1, 32, 32, dtype=torch.float64)
    torch.testing.assert_close(network(images)[0][:1], network(images[:1])[0])


def test_resnet34_equals_monais():
    from monai.networks.nets import resnet34

    theirs = resnet34(
        spatial_dims=2,
        n_input_channels=1,
        conv1_t_stride=2,
        feed_forward=False,
        bias_downsample=False,
    ).eval()
    ours = ResNet34(1).eval()
    ours.load_state_dict(theirs.state_dict())
    images = torch.rand(1, 1, 32, 48)
    with torch.no_grad():
        half = theirs.act(theirs.bn1(theirs.conv1(images)))
        quarter = theirs.layer1(theirs.maxpool(half))
        eighth = theirs.layer2(quarter)
        theirs.layer4[0].conv1.stride = theirs.layer4[0].downsample[0].stride = (1, 1)
        deep = theirs.layer4(theirs.layer3(eighth))
        for found, expected in zip(ours(images), (deep, eighth, quarter, half), strict=True):
            torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


def test_attention_written_out_in_bf16_is_torchs():
    generator = torch.Generator().manual_seed(0)
    parts = [torch.randn(2, 3, 20, 16, generator=generator).requires_grad_() for _ in range(3)]
    slopes = torch.randn(2, 3, 20, 16, generator=generator)
    gradients = []
    for attention, dtype in (
        (F.scaled_dot_product_attention, torch.float32),
        (_attention, torch.bfloat16),
        (_attention, torch.float32),
    ):
        found = attention(*(part.to(dtype) for part in parts))
        given = torch.autograd.grad((found.float() * slopes).sum(), parts)
        gradients.append(torch.stack([found.float().detach(), *given]))
    torch.testing.assert_close(gradients[2], gradients[0])
    difference = (gradients[1] - gradients[0]).abs()
    assert 0 < difference.max() < 0.05
    assert difference.mean() < 0.005


@pytest.mark.parametrize(("dtype", "allowed"), [(torch.float32, 1e-5), (torch.bfloat16, 0.05)])
def test_packed_linear_layers_compute_the_same(images, dtype, allowed):
    network = models.build("transunet", 1, 3, **SMALL).eval()
    for layer in network.transformer.modules():
        if isinstance(layer, nn.Linear):
            nn.init.normal_(layer.bias)
    fast = network.for_inference(dtype=dtype)
    with torch.no_grad():
        expected, found = network(images), fast(images.to(dtype)).float()
    assert (found - expected).abs().max() < allowed * expected.abs().max()
    if dtype == torch.float32 or torch.ops.mkldnn._is_mkldnn_bf16_supported():
        assert not any(isinstance(layer, nn.Linear) for layer in fast.modules())
    with torch.no_grad():
        torch.testing.assert_close(fast.for_inference(dtype=dtype)(images.to(dtype)).float(), found)
    assert sum(isinstance(layer, nn.Linear) for layer in network.modules()) == 8


def test_linear_layers_stay_where_onednn_is_missing(monkeypatch, images):
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    network = models.build("transunet", 1, 3, **SMALL).eval()
    fast = network.for_inference()
    assert sum(isinstance(layer, nn.Linear) for layer in fast.modules()) == 8
    with torch.no_grad():
        torch.testing.assert_close(fast(images), network(images), rtol=1e-4, atol=1e-4)
