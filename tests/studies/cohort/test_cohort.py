"""Who is in a cohort, who is shown, who is on which side."""

import types

import numpy as np
import pandas as pd
import pytest

from paraspine import slices
from paraspine.anatomy import ClassTable
from paraspine.studies.cohort import tables


def cohort(table, raters=("a", "b"), notes=(), synthetic=False):
    return types.SimpleNamespace(
        table=pd.DataFrame(table),
        raters=raters,
        classes=ClassTable(("background", "MF", "ES")),
        source="synthetic phantom" if synthetic else "a clinic",
        synthetic=synthetic,
        notes=notes,
    )


TABLE = {
    "subject": ["p1", "p1", "p2"],
    "image": ["1", "2", "3"],
    "rater_a": ["x", "x", "x"],
    "rater_b": ["x", None, "x"],
}


def test_summary_of_a_plain_cohort():
    found = dict(tables.cohort_summary(cohort(TABLE)).to_numpy())
    assert found == {
        "images": "3",
        "subjects": "2",
        "classes": "MF and ES",
        "raters": "a and b",
        "images that every rater rated": "2",
        "source": "a clinic",
    }


def test_summary_of_people():
    more = {
        "level": ["L3", "S1", "L3"],
        "sex": ["F", "F", "M"],
        "age": [40, 40, 61],
        "center": ["x", "x", "y"],
    }
    found = dict(tables.cohort_summary(cohort(TABLE | more)).to_numpy())
    assert found["levels"] == "L3 (2), S1 (1)"
    assert found["sex"] == "F 1, M 1"  # people, not images
    assert found["age, years"] == "40 to 61, mean 50.5"
    assert found["centers (subjects)"] == "x (1), y (1)"
    unknown = tables.cohort_summary(cohort(TABLE | {"age": [np.nan] * 3}))
    assert "age, years" not in set(unknown["what"])
    partly = dict(tables.cohort_summary(cohort(TABLE | {"age": [None, None, 61]})).to_numpy())
    assert partly["age, years"] == "61 to 61, mean 61.0"


def test_cohort_sentences():
    words = tables.cohort_sentence(cohort(TABLE, notes=("One rater only.", "No ages")))
    assert words == (
        "**2 subjects** with **3 images**, outlined by **2 raters**. To keep in mind: One rater "
        "only. No ages."
    )
    alone = tables.cohort_sentence(cohort({k: v[:1] for k, v in TABLE.items()}, raters=("a",)))
    assert alone == "**1 subject** with **1 image**, outlined by **1 rater**."
    phantom = tables.cohort_sentence(cohort(TABLE, synthetic=True))
    assert "synthetic: nothing measured on it is a claim about patients" in phantom


# --- who is shown ----------------------------------------------------------------------------


def test_shown_are_different_subjects_and_levels(tools):
    subjects = np.repeat(["p1", "p2", "p3"], 2)
    levels = ["L3", "S1"] * 3
    data = tools.data(np.ones((6, 2, 2, 2)), subject=subjects, level=levels)
    shown = slices.spread(data, 3)
    assert sorted(subjects[shown]) == ["p1", "p2", "p3"]
    assert {levels[i] for i in shown} == {"L3", "S1"}
    assert slices.spread(data, 6).tolist() == list(range(6))
    assert slices.spread(data, 99).tolist() == list(range(6))
    assert slices.spread(data, 3).tolist() == shown.tolist()


def test_shown_are_images_with_outlines_and_every_rater(tools):
    """A volume of which the middle is marked, by both raters in one slice only."""
    labels = np.zeros((9, 2, 2, 2))
    labels[3:6] = 1
    rated = np.ones((9, 2), bool)
    rated[[3, 4], 1] = False
    data = tools.data(labels, rated, subject="p1", slice=range(9))
    assert slices.spread(data, 1).tolist() == [5]
    assert slices.spread(data, 3).tolist() == [3, 4, 5]


