"""Weights of elsewhere."""

import numpy as np
import pytest
import safetensors.torch
import torch

from paraspine import models
from paraspine.arrays import ModelError

SMALL = {"width": 8, "hidden": 24, "heads": 2, "layers": 2, "image_size": 64}


@pytest.fixture
def network():
    return models.build("transunet", 1, 3, **SMALL)


def other(**options):
    return models.build("transunet", 1, 3, seed=9, **(SMALL | options))


def test_everything_of_a_saved_network(network, tmp_path):
    source = other()
    report = models.load_pretrained(network, models.save(source, tmp_path / "a.safetensors"))
    assert (report.missing, report.unexpected, report.mismatched, report.adapted) == ((),) * 4
    assert set(report.loaded) == set(network.state_dict())
    number = len(report.loaded)
    first, second = str(report).splitlines()
    assert first == f"a.safetensors: {number} of {number} tensors taken."
    assert second == f"loaded ({number}): {', '.join(report.loaded)}"
    assert network.pretrained is None  # `build` says there what it took
    images = torch.rand(1, 1, 32, 32)
    assert torch.equal(network.eval()(images), source.eval()(images))


@pytest.mark.parametrize("key", ["state_dict", "model"])
def test_names_of_torchvision_and_of_wrapped_networks(network, tmp_path, key):
    source = other().encoder.state_dict()
    tensors = {f"module.{k}": v for k, v in source.items()} | {"module.fc.weight": torch.zeros(3)}
    torch.save({key: tensors, "epoch": 3}, tmp_path / "a.pth")
    report = models.load_pretrained(network, tmp_path / "a.pth")
    assert set(report.loaded) == {f"encoder.{k}" for k in source}
    assert report.unexpected == ("module.fc.weight",)
    assert all(n.startswith(("transformer.", "decoder.")) for n in report.missing)
    assert torch.equal(network.encoder.layer3[1].conv2.weight, source["layer3.1.conv2.weight"])
    assert "missing (" in str(report)
    assert "unexpected (1): module.fc.weight" in str(report)


