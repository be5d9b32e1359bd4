import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from paraspine import losses
from paraspine.arrays import SettingsError, ShapeError

#: Two voxels, two classes; p = (0.75, 0.25) and (0.25, 0.75).
LOGITS = torch.log(torch.tensor([[[0.75, 0.25], [0.25, 0.75]]]))
TARGET = torch.tensor([[0, 0]])


@pytest.fixture(scope="module")
def batch():
    generator = torch.Generator().manual_seed(3)
    logits = 2 * torch.randn(2, 3, 5, 4, generator=generator)
    hard = torch.randint(0, 3, (2, 5, 4), generator=generator)
    hard[0][hard[0] == 2] = 1  # a class that one image does not have
    soft = torch.rand(2, 3, 5, 4, generator=generator)
    return logits, hard, soft / soft.sum(1, keepdim=True)


@pytest.fixture(scope="module")
def monai_losses():
    import monai.losses

    return monai.losses


def test_dice_by_hand():
    # class 0: overlap 0.75 + 0.25 = 1, sums 1 and 2: 1 - 2/3; class 1: overlap 0, sums 1 and 0: 1
    assert losses.dice(LOGITS, TARGET, smooth=1e-9) == pytest.approx((1 / 3 + 1) / 2)
    foreground = losses.dice(LOGITS, TARGET, smooth=1e-9, include_background=False)
    assert foreground == pytest.approx(1.0)
    one = torch.tensor([[0, 1]])  # each class: overlap 0.75, sums 1 and 1
    assert losses.dice(LOGITS, one, smooth=1e-9) == pytest.approx(0.25)


def test_batch_dice_by_hand():
    # The second image has class 0 in both voxels, the first both classes.
    logits, target = torch.cat([LOGITS, LOGITS]), torch.tensor([[0, 1], [0, 0]])
    alone = (0.25 + (1 / 3 + 1) / 2) / 2
    assert losses.dice(logits, target, smooth=1e-9, batch=False) == pytest.approx(alone)
    # together: class 0 overlap 0.75 + 1, sums 2 and 3; class 1 overlap 0.75, sums 2 and 1
    together = ((1 - 3.5 / 5) + (1 - 1.5 / 3)) / 2
    assert losses.dice(logits, target, smooth=1e-9) == pytest.approx(together)


def test_absent_class_that_is_not_predicted_costs_nothing():
    logits = torch.tensor([[[60.0, 60.0], [-60.0, -60.0]]])
    assert losses.dice(logits, TARGET) == pytest.approx(0, abs=1e-6)


def test_cross_entropy_by_hand():
    expected = -(math.log(0.75) + math.log(0.25)) / 2
    assert losses.cross_entropy(LOGITS, TARGET) == pytest.approx(expected)
    soft = torch.full((1, 2, 2), 0.5)
    assert losses.cross_entropy(LOGITS, soft) == pytest.approx(expected)
    target = torch.tensor([[0, 1]])
    weighted = losses.cross_entropy(
        torch.log(torch.tensor([[[0.75, 0.5], [0.25, 0.5]]])), target, class_weights=(1, 3)
    )
    assert weighted == pytest.approx(-(math.log(0.75) + 3 * math.log(0.5)) / 4)


@pytest.mark.parametrize("overlap", ["product", "minimum"])
@pytest.mark.parametrize("background", [True, False])
@pytest.mark.parametrize("together", [True, False])
def test_sums_of_two_losses_take_the_options_of_both(batch, together, background, overlap):
    logits, hard, soft = batch
    options = {"batch": together, "include_background": background, "soft_overlap": overlap,
               "smooth": 0.1}  # fmt: skip
    weights = {"class_weights": (0.5, 1.0, 2.0)}
    for target in (hard, soft):
        drawn = 0.4 * losses.dice(logits, target, **options)
        entropy = losses.cross_entropy(logits, target, **weights)
        value = losses.dice_ce(logits, target, dice_weight=0.4, ce_weight=0.6, **weights, **options)
        torch.testing.assert_close(value, drawn + 0.6 * entropy)
        focal = losses.dice_focal(logits, target, dice_weight=0.0, **weights)
        value = losses.dice_focal(
            logits, target, dice_weight=0.4, focal_weight=0.6, **weights, **options
        )
        torch.testing.assert_close(value, drawn + 0.6 * focal)


