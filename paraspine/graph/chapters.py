"""The chapters of a book as jobs, and what a cohort leaves out of them and why."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from paraspine.evidence.plan import conditions
from paraspine.graph.job import Job, job_maker
from paraspine.graph.workspace import Header, slug
from paraspine.manifest.splits import SIDES
from paraspine.session.parameters import declared_parameters
from paraspine.studies.label_fusion.plan import fusion_trainings
from paraspine.studies.multitask.plan import MULTITASK, multitask_study

__all__ = ["OPTIONAL", "chapters"]

#: Notebooks that ask what only simulated raters and images can answer.
SIMULATED = ("11_truth", "12_noise", "14_phantom")


#: Notebooks that some books do without; their parameters are known all the same.
OPTIONAL = (*SIMULATED, "07_multitask", "08_label_fusion")


def chapters(
    root: Path, workspace: str, values: Mapping, about: Header
) -> tuple[list[Job], list[str]]:
    """Lay out the jobs of a book.

    Parameters
    ----------
    root : Path
        Top folder of the checkout.
    workspace : str
        Folder below ``runs/``.
    values : mapping
        Parameters of the profile, the cohort and the user.
    about : Header
        What the manifest says of the cohort.

    Returns
    -------
    list of Job
        In an order that can be run one after another.
    list of str
        What is left out, and why.
    """
    values, notes = dict(values), []
    if about.raters_of_an_image < 2 and values["fusions"] != ["majority"]:
        values["fusions"] = ["majority"]
        notes.append(
            "One rater: every way of fusing raters gives the same labels, so only 'majority' runs."
        )
    if not about.simulated:
        notes.append(
            f"{', '.join(SIMULATED)}: left out, because what raters in general would say is known, "
            "and the noise of an image can be set, only where both are simulated (the synthetic "
            "phantom's slices)."
        )
    no_multitask = _no_multitask(about, values["models"])
    if no_multitask:
        notes.append(no_multitask)
    elif values.get("leak_models") and 0 < about.subjects < len(SIDES):
        values["leak_models"] = []
        notes.append(
            f"{about.subjects} of the {len(SIDES)} subjects that a split by subject takes: what "
            "one by slice flatters is left out."
        )
    fused = []
    if about.raters_of_an_image > 1:
        fused = fusion_trainings(values, about.raters, about.centers)
    elif values["fusion_splits"]:
        notes.append("One rater: there is nothing to fuse, so the label-fusion study is left out.")
    make = job_maker(root, workspace, values)
    wanted = conditions(
        values["models"],
        values["fusions"],
        values["seeds"],
        values["methods"],
        values.get("ensemble_seeds", ()),
    )
    jobs = [make("cohort", "01_cohort"), make("raters", "02_raters", ["cohort"])]
    trained = [
        make(f"train-{_key(**training)}", "03_train", ["cohort"], trains=True, **training)
        for training in _trainings(wanted)
    ]
    jobs += [*trained, *_interrater(make, wanted)]
    if not no_multitask:
        jobs += _multitask(make, root, values, trained)
    if fused:
        jobs += _label_fusion(make, fused)
    if about.simulated:
        jobs += _simulated(make, trained)
    jobs.append(make("published", "13_published", ["interrater"]))
    return jobs, notes


def _trainings(wanted: Iterable[Mapping]) -> list[dict]:
    """Each training that some condition needs, once."""
    found: dict[str, dict] = {}
    for chosen in wanted:
        for seed in chosen["members"] or [chosen["seed"]]:
            training = {"model": chosen["model"], "fusion": chosen["fusion"], "seed": seed}
            found.setdefault(_key(**training), training)
    return list(found.values())


def _interrater(make, wanted: Iterable[Mapping]) -> Iterator[Job]:
    """Sampling of every condition, and the chapters that compare them (roshanzamir2023)."""
    samples = []
    for chosen in wanted:
        model, fusion = chosen["model"], chosen["fusion"]
        seeds = chosen["members"] or [chosen["seed"]]
        needed = [f"train-{_key(model, fusion, seed)}" for seed in seeds]
        name = f"sample-{_key(model, fusion, chosen['seed'])}-{chosen['method']}"
        samples.append(name)
        yield make(name, "04_sample", needed, trains=True, **chosen)
    yield make("interrater", "05_interrater", samples)
    yield make("calibration", "06_calibration", samples)


def _multitask(make, root: Path, values: Mapping, trained: list[Job]) -> Iterator[Job]:
    """Networks of two tasks beside those of one (roshanzamir2022); both may share trainings."""
    trained, needed = list(trained), []
    for chosen in (c for part in multitask_study(values).values() for c in part):
        split = "-by-slice" if chosen.get("split_by") == "slice" else ""
        key = _key(chosen["model"], chosen["fusion"], chosen["seed"]) + split
        new = make(f"train-{key}", "03_train", ["cohort"], trains=True, **chosen)
        same = _same_run(root, new, trained)
        if same is None:
            if new.name in {t.name for t in trained}:  # trained otherwise for other chapters
                new = make(f"train-{key}-multitask", "03_train", ["cohort"], True, **chosen)
            trained.append(same := new)
            yield new
        needed.append(same.name)
    yield make("multitask", "07_multitask", dict.fromkeys(needed), trains=True)


def _label_fusion(make, fused: list[dict]) -> Iterator[Job]:
    """The candidates of lemay2022 on repeated splits."""
    names = [f"train-fusion-{_fused_key(training)}" for training in fused]
    for name, training in zip(names, fused, strict=True):
        yield make(name, "03_train", ["cohort"], trains=True, **training)
    yield make("label_fusion", "08_label_fusion", names, trains=True)


def _simulated(make, trained: list[Job]) -> Iterator[Job]:
    """What only the phantom can answer."""
    yield make("truth", "11_truth", [job.name for job in trained])
    first = trained[0]
    one = {name: first.parameters[name] for name in ("model", "fusion", "seed")}
    yield make("noise", "12_noise", [first.name], **one)
    yield make("phantom", "14_phantom", ["cohort"])


def _no_multitask(about: Header, models: list[str]) -> str:
    """Why a book has no chapter on multi-task networks; empty if it has one."""
    if about.raters_of_an_image < 2:
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


def _same_run(root: Path, job: Job, others: list[Job]) -> Job | None:
    """The job among others that runs the same notebook with the same parameters."""
    declared = declared_parameters(root / "notebooks" / f"{job.notebook}.ipynb")
    wanted = declared | job.parameters
    return next((o for o in others if declared | o.parameters == wanted), None)


def _fused_key(training: Mapping) -> str:
    """Name of a training of the label-fusion study."""
    words = (training["loss"], training["fusion"], "split", training["split_seed"])
    return slug("-".join(map(str, words)))


def _key(model: str, fusion: str, seed: int) -> str:
    return f"{model}-{fusion.replace(':', '-')}-seed{seed}"
