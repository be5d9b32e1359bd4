"""Networks by name."""

from __future__ import annotations

import importlib
import inspect
import os
from numbers import Integral

import torch
from torch import nn

from paraspine.arrays import SettingsError
from paraspine.models.architectures import NETWORKS
from paraspine.models.network import Network
from paraspine.models.pretrained import load_pretrained

__all__ = [
    "build",
    "known_options",
    "names",
    "options",
    "parameter_count",
    "parameter_counts",
    "tasks",
]


def names() -> tuple[str, ...]:
    """Return the names that `build` takes."""
    return tuple(NETWORKS)


def options(name: str) -> dict[str, object]:
    """Return the options of a network and their defaults.

    Raises
    ------
    SettingsError
        If there is no such network.
    """
    parameters = inspect.signature(_network(name).__init__).parameters.values()
    return {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}


def tasks(name: str) -> tuple[str, ...]:
    """Return the names of what a network computes: "segmentation", and perhaps "variance".

    Raises
    ------
    SettingsError
        If there is no such network.
    """
    return _network(name).tasks


def _network(name: str) -> type[Network]:
    if name not in NETWORKS:
        raise SettingsError(f"model: expected one of {', '.join(NETWORKS)}, got {name!r}.")
    import paraspine.models as room  # as a whole: any of its networks may be built

    module, kind = NETWORKS[name].place.split(".")
    return getattr(importlib.import_module(f"{room.__name__}.{module}"), kind)


def known_options(name: str, **settings) -> dict[str, object]:
    """Return those of the settings that a network has, so that a study can give all of them.

    Raises
    ------
    SettingsError
        If there is no such network, or none has a setting at all.
    """
    own = options(name)
    anywhere = {option for known in NETWORKS for option in options(known)}
    if unknown := sorted(set(settings) - anywhere):
        raise SettingsError(f"no network has the option {', '.join(map(repr, unknown))}.")
    return {key: value for key, value in settings.items() if key in own}


def build(
    name: str,
    in_channels: int,
    num_classes: int,
    *,
    seed: int = 0,
    pretrained: str | os.PathLike | None = None,
    **settings,
) -> Network:
    """Build a network with weights drawn from a seed.

    The global random state is neither read nor changed, so equal arguments give equal weights.

    Parameters
    ----------
    name : str
        One of `names`.
    in_channels, num_classes : int
        Channels of the images; classes including background.
    seed : int
        Of the initial weights.
    pretrained : path-like, optional
        Local file of weights to start from, see `load_pretrained`; the report of what was taken
        is the network's attribute ``pretrained``.
    **settings
        The network's options, see `options`.

    Returns
    -------
    Network
        In training mode, on the CPU.

    Raises
    ------
    SettingsError
        If the name or an option is unknown, or an option is of the wrong type or out of range.
    ModelError
        If the file of pretrained weights is missing, cannot be read or does not fit at all.
    """
    known = options(name)
    unknown = sorted(set(settings) - set(known))
    if unknown:
        raise SettingsError(
            f"{name}: unknown option {', '.join(map(repr, unknown))}; it has {', '.join(known)}."
        )
    if isinstance(seed, bool) or not isinstance(seed, Integral):
        raise SettingsError(f"seed: expected a whole number, got {seed!r}.")
    # Seeding through torch.manual_seed would reach the generators of other devices too.
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(int(seed))
        model = _network(name)(in_channels, num_classes, **settings)
    if model.activation.startswith("normalised_relu"):
        # Where all scores of a class are negative its ReLU learns nothing: begin above 0,
        # but not far where probabilities are shares, or classes stay alike for many epochs.
        bias = 1.0 if model.activation.endswith("by_class") else 0.2
        nn.init.constant_(model.decoder.head.bias, bias)
    if pretrained is not None:
        model.pretrained = load_pretrained(model, pretrained)
    return model


def parameter_count(model: nn.Module, *, trainable: bool = False) -> int:
    """Count the parameters of a network; those that training changes only, if asked."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad or not trainable)


def parameter_counts(model: Network) -> dict[str, int]:
    """Count the parameters that the tasks of a network share, and those of each task alone.

    Returns
    -------
    dict of str to int
        ``"shared"`` and the names of ``model.tasks``; they sum to `parameter_count`.
    """
    own = {
        task: sum(parameter_count(module) for module in modules)
        for task, modules in model.parts().items()
    }
    return {"shared": parameter_count(model) - sum(own.values()), **own}
