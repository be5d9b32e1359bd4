"""Enlarging and convolving at once is one after the other: values, gradients, every size."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from paraspine.models import build, enlarge
from paraspine.models.enlarge import (
    Twofold,
    TwofoldConvolution,
    enlarge_and_convolve,
    taps_of,
    weight_of,
)

DOUBLE = {"rtol": 1e-10, "atol": 1e-10}


def draw(*shape, seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype)
    if len(shape) == 4:
        drawn = drawn.contiguous(memory_format=torch.channels_last)
    return drawn


def plain(values, weight):
    up = F.interpolate(values, scale_factor=2, mode="bilinear", align_corners=True)
    return F.conv2d(up, weight, padding=1)


def with_gradients(function, *arguments, seed=9):
    arguments = [a.detach().requires_grad_() for a in arguments]
    result = function(*arguments)
    slopes = draw(*result.shape, seed=seed, dtype=result.dtype)
    return [result.detach(), *torch.autograd.grad(result, arguments, slopes)]


def test_two_pixels_by_hand():
    # Enlarged with corners on corners: 0 1/3 2/3 1, twice. A centre tap of 1, and 10 to its right.
    values = torch.tensor([[[[0.0, 1.0]]]])
    weight = torch.zeros(1, 1, 3, 3)
    weight[0, 0, 1] = torch.tensor([0.0, 1.0, 10.0])
    row = torch.tensor([0 + 10 / 3, 1 / 3 + 20 / 3, 2 / 3 + 10, 1])
    found = enlarge_and_convolve(values, taps_of(weight))
    torch.testing.assert_close(found, row.expand(1, 1, 2, 4))
    # A tap above sees nothing above the upper row.
    weight = torch.zeros(1, 1, 3, 3)
    weight[0, 0, 0, 1] = 1.0
    found = enlarge_and_convolve(values, taps_of(weight))
    expected = torch.stack([torch.zeros(4), torch.tensor([0, 1 / 3, 2 / 3, 1])])
    torch.testing.assert_close(found, expected[None, None])


@settings(max_examples=60, deadline=None)
@given(
    height=st.integers(1, 80),
    width=st.integers(1, 80),
    images=st.integers(1, 3),
    inner=st.integers(1, 5),
    outer=st.integers(1, 4),
)
def test_any_size(height, width, images, inner, outer):
    values, weight = draw(images, inner, height, width), draw(outer, inner, 3, 3, seed=1)
    expected = with_gradients(plain, values, weight)
    found = with_gradients(lambda v, w: enlarge_and_convolve(v, taps_of(w)), values, weight)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, **DOUBLE)
    assert found[0].is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("pixels", [1, 2, 31, 32, 33, 34, 37, 48, 64, 74, 96, 128, 202, 256])
def test_blocks_hold_the_whole_band(pixels):
    whole, side = enlarge._matrix(pixels), enlarge._side(pixels, torch.float64)
    assert side.block * side.count == pixels
    for blocks in (
        side.forward_rows,
        side.forward_columns,
        side.backward_rows,
        side.backward_columns,
    ):
        torch.testing.assert_close(blocks.sum(), whole.sum())
        assert (blocks != 0).sum() == (whole != 0).sum()
    # Each tap sees a weighted mean, but at either end one of the three sees only zeros.
    expected = torch.full((2 * pixels,), 3.0, dtype=torch.float64)
    expected[[0, -1]] = 2
    torch.testing.assert_close(whole.sum((1, 2)), expected)


@pytest.mark.parametrize(("dtype", "close"), [(torch.float32, 1e-5), (torch.bfloat16, 0.02)])
def test_precision(dtype, close):
    values, weight = draw(2, 64, 48, 40), draw(8, 64, 3, 3, seed=1) / 24
    expected = with_gradients(plain, values, weight)
    found = with_gradients(
        lambda v, w: enlarge_and_convolve(v, taps_of(w)), values.to(dtype), weight.to(dtype)
    )
    coarse = with_gradients(plain, values.to(dtype), weight.to(dtype))
    for one, other, rounded in zip(found, expected, coarse, strict=True):
        assert one.dtype == dtype
        largest = other.abs().max()
        assert (one - other).abs().max() < close * largest
        # Rounding is no worse than twice that of the plain way.
        assert (one - other).std() < 2 * (rounded - other).std() + 1e-7 * largest


def test_gradients_are_checked_by_differences():
    values, weight = draw(1, 2, 3, 34).requires_grad_(), draw(2, 2, 3, 3, seed=1).requires_grad_()
    assert torch.autograd.gradcheck(
        lambda v, w: enlarge_and_convolve(v, taps_of(w)), (values, weight)
    )


def test_taps_come_back_as_weights():
    weight = draw(4, 5, 3, 3)
    assert torch.equal(weight_of(taps_of(weight)), weight)


def test_under_autocast():
    values, weight = draw(1, 32, 8, 8).float(), draw(4, 32, 3, 3, seed=1).float()
    with torch.autocast("cpu", torch.bfloat16):
        found = enlarge_and_convolve(values, taps_of(weight))
    assert found.dtype == torch.bfloat16
    again = enlarge_and_convolve(values.bfloat16(), taps_of(weight.bfloat16()))
    assert torch.equal(found, again)


@pytest.mark.parametrize("channels", [8, 64])
def test_a_module_takes_either_way(channels):
    weight, values = draw(3, channels, 3, 3).float(), draw(2, channels, 8, 8, seed=1).float()
    assert enlarge.pays(values) == (channels == 64)
    expected = F.conv2d(Twofold()(values), weight, padding=1)
    torch.testing.assert_close(TwofoldConvolution(weight)(values), expected, rtol=1e-4, atol=1e-4)


def test_only_the_gradients_that_are_asked_for():
    values, weight = draw(1, 2, 5, 40), taps_of(draw(2, 2, 3, 3, seed=1))
    result = enlarge_and_convolve(values.requires_grad_(), weight.requires_grad_())
    slopes = draw(*result.shape, seed=2)
    both = torch.autograd.grad(result, (values, weight), slopes)
    first = enlarge_and_convolve(values, weight.detach())
    second = enlarge_and_convolve(values.detach(), weight)
    assert torch.equal(torch.autograd.grad(first, values, slopes)[0], both[0])
    assert torch.equal(torch.autograd.grad(second, weight, slopes)[0], both[1])


def test_a_second_gradient_is_refused():
    values, taps = draw(1, 2, 3, 3).requires_grad_(), taps_of(draw(2, 2, 3, 3, seed=1))
    result = enlarge_and_convolve(values, taps).square().sum()
    (gradient,) = torch.autograd.grad(result, values, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        gradient.sum().backward()


def test_what_comes_out_may_be_overwritten():
    values, taps = draw(1, 2, 3, 3).requires_grad_(), taps_of(draw(2, 2, 3, 3, seed=1))
    enlarge_and_convolve(values, taps).add_(1).mul_(2).sum().backward()
    expected = torch.autograd.grad(enlarge_and_convolve(values, taps).sum() * 2, values)[0]
    torch.testing.assert_close(values.grad, expected)


def test_double_precision_stays_under_autocast():
    values = draw(1, 64, 4, 4)
    with torch.autocast("cpu", torch.bfloat16):
        assert not enlarge.pays(values)
        assert enlarge_and_convolve(values, taps_of(draw(2, 64, 3, 3))).dtype == torch.float64


def test_a_replay_with_gradients_enabled():
    network = build("transunet", 1, 3, width=16, layers=1, image_size=32, dropout=0.2).eval()
    copy = network.for_inference(replay=True)
    images = draw(1, 1, 32, 32).float()
    logits = copy.replay(copy.encode(images))(lambda rate, values, in_place: values)
    with torch.no_grad():
        again = copy.replay(copy.encode(images))(lambda rate, values, in_place: values)
    assert torch.equal(logits, again)


def test_metatensors_go_through_a_network():
    from monai.data import MetaTensor

    network = build("transunet", 1, 3, width=16, layers=1, image_size=32).eval()
    images = draw(2, 1, 32, 32, seed=3).float()
    with torch.no_grad():
        assert torch.equal(torch.Tensor(network(MetaTensor(images))), network(images))


@pytest.mark.parametrize("norm", ["batch", "instance"])
def test_a_network_is_the_same_with_and_without(norm, monkeypatch):
    network = build(
        "transunet", 1, 3, width=16, layers=1, image_size=32, dropout=0.0, norm=norm
    ).train()
    images = draw(2, 1, 32, 48, seed=3).float()
    taken, ways = [], []
    pays = enlarge.pays
    for way in (lambda v: taken.append(v.shape[1]) or pays(v), lambda v: False):
        monkeypatch.setattr("paraspine.models.blocks.pays", way)
        network.zero_grad()
        logits = network(images)
        logits.square().mean().backward()
        ways.append([logits.detach(), *(p.grad.clone() for p in network.parameters())])
    assert taken == [128, 64, 32, 16]
    for one, other in zip(*ways, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("replay", [False, True])
def test_a_folded_network_keeps_its_biases(replay):
    torch.manual_seed(0)
    network = build("transunet", 1, 3, width=16, layers=1, image_size=32, dropout=0.2)
    images = draw(4, 1, 32, 32, seed=3).float()
    network.train()
    for _ in range(3):
        network(images)  # so that the normalisations have something to fold
    network.eval()
    with torch.no_grad():
        expected = network(images)
        copy = network.for_inference(replay=replay)
        if replay:
            found = copy.replay(copy.encode(images))(lambda rate, values, in_place: values)
            scale = [1 / (1 - layer.p) for layer in network.sampled_dropout()]
            handles = [
                layer.register_forward_hook(lambda _, __, out, by=by: out * by)
                for layer, by in zip(network.sampled_dropout(), scale, strict=True)
            ]
            expected = network(images)
            for handle in handles:
                handle.remove()
        else:
            found = copy(images)
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-3)
