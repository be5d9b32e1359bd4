"""The label-fusion study of lemay2022: candidates over repeated splits, measured image by image."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from paraspine import fusion, maps, metrics
from paraspine.arrays import SettingsError
from paraspine.frames import IDENTITY, reliability_frame
from paraspine.studies.label_fusion.composite import entropy_errors

__all__ = [
    "CONVENTIONAL",
    "SOFTSEG",
    "ENSEMBLE",
    "BASELINE",
    "REFERENCES",
    "Predicted",
    "Repetition",
    "candidate_of",
    "repetitions",
    "fusion_curves",
    "fusion_frame",
    "fusion_reliability",
]

CONVENTIONAL = ("conventional STAPLE", "conventional average", "conventional random")


SOFTSEG = ("SoftSeg STAPLE", "SoftSeg average", "SoftSeg random")


#: One conventional network per rater, their predictions averaged (Ma 2020).
ENSEMBLE = "loss ensemble"


#: What the paper compares every candidate with.
BASELINE = CONVENTIONAL[0]


#: What hard measures are taken against: as published, and beside it.
REFERENCES = ("STAPLE", "majority")


#: Measures of the binarised prediction.
HARD = (
    "dice",
    "precision",
    "recall",
    "absolute_volume_difference",
    "relative_volume_difference",
)


WORDS = {"staple": "STAPLE", "average": "average", "random": "random"}


@dataclass(frozen=True, eq=False)
class Predicted:
    """What a candidate predicts for a repetition's images.

    Attributes
    ----------
    validation, test : numpy.ndarray of float32, ``(N, C, H, W)``
        Probabilities of one pass, or the mean of an ensemble.
    drawn : numpy.ndarray of uint8, ``(N, T, H, W)``, optional
        Sampled segmentations of the test images.
    """

    validation: np.ndarray
    test: np.ndarray
    drawn: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class Repetition:
    """One split of the cohort, with the trainings on it.

    Attributes
    ----------
    name : str
        ``"split 1"`` and so on, with the centre held out.
    parameters : dict
        Of its trainings, as far as they are the same.
    networks : dict of str to list of runs.Run
        Candidate to its trainings: one, but for the loss ensemble.
    validation, test : slices.Slices
        Images that somebody rated; set by `on`.
    references : dict of str to numpy.ndarray, ``(N, H, W)``
        Label maps of the test images for each of `REFERENCES`.
    """

    name: str
    parameters: dict
    networks: dict[str, list]
    validation: object = None
    test: object = None
    references: dict[str, np.ndarray] = field(default_factory=dict)

    def on(self, data, sides) -> Repetition:
        """Return it with its images, cut along the sides of the slices ``(N,)``."""
        rated = data.rated.any(axis=1)
        validation, test = (
            data.select((np.asarray(sides) == side) & rated) for side in ("validation", "test")
        )
        return replace(self, validation=validation, test=test, references=references_of(test))

    def method(self, who: str, *, drawn: bool = False) -> str:
        """How a candidate predicts (one pass, or the mean of its members) or draws segmentations.

        It draws one of each member, or several by dropout; where it has neither, by test-time
        augmentation.
        """
        if len(self.networks[who]) > 1:
            return "ensemble"
        if not drawn:
            return "single"
        return "dropout" if self.parameters["dropout"] > 0 else "tta"


def references_of(data) -> dict[str, np.ndarray]:
    """STAPLE's label maps and the majority vote of some slices, ``(N, H, W)`` uint8 each."""
    if not len(data):
        return {name: np.zeros((0, *data.size), np.uint8) for name in REFERENCES}
    classes = data.classes.num_classes
    found = fusion.staple_many(data.labels, classes, data.rated)
    voted = fusion.majority_vote_many(data.labels, classes, data.rated)
    fused = np.stack([one.labels for one in found])
    return dict(zip(REFERENCES, (fused.astype(np.uint8), voted.astype(np.uint8)), strict=True))