def test_focal_by_hand():
    expected = -(0.25**2 * math.log(0.75) + 0.75**2 * math.log(0.25)) / 2
    value = losses.dice_focal(LOGITS, TARGET, dice_weight=0)
    assert value == pytest.approx(expected)
    value = losses.dice_focal(LOGITS, TARGET, dice_weight=0, class_weights=(3, 1))
    assert value == pytest.approx(3 * expected)


def test_focal_with_gamma_zero_is_dice_ce(batch):
    logits, hard, _ = batch
    torch.testing.assert_close(
        losses.dice_focal(logits, hard, gamma=0.0), losses.dice_ce(logits, hard)
    )


def test_cross_entropy_equals_torch(batch):
    logits, hard, soft = batch
    torch.testing.assert_close(losses.cross_entropy(logits, hard), F.cross_entropy(logits, hard))
    torch.testing.assert_close(losses.cross_entropy(logits, soft), F.cross_entropy(logits, soft))
    weights = (0.5, 1.0, 2.0)
    torch.testing.assert_close(
        losses.cross_entropy(logits, hard, class_weights=weights),
        F.cross_entropy(logits, hard, weight=torch.tensor(weights)),
    )


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize("background", [True, False])
def test_dice_ce_equals_monai(batch, monai_losses, together, background):
    logits, hard, soft = batch
    options = {"include_background": background, "softmax": True, "batch": together}
    reference = monai_losses.DiceCELoss(to_onehot_y=True, **options)
    ours = losses.dice_ce(logits, hard, batch=together, include_background=background)
    torch.testing.assert_close(ours, reference(logits, hard[:, None]))
    reference = monai_losses.DiceCELoss(**options)
    ours = losses.dice_ce(logits, soft, batch=together, include_background=background)
    torch.testing.assert_close(ours, reference(logits, soft))


def test_minimum_equals_monai_soft_label(batch, monai_losses):
    logits, hard, soft = batch
    reference = monai_losses.DiceLoss(softmax=True, soft_label=True, batch=True)
    torch.testing.assert_close(
        losses.dice(logits, soft, soft_overlap="minimum"), reference(logits, soft)
    )
    torch.testing.assert_close(
        losses.dice(logits, hard, soft_overlap="minimum"), losses.dice(logits, hard)
    )


@pytest.mark.parametrize("gamma", [0.5, 2.0])
def test_dice_focal_equals_monai(batch, monai_losses, gamma):
    logits, hard, _ = batch
    overlap = monai_losses.DiceLoss(to_onehot_y=True, softmax=True, batch=True)
    focal = monai_losses.FocalLoss(to_onehot_y=True, use_softmax=True, gamma=gamma)
    expected = overlap(logits, hard[:, None]) + 3 * focal(logits, hard[:, None])  # 3 classes
    torch.testing.assert_close(losses.dice_focal(logits, hard, gamma=gamma), expected)
    # MONAI's DiceFocalLoss differs in its focal part only: one sigmoid per class there
    whole = monai_losses.DiceFocalLoss(to_onehot_y=True, softmax=True, batch=True, gamma=gamma)
    sigmoid = monai_losses.FocalLoss(to_onehot_y=True, gamma=gamma)
    torch.testing.assert_close(
        losses.dice_focal(logits, hard, gamma=gamma, focal_weight=0),
        whole(logits, hard[:, None]) - sigmoid(logits, hard[:, None]),
    )


