"""Figures of the two tasks: they hold what they were given and can be drawn for any cohort."""

import types

import numpy as np
import pandas as pd
import pytest

from paraspine import figures, fusion
from paraspine.anatomy import ClassTable
from paraspine.arrays import SettingsError, ShapeError
from paraspine.figures.multitask import FAR
from paraspine.slices import Slices, variances
from paraspine.studies.multitask import views

CLASSES = ClassTable(("background", "left", "right"), (("left", "right"),))
OWN = {"source": "made up", "spacing": (1.5, 1.0)}


@pytest.fixture
def data():
    """Six slices of two subjects; in the last one only one of three raters rated."""
    labels = np.zeros((6, 3, 16, 20), np.uint8)
    for item in range(6):
        for r in range(3):
            labels[item, r, 4 : 8 + r, 3:8] = 1
            labels[item, r, 4:9, 12 : 15 + (item + r) % 3] = 2
    rated = np.ones((6, 3), bool)
    rated[5, 1:] = False
    labels[5, 1:] = 0
    table = pd.DataFrame(
        {
            "subject": ["p1"] * 3 + ["p2"] * 3,
            "image": [f"{i}" for i in range(6)],
            "slice": 0,
            "level": ["S1", "L3-L4", "L4-L5", "L3-L4", "S1", "L4-L5"],
        }
    )
    rng = np.random.default_rng(0)
    images = rng.random((6, 1, 16, 20), dtype=np.float32)
    return Slices(images, labels, rated, table, CLASSES, ("a", "b", "c"), (1.5, 1.0), "made up")


@pytest.fixture
def wanted(data):
    return variances(data)


@pytest.fixture
def together(data, wanted):
    mean = np.eye(3)[data.labels[:, 0]].transpose(0, 3, 1, 2)
    moments = types.SimpleNamespace(mean=mean)
    joint = types.SimpleNamespace(moments=moments, variance=np.nan_to_num(wanted) + 0.01)
    return {"multitask_unet": joint, "multitask_transunet": joint}


def shown_titles(figure):
    return [a.text for a in figure.layout.annotations]


def test_steps_of_the_slice_whose_raters_differ_most(data, wanted):
    steps, raters = views.steps_of(data, wanted)
    item = int(np.nanargmax(wanted.mean(axis=(1, 2, 3))))
    assert raters == ["a", "b", "c"]
    assert [s.title.rsplit(": ", 1)[1] for s in steps] == ["left", "right"]
    first = steps[0]
    np.testing.assert_array_equal(first.masks, data.labels[item] == 1)
    np.testing.assert_allclose(first.soft.var(axis=0), first.variance, atol=1e-7)
    assert first.distance[0, 5, 5] == fusion.signed_distance(first.masks[0])[5, 5]


def test_figure_of_the_steps(data, wanted):
    steps, raters = views.steps_of(data, wanted)
    figure = figures.variance_steps(steps, raters, **OWN)
    titles = shown_titles(figure)
    assert titles[:4] == ["a: outline", "b: outline", "c: outline", "all outlines"]
    assert titles[-1] == "variance"
    assert len(titles) == 12
    distances = [t for t in figure.data if t.name == "signed distance" and t.visible]
    expected = np.clip(steps[0].distance[1], -FAR, FAR)
    # Shown is what lies within 12 mm of the outlines: columns 3 to 7 and rows 4 to 9 of (1.5, 1).
    assert (distances[1].x0, distances[1].y0) == (0, 0)
    np.testing.assert_allclose(distances[1].z, expected[:, :20], atol=1e-4)
    (variance,) = [t for t in figure.data if t.name == "variance" and t.visible]
    np.testing.assert_allclose(variance.z, steps[0].variance, atol=1e-4)
    (soft,) = [t for t in figure.data if t.name == "mean soft label" and t.visible]
    np.testing.assert_allclose(soft.z, steps[0].soft.mean(axis=0), atol=1e-4)
    axes = [figure.layout[f"coloraxis{n}"] for n in ("", 2, 3)]
    assert [a.colorbar.title.text.split(" (")[0] for a in axes] == [
        "soft labels", "variance", "signed distance"
    ]  # fmt: skip
    assert [t.coloraxis for t in (soft, variance, distances[1])] == [
        "coloraxis", "coloraxis2", "coloraxis3"
    ]  # fmt: skip
    limit = max(s.variance.max() for s in steps)
    assert [(a.cmin, a.cmax) for a in axes] == [(0, 1), (0, pytest.approx(limit)), (-FAR, FAR)]
    assert len(figure.layout.updatemenus[0].buttons) == 2
    assert "made up" in figure.layout.title.subtitle.text


def test_a_rater_who_marked_nothing_and_one_structure(data):
    labels = data.labels.copy()
    labels[:, 0][labels[:, 0] == 1] = 0
    empty = types.SimpleNamespace(**{k: getattr(data, k) for k in data.__dataclass_fields__})
    empty.labels = labels
    wanted = np.stack([fusion.variance_map(own, 3) for own in labels])
    steps, raters = views.steps_of(empty, wanted)
    assert np.isneginf(steps[0].distance[0]).all()
    figure = figures.variance_steps(steps[:1], raters, **OWN)
    assert not figure.layout.updatemenus
    (first, *_) = [t for t in figure.data if t.name == "signed distance"]
    assert (np.asarray(first.z) == -FAR).all()


