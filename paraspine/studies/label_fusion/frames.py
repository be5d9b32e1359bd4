"""Candidates of the label-fusion study over repeated splits, measured image by image."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
import pandas as pd

from paraspine import fusion, maps, metrics
from paraspine.arrays import SettingsError
from paraspine.evidence.conditions import target_label
from paraspine.frames import IDENTITY, reliability_frame

#: Label maps that hard measures are taken against: as published, and the majority vote.
REFERENCES = ("STAPLE", "majority")
#: Measures of the binarised prediction.
HARD = (
    "dice",
    "precision",
    "recall",
    "absolute_volume_difference",
    "relative_volume_difference",
)
#: Columns that say which image a row is about; an image of two splits counts as two.
KEYS = ["subject", "image", "slice", "split"]
#: Target of the loss ensemble: one network for each rater (Ma 2020).
EACH = "each rater"


class Candidate(NamedTuple):
    """A way of training (framework) on a way of fusing raters (target)."""

    framework: str
    target: str
    scaled: bool = False  # at its temperature

    @property
    def label(self) -> str:
        """Words for showing, never taken apart."""
        if self.target == EACH:
            return "loss ensemble"
        scaled = ", scaled" if self.scaled else ""
        return f"{self.framework}, {target_label(self.target)}{scaled}"

    def columns(self) -> dict[str, str]:
        """Columns of a tidy frame."""
        return {"framework": self.framework, "target": self.target, "condition": self.label}


#: The paper's candidates, framework by framework; the first is its baseline.
CONVENTIONAL = tuple(Candidate("conventional", t) for t in ("staple", "average", "random"))
SOFTSEG = tuple(Candidate("SoftSeg", t) for t in ("staple", "average", "random"))
ENSEMBLE = Candidate("conventional", EACH)


@dataclass(frozen=True, eq=False)
class Predicted:
    """Predictions of a candidate for a repetition's images.

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


Predictions = Mapping[tuple[str, Candidate], Predicted]


@dataclass(frozen=True, eq=False)
class Repetition:
    """One split of the cohort, with the trainings on it.

    Attributes
    ----------
    name : str
        ``"split 1"`` and so on, with the centre held out.
    parameters : dict
        Of its trainings, as far as they are the same.
    networks : dict of Candidate to list of runs.Run
        One training each, but for the loss ensemble.
    validation, test : slices.Slices
        Images that somebody rated; set by `on`.
    references : dict of str to numpy.ndarray, ``(N, H, W)``
        Label maps of the test images for each of `REFERENCES`.
    """

    name: str
    parameters: dict
    networks: dict[Candidate, list]
    validation: object = None
    test: object = None
    references: dict[str, np.ndarray] = field(default_factory=dict)

    def on(self, data, sides) -> Repetition:
        """The repetition with its images, cut along the sides of the slices ``(N,)``."""
        rated = data.rated.any(axis=1)
        validation, test = (
            data.select((np.asarray(sides) == side) & rated) for side in ("validation", "test")
        )
        return replace(self, validation=validation, test=test, references=references_of(test))

    def method(self, who: Candidate, *, drawn: bool = False) -> str:
        """Uncertainty method by which a candidate predicts, or draws segmentations.

        It draws one of each member, or several by dropout; where it has neither, by test-time
        augmentation.
        """
        if len(self.networks[who]) > 1:
            return "ensemble"
        if not drawn:
            return "single"
        return "dropout" if self.parameters["dropout"] > 0 else "tta"


def references_of(data) -> dict[str, np.ndarray]:
    """STAPLE's label maps (of whole volumes) and the majority vote, ``(N, H, W)`` uint8 each."""
    if not len(data):
        return {name: np.zeros((0, *data.size), np.uint8) for name in REFERENCES}
    classes = data.classes.num_classes
    found = np.empty((len(data), *data.size), np.uint8)
    for items in volumes_of(data):
        labels = stacked(data.labels[:, data.rated[items[0]]], items)
        found[items] = fusion.staple(labels, classes).labels.reshape(-1, *data.size)
    voted = fusion.majority_vote_many(data.labels, classes, data.rated)
    return dict(zip(REFERENCES, (found, voted.astype(np.uint8)), strict=True))


def volumes_of(data) -> list[np.ndarray]:
    """Places of each image's slices: the study's unit is the image, which may be a volume."""
    images = data.table.reset_index(drop=True).groupby(["subject", "image"], sort=False)
    return [np.asarray(places) for places in images.indices.values()]


def stacked(values, items) -> np.ndarray:
    """Slices ``(N, K, H, W)`` of one image, one below the other: ``(K, D * H, W)``."""
    chosen = np.moveaxis(np.asarray(values)[items], 0, 1)
    return chosen.reshape(len(chosen), -1, chosen.shape[-1])


def candidate_of(parameters: Mapping) -> Candidate:
    """Candidate that a training of ``03_train`` belongs to."""
    if parameters["fusion"].startswith("rater:"):
        return ENSEMBLE
    framework = "SoftSeg" if parameters["loss"] == "adaptive_wing" else "conventional"
    return Candidate(framework, parameters["fusion"])