def awing(p, g, omega=8.0, theta=0.5, epsilon=1.0, alpha=2.1):
    """The definition, number by number."""
    d = abs(g - p)
    if d < theta:
        return omega * math.log(1 + (d / epsilon) ** (alpha - g))
    a = omega / (1 + (theta / epsilon) ** (alpha - g)) * (alpha - g)
    a *= (theta / epsilon) ** (alpha - g - 1) / epsilon
    return a * d - (theta * a - omega * math.log(1 + (theta / epsilon) ** (alpha - g)))


def test_adaptive_wing_by_hand():
    p = torch.tensor([[[0.9, 0.2, 0.75], [0.1, 0.8, 0.25]]])
    g = torch.tensor([[[1.0, 1.0, 0.5], [0.0, 0.0, 0.5]]])
    expected = [awing(float(a), float(b)) for a, b in zip(p.flatten(), g.flatten(), strict=True)]
    value = losses.adaptive_wing(p, g, activation="none")
    assert value == pytest.approx(sum(expected) / 6, rel=1e-6)
    # p = 0.5, g = 1, by hand: 8 ln(1 + 0.5^1.1) = 8 ln 1.466517 = 3.0630
    half = torch.tensor([[[0.5]]])
    value = losses.adaptive_wing(half, torch.ones(1, 1, 1), activation="none")
    assert value == pytest.approx(3.0630, abs=2e-4)
    assert losses.adaptive_wing(g, g, activation="none") == pytest.approx(0, abs=1e-9)


def test_adaptive_wing_is_continuous_with_its_slope():
    for shift in (-1e-4, 1e-4):
        p = torch.tensor([[[0.5 + shift]]], dtype=torch.float32, requires_grad=True)
        value = losses.adaptive_wing(p, torch.zeros(1, 1, 1), activation="none")
        value.backward()
        # slope at d = theta: 8 * 2.1 * 0.5^1.1 / (1 + 0.5^2.1)
        assert p.grad.item() == pytest.approx(8 * 2.1 * 0.5**1.1 / (1 + 0.5**2.1), rel=1e-3)
        assert value.item() == pytest.approx(8 * math.log(1 + 0.5**2.1), abs=2e-3)


def test_normalised_relu_by_hand():
    scores = torch.tensor([[[4.0, 1.0, -1.0], [-1.0, 3.0, 0.0], [-2.0, -1.0, -5.0]]])
    # one maximum, 4, cancels: the share of a voxel's positive scores; the last voxel has none
    expected = torch.tensor([[[1.0, 1 / 4, 1 / 3], [0.0, 3 / 4, 1 / 3], [0.0, 0.0, 1 / 3]]])
    torch.testing.assert_close(losses.normalised_relu(scores), expected)
    torch.testing.assert_close(losses.normalised_relu(7 * scores), expected)


def test_a_class_that_is_faint_everywhere_stays_faint():
    # background 5 (10 at one pixel), class 1 -1 but 1e-4 at one pixel
    scores = torch.full((1, 3, 2, 2), -1.0)
    scores[0, 0], scores[0, 0, 0, 0], scores[0, 1, 1, 1] = 5.0, 10.0, 1e-4
    found = losses.normalised_relu(scores)[0, 1]
    assert found[1, 1].item() == pytest.approx(1e-4 / 5.0001, rel=1e-5)
    assert found.sum() == found[1, 1]
    one = losses.normalised_relu(scores[:, :2])
    torch.testing.assert_close(one[0, 1], found)
    by_class = losses.probabilities(scores, "normalised_relu_by_class")[0, 1]
    assert by_class[1, 1].item() == pytest.approx(2 / 3)  # 1 of its maximum, background a half
    by_class = losses.probabilities(scores[:, :2], "normalised_relu_by_class")[0, 1]
    assert by_class[1, 1].item() == 1