def test_images_without_a_level_are_shown_too(tools):
    data = tools.data(np.ones((2, 1, 2, 2)), level=[None, None])
    assert slices.spread(data, 5).tolist() == [0, 1]
    mixed = tools.data(np.ones((3, 1, 2, 2)), level=["L3", None, "S1"])
    assert slices.spread(mixed, 3).tolist() == [0, 1, 2]
    assert slices.spread(data.select([]), 3).tolist() == []


def test_levels_are_ordered_from_head_to_foot():
    table = pd.DataFrame({"level": ["S1", "L3-L4", "other", None, "S1"]})
    assert slices.orders(table) == {"level": ["L3-L4", "S1", "other"]}
    assert slices.orders(pd.DataFrame({"subject": ["p"]})) == {}


# --- sides -----------------------------------------------------------------------------------

SIDES = ["train", "train", "validation", "test"]


@pytest.fixture
def people(tools):
    rated = [[True, True], [True, False], [True, True], [True, True]]
    return tools.data(
        np.ones((4, 2, 2, 2)),
        rated,
        subject=["p1", "p1", "p2", "p3"],
        sex=["F", "F", "M", "M"],
        age=[40, 40, 50, 61],
    )


def test_split_tables(people):
    table = tables.split_table(people, SIDES).set_index("side")
    assert table.index.tolist() == ["train", "validation", "test"]
    assert table["subjects"].tolist() == [1, 1, 1]
    assert table["slices"].tolist() == [2, 1, 1]
    assert table["outlines"].tolist() == [3, 2, 2]
    assert table["sex F"].tolist() == [1, 0, 0]
    assert table["mean age"].tolist() == [40, 50, 61]
    assert tables.with_sides(people, SIDES)["side"].tolist() == SIDES


def test_split_sentences(people):
    words = tables.split_sentence(people, SIDES, "subject")
    assert words == "No subject is on two sides of the split, which goes by subject."
    torn = tables.split_sentence(people, ["train", "test", "validation", "test"], "slice")
    assert torn.startswith(
        "**Slices of 1 of 3 subjects are on more than one side**, because the split goes by slice."
    )
    assert "say nothing about people whom the networks have not seen" in torn


def test_how_the_split_and_the_figure_are_written(people):
    cells = tables.split_cells(tables.split_table(people, SIDES))
    row = {"side": "test", "subjects": 3, "slices": 4, "outlines": 5, "sex F": 1, "sex M": 2}
    row["mean age"] = 49.25
    assert {name: cell.text(row) for name, cell in cells.items()} == {
        "subjects": "3", "slices": "4", "outlines": "5", "sex F": "1", "sex M": "2",
        "mean age": "49.2",
    }  # fmt: skip
    assert tables.shown_title([0, 2], people) == "2 of the cohort's 4 slices"


def test_a_grid_coarser_than_asked_is_said(monkeypatch):
    volume = types.SimpleNamespace(array=np.zeros((2, 256, 240)), spacing=(3.0, 1.0, 1.0))
    monkeypatch.setattr("paraspine.volumes.read", lambda path: volume)
    cohort = types.SimpleNamespace(
        table=pd.DataFrame({"subject": ["a", "b"]}), image_path=str,
        metadata={"grid": {"spacing": [1.0, 1.0]}},
    )  # fmt: skip
    coarse = types.SimpleNamespace(size=(128, 128), spacing=(2.0, 2.0))
    (_, own), (_, used) = tables.grid_lines(cohort, coarse)
    assert own == "256 × 240 pixels of 1 × 1 mm (2)"
    assert "128 × 128 pixels of 2 × 2 mm, coarser than the 1 × 1 mm" in used
    fine = types.SimpleNamespace(size=(256, 240), spacing=(1.0, 1.0))
    assert tables.grid_lines(cohort, fine)[1][1] == "256 × 240 pixels of 1 × 1 mm"
