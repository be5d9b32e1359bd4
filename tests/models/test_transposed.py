"""U-Net's transposed convolution: its gradient is the library's, in every precision and size."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from paraspine.models import build, transposed
from paraspine.models.transposed import TwofoldTransposed, transposed_twofold
from paraspine.processor import computes_bf16

NAMES = ("values", "weight", "bias")


def draw(*shape, seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype)


def plain(values, weight, bias):
    return F.conv_transpose2d(values, weight, bias, stride=2)


def with_gradients(function, arguments, wanted=NAMES, seed=9, joined=False):
    """Result and gradients; `joined` with another image's channels, as a U-Net joins its skips."""
    arguments = [
        a.detach().requires_grad_(name in wanted) for name, a in zip(NAMES, arguments, strict=True)
    ]
    result = function(*arguments)
    if joined:
        result = torch.cat([result, torch.ones_like(result[:, :2])], dim=1)
    slopes = draw(*result.shape, seed=seed, dtype=result.dtype)
    gradients = torch.autograd.grad(result, [a for a in arguments if a.requires_grad], slopes)
    return [result.detach(), *gradients]


def test_one_pixel_by_hand():
    # One pixel 3 in one channel; its four enlarged ones are 3 times the kernel, and the bias.
    values = torch.tensor([[[[3.0]]]], requires_grad=True)
    weight = torch.tensor([[[[1.0, 2.0], [4.0, 8.0]]]], requires_grad=True)
    bias = torch.tensor([0.5], requires_grad=True)
    found = transposed_twofold(values, weight, bias)
    assert found.tolist() == [[[[3.5, 6.5], [12.5, 24.5]]]]
    (found * torch.tensor([[1.0, 10.0], [100.0, 1000.0]])).sum().backward()
    assert values.grad.item() == 1 + 20 + 400 + 8000
    assert weight.grad.tolist() == [[[[3.0, 30.0], [300.0, 3000.0]]]]
    assert bias.grad.item() == 1111


@settings(max_examples=60, deadline=None)
@given(
    height=st.integers(1, 12),
    width=st.integers(1, 12),
    images=st.integers(1, 3),
    inner=st.integers(1, 5),
    outer=st.integers(1, 4),
    channels_last=st.booleans(),
    wanted=st.sets(st.sampled_from(NAMES), min_size=1),
    joined=st.booleans(),
)
def test_any_size_and_any_gradient(
    height, width, images, inner, outer, channels_last, wanted, joined
):
    values = draw(images, inner, height, width)
    if channels_last:
        values = values.contiguous(memory_format=torch.channels_last)
    arguments = values, draw(inner, outer, 2, 2, seed=1), draw(outer, seed=2)
    expected = with_gradients(plain, arguments, wanted, joined=joined)
    found = with_gradients(transposed_twofold, arguments, wanted, joined=joined)
    assert torch.equal(found[0], expected[0])
    for one, other in zip(found[1:], expected[1:], strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)


def test_gradient_by_differences():
    arguments = draw(2, 3, 3, 4), draw(3, 2, 2, 2, seed=1), draw(2, seed=2)
    assert torch.autograd.gradcheck(
        transposed_twofold, [a.requires_grad_() for a in arguments], fast_mode=False
    )


def test_bf16_is_as_close_to_the_truth_as_the_library():
    shapes = ((2, 32, 24, 24), (32, 16, 2, 2), (16,))
    halves = [draw(*shape, seed=k).to(torch.bfloat16) for k, shape in enumerate(shapes)]
    slopes = draw(2, 16, 48, 48, seed=9).to(torch.bfloat16)

    def gradients(function, dtype):
        arguments = [a.to(dtype).requires_grad_() for a in halves]
        return torch.autograd.grad(function(*arguments), arguments, slopes.to(dtype))

    truth = gradients(plain, torch.float64)
    errors = {
        function: [
            float((one.double() - true).abs().max() / true.abs().max())
            for one, true in zip(gradients(function, torch.bfloat16), truth, strict=True)
        ]
        for function in (plain, transposed_twofold)
    }
    # Rounding to bf16's eight places changes a value by up to 2**-8 of itself.
    for ours, theirs in zip(errors[transposed_twofold], errors[plain], strict=True):
        assert ours <= max(1.01 * theirs, 2**-8), errors


@pytest.mark.skipif(not computes_bf16(), reason="the processor does not compute in bf16")
def test_layer_takes_this_way_for_trainings_in_bf16_only(monkeypatch):
    taken = []
    own = transposed.transposed_twofold

    def noted(values, *parameters):
        taken.append(values.dtype)
        return own(values, *parameters)

    monkeypatch.setattr(transposed, "transposed_twofold", noted)
    layer, values = TwofoldTransposed(3, 2), torch.ones(1, 3, 4, 4)
    layer(values)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        layer(values)
    assert not taken
    with torch.autocast("cpu", torch.bfloat16):
        assert layer(values).dtype == torch.bfloat16
    layer.to(torch.bfloat16)(values.to(torch.bfloat16))
    assert taken == [torch.float32, torch.bfloat16]


def test_layer_is_the_librarys_but_for_its_gradient():
    torch.manual_seed(0)
    layer = TwofoldTransposed(6, 4)
    torch.manual_seed(0)
    other = nn.ConvTranspose2d(6, 4, 2, stride=2)
    values = draw(2, 6, 5, 7, dtype=torch.float32)
    assert list(layer.state_dict()) == list(other.state_dict())
    found = []
    for one in (layer, other):
        with torch.autocast("cpu", torch.bfloat16):
            result = one(values)
        result.float().square().sum().backward()
        found.append((result, one.weight.grad, one.bias.grad))
    assert torch.equal(found[0][0], found[1][0])
    for one, own in zip(found[0][1:], found[1][1:], strict=True):
        assert one.dtype == torch.float32
        torch.testing.assert_close(one, own, rtol=0, atol=2**-7 * own.abs().max().item())


def test_images_of_monai_and_what_only_the_library_takes():
    from monai.data import MetaTensor

    layer = TwofoldTransposed(3, 2)
    values = torch.ones(1, 3, 4, 4)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(layer(MetaTensor(values)).detach(), layer(values).detach())
        layer(MetaTensor(values)).float().sum().backward()
        single = layer(values[0])
        assert torch.equal(layer(values, output_size=[8, 8])[0], single)
        single.float().sum().backward()


def test_every_level_of_the_unet_has_it():
    network = build("unet", 1, 3, width=4)
    found = [m for m in network.modules() if isinstance(m, nn.ConvTranspose2d)]
    assert len(found) == 4
    assert all(isinstance(m, TwofoldTransposed) for m in found)