def test_normalised_relu_by_class_of_several_classes():
    scores = torch.tensor([[[4.0, 2.0, -1.0], [-1.0, 3.0, 0.0], [-2.0, -1.0, -5.0]]])
    # divided by the maxima 4 and 3: (1, 0.5, 0) and (0, 1, 0), and a class that is nowhere
    # positive stays 0; the last voxel has no positive score
    expected = torch.tensor([[[1.0, 1 / 3, 1 / 3], [0.0, 2 / 3, 1 / 3], [0.0, 0.0, 1 / 3]]])
    torch.testing.assert_close(losses.normalised_relu(scores, by_class=True), expected)


def test_normalised_relu_by_class_of_one_class_is_its_share_of_the_maximum():
    scores = torch.tensor(
        [[[9.0, -9.0, 0.0], [-1.0, 3.0, 1.5]], [[1.0, 1.0, 1.0], [-1.0, 0.0, -2.0]]]
    )
    # each image has its own maximum, 3 and none; background has the rest, whatever its score
    expected = torch.tensor([[[1.0, 0.0, 0.5], [0.0, 1.0, 0.5]], [[1.0, 1, 1], [0, 0, 0]]])
    torch.testing.assert_close(losses.normalised_relu(scores, by_class=True), expected)
    torch.testing.assert_close(losses.normalised_relu(7 * scores, by_class=True), expected)


def test_softmax_over_one_class_and_background_is_a_sigmoid():
    scores = torch.randn(2, 2, 3, 4, generator=torch.Generator().manual_seed(0))
    found = losses.probabilities(scores.bfloat16(), "softmax")
    assert found.dtype == torch.float32
    lead = scores.bfloat16().float()
    torch.testing.assert_close(found[:, 1], torch.sigmoid(lead[:, 1] - lead[:, 0]))


@pytest.mark.parametrize("classes", [2, 4])
def test_softseg_in_bf16_has_finite_gradients_and_float32_values(classes):
    generator = torch.Generator().manual_seed(3)
    scores = (1e-3 * torch.randn(3, classes, 8, 8, generator=generator)).bfloat16()
    scores[1] = -1  # nothing positive
    scores[2] *= 1e5
    scores.requires_grad_()
    soft = torch.rand(3, classes, 8, 8, generator=generator).softmax(1)
    value = losses.adaptive_wing(scores, soft)
    value.backward()
    assert value.dtype == torch.float32
    assert torch.isfinite(scores.grad).all()
    assert scores.grad[0].abs().sum() > 0


def test_dice_of_the_normalised_relu_by_hand():
    # p = (1, 0.5) and g = (1, 0): 1 - 2 * 1 / (1.5 + 1) for the class alone
    scores = torch.tensor([[[0.0, 1.0], [2.0, 1.0]]])
    value = losses.dice(
        scores, torch.tensor([[1, 0]]), activation="normalised_relu",
        include_background=False, smooth=0,
    )  # fmt: skip
    assert value == pytest.approx(1 - 2 / 2.5)


def test_known_options_are_those_of_the_loss():
    given = {"activation": "normalised_relu", "include_background": False}
    assert losses.known_options("dice", **given) == given
    assert losses.known_options("adaptive_wing", **given) == {"activation": "normalised_relu"}
    plain = {"activation": "softmax", "include_background": False}
    assert losses.known_options("dice_ce", **plain) == {"include_background": False}
    with pytest.raises(SettingsError, match=r"dice_ce is defined for softmax.* take one of dice"):
        losses.known_options("dice_ce", **given)
    with pytest.raises(SettingsError, match="no loss has the option 'gama'"):
        losses.known_options("dice", gama=1)


