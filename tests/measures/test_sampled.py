"""What samples are made of: the kind of an ensemble follows from how its members were trained."""

from types import SimpleNamespace

import pytest

from paraspine import measures


def trained(*changes):
    start = {"seed": 0, "split_seed": 0, "epochs": 5}
    return [SimpleNamespace(parameters=start | change) for change in changes]


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ([{"seed": 1}, {"seed": 2}], "independent seeds"),
        ([{"split_seed": 1}, {"split_seed": 2}], "folds"),
        ([{"seed": 3, "split_seed": 1}, {"split_seed": 2}], "folds"),
        ([{"epochs": 7}, {}], "trainings that differ in epochs"),
        ([{}, {}], "trainings that differ in nothing"),
    ],
)
def test_kind_of_an_ensemble(changes, kind):
    record = measures.sampling_record(trained(*changes), "ensemble", 10)
    assert record["kind"] == kind
    assert record["passes"] == 2
    assert record["members"] == [change.get("seed", 0) for change in changes]
    words = measures.sampling_sentence(record)
    assert f"of 2 networks. Kind of the ensemble: {kind} (seeds " in words


def test_other_ways_have_passes_and_no_members():
    for method, passes, words in (
        ("single", 1, "One pass, without dropout."),
        ("dropout", 10, "10 passes with other dropout each."),
        ("tta", 10, "10 passes of moved and changed images."),
    ):
        record = measures.sampling_record(trained({}), method, 10)
        assert record == {"method": method, "passes": passes}
        assert measures.sampling_sentence(record) == words
