"""Splits and folds: by hand, and as properties."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paraspine import manifest
from paraspine.arrays import ManifestError, SettingsError


def people(ages, sexes, slices=3):
    rows = [
        {"subject": f"s{i:03d}", "image": f"s{i:03d}-{k}", "age": a, "sex": x, "slice": str(k)}
        for i, (a, x) in enumerate(zip(ages, sexes, strict=True))
        for k in range(slices)
    ]
    return pd.DataFrame(rows)


@st.composite
def tables(draw, least=3):
    n = draw(st.integers(least, 40))
    ages = draw(st.lists(st.sampled_from([np.nan, 20, 35, 41, 60, 77.5]), min_size=n, max_size=n))
    sexes = draw(st.lists(st.sampled_from(["F", "M", None]), min_size=n, max_size=n))
    return people(ages, sexes, draw(st.integers(1, 3)))


shares = st.lists(st.integers(1, 20), min_size=3, max_size=3).map(
    lambda parts: tuple(p / sum(parts) for p in parts)
)


def sizes(table, sides, by="subject"):
    return sides.groupby(table[by]).first().value_counts().to_dict()


def test_by_hand():
    """Four strata of three subjects: every one has one or two in train, each age three."""
    table = people([30] * 6 + [60] * 6, ["F", "M"] * 6)
    sides = manifest.split(table, (0.5, 0.25, 0.25))
    assert sizes(table, sides) == {"train": 6, "validation": 3, "test": 3}
    counts = table[sides == "train"].groupby(["age", "sex"])["subject"].nunique()
    assert counts.tolist() == pytest.approx([1.5] * 4, abs=0.5)
    assert counts.groupby("age").sum().tolist() == [3, 3]  # exact where it can be
    assert sides.name == "split"
    assert sides.index.equals(table.index)


def test_the_split_of_the_paper():
    """119 patients into 76, 19 and 24 (roshanzamir2023), as counts."""
    rng = np.random.default_rng(0)
    table = people(rng.uniform(20, 80, 119), rng.choice(["F", "M"], 119), slices=5)
    sides = manifest.split(table, (76, 19, 24), seed=3)
    assert sizes(table, sides) == {"train": 76, "validation": 19, "test": 24}
    with pytest.raises(SettingsError, match="sum to 120, but there are 119"):
        manifest.split(table, (77, 19, 24))


def test_largest_remainders():
    table = people([30] * 10, ["F"] * 10)
    for fractions, expected in (
        ((0.64, 0.16, 0.2), (6, 2, 2)),
        ((0.33, 0.33, 0.34), (3, 3, 4)),
        ((0.98, 0.01, 0.01), (8, 1, 1)),  # at least one each
        ((0.8, 0.2, 0.0), (8, 2, 0)),
    ):
        counts = sizes(table, manifest.split(table, fractions))
        assert tuple(counts.get(s, 0) for s in manifest.SIDES) == expected


def test_named_sides_and_the_nearest_rounding():
    """Of 7 women and 4 men, 3 of 11 are 1.9 and 1.1: two women and one man, whatever the seed."""
    table = people([30] * 11, ["F"] * 7 + ["M"] * 4)
    for seed in range(5):
        sides = manifest.split(table, {"fit": 8 / 11, "hold out": 3 / 11}, seed=seed)
        assert sizes(table, sides) == {"fit": 8, "hold out": 3}
        assert sizes(table[sides == "hold out"], table["sex"]) == {"F": 2, "M": 1}


@settings(deadline=None, max_examples=35)
@given(tables(), shares, st.integers(0, 1000))
def test_split_properties(table, fractions, seed):
    sides = manifest.split(table, fractions, seed=seed)
    manifest.check_split(table, sides)  # nobody on two sides
    found = sizes(table, sides)
    n = table["subject"].nunique()
    assert sum(found.values()) == n
    exact = np.array(fractions) * n
    counts = np.array([found[s] for s in manifest.SIDES])  # every side has someone
    if exact.min() >= 1:
        assert (np.abs(counts - exact) < 1).all()
    # Every stratum gets its share of each side, rounded up or down; so does every age group.
    strata = manifest.strata(table)
    by_subject = sides.groupby(table["subject"]).first()
    for depth in (1, 2):
        for _, group in strata.groupby(list(strata.columns[:depth])):
            inside = by_subject[group.index].value_counts()
            for side, count in zip(manifest.SIDES, counts, strict=True):
                assert abs(inside.get(side, 0) - len(group) * count / n) < 1 - 1e-9


@settings(deadline=None, max_examples=20)
@given(tables(), shares, st.randoms(use_true_random=False), st.integers(0, 1000))
def test_row_order_does_not_matter(table, fractions, random, seed):
    order = list(range(len(table)))
    random.shuffle(order)
    shuffled = table.iloc[order]
    first = manifest.split(table, fractions, seed=seed)
    second = manifest.split(shuffled, fractions, seed=seed)
    pd.testing.assert_series_equal(first, second.sort_index())
    k = min(4, table["subject"].nunique())
    pd.testing.assert_series_equal(
        manifest.folds(table, k, seed=seed), manifest.folds(shuffled, k, seed=seed).sort_index()
    )


@settings(deadline=None, max_examples=20)
@given(tables(least=5), st.integers(2, 5), st.integers(0, 100))
def test_folds_properties(table, k, seed):
    numbers = manifest.folds(table, k, seed=seed)
    manifest.check_split(table, numbers)
    assert set(numbers) == set(range(k))
    by_subject = numbers.groupby(table["subject"]).first()
    strata = manifest.strata(table)
    for depth in (0, 1, 2):
        keys = list(strata.columns[:depth]) or (lambda _: 0)
        for _, group in strata.groupby(keys):
            counts = by_subject[group.index].value_counts().reindex(range(k), fill_value=0)
            assert counts.max() - counts.min() <= 1


def test_seeds_differ_and_everyone_gets_about():
    table = people([30] * 20, ["F"] * 20, slices=1)
    drawn = [tuple(manifest.split(table, (0.5, 0.25, 0.25), seed=s)) for s in range(40)]
    assert len(set(drawn)) == 40
    in_train = np.mean([[side == "train" for side in d] for d in drawn], axis=0)
    assert in_train.min() > 0.2
    assert in_train.max() < 0.8


def test_singleton_strata_are_random_too():
    table = people(range(20, 80, 5), ["F", "M"] * 6, slices=1)
    drawn = {tuple(manifest.split(table, (0.5, 0.25, 0.25), seed=s, bins=12)) for s in range(20)}
    assert len(drawn) > 15


def test_the_same_split_tomorrow():
    """Held in place: a published split must not move with a new version."""
    table = people([25, 35, 45, 55, 65, 75], ["F", "M"] * 3, slices=1)
    first = manifest.split(table, (0.5, 0.25, 0.25), seed=7)
    assert first.tolist() == ["validation", "train", "validation", "train", "test", "train"]


def test_by_another_column():
    table = people([30, 40, 50, 60], ["F", "M", "F", "M"])
    sides = manifest.split(table, (0.5, 0.25, 0.25), by="image", stratify=("slice",))
    assert sizes(table, sides, by="image") == {"train": 6, "validation": 3, "test": 3}
    assert pd.crosstab(table["slice"], sides).to_numpy().tolist() == [[1, 2, 1]] * 3
    with pytest.raises(ManifestError, match="two sides"):
        manifest.check_split(table, sides)
    manifest.check_split(table, sides, by="image")
    plain = pd.DataFrame({"nodule": [1, 1, 2, 3], "x": 0})
    assert manifest.folds(plain, 3, by="nodule").nunique() == 3


def test_subjects_seen_several_times():
    table = pd.DataFrame(
        {
            "subject": ["a", "a", "a", "b", "c"],
            "age": [20, 40, 60, 40, np.nan],
            "center": ["y", "x", "x", "x", "y"],
            "level": ["L4", "L5", None, "L4", "L4"],
        }
    )
    strata = manifest.strata(table, stratify=("age", "center", "level"))
    assert strata["age"].tolist() == ["40", "40", "unknown"]
    assert strata["center"].tolist() == ["x", "x", "y"]
    assert strata.loc["a", "level"] == "L4"  # a tie: the first in the alphabet


def test_age_groups():
    table = people(range(20, 80, 5), ["F"] * 12, slices=1)
    assert manifest.strata(table)["age"].value_counts().tolist() == [4, 4, 4]
    named = manifest.strata(table, bins={"age": [40, 60]})["age"]
    assert named.value_counts().to_dict() == {
        "below 40": 4,
        "40 to 60": 4,
        "60 and above": 4,
    }
    assert named.iloc[4] == "40 to 60"  # 40 itself
    assert manifest.strata(table, bins={"height": [1.5]})["age"].nunique() == 3  # not named: 3
    few = people([30, np.nan, 50, 41.5], ["F"] * 4, slices=1)  # as many values as groups
    assert manifest.strata(few)["age"].tolist() == ["30", "unknown", "50", "41.5"]
    assert manifest.strata(few, bins=1)["age"].tolist() == ["all", "unknown", "all", "all"]


def test_where_the_columns_are_missing():
    table = people([30] * 6, ["F"] * 6)[["subject", "image"]]
    assert manifest.split(table, (0.5, 0.25, 0.25)).notna().all()
    with pytest.raises(SettingsError, match="no column 'centre'; there are subject, image"):
        manifest.split(table, (0.5, 0.25, 0.25), stratify=("centre",))


def test_what_is_refused():
    table = people([30, 40], ["F", "M"])
    for fractions in ((0.5, 0.25, 0.2), (0.5, -0.1, 0.6), (np.nan, 0.5, 0.5)):
        with pytest.raises(SettingsError, match="fractions"):
            manifest.split(people([1] * 9, ["F"] * 9), fractions)
    with pytest.raises(SettingsError, match="expected three"):
        manifest.split(table, (0.5, 0.5))
    with pytest.raises(SettingsError, match="2 values of 'subject' cannot fill 3 sides"):
        manifest.split(table, (0.6, 0.2, 0.2))
    with pytest.raises(SettingsError, match="cannot fill 5 sides"):
        manifest.folds(table, 5)
    for k in (1, 2.5, True, "3"):
        with pytest.raises(SettingsError, match="at least 2"):
            manifest.folds(table, k)
    with pytest.raises(SettingsError, match="no column 'patient'"):
        manifest.split(table, (0.5, 0.5, 0), by="patient")
    with pytest.raises(SettingsError, match="3 of 6 rows have no 'subject'"):
        manifest.split(table.replace({"subject": {"s000": None}}), (0.5, 0.5, 0))
    for edges in ([60, 40], [40, 40]):
        with pytest.raises(SettingsError, match="rising order"):
            manifest.split(table, (0.5, 0.5, 0), bins={"age": edges})
    with pytest.raises(SettingsError, match="Cohort or a table"):
        manifest.split([1, 2], (0.5, 0.5, 0))


def test_check_split():
    table = people([30, 40, 50], ["F", "M", "F"], slices=2)
    good = manifest.split(table, (0.4, 0.3, 0.3))
    assert manifest.check_split(table, good) is None
    assert manifest.check_split(table, good.tolist()) is None
    assert manifest.check_split(table, good.iloc[::-1]) is None  # matched by index
    torn = good.copy()
    torn.iloc[0] = "test" if torn.iloc[0] != "test" else "train"
    with pytest.raises(ManifestError, match=r"1 of 3 values of 'subject'.*s000 in .* and .*know"):
        manifest.check_split(table, torn)
    with pytest.raises(ManifestError, match="1 of 6 rows stand on no side"):
        manifest.check_split(table, [*good[:5], None])
    with pytest.raises(SettingsError, match="each of 6 rows, got 2"):
        manifest.check_split(table, ["train", "test"])
    with pytest.raises(SettingsError, match="1 have none"):
        manifest.check_split(table, good.iloc[1:])
