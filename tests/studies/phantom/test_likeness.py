"""How like patients the phantom is: tables by hand, sentences both ways."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from paraspine import phantom
from paraspine.anatomy import LEVELS
from paraspine.arrays import SettingsError
from paraspine.studies.phantom import tables

SETTINGS = {"seed": 0, "size": (96, 96), "spacing": (1.9, 1.9), "levels": ("S1",)}


def test_all_levels_are_drawn_whatever_the_cohort_has():
    views = tables.anatomy_views(SETTINGS, [2])
    assert [v.title.split(", ")[1].split(" (")[0] for v in views] == list(LEVELS)
    assert views[0].image.shape == (96, 96)
    again = phantom.simulate(2, "S1", **SETTINGS).image[0]
    np.testing.assert_array_equal(views[-1].image, again)


def test_a_patient_comes_first_where_there_is_a_picture(tmp_path):
    drawn = tables.beside_patient(SETTINGS, [1], tmp_path / "none")
    assert len(drawn) == 1
    assert drawn[0].image.shape == (320, 320)
    grey = np.arange(320 * 320, dtype=np.uint8).reshape(320, 320)
    Image.fromarray(grey).save(tmp_path / "t2w_image.png")
    patient, one = tables.beside_patient(SETTINGS, [1], tmp_path)
    np.testing.assert_array_equal(patient.image, grey)
    assert patient.title == "a patient, L4-L5"
    assert one.title == drawn[0].title
    Image.fromarray(grey[:9]).save(tmp_path / "t2w_image.png")
    with pytest.raises(SettingsError, match="expected 320 x 320 pixels, found 9 x 320"):
        tables.beside_patient(SETTINGS, [1], tmp_path)


def test_shapes_beside_patients_by_hand(monkeypatch):
    ones = dict.fromkeys(phantom.REAL_SHAPES, (1.0,))
    values = iter([ones | {"MF area": (v,)} for v in (0.0, 1.0, 2.0)])
    monkeypatch.setattr(phantom, "shape_statistics", lambda labels: next(values))
    real = dict.fromkeys(phantom.REAL_SHAPES, (2.0, 3.0, 4.0, 5.0, 6.0))
    monkeypatch.setattr(phantom, "REAL_SHAPES", real | {"MF area": (0.1, 0.5, 1.2, 1.5, 2.9)})
    monkeypatch.setattr(phantom, "true_outlines", lambda *a, **k: None)
    table = tables.shape_table(SETTINGS, 3)
    first = table.iloc[0]
    assert (first["patients"], first["phantom"], first["phantom_5"]) == (1.2, 1.0, 0.1)
    assert first["phantom_95"] == pytest.approx(1.9)
    assert first["overlap"] == pytest.approx(1.8 / 2.8)  # 0.1 to 1.9 within 0.1 to 2.9
    assert list(table["inside"]) == [True] + [False] * 11
    assert (table["overlap"][1:] == 0).all()
    words = tables.shape_sentence(table)
    assert words.startswith("1 median of 12 lie within the patients' interquartile range, not")
    assert "share 0 % (MF aspect) to 64 % of their union" in words
    shown = tables.pretty_shapes(table, source="synthetic phantom")
    assert shown.loc["MF area", "patients"] == "1.200 (0.500 to 1.500; 0.100 to 2.900)"
    assert shown["median inside"].tolist() == ["yes"] + ["no"] * 11
    assert "not that of" not in tables.shape_sentence(table[:1])
    assert tables.likeness_headline(table[:1]) == (
        "1 of 1 median shapes within patients' interquartile range, ranges shared by 64 % or more"
    )


def test_volumes_beside_people_by_hand(monkeypatch):
    found = {1: {"MF": 100.0, "ES": 300.0, "PM": 150.0}, 2: {"MF": 120.0, "ES": 295.0, "PM": 150.0}}
    monkeypatch.setattr(phantom, "muscle_volumes", lambda n, **settings: found[n])
    table = tables.volume_table(SETTINGS, 2).set_index("muscle")
    assert table.loc["MF", "phantom"] == 110
    assert table.loc["MF", "phantom_sd"] == pytest.approx(np.sqrt(200))
    assert table.loc["MF", "apart"] == pytest.approx((110 - 120.3) / 26.4)
    words = tables.volume_sentence(table.reset_index())
    assert "MF 110 ml where people have 120 (-0.4 standard deviations); ES 298 ml" in words


def people(fat, ages=(30, 40, 50, 60, 70, 75)):
    return pd.DataFrame(
        {"subject": [f"s{i}" for i in range(len(fat))], "age": ages[: len(fat)], "fat": fat}
    )


def test_fat_of_people_is_the_mean_over_their_images():
    twice = pd.concat([people([0.05, 0.1, 0.6]), people([0.05, 0.5, 0.9])])
    table = tables.fat_table(twice)
    assert table["fat"].tolist() == pytest.approx([0.05, 0.3, 0.75])
    assert table["goutallier"].tolist() == [1, 2, 3]


@pytest.mark.parametrize(
    ("fat", "turn"),
    [
        ([0.02, 0.05, 0.2, 0.3, 0.6, 0.7], "Fat rises with age"),
        ([0.7, 0.6, 0.3, 0.2, 0.05, 0.02], "Fat falls with age"),
        ([0.3, 0.05, 0.6, 0.02, 0.7, 0.2], "Fat has no trend with age that these people can tell"),
    ],
)
def test_fat_and_age_in_words(fat, turn):
    words = tables.fat_sentence(tables.fat_table(people(fat)), resamples=300)
    assert words.startswith("Simplified Goutallier: 2 of class I, 2 of class II and 2 of class III")
    assert turn in words


def test_agreement_by_level_in_words():
    cells = [("L4-L5", "MF", 0.95), ("L4-L5", "ES", 0.93), ("S1", "MF", 0.91), ("S1", "ES", 0.85)]
    table = pd.DataFrame(cells, columns=["level", "class", "mean"])
    assert tables.level_sentence(table) == (
        "Mean Dice over the levels: MF 0.930 and ES 0.890. Lowest for ES at S1 (0.850), highest "
        "for MF at L4-L5 (0.950)."
    )
    assert "no pairs" in tables.level_sentence(table.assign(mean=np.nan))
