"""A small study: raters whom STAPLE and the majority see differently, known predictions."""

import numpy as np
import pandas as pd

from paraspine import fusion
from paraspine.studies.label_fusion import frames

CANDIDATES = (*frames.CONVENTIONAL, *frames.SOFTSEG, frames.ENSEMBLE)
#: Factor of the log probabilities on test and on validation images.
SHARP = dict(zip(CANDIDATES, (9, 8, 6, 3, 1.2, 2.5, 5), strict=True))
BLUNT = 0.5


class Trained:
    """What a run of 03_train holds, in memory."""

    def __init__(self, who, split=0, center="", rater=""):
        self.parameters = {
            "loss": "adaptive_wing" if who.framework == "SoftSeg" else "dice",
            "fusion": f"rater:{rater}" if rater else who.target, "split_seed": split, "seed": split,
            "test_center": center, "max_size": 8, "epochs": 2, "dropout": 0.1,
        }  # fmt: skip
        self.dice = 0.7 + 0.01 * CANDIDATES.index(who) + 0.002 * split

    def read_frame(self, name):
        assert name == "history.parquet"
        return pd.DataFrame({"validation_dice": [0.4, self.dice, 0.5]})


def trained(splits=2, raters="abc", centers=("",)):
    found = []
    for split in range(splits):
        center = centers[split % len(centers)]
        found += [Trained(who, split, center) for who in CANDIDATES[:-1]]
        found += [Trained(frames.ENSEMBLE, split, center, rater) for rater in raters]
    return found


def make(tools, *, classes=3, raters=3, images=8, splits=2, seed=1):
    """Rater a draws the truth, the others err in 4 of 10 pixels of the left half, each others."""
    rng = np.random.default_rng(seed)
    truth = np.zeros((images, 16, 32), np.uint8)
    for n in range(images):
        for c in range(1, classes):
            row = rng.integers(1, 4)
            truth[n, row : row + 9 + c, 7 * c - 6 : 7 * c] = c
    wrong = rng.random((images, raters, 16, 32)) < 0.4
    wrong[:, 0], wrong[..., 16:] = False, False
    other = (truth[:, None] + rng.integers(1, classes, wrong.shape)) % classes
    labels = np.where(wrong, other, truth[:, None])
    data = tools.data(labels, classes=classes, subject=[f"p{n // 2}" for n in range(images)])
    half = np.arange(images) % 4 < 2
    repeated, predictions = [], {}
    for number, one in enumerate(frames.repetitions(trained(splits, "abcdefgh"[:raters]))):
        test = half if number % 2 == 0 else ~half
        one = one.on(data, np.where(test, "test", "validation"))
        repeated.append(one)
        for who in one.networks:
            made = {}
            for side, factor in (("validation", BLUNT), ("test", 1)):
                soft = np.stack(
                    [fusion.soft_labels(own, classes)
                     for own in frames.rated_labels(getattr(one, side))]
                )  # fmt: skip
                scores = factor * SHARP[who] * (soft + 0.3 * rng.standard_normal(soft.shape))
                values = np.exp(scores)
                made[side] = (values / values.sum(1, keepdims=True)).astype(np.float32)
            drawn = np.stack([made["test"].argmax(1)] * 2, axis=1).astype(np.uint8)
            predictions[one.name, who] = frames.Predicted(**made, drawn=drawn)
    return repeated, predictions


def tidy(values, measure="dice", reference="STAPLE", structure="MF", per=1):
    """Rows of one measure from candidates' values by image, `per` images a subject."""
    return pd.concat(
        [
            pd.DataFrame(
                {
                    "subject": [f"p{i // per}" for i in range(len(row))],
                    "image": [f"{i}.nii" for i in range(len(row))],
                    "slice": 0, "split": "split 1", "reference": reference, "class": structure,
                    "measure": measure, "value": np.asarray(row, float), **who.columns(),
                }
            )
            for who, row in values.items()
        ],
        ignore_index=True,
    )  # fmt: skip


def both_ways(say, *wanted):
    """Check that `say(sign)` holds the first words at +1 and the second at -1, never both."""
    up, down = say(1), say(-1)
    above, below = wanted
    assert above in up
    assert below in down
    assert below not in up
    assert above not in down