def repetitions(trained: Iterable) -> list[Repetition]:
    """Sort the trainings that `fusion_trainings` asks for into repetitions and candidates."""
    groups: dict[tuple, dict[Candidate, list]] = {}
    for run in trained:
        key = (run.parameters["split_seed"], run.parameters["test_center"])
        groups.setdefault(key, {}).setdefault(candidate_of(run.parameters), []).append(run)
    if not groups:
        raise SettingsError("trained: expected runs of 03_train, got none; set fusion_splits.")
    names = {tuple(sorted(who.label for who in networks)) for networks in groups.values()}
    if len(names) > 1:
        raise SettingsError(
            f"trained: expected the same candidates in every split, got {sorted(names)}."
        )
    order = [*CONVENTIONAL, *SOFTSEG, ENSEMBLE]
    found = []
    for number, ((_, center), networks) in enumerate(groups.items(), start=1):
        first = next(iter(networks.values()))[0].parameters
        every = [
            *(who for who in order if who in networks),
            *(w for w in networks if w not in order),
        ]
        found.append(
            Repetition(
                f"split {number}" + (f" (tested on {center})" if center else ""),
                dict(first),
                {who: networks[who] for who in every},
            )
        )
    return found


def fusion_frame(
    repeated: Iterable[Repetition],
    predictions: Predictions,
    thresholds: Mapping[tuple[str, Candidate], float] | None = None,
) -> pd.DataFrame:
    """Measures of every candidate, image by image; a volume's slices are counted together.

    Identifying columns, ``split``, ``framework``, ``target``, ``condition``, ``reference`` (of hard
    measures: one of `REFERENCES`; else empty), ``class``, ``measure``, ``value``. Per class
    ``brier`` (against the soft label, background too) and the measures of `HARD` (NaN instead of
    infinite where the reference is empty); for class ``"all"`` ``entropy`` and ``gt_entropy``
    (nats, means over voxels; the second NaN with fewer than two raters), the absolute difference
    ``entropy_error`` and the same summed over voxels, ``entropy_error_total``, and with sampled
    segmentations ``energy_distance`` and ``matched_iou`` (NaN with fewer than two raters).
    `thresholds` are of one class's probability; the most probable class counts without.
    """
    parts = []
    for one in repeated:
        images = volumes_of(one.test)
        raters = [stacked(one.test.labels[:, one.test.rated[i[0]]], i) for i in images]
        entropies = [
            float(fusion.ground_truth_entropy(labels, one.test.classes.num_classes).mean())
            if len(labels) > 1
            else np.nan
            for labels in raters
        ]
        for (name, who), found in predictions.items():
            if name == one.name:
                threshold = (thresholds or {}).get((name, who))
                lines = [
                    (items[0], *rest)
                    for items, labels, entropy in zip(images, raters, entropies, strict=True)
                    for rest in _image(one, items, labels, found, threshold, entropy)
                ]
                columns = ["item", "reference", "class", "measure", "value"]
                frame = identified(one, pd.DataFrame(lines, columns=columns))
                parts.append(frame.assign(**who.columns()))
    return pd.concat(parts, ignore_index=True)


def rated_labels(data) -> list[np.ndarray]:
    """Label maps of each image's raters who rated."""
    return [data.labels[item][data.rated[item]] for item in range(len(data))]


def identified(one: Repetition, frame: pd.DataFrame) -> pd.DataFrame:
    """A frame with the identifying columns of its test images instead of ``item``."""
    table = one.test.table
    identity = table[[c for c in IDENTITY if c in table]].reset_index(drop=True)
    identity = identity.loc[frame.pop("item")].reset_index(drop=True).assign(split=one.name)
    return pd.concat([identity, frame.astype({"value": float})], axis=1)


def _image(one: Repetition, items, labels, found: Predicted, threshold, disagreement: float):
    """Yield reference, class, measure and value of one image."""
    classes = one.test.classes
    mean = stacked(found.test, items)
    entropy = float(maps.entropy(mean.astype(np.float64)).mean())
    error = abs(entropy - disagreement)
    yield "", "all", "entropy", entropy
    yield "", "all", "gt_entropy", disagreement
    yield "", "all", "entropy_error", error
    yield "", "all", "entropy_error_total", error * mean[0].size
    brier = metrics.brier(mean, fusion.soft_labels(labels, classes.num_classes))
    for name, value in zip(classes.names, brier, strict=True):
        yield "", name, "brier", value
    hard = segmented(mean, threshold)
    for reference in REFERENCES:
        table = metrics.confusion(
            hard, stacked(one.references[reference][:, None], items)[0], classes.num_classes
        )
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
            drawn = stacked(found.drawn, items)
            value = function(drawn, labels, classes.num_classes) if several else np.nan
            yield "", "all", measure, value


def segmented(probabilities, threshold: float | None = None) -> np.ndarray:
    """Label map of one image's probabilities ``(C, H, W)``: by threshold, or the most probable."""
    if threshold is None:
        return np.asarray(probabilities).argmax(axis=0)
    return metrics.binarise(probabilities, threshold)


def by_image(frame: pd.DataFrame, measure: str, reference: str = "") -> pd.DataFrame:
    """A measure, mean over structures: images (rows) x candidates (columns, by their labels)."""
    structures = set(frame.loc[frame["measure"] == "dice", "class"])
    chosen = frame[(frame["measure"] == measure) & (frame["reference"] == reference)]
    chosen = chosen[chosen["class"].isin([*structures, "all"])]
    order = list(dict.fromkeys(chosen["condition"]))
    means = chosen.groupby([*KEYS, "condition"], sort=False)["value"].mean()
    return means.unstack("condition")[order]


def fusion_reliability(
    repeated: Iterable[Repetition], predictions: Predictions, bins: int = 10
) -> pd.DataFrame:
    """`reliability_frame` of every candidate against STAPLE, with ``split`` and its columns."""
    parts = [
        reliability_frame(
            one.test, _Mean(found.test), bins, references=one.references["STAPLE"]
        ).assign(split=one.name, **who.columns())
        for one in repeated
        for (name, who), found in predictions.items()
        if name == one.name
    ]
    return pd.concat(parts, ignore_index=True)


@dataclass(frozen=True, eq=False)
class _Mean:
    """Probabilities in the place of samples' moments."""

    mean: np.ndarray
