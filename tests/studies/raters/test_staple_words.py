"""How STAPLE's estimations went over a cohort, in words that follow the numbers."""

import numpy as np
import pytest

from paraspine import fusion
from paraspine.studies.raters import staple

FEW = {"resamples": 100}


def labels(seed=0, images=4, raters=3):
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 3, (images, 1, 16, 16))
    wrong = rng.random((images, raters, 16, 16)) < np.array([0.05, 0.15, 0.25])[:raters, None, None]
    return np.where(wrong, rng.integers(0, 3, wrong.shape), truth).astype(np.uint8)


def test_each_image_is_staples_own_and_raters_are_told_apart(tools):
    rated = np.ones((4, 3), bool)
    rated[1, 0] = rated[2, 1] = rated[2, 2] = False
    data = tools.data(labels(), rated)
    frame = staple.staple_frame(data)
    assert frame["subject"].tolist() == ["p0", "p1", "p3"]  # one rater alone is left out
    for _, row in frame.iterrows():
        item = int(row["subject"][1])
        found = fusion.staple(data.labels[item][rated[item]], 3)
        assert (row["converged"], row["iterations"], row["undecided"], row["extent"]) == (
            found.converged, found.iterations, found.undecided, 256,
        )  # fmt: skip
        own = row["sensitivity"][rated[item]]
        assert own == pytest.approx(np.diagonal(found.confusion, axis1=1, axis2=2))
        assert np.isnan(row["sensitivity"][~rated[item]]).all()
    table = staple.staple_raters(frame, data, **FEW).set_index(["rater", "class"])["mean"]
    assert table["a", "MF"] > table["b", "MF"] > table["c", "MF"]
    words = staple.staple_sentence(frame, data)
    assert words.startswith("STAPLE's estimation converged in all 3 images, in ")
    assert "Nowhere does it rest on raters worse than chance. 1 image with fewer" in words


def test_what_goes_wrong_is_said(tools):
    data = tools.data(labels())
    stuck = staple.staple_sentence(staple.staple_frame(data, max_iterations=1), data)
    assert stuck.startswith("STAPLE's estimation did not converge in 4 of 4 images, in 1 step (")
    # Two raters exchange two classes in as many voxels; a prior that rules out what all say.
    torn = np.zeros((1, 2, 4, 4), np.uint8)
    torn[0, 0, 0], torn[0, 1, 0], torn[0, 0, 1], torn[0, 1, 1] = 1, 2, 2, 1
    torn[:, :, 2, :2], torn[:, :, 2, 2:] = 1, 2
    data = tools.data(torn)
    said = staple.staple_sentence(staple.staple_frame(data), data)
    assert "converged in the one image" in said
    assert "In 1 of 1 image, 8 voxels stayed undecided" in said
    data = tools.data(np.ones((2, 2, 4, 4), np.uint8), classes=2)
    wrong = staple.staple_sentence(staple.staple_frame(data, prior=[1, 0]), data)
    assert "In 2 of 2 images it rests on raters worse than chance: don't use those" in wrong


def test_one_rater(tools):
    data = tools.data(labels(raters=1))
    frame = staple.staple_frame(data)
    assert frame.empty
    assert staple.staple_raters(frame, data, **FEW).empty
    assert "one rater only" in staple.staple_sentence(frame, data)
