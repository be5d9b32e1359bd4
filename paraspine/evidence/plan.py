"""Conditions and trainings that several studies share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from paraspine.arrays import SettingsError

__all__ = ["ENSEMBLE", "conditions", "trainings", "sampled_from"]

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


def trainings(study: Iterable[Mapping]) -> list[dict]:
    """Parameters of ``03_train`` for the trainings that the conditions of a study need, each once.

    Parameters
    ----------
    study : iterable of mapping
        Of ``model``, ``fusion``, ``seed``, ``members``, as `conditions` gives them.
    """
    found = {}
    for chosen in study:
        for seed in chosen["members"] or [chosen["seed"]]:
            training = {"model": chosen["model"], "fusion": chosen["fusion"], "seed": seed}
            found[tuple(training.values())] = training
    return list(found.values())


def sampled_from(chosen: Mapping, trained: Iterable) -> list:
    """The runs of ``03_train`` that a condition is sampled from.

    Raises
    ------
    SettingsError
        If one of them is not among `trained`.
    """
    found = {tuple(run.parameters[k] for k in ("model", "fusion", "seed")): run for run in trained}
    wanted = [tuple(training.values()) for training in trainings([chosen])]
    if missing := [key for key in wanted if key not in found]:
        raise SettingsError(f"train_runs: no training of {missing[0]} among {sorted(found)}.")
    return [found[key] for key in wanted]