def test_multitask_by_hand():
    variances = torch.tensor([[[0.01, 0.02]]])
    predicted = torch.tensor([[[0.01, 1 / 70]]])
    drawn = 0.4 * losses.dice(LOGITS, TARGET) + 0.6 * losses.cross_entropy(LOGITS, TARGET)
    # 70 v = (0.7, 1.0), 70 V = (0.7, 1.4): squared errors 0 and 0.16, absolute errors 0 and 0.4
    value = losses.multitask((LOGITS, predicted), (TARGET, variances))
    torch.testing.assert_close(value, 0.4 * drawn + 0.6 * torch.tensor(0.08))
    value = losses.multitask((LOGITS, predicted), (TARGET, variances), variance_loss="l1")
    torch.testing.assert_close(value, 0.4 * drawn + 0.6 * torch.tensor(0.2))


def test_every_image_of_the_batch_enters_the_variance_loss(batch):
    logits, hard, _ = batch
    variances = torch.rand(logits[:, 1:].shape, generator=torch.Generator().manual_seed(0))
    for name in ("mse", "l1", "l1_cropped"):
        for image in range(len(logits)):
            predicted = variances.clone()
            predicted[image] += 0.01
            options = {"variance_loss": name, "segmentation_weight": 0.0}
            assert losses.multitask((logits, variances), (hard, variances), **options) == 0
            assert losses.multitask((logits, predicted), (hard, variances), **options) > 0


def test_images_whose_variance_is_unknown_count_in_the_segmentation_alone(batch):
    logits, hard, _ = batch
    variances = torch.rand(logits[:, 1:].shape, generator=torch.Generator().manual_seed(0))
    predicted = (variances + 0.02).requires_grad_()
    drawn = losses.dice_ce(logits, hard, dice_weight=0.4, ce_weight=0.6)
    variances[1:] = torch.nan
    value = losses.multitask((logits, predicted), (hard, variances))
    torch.testing.assert_close(value, 0.4 * drawn + 0.6 * torch.tensor((70 * 0.02) ** 2))
    value.backward()
    assert torch.isfinite(predicted.grad).all()
    assert (predicted.grad[1:] == 0).all()
    variances[:] = torch.nan
    value = losses.multitask((logits, predicted), (hard, variances))
    torch.testing.assert_close(value, 0.4 * drawn)


def test_cropped_l1_by_hand():
    # One class varies in a corner, so its box is 11 x 12 pixels; the other nowhere, so all counts:
    # a variance of 1e-4 and less does not.
    variances = torch.zeros(2, 2, 20, 30)
    variances[0, 0, 0, 0:2] = torch.tensor([0.1, 2e-4])
    variances[0, 0, 5, 5] = variances[0, 1, 0, 0] = 0.9e-4
    predicted = variances.clone()
    predicted[0, 0, 10, 11] = 0.066  # the box's far corner
    predicted[0, 0, 11, 0] = predicted[0, 0, 0, 12] = 5.0  # just outside of it
    predicted[0, 1, 19, 29] = 0.06
    logits, labels = torch.zeros(2, 3, 20, 30), torch.zeros(2, 20, 30, dtype=torch.int64)
    options = {"segmentation_weight": 0.0, "variance_weight": 1.0, "variance_scale": 2.0}
    value = losses.multitask(
        (logits, predicted), (labels, variances), variance_loss="l1_cropped", **options
    )
    # (0.066 / 132 + 0.06 / 600 of the first image, 0 of the second) / 2, times 2
    torch.testing.assert_close(value, torch.tensor(0.0005 + 0.0001))


def test_what_a_loss_compares():
    assert losses.compares("multitask") == ("segmentation", "variance")
    assert losses.compares("dice_ce") == ("segmentation",)


@given(
    hnp.arrays(np.float32, (2, 3, 2, 2), elements=st.floats(-80, 80, width=32)),
    hnp.arrays(np.int64, (2, 2, 2), elements=st.integers(0, 2)),
    st.sampled_from(["dice", "cross_entropy", "dice_ce", "dice_focal", "adaptive_wing"]),
)
@settings(deadline=None, max_examples=80)
def test_any_loss_is_finite_not_negative_and_has_a_finite_gradient(scores, target, name):
    logits = torch.from_numpy(scores).requires_grad_()
    value = losses.build(name)(logits, torch.from_numpy(target))
    value.backward()
    assert value.item() >= -1e-6
    assert torch.isfinite(value)
    assert torch.isfinite(logits.grad).all()


