"""Which networks are sampled how: the conditions that a study compares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from paraspine.arrays import SettingsError

__all__ = ["ENSEMBLE", "MULTITASK", "conditions", "multitask_study"]

#: The way of sampling that takes several trainings.
ENSEMBLE = "ensemble"
#: Architectures of which there is a multi-task network, and what its name begins with. So do the
#: names of settings that go before the general ones in its training.
MULTITASK, PREFIX = ("unet", "transunet"), "multitask_"


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


def multitask_study(parameters: Mapping) -> dict[str, list[dict]]:
    """Parameters of ``03_train`` for every network that ``07_multitask`` compares.

    All are trained on the majority vote (roshanzamir2022), with the same settings: the general ones
    but for those that a parameter ``multitask_<name>`` sets otherwise. What that leaves alone is
    shared with the other chapters' trainings.

    Parameters
    ----------
    parameters : mapping
        ``models`` (those without a multi-task network are left out), ``seeds`` (the first counts),
        ``methods``, ``ensemble_seeds``, ``leak_models`` and the settings.

    Returns
    -------
    dict of str to list of dict
        ``"together"``: the multi-task networks. ``"alone"``: the single-task ones of the same seed
        and, where an ensemble is among the methods, of its seeds. ``"leak"``: the multi-task
        networks of ``leak_models``, each trained on a split by slice and on one by subject.
    """
    own = {
        name.removeprefix(PREFIX): value
        for name, value in parameters.items()
        if name.startswith(PREFIX) and value is not None
    }
    chosen = [m for m in parameters["models"] if m in MULTITASK]
    seed = parameters["seeds"][0]
    members = parameters["ensemble_seeds"] if ENSEMBLE in parameters["methods"] else []

    def training(model: str, number: int, **more) -> dict:
        found = {"model": model, "fusion": "majority", "seed": number, **own, **more}
        if not model.startswith(PREFIX):
            found.pop("variance_loss", None)  # plays no part there
        return found

    return {
        "together": [training(PREFIX + m, seed) for m in chosen],
        "alone": [training(m, n) for m in chosen for n in dict.fromkeys([seed, *members])],
        "leak": [
            training(PREFIX + m, seed, split_by=by)
            for m in chosen
            if m in parameters.get("leak_models", ())
            for by in ("slice", "subject")
        ],
    }
