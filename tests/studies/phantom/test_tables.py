"""Tables of shapes, volumes and fat, worked out by hand."""

import numpy as np
import pandas as pd
import pytest

from paraspine import phantom
from paraspine.anatomy import LEVELS
from paraspine.studies.phantom import tables

SETTINGS = {"seed": 3, "size": (96, 96), "spacing": (1.9, 1.9), "levels": ("S1",), "psoas": True}


def test_shapes_beside_patients_by_hand(monkeypatch):
    ones = dict.fromkeys(phantom.REAL_SHAPES, (1.0,))
    found = {1: ones | {"MF area": (0.0,)}, 2: ones, 3: ones | {"MF area": (2.0,)}}
    asked = []

    def outlines(number, level, **settings):
        asked.append((number, level, settings))
        return number

    real = dict.fromkeys(phantom.REAL_SHAPES, (2.0, 3.0, 4.0, 5.0, 6.0))
    real |= {"MF area": (0.1, 0.5, 1.2, 1.5, 2.9), "MF:ES": (0.0, 0.1, 0.2, 0.9, 1.0)}
    real |= {"ES area": (0.5, 1.1, 1.2, 1.3, 2.0)}  # the median lies below the quartiles alone
    monkeypatch.setattr(phantom, "true_outlines", outlines)
    monkeypatch.setattr(phantom, "shape_statistics", found.get)
    monkeypatch.setattr(phantom, "REAL_SHAPES", real)
    table = tables.shape_table(SETTINGS, 3).set_index("shape")
    first = table.loc["MF area"]
    assert first[[f"patients_{q}" for q in (5, 25, 75, 95)]].tolist() == [0.1, 0.5, 1.5, 2.9]
    assert (first["patients"], first["phantom"]) == (1.2, 1.0)
    expected = [0.1, 0.5, 1.5, 1.9]  # of 0, 1 and 2
    assert first[[f"phantom_{q}" for q in (5, 25, 75, 95)]].tolist() == pytest.approx(expected)
    assert first["overlap"] == pytest.approx(1.8 / 2.8)  # 0.1 to 1.9 within 0.1 to 2.9
    assert list(table.index[table["inside"]]) == ["MF area"]  # MF:ES lies above, the others below
    assert (table["overlap"].drop("MF area") == 0).all()
    wanted = SETTINGS | tables.REAL_GRID | {"levels": LEVELS, "psoas": False}
    assert asked == [(n, "L4-L5", wanted) for n in (1, 2, 3)]


def test_pixels_of_patients_are_five_eighths_of_a_millimetre():
    assert tables.REAL_GRID == {"size": (320, 320), "spacing": (0.625, 0.625)}


def test_volumes_beside_people_by_hand(monkeypatch):
    found = {1: {"MF": 100.0, "ES": 300.0, "PM": 150.0}, 2: {"MF": 120.0, "ES": 295.0, "PM": 180.0}}
    monkeypatch.setattr(phantom, "muscle_volumes", lambda n, seed: found[n])
    table = tables.volume_table({"seed": 3}, 2).set_index("muscle")
    assert table["phantom"].to_dict() == {"MF": 110, "ES": 297.5, "PM": 165}
    assert table.loc["MF", "phantom_sd"] == pytest.approx(np.sqrt(200))
    assert table.loc["PM", ["patients", "patients_sd"]].tolist() == [158.8, 55.8]
    assert table["apart"].tolist() == pytest.approx([-10.3 / 26.4, 0.0, 6.2 / 55.8])
    assert np.isnan(tables.volume_table({"seed": 3}, 1)["phantom_sd"]).all()


def test_fat_of_subjects_is_the_mean_over_their_images():
    rows = [("b", 60, 0.05), ("a", 40, 0.1), ("c", 50, 0.6), ("a", 40, 0.5), ("c", 50, 0.9)]
    table = tables.fat_table(pd.DataFrame(rows, columns=["subject", "age", "fat"]))
    assert table["subject"].tolist() == ["b", "a", "c"]
    assert table["age"].tolist() == [60, 40, 50]
    assert table["fat"].tolist() == pytest.approx([0.05, 0.3, 0.75])
    assert table["goutallier"].tolist() == [1, 2, 3]
