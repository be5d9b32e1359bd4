"""Plan of the chapter on multi-task networks: theirs and single-task trainings."""

from __future__ import annotations

from collections.abc import Mapping

from paraspine.evidence.plan import (
    ENSEMBLE,
    CohortInfo,
    Request,
    Study,
    Wanted,
    train_request,
    training_key,
)

__all__ = ["MULTITASK", "STUDY", "multitask_study"]

#: Architectures of which there is a multi-task network, and what its name begins with. So do the
#: names of settings that go before the general ones in its training.
MULTITASK, PREFIX = ("unet", "transunet"), "multitask_"


#: Subjects that a split by subject takes: one for each side.
SIDES = 3


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


def _wanted(values: Mapping, cohort: CohortInfo) -> Wanted:
    """Networks of two tasks and of one; both may share trainings with other chapters."""
    if reason := _left_out(cohort, values["models"]):
        return Wanted(notes=(reason,))
    compared, notes = values.get("leak_models"), ()
    if compared and 0 < cohort.subjects < SIDES:
        compared = []
        notes = (
            f"{cohort.subjects} of the {SIDES} subjects that a split by subject takes: what one by "
            "slice flatters is left out.",
        )
    own = {} if compared is None else {"leak_models": compared}
    if wanted := values.get("multitask_levels"):
        own["multitask_levels"] = [level for level in wanted if level in cohort.levels] or None
        if own["multitask_levels"] != wanted:
            notes += (
                f"Multi-task networks learn from {', '.join(own['multitask_levels'] or ['all'])} "
                f"levels: the cohort does not have all of {', '.join(wanted)}.",
            )
    trained = []
    for part in multitask_study({**values, **own}).values():
        for one in part:
            by_slice = "-by-slice" if one.get("split_by") == "slice" else ""
            key = training_key(one["model"], one["fusion"], one["seed"])
            trained.append(train_request(key + by_slice, one))
    after = tuple(dict.fromkeys(one.name for one in trained))
    return Wanted((*trained, Request("multitask", "07_multitask", after, own, trains=True)), notes)


def _left_out(cohort: CohortInfo, models: list[str]) -> str:
    """Reason why a book has no chapter on multi-task networks; empty if it has one."""
    if cohort.raters_of_an_image < 2:
        return (
            "One rater an image: with nobody to differ from there is no variance between raters to "
            "learn, so the chapter on multi-task networks is left out."
        )
    if not set(models) & set(MULTITASK):
        return (
            f"No multi-task network of {', '.join(models)}: there are some of "
            f"{' and '.join(MULTITASK)}, so the chapter on them is left out."
        )
    return ""


#: Settings that the other chapters' trainings leave at the default of ``03_train``.
APART = ("variance_loss", "mirror")


STUDY = Study("07_multitask", _wanted, {name: PREFIX + name for name in APART})
