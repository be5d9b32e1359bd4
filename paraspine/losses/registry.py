"""Losses by name, and the sum over the two tasks of roshanzamir2022."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable

import torch
import torch.nn.functional as F

from paraspine.arrays import SettingsError, ShapeError
from paraspine.losses.overlap import cross_entropy, dice, dice_ce, dice_focal
from paraspine.losses.wing import adaptive_wing

__all__ = ["build", "known_options", "multitask"]


def multitask(
    outputs: tuple[torch.Tensor, torch.Tensor],
    targets: tuple[torch.Tensor, torch.Tensor],
    *,
    segmentation_weight: float = 0.4,
    variance_weight: float = 0.6,
    dice_weight: float = 0.4,
    ce_weight: float = 0.6,
    variance_scale: float = 70.0,
    variance_loss: str = "mse",
    **segmentation,
) -> torch.Tensor:
    r"""Segmentation and rater-variance loss together (roshanzamir2022, equations 7 and 8).

    ``0.4 (0.4 Dice + 0.6 CE) + 0.6 mean((v - 70 V)^2)``, where ``V`` is the variance map and ``v``
    the network's, which therefore is 70 times a variance.

    Parameters
    ----------
    outputs : (logits ``(B, C, *spatial)``, variances ``(B, C - 1, *spatial)``)
        The network's two heads.
    targets : (labels, variances ``(B, C - 1, *spatial)``)
        Labels as in `dice`; variances as `paraspine.fusion.variance_map` gives them, unscaled.
    segmentation_weight, variance_weight, dice_weight, ce_weight, variance_scale : float
        The numbers of the formula, in this order.
    variance_loss : "mse" or "l1"
        ``"l1"`` takes ``|v - 70 V|``; the authors' later code has an L1 loss.
    **segmentation
        More for `dice_ce`.

    Returns
    -------
    torch.Tensor, scalar, float32
    """
    (logits, predicted), (labels, variances) = outputs, targets
    if predicted.shape != variances.shape:
        raise ShapeError(
            f"variance maps: expected the prediction's shape {tuple(predicted.shape)}, got "
            f"{tuple(variances.shape)}."
        )
    losses = {"mse": F.mse_loss, "l1": F.l1_loss}
    if variance_loss not in losses:
        raise SettingsError(f'variance_loss: expected "mse" or "l1", got {variance_loss!r}.')
    drawn = dice_ce(logits, labels, dice_weight=dice_weight, ce_weight=ce_weight, **segmentation)
    spread = losses[variance_loss](predicted.float(), variance_scale * variances.float())
    return segmentation_weight * drawn + variance_weight * spread


_LOSSES: dict[str, Callable] = {
    "dice": dice,
    "cross_entropy": cross_entropy,
    "dice_ce": dice_ce,
    "dice_focal": dice_focal,
    "adaptive_wing": adaptive_wing,
    "multitask": multitask,
}


def _options(function: Callable) -> set[str]:
    parameters = inspect.signature(function).parameters.values()
    return {p.name for p in parameters if p.kind is inspect.Parameter.KEYWORD_ONLY}


def build(name: str, **options) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
    """Return a loss by name: a function of (logits, target).

    Parameters
    ----------
    name : str
        ``"dice"``, ``"cross_entropy"``, ``"dice_ce"``, ``"dice_focal"``, ``"adaptive_wing"`` or
        ``"multitask"``.
    **options
        Keyword arguments of the function of that name.

    Raises
    ------
    SettingsError
        If the name or an option is unknown.
    """
    if name not in _LOSSES:
        raise SettingsError(f"loss: expected one of {', '.join(_LOSSES)}, got {name!r}.")
    known = _options(_LOSSES[name]) | (_options(dice_ce) if name == "multitask" else set())
    if unknown := sorted(set(options) - known):
        raise SettingsError(
            f"loss {name}: unknown option {', '.join(unknown)}; known: {', '.join(sorted(known))}."
        )
    return functools.partial(_LOSSES[name], **options)


def known_options(name: str, **settings) -> dict[str, object]:
    """Return those of the settings that a loss has, so that a study can give all of them.

    Raises
    ------
    SettingsError
        If there is no such loss, no loss has a setting at all, or the activation is not softmax
        and the loss knows no other.
    """
    if name not in _LOSSES:
        build(name)  # says which there are
    anywhere = set().union(*map(_options, _LOSSES.values()))
    if unknown := sorted(set(settings) - anywhere):
        raise SettingsError(f"no loss has the option {', '.join(map(repr, unknown))}.")
    own = _options(_LOSSES[name])
    activation = settings.get("activation", "softmax")
    if activation != "softmax" and "activation" not in own:
        able = [loss for loss, function in _LOSSES.items() if "activation" in _options(function)]
        raise SettingsError(
            f"activation: the loss {name} is defined for softmax, got {activation!r}; take one of "
            f"{', '.join(able)}."
        )
    return {key: value for key, value in settings.items() if key in own}