def test_refusals_of_the_steps(data, wanted):
    with pytest.raises(SettingsError, match="that two or more rated, got 6 without"):
        views.steps_of(data, np.full_like(wanted, np.nan))
    steps, raters = views.steps_of(data, wanted)
    with pytest.raises(SettingsError, match="at least one structure"):
        figures.variance_steps([], raters, **OWN)
    with pytest.raises(SettingsError, match="raters: expected 3 names, got 2"):
        figures.variance_steps(steps, raters[:2], **OWN)
    wrong = figures.Steps("x", np.zeros((3, 3)), steps[0].masks, *[steps[0].soft] * 2,
                          steps[0].variance)  # fmt: skip
    with pytest.raises(ShapeError):
        figures.variance_steps([wrong], raters, **OWN)


def test_predictions_level_by_level(data, together):
    subjects, rows, columns = views.level_views(data, together)
    assert rows == ["L3-L4", "L4-L5", "S1"]  # cranial to caudal
    assert columns == ["majority vote", "multi-task U-Net", "multi-task TransUNet"]
    assert [s.title for s in subjects] == ["p1", "p2"]
    np.testing.assert_array_equal(subjects[0].images[0], data.images[1, 0])
    np.testing.assert_array_equal(subjects[0].labels[0][0], fusion.majority_vote(data.labels[1], 3))
    figure = figures.prediction_grid(subjects, rows, columns, classes=CLASSES, **OWN)
    titles = shown_titles(figure)
    assert titles[:2] == ["L3-L4 · majority vote", "L3-L4 · multi-task U-Net"]
    assert len(titles) == 9
    listed = [t.name for t in figure.data if t.type == "scatter" and t.showlegend]
    assert listed == ["left", "right"] * 2  # once for each subject
    assert len(figure.layout.updatemenus[0].buttons) == 2


def test_of_many_levels_the_ends_and_the_middle_are_shown(data, together):
    levels = ["S1", "L5-S1", "L4-L5", "upper L4", "L3-L4", "S1"]
    table = data.table.assign(subject="p1", level=levels)
    many = Slices(**({k: getattr(data, k) for k in data.__dataclass_fields__} | {"table": table}))
    _, rows, _ = views.level_views(many, together)
    assert rows == ["L3-L4", "L4-L5", "S1"]


def test_a_level_that_a_subject_lacks_stays_empty(data, together):
    some = data.select([0, 1, 2, 3])
    cut = {
        name: types.SimpleNamespace(moments=types.SimpleNamespace(mean=j.moments.mean[:4]))
        for name, j in together.items()
    }
    subjects, rows, columns = views.level_views(some, cut)
    assert [i is None for i in subjects[1].images] == [False, True, True]
    figure = figures.prediction_grid(subjects, rows, columns, classes=CLASSES, **OWN)
    assert sum(t.type == "image" for t in figure.data) == 3 * 3 + 3


def test_predictions_of_a_cohort_without_levels(data, together):
    bare = types.SimpleNamespace(**{k: getattr(data, k) for k in data.__dataclass_fields__})
    bare = Slices(**(vars(bare) | {"table": data.table.drop(columns="level")}))
    subjects, rows, columns = views.level_views(bare, together, subjects=1)
    assert rows == ["", "", ""]
    figure = figures.prediction_grid(subjects, rows, columns, classes=CLASSES, **OWN)
    assert shown_titles(figure)[0] == "majority vote"
    assert not figure.layout.updatemenus


def test_refusals_of_the_predictions(data, together):
    subjects, rows, columns = views.level_views(data, together)
    with pytest.raises(SettingsError, match="at least one with a row and a column"):
        figures.prediction_grid([], rows, columns, classes=CLASSES, **OWN)
    with pytest.raises(SettingsError, match="labels: expected 2 in a row, got 3"):
        figures.prediction_grid(subjects, rows, columns[:2], classes=CLASSES, **OWN)
    nothing = figures.Compared("p9", [None], [[]])
    with pytest.raises(SettingsError, match="p9: expected at least one row with an image"):
        figures.prediction_grid([nothing], [""], columns, classes=CLASSES, **OWN)


def test_true_predicted_and_error_maps(data, wanted, together):
    shown = views.variance_views(data, [0, 5, 3], together, wanted)
    assert len(shown) == 4  # of slice 5 the raters' variance is unknown
    maps = shown[0].maps
    np.testing.assert_allclose(maps["raters' variance"], wanted[0].sum(axis=0))
    np.testing.assert_allclose(maps["predicted variance"], wanted[0].sum(axis=0) + 0.02, atol=1e-6)
    np.testing.assert_allclose(maps["absolute error"], 0.02, atol=1e-6)
    limits = views.variance_limits(shown)
    highest = [max(v.maps[n].max() for v in shown) for n in (views.WANTED, views.PREDICTED)]
    assert highest[0] < highest[1]
    assert limits == {
        views.WANTED: highest[0],
        views.PREDICTED: highest[1],
        views.ERROR: highest[0],
    }
    assert set(views.variance_limits([]).values()) == {0.25}
    explorer = figures.slice_explorer(shown, classes=CLASSES, limits=limits, unit="variance",
                                      raters=data.raters, **OWN)  # fmt: skip
    assert explorer.fragment.count('"pe-bar"') == 2
