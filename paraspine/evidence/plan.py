"""Plans of studies: the notebook runs that each asks for, and those that several share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from paraspine.arrays import SettingsError

__all__ = [
    "ENSEMBLE",
    "NOT_SIMULATED",
    "CohortInfo",
    "Request",
    "Study",
    "Wanted",
    "conditions",
    "fusions_of",
    "sample_requests",
    "sampled_from",
    "train_request",
    "training_key",
    "training_requests",
    "trainings",
]

#: The way of sampling that takes several trainings.
ENSEMBLE = "ensemble"


#: Note of a study of what only simulated raters and images can answer, of any other cohort.
NOT_SIMULATED = (
    "{chapters}: left out, because what raters in general would say is known, and the noise of an "
    "image can be set, only where both are simulated (the synthetic phantom's slices)."
)


@dataclass(frozen=True)
class CohortInfo:
    """What a manifest and its sidecar say of a cohort before anything is checked.

    Attributes
    ----------
    name : str
        Name of the cohort.
    raters : tuple of str
        Names, in the order of the columns.
    raters_of_an_image : int
        Most raters of one image; the number of raters where the manifest has no row.
    subjects : int
        Different subjects; 0 where the manifest has no row.
    centers : tuple of str
        The centre of each image; empty without such a column.
    levels : tuple of str
        Different levels of the images, as the manifest has them.
    own : dict
        The cohort's own parameters.
    simulated : bool
        Whether it is one of slices that the phantom draws.
    """

    name: str
    raters: tuple[str, ...]
    raters_of_an_image: int
    subjects: int
    centers: tuple[str, ...]
    levels: tuple[str, ...]
    own: dict
    simulated: bool


@dataclass(frozen=True)
class Request:
    """One notebook run that a study asks for.

    Requests of several studies for the same notebook with the same parameters are one job.

    Attributes
    ----------
    name : str
        Of the job, for example ``"train-unet-random-seed0"``; what follows the first hyphen names
        its run folder.
    notebook : str
        Name without ``.ipynb``.
    after : tuple of str
        Names of the requests, of this study or of an earlier one, that must be done before.
    parameters : dict
        What this run has of its own; the rest is that of the book.
    trains : bool
        Whether it wants the GPU where there is one.
    beside : tuple of str
        Names of jobs of other studies whose results it shows where the book has them. Their folders
        are its parameter ``beside_runs``.
    """

    name: str
    notebook: str
    after: tuple[str, ...] = ()
    parameters: dict = field(default_factory=dict)
    trains: bool = False
    beside: tuple[str, ...] = ()


@dataclass(frozen=True)
class Wanted:
    """What a study asks for of one cohort.

    Attributes
    ----------
    requests : tuple of Request
        Trainings and samples first, its own chapter last; none if the study is left out.
    notes : tuple of str
        What is left out and why. ``{chapters}`` stands for the notebooks of all studies that give
        the same note.
    """

    requests: tuple[Request, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Study:
    """The plan of a study, ``STUDY`` in its module ``plan``.

    Attributes
    ----------
    notebook : str
        Name of its chapter without ``.ipynb``.
    wanted : callable
        Of the book's parameters and the `CohortInfo`: what the study asks for.
    apart : mapping
        Settings of ``03_train`` that this study gives its own trainings and that not all trainings
        can share: the parameter that sets each, or empty where the study chooses itself.
    """

    notebook: str
    wanted: Callable[[Mapping, CohortInfo], Wanted]
    apart: Mapping[str, str] = field(default_factory=dict)


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


def fusions_of(values: Mapping, cohort: CohortInfo) -> tuple[list[str], tuple[str, ...]]:
    """Training targets that a book has, and a note where a single rater leaves but one."""
    if cohort.raters_of_an_image > 1 or values["fusions"] == ["majority"]:
        return values["fusions"], ()
    note = "One rater: every way of fusing raters gives the same labels, so only 'majority' runs."
    return ["majority"], (note,)


def training_key(model: str, fusion: str, seed: int) -> str:
    """Name of a training in its job's and its run folder's name."""
    return f"{model}-{fusion.replace(':', '-')}-seed{seed}"


def train_request(name: str, parameters: Mapping) -> Request:
    """Request of one training, named ``train-<name>``."""
    return Request(f"train-{name}", "03_train", ("cohort",), dict(parameters), trains=True)


def training_requests(values: Mapping) -> list[Request]:
    """Requests of the trainings that the `conditions` of a book need.

    Parameters
    ----------
    values : mapping
        ``models``, ``fusions``, ``seeds``, ``methods`` and ``ensemble_seeds``.
    """
    return [train_request(training_key(**one), one) for one in trainings(_conditions(values))]


def sample_requests(values: Mapping) -> list[Request]:
    """Requests of the samples of every one of a book's `conditions`; parameters as above."""
    return [
        Request(
            f"sample-{training_key(one['model'], one['fusion'], one['seed'])}-{one['method']}",
            "04_sample",
            tuple(f"train-{training_key(**training)}" for training in trainings([one])),
            one,
            trains=True,
        )
        for one in _conditions(values)
    ]


def _conditions(values: Mapping) -> list[dict]:
    names = ("models", "fusions", "seeds", "methods")
    return conditions(*(values[n] for n in names), values.get("ensemble_seeds", ()))


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
