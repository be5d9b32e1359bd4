"""Pictures, intervals and rows for reading."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from paraspine import phantom
from paraspine.anatomy import LEVELS
from paraspine.arrays import SettingsError
from paraspine.evidence import show
from paraspine.studies.phantom import views

SETTINGS = {"seed": 0, "size": (96, 80), "spacing": (1.9, 2.1), "levels": ("S1",)}
SHAPES = pd.DataFrame(
    {
        "shape": ["MF area", "ES aspect"],
        **{"patients_5": [0.1, 1.0], "patients_25": [0.2, 1.2], "patients": [0.3, 1.5]},
        **{"patients_75": [0.4, 1.75], "patients_95": [0.5, 3.0]},
        **{"phantom_5": [0.0, 1.5], "phantom_25": [0.15, 1.6], "phantom": [0.2, 1.8]},
        **{"phantom_75": [0.35, 2.0], "phantom_95": [0.6, 2.5], "overlap": [0.664, 0.5]},
    }
)


def test_all_levels_are_drawn_whatever_the_cohort_has():
    found = views.anatomy_views(SETTINGS, [2, 1])
    drawn = [phantom.simulate(n, "S1", **SETTINGS) for n in (2, 1)]
    assert [v.title for v in found] == [
        f"{case.subject.name}, {level} ({case.subject.sex}, {case.subject.age} years)"
        for case in drawn
        for level in LEVELS
    ]
    assert found[0].image.shape == (96, 80)
    np.testing.assert_array_equal(found[5].image, drawn[0].image[0])


def test_without_a_patient_there_is_nothing_to_show(tmp_path):
    assert views.beside_patient(SETTINGS, [1], tmp_path / "none") == []


def test_a_patient_comes_first_on_the_same_grid(tmp_path):
    grey = np.arange(320 * 320, dtype=np.uint8).reshape(320, 320)
    Image.fromarray(grey).save(tmp_path / "t2w_image.png")
    patient, one = views.beside_patient(SETTINGS, [1], tmp_path)
    np.testing.assert_array_equal(patient.image, grey)
    assert patient.title == "a patient, L4-L5"
    assert one.title.startswith("sub-001, L4-L5 (")
    assert one.image.shape == (320, 320)
    Image.fromarray(grey[:9]).save(tmp_path / "t2w_image.png")
    with pytest.raises(SettingsError, match=r"320 x 320 pixels, found 9 x 320; give another"):
        views.beside_patient(SETTINGS, [1], tmp_path)


def test_intervals_lie_on_the_range_of_patients():
    found = views.shape_intervals(SHAPES).set_index(["of", "name"])
    ends = ["value", "low", "high"]
    assert found.loc[("patients", "MF area"), ends].tolist() == pytest.approx([0.5, 0, 1])
    assert found.loc[("phantom", "MF area"), ends].tolist() == pytest.approx([0.25, -0.25, 1.25])
    assert found.loc[("phantom", "ES aspect"), ends].tolist() == pytest.approx([0.4, 0.25, 0.75])


def test_the_table_of_shapes_says_which_range_is_which():
    shown = show.table(views.named(SHAPES), "shape", views.SHAPE_CELLS, caption="x").frame
    assert shown.loc["MF area"].to_dict() == {
        "patients: median [25 %, 75 %]": "0.300 [0.200, 0.400]",
        "patients: median [5 %, 95 %]": "0.300 [0.100, 0.500]",
        "phantom: median [25 %, 75 %]": "0.200 [0.150, 0.350]",
        "phantom: median [5 %, 95 %]": "0.200 [0.000, 0.600]",
        "5-95 % ranges shared, %": "66",
    }


def test_the_table_of_volumes_spells_muscles_out():
    row = {"phantom": 110.4, "phantom_sd": 14.1, "patients": 158.8, "patients_sd": 55.8}
    table = pd.DataFrame([{"muscle": "PM", **row, "apart": -0.867}])
    shown = show.table(views.named(table), "muscle", views.VOLUME_CELLS, caption="x").frame
    assert shown.loc["psoas (PM)"].to_dict() == {
        "phantom": "110",
        "its SD": "14",
        "people": "159",
        "their SD": "56",
        "difference, SDs of people": "-0.87",
    }
    assert set(views.MUSCLES) == set(phantom.REAL_VOLUMES)
