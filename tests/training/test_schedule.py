"""Learning rates against torch's schedulers and numbers worked by hand."""

import warnings

import pytest
import torch
from torch.optim import lr_scheduler

from paraspine.training import Settings, learning_rate, momentum


def optimizer(rate):
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=rate, momentum=0.9)


def torch_rates(scheduler, steps):
    """Learning rate and momentum of each iteration under a scheduler of torch."""
    found = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # no optimizer step here
        for _ in range(steps):
            group = scheduler.optimizer.param_groups[0]
            found.append((group["lr"], group["momentum"]))
            scheduler.step()
    return found


@pytest.mark.parametrize("steps", [1, 7, 240])
@pytest.mark.parametrize("power", [0.9, 1.0, 2.0])
def test_polynomial_equals_torch(steps, power):
    settings = Settings(schedule="polynomial", learning_rate=0.0033, power=power)
    scheduler = lr_scheduler.PolynomialLR(optimizer(0.0033), total_iters=steps, power=power)
    for step, (rate, still) in enumerate(torch_rates(scheduler, steps)):
        assert learning_rate(settings, step, steps) == pytest.approx(rate, rel=1e-9)
        assert momentum(settings, step, steps) == still


@pytest.mark.parametrize("steps", [3, 10, 240])
def test_onecycle_equals_torch(steps):
    settings = Settings(schedule="onecycle", learning_rate=0.002)
    scheduler = lr_scheduler.OneCycleLR(optimizer(0.002), max_lr=0.002, total_steps=steps)
    for step, (rate, moving) in enumerate(torch_rates(scheduler, steps)):
        assert learning_rate(settings, step, steps) == pytest.approx(rate, rel=1e-9)
        assert momentum(settings, step, steps) == pytest.approx(moving, rel=1e-9)


def test_cosine_equals_torch():
    settings = Settings(schedule="cosine", learning_rate=0.01)
    scheduler = lr_scheduler.CosineAnnealingLR(optimizer(0.01), T_max=20)
    for step, (rate, _) in enumerate(torch_rates(scheduler, 20)):
        assert learning_rate(settings, step, 20) == pytest.approx(rate, abs=1e-12)


def test_by_hand():
    settings = Settings(schedule="polynomial", learning_rate=0.5, power=2.0)
    assert [learning_rate(settings, s, 4) for s in range(4)] == [0.5, 0.28125, 0.125, 0.03125]
    assert learning_rate(Settings(schedule="constant", learning_rate=0.5), 3, 4) == 0.5
    adamw = Settings(optimizer="adamw", schedule="constant")
    assert momentum(adamw, 0, 4) == 0.9