@given(st.permutations(range(3)), st.sampled_from(["dice_ce", "dice_focal", "adaptive_wing"]))
@settings(deadline=None, max_examples=20)
def test_renaming_the_classes_changes_nothing(order, name):
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 3, 4, 3, generator=generator)
    soft = torch.rand(2, 3, 4, 3, generator=generator).softmax(1)
    loss = losses.build(name)
    torch.testing.assert_close(loss(logits[:, order], soft[:, order]), loss(logits, soft))


def test_one_hot_targets_as_numbers_or_soft_and_bf16_logits(batch):
    logits, hard, _ = batch
    soft = F.one_hot(hard, 3).movedim(-1, 1).float()
    for name in ("dice_ce", "dice_focal", "adaptive_wing"):
        loss = losses.build(name)
        torch.testing.assert_close(loss(logits, hard), loss(logits, soft))
        assert torch.equal(loss(logits, hard.to(torch.uint8)), loss(logits, hard))
        assert loss(logits.bfloat16(), hard).dtype == torch.float32


def test_refusals(batch):
    logits, hard, _ = batch
    with pytest.raises(SettingsError, match=r"expected one of dice, .*got 'jaccard'"):
        losses.build("jaccard")
    with pytest.raises(SettingsError, match=r"unknown option gama; known: .*gamma"):
        losses.build("dice_focal", gama=2)
    with pytest.raises(SettingsError, match="class_weights: expected 3"):
        losses.dice_ce(logits, hard, class_weights=(1, 2))
    with pytest.raises(SettingsError, match="soft_overlap"):
        losses.dice(logits, hard, soft_overlap="maximum")
    with pytest.raises(SettingsError, match="activation"):
        losses.adaptive_wing(logits, hard, activation="tanh")
    with pytest.raises(ShapeError, match="class numbers"):
        losses.dice_ce(logits, hard[:, :2])
    with pytest.raises(ShapeError, match="class numbers"):
        losses.dice_ce(logits, hard.float())
    with pytest.raises(ShapeError, match="variance maps"):
        losses.multitask((logits, logits[:, 1:]), (hard, logits))
    losses.build("multitask", include_background=False)
    with pytest.raises(SettingsError, match="variance_loss: expected one of mse, l1, l1_cropped"):
        losses.build("multitask", variance_loss="huber")
    with pytest.raises(SettingsError, match="variance_loss: expected one of mse"):
        losses.multitask((logits, logits[:, 1:]), (hard, logits[:, 1:]), variance_loss="l2")


def test_the_normalised_relu_keeps_a_negative_score_and_the_maximum_teachable():
    scores = torch.tensor([[[0.0, 0.0, 0.0], [-1.0, 4.0, 2.0]]], requires_grad=True)
    share = losses.normalised_relu(scores, by_class=True)[0, 1]
    assert share.tolist() == [0.0, 1.0, 0.5]
    share.sum().backward()
    # over the maximum 4, a constant: a tenth of 1/4 where the score is negative, 1/4 elsewhere
    torch.testing.assert_close(scores.grad[0, 1], torch.tensor([0.025, 0.25, 0.25]))
    assert (scores.grad[0, 0] == 0).all()  # background has no score of its own
    scores = torch.tensor([[[3.0], [-1.0]]], requires_grad=True)
    share = losses.normalised_relu(scores)[0, 1]
    share.sum().backward()
    # d/dz of 0 / (3 + 0): a tenth of 1/3 for the class, nothing for background
    torch.testing.assert_close(scores.grad[0, :, 0], torch.tensor([0.0, 1 / 30]))


