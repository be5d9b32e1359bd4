"""Plan of the chapter on label fusion: ways of fusing x ways of training, on repeated splits."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from paraspine.arrays import SettingsError
from paraspine.evidence.plan import CohortInfo, Request, Study, Wanted, train_request

__all__ = ["FUSED", "STUDY", "fusion_trainings"]

#: Parameters of the study begin with this; without it they are those of ``03_train``.
PREFIX = "fusion_"


#: Those that say which trainings there are, and what is SoftSeg's alone.
REPETITIONS = ("fusion_splits", "fusion_by_center", "fusion_softseg_activation")


#: Ways of making one target of several raters.
FUSED = ("staple", "average", "random")


#: How each framework trains: SoftSeg keeps targets soft, takes the normalised ReLU and the Adaptive
#: Wing loss; the conventional one binarises what augmentation moved, softmax and the Dice loss
#: of the structures.
FRAMEWORKS = {
    "conventional": {
        "loss": "dice",
        "activation": "softmax",
        "softness": "binarised",
        "include_background": False,
    },
    "softseg": {
        "loss": "adaptive_wing",
        "activation": "normalised_relu",
        "softness": "soft",
        "include_background": True,
    },
}


#: The same for all: a 2D U-Net, whose augmentation moves images and leaves intensities alone.
COMMON = {
    "model": "unet",
    "layers": 4,
    "encoder": "resnet34",
    "transformer_dropout": 0.0,
    "transunet_weights": "",
    "momentum": 0.9,
    "weight_decay": 0.0,
    "intensity_shift": 0.0,
    "noise": 0.0,
    "smoothing": 0.0,
    "probability": 1.0,
    "direction": "any",
    "validation_fusion": "",
}


def fusion_trainings(
    values: Mapping, raters: Sequence[str], centers: Sequence[str] = ()
) -> list[dict]:
    """Parameters of ``03_train`` for every training of the label-fusion study.

    For each split the six candidates (STAPLE, average, random rater; conventional and SoftSeg), and
    one conventional network per rater for the loss ensemble (Ma 2020).

    Parameters
    ----------
    values : mapping
        ``fusion_splits`` (how many; 0: none), ``fusion_by_center`` (hold out one centre at a time,
        in turn, where there are several), and ``fusion_<parameter of 03_train>`` for how they are
        trained. Other entries play no part.
    raters : sequence of str
        Of the cohort, two or more.
    centers : sequence of str
        Of the cohort's images; repetitions and blanks are left out.

    Returns
    -------
    list of dict
        Split by split; ``split_seed`` and ``test_center`` say which. Empty with 0 splits.

    Raises
    ------
    SettingsError
        If there are fewer than two raters, or the number of splits is not a whole number.
    """
    raters = list(raters)
    if len(raters) < 2:
        raise SettingsError(
            f"label fusion: expected two raters or more to fuse, got {len(raters)}; a single "
            "rater's outlines are the same under every fusion, so leave this study out."
        )
    count = values["fusion_splits"]
    if isinstance(count, bool) or not isinstance(count, int) or count < 0:
        raise SettingsError(
            f"fusion_splits: expected a whole number, or 0 for no such study, got {count!r}."
        )
    known = sorted({str(c) for c in centers if str(c).strip() and str(c) != "nan"})
    by_center = values["fusion_by_center"] and len(known) > 1
    shared = COMMON | {
        name.removeprefix(PREFIX): value
        for name, value in values.items()
        if name.startswith(PREFIX) and name not in REPETITIONS
    }
    members = [("conventional", f"rater:{name}") for name in raters]
    candidates = [(framework, fused) for framework in FRAMEWORKS for fused in FUSED]
    frameworks = {name: dict(own) for name, own in FRAMEWORKS.items()}
    if "fusion_softseg_activation" in values:
        frameworks["softseg"]["activation"] = values["fusion_softseg_activation"]
    return [
        shared
        | frameworks[framework]
        | {
            "fusion": fused,
            "seed": split,
            "split_seed": split,
            "test_center": known[split % len(known)] if by_center else "",
        }
        for split in range(count)
        for framework, fused in [*candidates, *members]
    ]


def _wanted(values: Mapping, cohort: CohortInfo) -> Wanted:
    if cohort.raters_of_an_image < 2:
        note = "One rater: there is nothing to fuse, so the label-fusion study is left out."
        return Wanted(notes=(note,) if values["fusion_splits"] else ())
    trained = [
        train_request(f"fusion-{_name(one)}", one)
        for one in fusion_trainings(values, cohort.raters, cohort.centers)
    ]
    if not trained:
        return Wanted()
    after = tuple(one.name for one in trained)
    return Wanted((*trained, Request("label_fusion", "08_label_fusion", after, trains=True)))


def _name(training: Mapping) -> str:
    """Name of a training, fit for a folder."""
    words = (training["loss"], training["fusion"], "split", training["split_seed"])
    return re.sub(r"[^a-z0-9]+", "-", "-".join(map(str, words)).lower()).strip("-")


#: Settings that the other chapters' trainings leave at the default of ``03_train``.
APART = ("depth", "encoder_dropout", "min_delta", "progress", "scaling")
APART = {name: PREFIX + name for name in APART}
APART |= dict.fromkeys([*FRAMEWORKS["softseg"], "test_center", "validation_fusion"], "")


STUDY = Study("08_label_fusion", _wanted, APART)
