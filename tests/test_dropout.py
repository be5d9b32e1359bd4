"""Dropout by bits: what torch's own does, in value, gradient, memory order and randomness."""

import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn

from paraspine.dropout import Dropout, keep_bits, normalise_and_drop
from paraspine.memory_order import channels_last
from paraspine.models import build
from paraspine.models.blocks import norm_layer

SHAPE = (4, 6, 33, 29)


def values(dtype=torch.float32, order=torch.channels_last, seed=0):
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.rand(SHAPE, generator=generator) + 0.5
    return drawn.to(dtype).contiguous(memory_format=order)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("order", [torch.channels_last, torch.contiguous_format])
def test_a_value_is_dropped_or_scaled_and_its_gradient_with_it(dtype, order):
    given = values(dtype, order).requires_grad_()
    layer = Dropout(0.25).train()
    dropped = layer(given)
    kept = dropped != 0
    torch.testing.assert_close(dropped[kept], given[kept] * torch.tensor(1 / 0.75, dtype=dtype))
    assert dropped.is_contiguous(memory_format=order)
    slopes = values(dtype, torch.contiguous_format, seed=1)
    dropped.backward(slopes)
    expected = torch.where(kept, slopes * torch.tensor(1 / 0.75, dtype=dtype), 0)
    torch.testing.assert_close(given.grad, expected)


@pytest.mark.parametrize("rate", [0.002, 0.02, 0.18, 0.5, 0.9, 0.998])
def test_the_share_that_is_dropped_is_the_rate(rate):
    torch.manual_seed(0)
    given = torch.ones(200_001)
    dropped = int((Dropout(rate).train()(given) == 0).sum())
    assert stats.binomtest(dropped, len(given), rate).pvalue > 1e-3
    plain = int((nn.Dropout(rate).train()(given) == 0).sum())
    table = [[dropped, len(given) - dropped], [plain, len(given) - plain]]
    assert stats.chi2_contingency(table).pvalue > 1e-3


def test_neighbours_are_dropped_independently():
    torch.manual_seed(0)
    given = torch.ones(40_000, dtype=torch.float32)
    gone = Dropout(0.3).train()(given) == 0
    for apart in (1, 2, 3, 4, 7, 8, 64, 256):  # eight share a draw of the generator
        both = int((gone[apart:] & gone[:-apart]).sum())
        assert stats.binomtest(both, len(given) - apart, 0.09).pvalue > 1e-3, apart


@pytest.mark.parametrize("rate", [0.002, 0.02])
def test_every_place_is_dropped_at_the_rate(rate):
    # The limits of 256 neighbours differ: without turning them a place would keep its own.
    torch.manual_seed(0)
    layer, calls = Dropout(rate).train(), 4000
    gone = sum((layer(torch.ones(300)) == 0).to(torch.int64) for _ in range(calls))
    expected = stats.binom.var(calls, rate)
    spread = ((gone - calls * rate) ** 2).sum() / expected
    assert 1e-3 < stats.chi2.cdf(float(spread), len(gone)) < 1 - 1e-3


@pytest.mark.parametrize("threshold", [1, 255, 256, 1311, 11796, 65279, 65280, 65281, 65535])
def test_of_all_draws_the_share_below_the_limits_is_the_threshold(threshold):
    # 256 values that see every one of the 256 draws each: the share is exact, whatever the turn.
    draws = np.repeat(np.arange(256, dtype=np.uint8), 256).view(np.int64)
    for turn in (0, 1, 100, 255):
        words = torch.from_numpy(np.append(draws, turn))
        kept = keep_bits(words, threshold)
        assert set(kept.unique().tolist()) <= {-1, 0}
        assert int((kept == 0).sum()) == threshold


def test_torchs_generator_decides():
    given, layer = values(), Dropout(0.3).train()
    torch.manual_seed(5)
    state = torch.get_rng_state()
    first, second = layer(given), layer(given)
    assert not torch.equal(first, second)
    torch.set_rng_state(state)
    assert torch.equal(layer(given), first)
    assert torch.equal(layer(given), second)


def test_in_evaluation_at_the_ends_and_without_values():
    given = values()
    assert torch.equal(Dropout(0.3).eval()(given), given)
    assert torch.equal(Dropout(0.0).train()(given), given)
    assert torch.equal(Dropout(1.0).train()(given), torch.zeros_like(given))
    assert Dropout(0.3).train()(given[:0]).shape == (0, *SHAPE[1:])


def test_values_that_do_not_fill_their_memory():
    given = values()[:, ::2, 1:-3]
    dropped = Dropout(0.4).train()(given)
    kept = dropped != 0
    assert 0.5 < kept.float().mean() < 0.7
    torch.testing.assert_close(dropped[kept], given[kept] / 0.6)


def test_networks_have_it():
    network = build("unet", 1, 3, width=4, dropout=0.2)
    layers = [m for m in network.modules() if isinstance(m, nn.Dropout)]
    assert len(layers) == len(network.sampled_dropout()) == 8
    assert {type(m) for m in layers} == {Dropout}


@pytest.mark.parametrize("norm", ["batch", "instance", "group"])
@pytest.mark.parametrize("layer", [Dropout(0.3), nn.Dropout(0.3), Dropout(0.0), nn.Identity()])
def test_normalised_and_dropped_at_once_is_one_after_the_other(norm, layer):
    # In float64, since the dropout's factor enters the products at another place.
    given = (values(torch.float64, seed=2) - 0.9).requires_grad_()
    found, gradients = [], []
    for combined in (
        lambda block, values: normalise_and_drop(block, values, layer.train()),
        lambda block, values: layer.train()(torch.relu(block(values))),
    ):
        torch.manual_seed(3)
        block = norm_layer(norm, SHAPE[1]).double().train()
        given.grad = None
        with torch.no_grad():
            block.weight.copy_(torch.linspace(-1, 2, SHAPE[1]))
            block.bias.copy_(torch.linspace(0.5, -0.5, SHAPE[1]))
        found.append(combined(block, given))
        (found[-1] * values(torch.float64, seed=4)).sum().backward()
        gradients.append([given.grad, *(p.grad for p in block.parameters()), *block.buffers()])
    torch.testing.assert_close(*found)
    torch.testing.assert_close(*gradients)
    share = (found[0] == 0).float().mean()
    assert share > 0.2


def test_one_channel_goes_through_a_network_channels_last():
    images = torch.rand(2, 1, 32, 48)
    ordered = channels_last(images[:, :, ::1])
    assert torch.equal(ordered, images)
    network = build("unet", 1, 2, width=4, depth=2)
    assert network.encoder[0][0].conv(ordered).is_contiguous(memory_format=torch.channels_last)
    several = torch.rand(2, 3, 4, 5)
    assert channels_last(several).is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(channels_last(several), several)