@given(
    hnp.arrays(np.float32, (2, 3, 3, 2), elements=st.floats(-60, 60, width=32)),
    hnp.arrays(np.uint8, (2, 3, 2), elements=st.integers(0, 2)),
    st.fixed_dictionaries(
        {
            "batch": st.booleans(),
            "include_background": st.booleans(),
            "class_weights": st.sampled_from([None, (1.0, 2.0, 0.5), (0.0, 1.0, 1.0)]),
            "dice_weight": st.sampled_from([0.0, 0.4, 1.0]),
            "ce_weight": st.sampled_from([0.0, 0.6, 1.0]),
        }
    ),
    st.sampled_from([torch.float32, torch.bfloat16]),
)
@settings(deadline=None, max_examples=150)
def test_dice_ce_of_class_numbers_and_its_gradient_equal_autograd(scores, target, options, dtype):
    target = torch.from_numpy(target)
    soft = F.one_hot(target.long(), 3).movedim(-1, 1).float()  # takes the way of soft labels
    found = []
    for labels in (target, soft):
        logits = torch.from_numpy(scores).to(dtype).requires_grad_()
        value = losses.dice_ce(logits, labels, **options)
        (3 * value).backward()
        found.append((value.detach(), logits.grad.float()))
    (value, gradient), (plain, wanted) = found
    torch.testing.assert_close(value, plain, rtol=2e-6, atol=2e-6)
    torch.testing.assert_close(
        gradient, wanted, rtol=8e-3 if dtype != torch.float32 else 1e-5, atol=2e-6
    )


def test_gradient_of_dice_ce_is_in_the_order_of_the_scores(batch):
    logits, hard, _ = batch
    for order in (torch.channels_last, torch.contiguous_format):
        scores = logits.clone().contiguous(memory_format=order).requires_grad_()
        given = []
        scores.register_hook(given.append)
        losses.dice_ce(scores, hard).backward()
        assert given[0].stride() == scores.stride()


def test_dice_ce_of_a_single_class_and_of_numbers_that_are_none(batch):
    one = torch.zeros(1, 1, 4, requires_grad=True)
    losses.dice_ce(one, torch.zeros(1, 4, dtype=torch.long)).backward()
    assert torch.equal(one.grad, torch.zeros_like(one))
    # Voxels with a number that is no class belong to none.
    logits, hard, _ = batch
    other = torch.where(hard == 2, 255, hard).to(torch.uint8)
    soft = F.one_hot(hard, 3).movedim(-1, 1).float() * (hard != 2)[:, None]
    torch.testing.assert_close(losses.dice_ce(logits, other), losses.dice_ce(logits, soft))


def test_dice_ce_of_many_voxels_loses_none():
    """A sum of 2^18 probabilities near 1, voxel by voxel in float32, would come out too large."""
    logits = torch.zeros(1, 2, 512, 512)
    logits[:, 0] = 6.5
    target = torch.zeros(1, 512, 512, dtype=torch.uint8)
    soft = torch.stack([torch.ones(1, 512, 512), torch.zeros(1, 512, 512)], dim=1)
    options = {"ce_weight": 0.0, "smooth": 1e-5, "include_background": True}
    value, plain = (losses.dice_ce(logits, labels, **options) for labels in (target, soft))
    exact = 1 - 2 / (1 + math.exp(6.5) / (math.exp(6.5) + 1)) * math.exp(6.5) / (math.exp(6.5) + 1)
    assert value.item() == pytest.approx((exact + 1) / 2, abs=2e-7)
    torch.testing.assert_close(value, plain, rtol=0, atol=2e-7)


def test_dice_ce_of_numbers_from_inference_mode(batch):
    logits, hard, _ = batch
    with torch.inference_mode():
        numbers = hard.clone()
    scores = logits.clone().requires_grad_()
    losses.dice_ce(scores, numbers).backward()
    assert torch.isfinite(scores.grad).all()