def candidate_of(parameters: Mapping) -> str:
    """Name of the candidate that a training of ``03_train`` belongs to, in the paper's words."""
    fused = parameters["fusion"]
    if fused.startswith("rater:"):
        return ENSEMBLE
    framework = "SoftSeg" if parameters["loss"] == "adaptive_wing" else "conventional"
    return f"{framework} {WORDS.get(fused, fused)}"


def repetitions(trained: Iterable) -> list[Repetition]:
    """Sort the study's trainings into repetitions and candidates.

    Parameters
    ----------
    trained : iterable of runs.Run
        Runs of ``03_train``, as `fusion_trainings` asks for them.

    Raises
    ------
    SettingsError
        If there is none, or a repetition lacks a candidate that another has.
    """
    groups: dict[tuple, dict[str, list]] = {}
    for run in trained:
        key = (run.parameters["split_seed"], run.parameters["test_center"])
        groups.setdefault(key, {}).setdefault(candidate_of(run.parameters), []).append(run)
    if not groups:
        raise SettingsError("trained: expected runs of 03_train, got none; set fusion_splits.")
    names = {tuple(sorted(networks)) for networks in groups.values()}
    if len(names) > 1:
        raise SettingsError(
            f"trained: expected the same candidates in every split, got {sorted(names)}."
        )
    order = [*CONVENTIONAL, *SOFTSEG, ENSEMBLE]
    found = []
    for number, ((_, center), networks) in enumerate(groups.items(), start=1):
        first = next(iter(networks.values()))[0].parameters
        own = [who for who in order if who in networks]
        found.append(
            Repetition(
                f"split {number}" + (f" (tested on {center})" if center else ""),
                dict(first),
                {who: networks[who] for who in [*own, *(n for n in networks if n not in order)]},
            )
        )
    return found


def fusion_curves(repeated: Iterable[Repetition]) -> pd.DataFrame:
    """Validation loss of every training by epoch (lemay2022, Fig. 7).

    Returns
    -------
    pandas.DataFrame
        ``condition``, ``split``, ``member`` (the rater of a loss ensemble's member, else empty),
        ``epoch``, ``validation_loss``, ``validation_dice``.
    """
    parts = []
    for one in repeated:
        for who, members in one.networks.items():
            for run in members:
                fused = run.parameters["fusion"]
                member = fused.removeprefix("rater:") if fused.startswith("rater:") else ""
                history = run.read_frame("history.parquet")
                kept = history[["epoch", "validation_loss", "validation_dice"]]
                parts.append(kept.assign(condition=who, split=one.name, member=member))
    return pd.concat(parts, ignore_index=True)


def fusion_frame(
    repeated: Iterable[Repetition],
    predictions: Mapping[tuple[str, str], Predicted],
    thresholds: Mapping[tuple[str, str], float] | None = None,
) -> pd.DataFrame:
    """Measures of every candidate, image by image.

    Parameters
    ----------
    repeated : iterable of Repetition
        With their images.
    predictions : mapping of (repetition's name, candidate) to Predicted
        What was predicted.
    thresholds : mapping of (repetition's name, candidate) to float, optional
        Of one class's probability; the most probable class counts where there is none.

    Returns
    -------
    pandas.DataFrame
        Identifying columns, ``split``, ``condition``, ``reference`` (of hard measures: one of
        `REFERENCES`; else empty), ``class``, ``measure``, ``value``. Per class ``brier`` (against
        the soft label, background too) and the hard measures ``dice``, ``precision``, ``recall``,
        ``absolute_volume_difference``, ``relative_volume_difference`` (NaN instead of infinite
        where the reference is empty); for class ``"all"`` ``entropy`` and ``gt_entropy`` (nats,
        means over voxels; the second NaN with fewer than two raters), their difference as
        `entropy_errors` gives it, and with sampled
        segmentations ``energy_distance`` and ``matched_iou`` (NaN with fewer than two raters).
    """
    repeated = list(repeated)
    parts = []
    for one in repeated:
        entropies = [
            float(fusion.ground_truth_entropy(labels, one.test.classes.num_classes).mean())
            if len(labels) > 1
            else np.nan
            for labels in _rated(one.test)
        ]
        for (name, who), found in predictions.items():
            if name == one.name:
                threshold = (thresholds or {}).get((name, who))
                lines = [
                    (item, *rest)
                    for item, labels in enumerate(_rated(one.test))
                    for rest in _image(one, item, labels, found, threshold, entropies[item])
                ]
                parts.append(_identified(one, who, lines))
    frame = pd.concat(parts, ignore_index=True)
    voxels = int(np.prod(repeated[0].test.size))
    return pd.concat([frame, entropy_errors(frame, voxels=voxels)], ignore_index=True)


