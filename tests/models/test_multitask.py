"""Networks with two tasks: what is shared, what each has for itself, files, inference."""

import math

import pytest
import torch
from torch import nn

from paraspine import models, sampling
from paraspine.arrays import ModelError, SettingsError

SMALL = {
    "multitask_unet": {"widths": [4, 6, 8, 8, 10]},
    "multitask_transunet": {"width": 8, "layers": 1, "image_size": 32, "heads": 2},
}
each = pytest.mark.parametrize("name", list(SMALL))


@pytest.fixture(scope="module")
def images():
    return torch.rand(2, 1, 32, 48, generator=torch.Generator().manual_seed(0))


@each
def test_both_outputs_in_one_pass(name, images):
    model = models.build(name, 1, 4, **SMALL[name]).eval()
    found = model.outputs(images)
    assert list(found) == list(model.tasks) == list(models.tasks(name))
    assert found["segmentation"].shape == (2, 4, 32, 48)
    assert found["variance"].shape == (2, 3, 32, 48)
    assert torch.equal(found["segmentation"], model(images))
    assert torch.equal(found["segmentation"], model.decode(model.encode(images)))
    with pytest.raises(ModelError, match="multiples of 16"):
        model.outputs(images[:, :, :30])


@each
def test_variances_are_never_negative_and_start_small(name, images):
    model = models.build(name, 1, 2, **SMALL[name])
    assert (model.outputs(1000 * images - 500)["variance"] >= 0).all()
    start = model.eval().outputs(images)["variance"]
    assert start.max() < 0.1
    assert start.mean() < 0.3 * math.log(2) / 70  # of a head that gives 0
    with torch.autocast("cpu", torch.bfloat16):
        assert model.outputs(images)["variance"].dtype == torch.float32


@each
def test_variances_by_hand(name, images):
    model = models.build(name, 1, 3, variance_scale=7.0, **SMALL[name])
    head = model.variance_decoder.head
    nn.init.zeros_(head.weight)
    head.bias.data = torch.tensor([0.0, -2.0])
    expected = torch.log1p(torch.tensor([1.0, math.exp(-2)])) / 7  # softplus over the scale
    found = model.outputs(images)["variance"]
    torch.testing.assert_close(found, expected.view(1, 2, 1, 1).expand_as(found))
    assert models.options(name)["variance_scale"] == 70


@each
def test_the_drawing_part_starts_as_the_single_task_network(name, images):
    alone = models.build(name.removeprefix("multitask_"), 1, 3, seed=5, **SMALL[name])
    both = models.build(name, 1, 3, seed=5, **SMALL[name])
    own = both.state_dict()
    assert all(torch.equal(tensor, own[key]) for key, tensor in alone.state_dict().items())
    assert torch.equal(alone.eval()(images), both.eval()(images))
    assert list(alone.outputs(images)) == ["segmentation"]


def test_both_transformers_see_the_same_embedded_patches(images):
    model = models.build("multitask_transunet", 1, 3, **SMALL["multitask_transunet"]).eval()
    other = model.variance_transformer
    assert not hasattr(other, "embedding")
    other.load_state_dict({k: model.transformer.state_dict()[k] for k in other.state_dict()})
    seen = {}
    for name in ("decoder", "variance_decoder"):
        getattr(model, name).register_forward_pre_hook(
            lambda _, given, name=name: seen.update({name: given[0][0]})
        )
    model.outputs(images)["variance"].sum().backward()
    torch.testing.assert_close(seen["decoder"], seen["variance_decoder"])
    assert model.transformer.positions.grad.abs().sum() > 0
    assert model.transformer.embedding.weight.grad.abs().sum() > 0


def test_parameters_of_each_task_by_hand():
    # Widths 2, 3; one image channel; three classes: see test_unet.py for the parts.
    decoder = 26 + 116
    assert models.parameter_counts(models.build("multitask_unet", 1, 3, widths=[2, 3])) == {
        "shared": 62 + 147,
        "segmentation": decoder + 3 * 2 + 3,
        "variance": decoder + 2 * 2 + 2,
    }
    assert models.parameter_counts(models.build("unet", 1, 3, widths=[2, 3])) == {
        "shared": 62 + 147,
        "segmentation": decoder + 3 * 2 + 3,
    }


@each
def test_counts_sum_and_tasks_have_nothing_in_common(name):
    model = models.build(name, 1, 3, **SMALL[name])
    counts = models.parameter_counts(model)
    assert sum(counts.values()) == models.parameter_count(model)
    assert list(counts) == ["shared", *model.tasks]
    parts = [{id(p) for m in part for p in m.parameters()} for part in model.parts().values()]
    assert not parts[0] & parts[1]
    if name == "multitask_transunet":
        alone = models.build("transunet", 1, 3, **SMALL[name])
        transformers = [sum(isinstance(m, type(alone.transformer)) for m in x.modules())
                        for x in (alone, model)]  # fmt: skip
        assert transformers == [1, 2]


@each
def test_each_task_trains_its_own_part_and_the_shared_one(name, images):
    model = models.build(name, 1, 3, **SMALL[name])
    found = model.outputs(images)
    for task, other in (("segmentation", "variance"), ("variance", "segmentation")):
        model.zero_grad()
        found[task].square().sum().backward(retain_graph=True)
        moved = {n for n, p in model.named_parameters() if p.grad is not None and p.grad.any()}
        owned = {id(q) for m in model.parts()[other] for q in m.parameters()}
        assert not [n for n, p in model.named_parameters() if n in moved and id(p) in owned]
        assert any(n.startswith("encoder") for n in moved)


@each
def test_files_and_the_fast_copy_give_the_same(name, images, tmp_path):
    model = models.build(name, 1, 3, seed=2, variance_scale=30, **SMALL[name])
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_mean, -0.1, 0.1)
            nn.init.uniform_(module.running_var, 0.5, 2)
    again = models.load(models.save(model, tmp_path / "model.safetensors"))
    assert again.settings == model.settings
    expected = model.eval().outputs(images)
    for other in (again, model.for_inference(), model.for_inference(replay=True)):
        for task, values in other.outputs(images).items():
            torch.testing.assert_close(values, expected[task], rtol=1e-4, atol=1e-5)


@each
def test_dropout_samples_are_those_of_the_drawing_part(name, images):
    model = models.build(name, 1, 3, seed=1, **SMALL[name]).eval()
    alone = models.build(name.removeprefix("multitask_"), 1, 3, seed=1, **SMALL[name]).eval()
    found = [sampling.predict_dropout(m, images, 2, precision="float32") for m in (model, alone)]
    assert (found[0].mean == found[1].mean).all()


@pytest.mark.parametrize("scale", [0, -1.0, float("nan"), "70", True])
def test_scales_that_make_no_sense_are_refused(scale):
    with pytest.raises(SettingsError, match="variance_scale: expected a number above 0"):
        models.build("multitask_unet", 1, 2, widths=[2, 3], variance_scale=scale)


def test_unknown_tasks():
    with pytest.raises(SettingsError, match="model: expected one of unet, transunet, multitask_u"):
        models.tasks("vnet")
