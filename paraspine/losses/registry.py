"""Losses by name, and the sum over the two tasks of roshanzamir2022."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable

import torch

from paraspine.arrays import SettingsError, ShapeError
from paraspine.losses.overlap import cross_entropy, dice, dice_ce, dice_focal
from paraspine.losses.wing import adaptive_wing

__all__ = ["build", "compares", "known_options", "multitask"]

#: Margin (pixels) around what the cropped variance loss looks at, and the variance from which on a
#: pixel belongs to that.
MARGIN, FLOOR = 10, 1e-4


def _mse(scale: float, predicted: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    return (scale * (predicted - wanted)).square().flatten(1).mean(1)


def _l1(scale: float, predicted: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    return (scale * (predicted - wanted)).abs().flatten(1).mean(1)


def _l1_cropped(scale: float, predicted: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """Mean within the box of each map's variance, summed over classes."""
    inside = torch.ones_like(wanted, dtype=torch.bool)
    marked = wanted > FLOOR
    for axis in range(2, wanted.ndim):
        others = [a for a in range(2, wanted.ndim) if a != axis]
        along = marked.any(others, keepdim=True) if others else marked
        places = torch.arange(wanted.shape[axis], device=wanted.device)
        places = places.view([-1 if a == axis else 1 for a in range(wanted.ndim)])
        first = torch.where(along, places, wanted.shape[axis]).amin(axis, keepdim=True)
        last = torch.where(along, places, -1).amax(axis, keepdim=True)
        inside &= (places >= first - MARGIN) & (places <= last + MARGIN)
    # A class in which nobody differs has no box: its whole map counts.
    inside |= ~marked.flatten(2).any(2).view(*wanted.shape[:2], *(1 for _ in wanted.shape[2:]))
    error = scale * (predicted - wanted).abs() * inside
    return (error.flatten(2).sum(2) / inside.flatten(2).sum(2)).sum(1)


#: Losses of variance maps by name: of a scale and two maps; a value per image.
_VARIANCE = {"mse": _mse, "l1": _l1, "l1_cropped": _l1_cropped}


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

    ``0.4 (0.4 Dice + 0.6 CE) + 0.6 mean((70 v - 70 V)^2)``, where ``V`` is the variance map and
    ``v`` the network's. Every image of the batch counts, but for those whose variance map is not
    known (NaN, as with a single rater), which count in the segmentation alone.

    Parameters
    ----------
    outputs : (logits ``(B, C, *spatial)``, variances ``(B, C - 1, *spatial)``)
        The network's two outputs.
    targets : (labels, variances ``(B, C - 1, *spatial)``)
        Labels as in `dice`; variances as `paraspine.fusion.variance_map` gives them, or NaN in all
        of an image.
    segmentation_weight, variance_weight, dice_weight, ce_weight, variance_scale : float
        The numbers of the formula, in this order.
    variance_loss : "mse", "l1" or "l1_cropped"
        ``"mse"`` as published. ``"l1"`` takes ``|70 v - 70 V|``. ``"l1_cropped"`` is what the
        authors' later code does: L1 within the box, 10 pixels wider, around the variance of each
        class, summed over classes; over the whole batch, where that code sees its first image only.
        (It neither scales the maps, ``variance_scale=1``, nor weighs Dice and CE differently.)
    **segmentation
        More for `dice_ce`.

    Returns
    -------
    torch.Tensor, scalar, float32

    Raises
    ------
    ShapeError
        If outputs and targets do not fit each other.
    SettingsError
        If there is no such variance loss.
    """
    (logits, predicted), (labels, variances) = outputs, targets
    if predicted.shape != variances.shape:
        raise ShapeError(
            f"variance maps: expected the prediction's shape {tuple(predicted.shape)}, got "
            f"{tuple(variances.shape)}."
        )
    check_variance_loss(variance_loss)
    drawn = dice_ce(logits, labels, dice_weight=dice_weight, ce_weight=ce_weight, **segmentation)
    known = ~variances.flatten(1).isnan().any(1)
    wanted = torch.nan_to_num(variances.float())
    spread = _VARIANCE[variance_loss](variance_scale, predicted.float(), wanted)
    spread = torch.where(known, spread, 0).sum() / known.sum().clamp_min(1)
    return segmentation_weight * drawn + variance_weight * spread


def check_variance_loss(name: str) -> None:
    """Raise `SettingsError` unless there is such a loss of variance maps."""
    if name not in _VARIANCE:
        known = ", ".join(_VARIANCE)
        raise SettingsError(f"variance_loss: expected one of {known}, got {name!r}.")


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


def compares(name: str) -> tuple[str, ...]:
    """Return which of a network's outputs a loss compares with targets, in its order.

    With one, the loss is a function of (logits, target); with several, of two tuples.
    """
    return ("segmentation", "variance") if name == "multitask" else ("segmentation",)


def build(name: str, **options) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
    """Return a loss by name: a function of (logits, target), or of two tuples (`compares`).

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
    if "variance_loss" in options:
        check_variance_loss(options["variance_loss"])
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
