"""What samples are made of: the kind of an ensemble follows from how its members were trained."""

from types import SimpleNamespace

import pytest

from paraspine import sampling
from paraspine.evidence import conditions


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
    record = sampling.sampling_record(trained(*changes), "ensemble", 10)
    assert record["kind"] == kind
    assert record["passes"] == 2
    assert record["members"] == [change.get("seed", 0) for change in changes]


def test_labels_say_which_kind_of_ensemble(tools):
    class Sampled(tools.Sampled):
        def read_json(self, name):
            return sampling.sampling_record(trained(*self.changes), "ensemble", 10)

    runs = [tools.Sampled(samples=10, method="dropout")]
    for fusion, changes in (
        ("majority", [{"seed": 1}, {"seed": 2}]),
        ("random", [{"split_seed": 1}, {"split_seed": 2}, {"split_seed": 3}]),
        ("staple", [{"epochs": 7}, {}]),
    ):
        run = Sampled(fusion=fusion, method="ensemble", samples=10, members=[])
        run.changes = changes
        runs.append(run)
    assert list(conditions.join_parameters(runs)["condition"]) == [
        "U-Net, majority vote, test-time dropout",
        "U-Net, majority vote, ensemble of 2 seeds",
        "U-Net, random rater, ensemble of 3 folds",
        "U-Net, STAPLE, ensemble of 2 trainings",
    ]


def test_other_ways_have_passes_and_no_members():
    for method, passes in (("single", 1), ("dropout", 10), ("tta", 10)):
        record = sampling.sampling_record(trained({}), method, 10)
        assert record == {"method": method, "passes": passes}
