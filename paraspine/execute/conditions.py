"""Which networks are sampled how: the conditions that a study compares."""

from __future__ import annotations

from collections.abc import Sequence

from paraspine.arrays import SettingsError

__all__ = ["ENSEMBLE", "conditions"]

#: The way of sampling that takes several trainings.
ENSEMBLE = "ensemble"


def conditions(
    models: Sequence[str],
    fusions: Sequence[str],
    seeds: Sequence[int],
    methods: Sequence[str],
    ensemble_seeds: Sequence[int] = (),
) -> list[dict]:
    """Parameters of ``04_sample`` for every condition of a study.

    Every architecture, training target and seed is sampled in every way. An ensemble is sampled
    once per architecture, from independently initialised and shuffled trainings on the majority
    vote (roshanzamir2023), or on the first of the targets where that is not among them.

    Parameters
    ----------
    models, fusions, seeds, methods : sequences
        What the study runs.
    ensemble_seeds : sequence of int
        Seeds of the ensemble's members.

    Returns
    -------
    list of dict
        ``model``, ``fusion``, ``seed``, ``method`` and ``members`` (seeds; empty but for the
        ensemble).

    Raises
    ------
    SettingsError
        If an ensemble is asked for with fewer than two different members.
    """
    found = [
        {"model": model, "fusion": fusion, "seed": seed, "method": method, "members": []}
        for model in models
        for fusion in fusions
        for seed in seeds
        for method in methods
        if method != ENSEMBLE
    ]
    if ENSEMBLE not in methods:
        return found
    members = list(ensemble_seeds)
    if len(members) < 2 or len(set(members)) < len(members):
        raise SettingsError(
            f"ensemble_seeds: an ensemble needs two or more different seeds, got {members}."
        )
    fusion = "majority" if "majority" in fusions else fusions[0]
    return found + [
        {
            "model": model,
            "fusion": fusion,
            "seed": seeds[0],
            "method": ENSEMBLE,
            "members": members,
        }
        for model in models
    ]