def test_colours_are_summed_so_that_a_grey_image_gives_the_same(network, tmp_path):
    source = models.build("transunet", 3, 3, seed=9, **SMALL)
    models.save(source, tmp_path / "a.safetensors")
    report = models.load_pretrained(network, tmp_path / "a.safetensors")
    assert report.adapted == ("encoder.conv1.weight",)
    images = torch.rand(1, 1, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(
            network.eval()(images), source.eval()(images.expand(1, 3, 32, 32)), rtol=1e-4, atol=1e-5
        )


def test_positions_of_another_grid_are_interpolated(network, tmp_path):
    source = other(image_size=32)
    source.transformer.positions.data[:] = 2
    models.save(source, tmp_path / "a.safetensors")
    assert models.load_pretrained(network, tmp_path / "a.safetensors").adapted == (
        "transformer.positions",
    )
    torch.testing.assert_close(network.transformer.positions.data, torch.full((1, 24, 4, 4), 2.0))


def test_shapes_that_differ_are_named_and_kept(network, tmp_path):
    source = models.build("transunet", 1, 5, seed=9, **SMALL)
    models.save(source, tmp_path / "a.safetensors")
    before = network.decoder.head.weight.clone()
    report = models.load_pretrained(network, tmp_path / "a.safetensors")
    assert sorted(report.mismatched) == [
        "decoder.head.bias ((5,) in the file, (3,) here)",
        "decoder.head.weight ((5, 16, 3, 3) in the file, (3, 16, 3, 3) here)",
    ]
    assert set(report.missing) == {"decoder.head.weight", "decoder.head.bias"}
    assert torch.equal(network.decoder.head.weight, before)


def test_build_takes_a_file(tmp_path):
    path = models.save(other(), tmp_path / "a.safetensors")
    network = models.build("transunet", 1, 3, pretrained=path, **SMALL)
    assert network.pretrained.missing == ()
    assert torch.equal(network.encoder.conv1.weight, other().encoder.conv1.weight)
    assert "pretrained" not in network.settings


def test_a_missing_file_is_no_silent_random_start(tmp_path):
    with pytest.raises(ModelError, match="no such file; pretrained weights are read from a local"):
        models.build("transunet", 1, 3, pretrained=tmp_path / "a.pth", **SMALL)


def test_a_file_of_which_nothing_fits(network, tmp_path):
    torch.save({"features.0.weight": torch.zeros(3)}, tmp_path / "a.pth")
    with pytest.raises(ModelError, match=r"none of its 1 tensors fit.*features.0.weight"):
        models.load_pretrained(network, tmp_path / "a.pth")


@pytest.mark.parametrize("name", ["a.pth", "a.npz", "a.safetensors"])
@pytest.mark.parametrize("content", [b"", b"not weights", b"PK\x03\x04broken"])
def test_damaged_files(network, tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ModelError, match="cannot be read"):
        models.load_pretrained(network, tmp_path / name)


def test_a_file_that_would_run_code_is_refused(network, tmp_path):
    class Harmful:
        def __reduce__(self):
            return print, ("run",)

    torch.save({"a": Harmful()}, tmp_path / "a.pth")
    with pytest.raises(ModelError, match="cannot be read"):
        models.load_pretrained(network, tmp_path / "a.pth")


def test_a_file_without_named_tensors(network, tmp_path):
    torch.save([torch.zeros(1)], tmp_path / "a.pth")
    with pytest.raises(ModelError, match="expected named tensors, got list"):
        models.load_pretrained(network, tmp_path / "a.pth")


def published(width=8, hidden=24, heads=2, layers=2, mlp=96, grid=4):
    """Arrays with the names and axes of the published R50+ViT-B/16, smaller."""
    rng = np.random.default_rng(0)
    shapes = {"cls": (1, 1, hidden), "head/kernel": (hidden, 7), "head/bias": (7,)}
    shapes["conv_root/kernel"] = (7, 7, 3, width)
    shapes["gn_root/scale"] = shapes["gn_root/bias"] = (1, 1, 1, width)
    before = width
    for b, blocks in enumerate([3, 4, 9], start=1):
        after = width * 2 ** (b + 1)
        for u in range(1, blocks + 1):
            at, middle = f"block{b}/unit{u}", after // 4
            shapes[f"{at}/conv1/kernel"] = (1, 1, before, middle)
            shapes[f"{at}/conv2/kernel"] = (3, 3, middle, middle)
            shapes[f"{at}/conv3/kernel"] = (1, 1, middle, after)
            for k, n in (("gn1", middle), ("gn2", middle), ("gn3", after)):
                shapes[f"{at}/{k}/scale"] = shapes[f"{at}/{k}/bias"] = (1, 1, 1, n)
            if u == 1:
                shapes[f"{at}/conv_proj/kernel"] = (1, 1, before, after)
                shapes[f"{at}/gn_proj/scale"] = shapes[f"{at}/gn_proj/bias"] = (1, 1, 1, after)
            before = after
    shapes["embedding/kernel"], shapes["embedding/bias"] = (1, 1, before, hidden), (hidden,)
    shapes["Transformer/posembed_input/pos_embedding"] = (1, 1 + grid**2, hidden)
    shapes["Transformer/encoder_norm/scale"] = shapes["Transformer/encoder_norm/bias"] = (hidden,)
    for i in range(layers):
        at = f"Transformer/encoderblock_{i}"
        for norm in ("LayerNorm_0", "LayerNorm_2"):
            shapes[f"{at}/{norm}/scale"] = shapes[f"{at}/{norm}/bias"] = (hidden,)
        for part in ("query", "key", "value"):
            name = f"{at}/MultiHeadDotProductAttention_1/{part}"
            shapes[f"{name}/kernel"] = (hidden, heads, hidden // heads)
            shapes[f"{name}/bias"] = (heads, hidden // heads)
        name = f"{at}/MultiHeadDotProductAttention_1/out"
        shapes[f"{name}/kernel"] = (heads, hidden // heads, hidden)
        shapes[f"{name}/bias"] = (hidden,)
        shapes[f"{at}/MlpBlock_3/Dense_0/kernel"] = (hidden, mlp)
        shapes[f"{at}/MlpBlock_3/Dense_0/bias"] = (mlp,)
        shapes[f"{at}/MlpBlock_3/Dense_1/kernel"] = (mlp, hidden)
        shapes[f"{at}/MlpBlock_3/Dense_1/bias"] = (hidden,)
    return {k: rng.normal(0, 0.3, v).astype(np.float32) for k, v in shapes.items()}


def test_the_published_vision_transformer(tmp_path):
    arrays = published()
    np.savez(tmp_path / "a.npz", **arrays)
    network = models.build("transunet", 1, 3, encoder="resnet50", **SMALL)
    report = models.load_pretrained(network, tmp_path / "a.npz")
    assert report.adapted == ("encoder.root.weight",)
    assert report.mismatched == ()
    assert all(n.startswith("decoder.") for n in report.missing)
    assert sorted(report.unexpected) == ["cls", "head/bias", "head/kernel"]

    own, layer = network.state_dict(), "Transformer/encoderblock_1"
    for ours, theirs in {
        "encoder.block2.1.conv2.weight": "block2/unit2/conv2/kernel",
        "encoder.block2.1.norm3.weight": "block2/unit2/gn3/scale",
        "encoder.block1.0.projection.weight": "block1/unit1/conv_proj/kernel",
        "encoder.block1.0.projection_norm.bias": "block1/unit1/gn_proj/bias",
        "transformer.norm.bias": "Transformer/encoder_norm/bias",
        "transformer.layers.1.norm1.weight": f"{layer}/LayerNorm_0/scale",
        "transformer.layers.1.norm2.bias": f"{layer}/LayerNorm_2/bias",
        "transformer.layers.1.mlp.0.weight": f"{layer}/MlpBlock_3/Dense_0/kernel",
        "transformer.layers.1.mlp.3.weight": f"{layer}/MlpBlock_3/Dense_1/kernel",
        "transformer.layers.1.mlp.3.bias": f"{layer}/MlpBlock_3/Dense_1/bias",
    }.items():
        array = arrays[theirs]
        array = array.transpose(3, 2, 0, 1) if array.ndim == 4 else array.T
        assert np.array_equal(own[ours].squeeze(), array.squeeze()), ours
    positions = arrays["Transformer/posembed_input/pos_embedding"]
    assert own["transformer.positions"][0, 7, 1, 2] == positions[0, 1 + 4 * 1 + 2, 7]

    # Attention as the published code writes it: one axis each for heads and channels.
    tokens = np.random.default_rng(1).normal(size=(2, 5, 24)).astype(np.float32)
    at = f"{layer}/MultiHeadDotProductAttention_1"
    q, k, v = (
        np.einsum("bnd,dhc->bhnc", tokens, arrays[f"{at}/{part}/kernel"])
        + arrays[f"{at}/{part}/bias"][None, :, None]
        for part in ("query", "key", "value")
    )
    scores = np.exp(np.einsum("bhnc,bhmc->bhnm", q, k) / np.sqrt(12))
    mixed = np.einsum("bhnm,bhmc->bhnc", scores / scores.sum(-1, keepdims=True), v)
    expected = np.einsum("bhnc,hcd->bnd", mixed, arrays[f"{at}/out/kernel"])
    expected += arrays[f"{at}/out/bias"]
    with torch.no_grad():
        found = network.transformer.layers[1].attend(torch.as_tensor(tokens)).numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


def test_both_transformers_of_a_multitask_network_start_from_the_published_one(tmp_path):
    np.savez(tmp_path / "a.npz", **published())
    network = models.build("multitask_transunet", 1, 3, encoder="resnet50", **SMALL)
    before = {k: v.clone() for k, v in network.state_dict().items()}
    report = models.load_pretrained(network, tmp_path / "a.npz")
    own = network.state_dict()
    twins = [name for name in own if name.startswith("variance_transformer.")]
    assert len(twins) == 2 * 12 + 2
    for name in twins:
        assert torch.equal(own[name], own[name.removeprefix("variance_")])
        assert name in report.loaded
    assert any(not torch.equal(own[name], before[name]) for name in twins)
    # a multi-task network's own file keeps what each transformer has learned
    own["variance_transformer.norm.bias"] += 1
    models.save(network, tmp_path / "own.safetensors")
    again = models.build("multitask_transunet", 1, 3, encoder="resnet50", **SMALL)
    models.load_pretrained(again, tmp_path / "own.safetensors")
    assert all(torch.equal(own[name], again.state_dict()[name]) for name in own)


def test_the_published_one_does_not_fit_the_other_encoder(network, tmp_path):
    arrays = {
        k: v for k, v in published().items() if not k.startswith(("Transformer", "embedding"))
    }
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(ModelError, match="choose the encoder and width"):
        models.load_pretrained(network, tmp_path / "a.npz")


def test_a_u_net_can_start_from_another(tmp_path):
    source = models.build("unet", 1, 5, seed=3, widths=[4, 6])
    safetensors.torch.save_file(dict(source.state_dict()), tmp_path / "a.safetensors")
    network = models.build("unet", 1, 3, widths=[4, 6], pretrained=tmp_path / "a.safetensors")
    assert set(network.pretrained.missing) == {"decoder.head.weight", "decoder.head.bias"}
    assert len(network.pretrained.mismatched) == 2
