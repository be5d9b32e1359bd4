"""Which networks are sampled how: the conditions that a study compares."""

from __future__ import annotations

from collections.abc import Mapping

from paraspine.evidence.plan import ENSEMBLE

__all__ = ["MULTITASK", "multitask_study"]

#: Architectures of which there is a multi-task network, and what its name begins with. So do the
#: names of settings that go before the general ones in its training.
MULTITASK, PREFIX = ("unet", "transunet"), "multitask_"


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