def _rated(data) -> list[np.ndarray]:
    return [data.labels[item][data.rated[item]] for item in range(len(data))]


def _image(one: Repetition, item: int, labels, found: Predicted, threshold, entropy: float):
    """Yield reference, class, measure and value of one image."""
    classes = one.test.classes
    mean = found.test[item]
    yield "", "all", "entropy", float(maps.entropy(mean.astype(np.float64)).mean())
    yield "", "all", "gt_entropy", entropy
    brier = metrics.brier(mean, fusion.soft_labels(labels, classes.num_classes))
    for name, value in zip(classes.names, brier, strict=True):
        yield "", name, "brier", value
    hard = segmented(mean, threshold)
    for reference in REFERENCES:
        table = metrics.confusion(hard, one.references[reference][item], classes.num_classes)
        values = metrics.overlap_measures(table)
        for measure in HARD:
            own = np.where(np.isfinite(values[measure]), values[measure], np.nan)
            for name, value in zip(classes.foreground, own, strict=True):
                yield reference, name, measure, value
    if found.drawn is not None:
        several = len(labels) > 1
        for measure, function in (
            ("energy_distance", metrics.generalised_energy_distance),
            ("matched_iou", metrics.hungarian_iou),
        ):
            drawn = found.drawn[item]
            value = function(drawn, labels, classes.num_classes) if several else np.nan
            yield "", "all", measure, value


def segmented(probabilities, threshold: float | None = None) -> np.ndarray:
    """Label map of one image's probabilities ``(C, H, W)``: by threshold, or the most probable."""
    if threshold is None:
        return np.asarray(probabilities).argmax(axis=0)
    return metrics.binarise(probabilities, threshold)


def _identified(one: Repetition, who: str, lines: list[tuple]) -> pd.DataFrame:
    frame = pd.DataFrame(lines, columns=["item", "reference", "class", "measure", "value"])
    table = one.test.table
    identity = table[[c for c in IDENTITY if c in table]].reset_index(drop=True)
    identity = identity.loc[frame.pop("item")].reset_index(drop=True)
    return pd.concat(
        [identity.assign(split=one.name, condition=who), frame.astype({"value": float})], axis=1
    )


def fusion_reliability(
    repeated: Iterable[Repetition],
    predictions: Mapping[tuple[str, str], Predicted],
    bins: int = 10,
) -> pd.DataFrame:
    """Counts behind the reliability diagrams; `reliability_frame` of every candidate.

    Returns
    -------
    pandas.DataFrame
        As `reliability_frame` gives it, with ``split``, ``condition`` and ``reference``.
    """
    parts = []
    for one in repeated:
        for (name, who), found in predictions.items():
            if name != one.name:
                continue
            for reference in REFERENCES:
                counts = reliability_frame(
                    one.test,
                    _Mean(found.test),
                    bins,
                    references=one.references[reference],
                )
                parts.append(counts.assign(split=one.name, condition=who, reference=reference))
    return pd.concat(parts, ignore_index=True)


@dataclass(frozen=True, eq=False)
class _Mean:
    """Probabilities in the place of samples' moments."""

    mean: np.ndarray
