"""The papers' tables as package data."""

import numpy as np
import pandas as pd
import pytest

from paraspine import published
from paraspine.arrays import SettingsError
from paraspine.published.tables import SCALES, parse


def raw(**changes):
    row = dict(
        zip(published.COLUMNS, ("p", "T", "s", "c", "t", "m", "1", "", "%", ""), strict=True)
    )
    return pd.DataFrame([row | changes])


def test_every_row_parses():
    table = published.table()
    assert len(table) == 426
    assert table["value"].notna().all()
    assert (table["sd"].isna() | (table["sd"] >= 0)).all()
    assert set(table["unit"]) <= set(SCALES)
    assert set(table["source"]) == {
        "roshanzamir2023",
        "roshanzamir2022",
        "baur2021",
        "wesselink2022",
        "lemay2022",
    }
    identity = list(published.COLUMNS[:6])
    assert not table.duplicated(identity).any()
    bounded = table[table["bound"] == "<"]
    assert len(bounded) == 3
    assert (bounded["value"] == 0.001).all()


def test_what_is_a_share_lies_in_its_range():
    table = published.table()
    shares = table[table["metric"].isin(["Dice", "precision", "recall", "TPR", "PPV", "Jaccard"])]
    assert shares["plain"].between(0, 1).all()
    brier = table[table["metric"] == "Brier score"]
    assert brier["plain"].between(0, 0.01).all()


def test_one_table_and_one_value():
    table = published.table("roshanzamir2023", "Table 1")
    assert len(table) == 16
    what = {"system": "UNet", "condition": "random", "target": "left ES"}
    assert published.value("roshanzamir2023", "Table 1", **what) == 2.912
    assert published.value("roshanzamir2023", "Table 1", **what, plain=True) == pytest.approx(
        0.002912
    )
    dice = published.table("roshanzamir2023", "Table 4").iloc[0]
    assert (dice["value"], dice["sd"], dice["unit"]) == (94.36, 2.74, "%")
    assert (dice["plain"], dice["plain_sd"]) == pytest.approx((0.9436, 0.0274))


def test_the_table_is_a_copy():
    table = published.table()
    table["value"] = 0.0
    assert (published.table()["value"] != 0).any()


def test_unknown_names_are_refused():
    with pytest.raises(SettingsError, match=r"source: expected one of .*'baur2021'"):
        published.table("baur2020")
    with pytest.raises(SettingsError, match=r"table: expected one of .*'Table 5'"):
        published.table("roshanzamir2023", "Table 9")
    with pytest.raises(SettingsError, match=r"expected one number .* found 16"):
        published.value("roshanzamir2023", "Table 1")
    with pytest.raises(SettingsError, match="found 0"):
        published.value("roshanzamir2023", "Table 1", system="VNet")


def test_broken_rows_are_all_reported():
    for unit in SCALES:  # a power of ten, or one of these
        one = {"": 1, "mm2": 1, "patients": 1, "%": 0.01}.get(unit) or float(unit)
        row = parse(raw(unit=unit, value="<3", sd="2")).iloc[0]
        assert (row["plain"], row["plain_sd"]) == pytest.approx((3 * one, 2 * one))
    broken = pd.concat(
        [raw(), raw(), raw(target="a", value="about 3"), raw(target="b", unit="kg", sd="-1")],
        ignore_index=True,
    )
    with pytest.raises(SettingsError) as caught:
        parse(broken)
    message = str(caught.value)
    for part in ("line 3: repeats", "line 4: value 'about 3'", "line 5: sd '-1'", "unit 'kg'"):
        assert part in message
    with pytest.raises(SettingsError, match="system is empty"):
        parse(raw(system=" "))
    with pytest.raises(SettingsError, match="expected the columns"):
        parse(raw().rename(columns={"value": "number"}))


def test_the_two_inconsistencies_follow_from_the_tables():
    found = published.inconsistencies()
    assert len(found) == 12
    wrong = found[~found["consistent"]]
    exchanged = wrong[wrong["exchanged_with"] != ""]
    assert exchanged[["system", "row", "exchanged_with"]].to_numpy().tolist() == [
        ["UNet", "TTA+TTD random", "TTA+ensemble"],
        ["UNet", "TTA+ensemble", "TTA+TTD random"],
    ]
    repeated = wrong[wrong["repeats"] != ""]
    assert repeated[["system", "row", "column", "repeats"]].to_numpy().tolist() == [
        ["TransUNet", "TTA+TTD random", "aleatoric", "TTA+TTD majority"],
        ["UNet", "TTA+TTD random", "aleatoric", "TTA+TTD majority"],
    ]
    assert len(wrong) == 4
    assert (found["implied"] == 100 * found["r"] ** 2).all()


def test_consistent_cells_are_within_rounding():
    good = published.inconsistencies().query("consistent")
    assert np.abs(np.sqrt(good["printed"] / 100) - good["r"]).max() <= 1.5e-4
    bad = published.inconsistencies().query("not consistent")
    assert np.abs(np.sqrt(bad["printed"] / 100) - bad["r"]).min() > 20 * 1.5e-4


def test_parts_of_the_frame():
    assert published.exchanged_rows()["column"].unique().tolist() == ["epistemic"]
    assert published.aleatoric_repeats()["column"].unique().tolist() == ["aleatoric"]


def test_file_equals_the_source(root):
    source = root.parent / "shared" / "published" / "published_results.csv"
    if not source.is_file():
        pytest.skip("the file that the package data was copied from is not part of the project")
    copy = root / "paraspine" / "published" / "published_results.csv"
    assert copy.read_bytes() == source.read_bytes()
