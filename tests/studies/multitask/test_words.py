"""Sentences about networks with two tasks: each in both directions, and where nothing is told."""

import numpy as np
import pandas as pd
import pytest

from paraspine.studies.multitask import tables, words
from tests.studies.both_ways import both_ways

AP, R = "average precision", "Pearson's r"
NAMES = {"single": "entropy of one pass", "dropout": "entropy of test-time dropout"}


def around(mean, half=0.01, **more):
    ends = {"mean": mean, "low": mean - half, "high": mean + half, "clusters": 8}
    alone = {"decided_by": "", "without_low": mean - half / 2, "without_high": mean + half / 2}
    return ends | alone | more


def lead(*means, measures=(AP, R), **more):
    """Predicted variance minus the entropies of one pass and of dropout."""
    lines = [
        {"network": "U-Net", "method": method, "label": NAMES[method], "measure": m}
        | around(mean, **more)
        for method, mean in zip(NAMES, means, strict=True)
        for m in measures
    ]
    return pd.DataFrame(lines)


def ranking(variance=0.5, *others):
    rows = [("variance", "predicted variance", variance)]
    rows += [(m, NAMES[m], v) for m, v in zip(NAMES, others, strict=False)]
    rows.append(("raters", "variance of 3 raters", 0.727))
    lines = [
        {"network": "the raters" if method == "raters" else "U-Net", "method": method,
         "label": label, "measure": m, "mean": value, "low": value - 0.1, "high": value + 0.1}
        for method, label, value in rows for m in (AP, R)
    ]  # fmt: skip
    return pd.DataFrame(lines)


SHARING = pd.DataFrame(
    [
        {"network": "U-Net", "class": "all", "together": 0.898, "alone": 0.892} | around(0.006),
        {"network": "U-Net", "class": "MF", "together": 0.7, "alone": 0.6} | around(0.1),
    ]
)


def test_answer_both_ways():
    found = both_ways(
        lambda sign: words.answer_sentence(
            ranking(0.5, 0.3, 0.4), lead(0.2 * sign, 0.1 * sign), SHARING
        ),
        "**Yes.** One pass that also predicts the raters' variance finds the voxels that they dis",
        "**No.** The variance predicted in one pass finds the voxels that raters dispute worse tha",
    )
    assert found.endswith(
        "average precision 0.50 (95 % CI 0.40 to 0.60) against 0.40 by entropy of test-time "
        "dropout (U-Net). The same pass outlines the muscles with a Dice of 0.898 (U-Net)."
    )


@pytest.mark.parametrize(
    ("table", "counts"),
    [
        (lead(0.2, -0.1), "better in 1 and worse in 1 of 2"),
        (lead(0.2, 0.001), "better in 1 and worse in 0 of 2"),
        (lead(0.2, 0.1, clusters=5), "better in 0 and worse in 0 of 2"),
        (lead(0.2, 0.1, decided_by="s3"), "better in 0 and worse in 0 of 2"),
    ],
)
def test_answer_where_comparisons_differ_or_cannot_tell(table, counts):
    found = words.answer_sentence(ranking(0.5, 0.3, 0.4), table, SHARING)
    assert found.startswith("**Not for sure.** The variance predicted in one pass finds")
    assert counts in found


def test_answer_without_networks_to_compare():
    none = words.answer_sentence(ranking(), lead(0.1, 0.1).iloc[:0], SHARING.iloc[:0])
    assert none.startswith("**Not compared**")
    nothing = ranking(0.5, np.nan, np.nan)
    assert "undefined" in words.answer_sentence(nothing, lead(np.nan, np.nan), SHARING)


def test_steps(tools):
    data = tools.data(np.zeros((3, 2, 1, 10), int))
    wanted = np.zeros((3, 2, 1, 10))
    wanted[2] = np.nan
    wanted[0, 1, 0, :3] = 0.1, 0.2, 0.0009
    assert words.steps_sentence(wanted, data) == (
        "2 slices of 3 have two raters or more and so a variance map. The largest value is 0.200 "
        "of at most 0.25; 10.0 % of the pixels have more than 0.001."
    )


def test_published_both_ways():
    def say(sign):
        place = ["above", "inside", "above"] if sign > 0 else ["below", "inside", "below"]
        cells = [{"condition": "segmentation", "place": p} for p in place]
        cells += [{"condition": "variance map", "place": "inside"}] * 2
        return words.published_sentence(pd.DataFrame([*cells, {"condition": "x", "place": ""}]))

    found = both_ways(say, "2 above and 1 inside for the seg", "1 inside and 2 below for the seg")
    assert found == (
        "Where the published values lie to this run's intervals: 2 above and 1 inside for the "
        "segmentation; all 2 inside for the variance map."
    )
    none = words.published_sentence(pd.DataFrame([{"condition": "x", "place": ""}]))
    assert none.startswith("This run has none")


def claims(verdict="supported", why="", mean=3.0, measure="dice"):
    claim, statistic, _ = tables.CLAIMS[measure]
    row = {"claim": claim, "statistic": statistic, "measure": measure, "class": "all"}
    row |= around(mean, verdict=verdict, why=why)
    return pd.DataFrame([row, row | {"class": "MF", "verdict": "other"}])


def test_claims_both_ways():
    found = both_ways(
        lambda sign: words.claims_sentence(
            claims("supported" if sign > 0 else "contradicted", mean=3.0 * sign)
        ),
        "**supported**; Dice, TransUNet minus U-Net, points: 3.00 (95 % CI 2.99 to 3.01).",
        "**contradicted**; Dice, TransUNet minus U-Net, points: -3.00 (95 % CI -3.01 to -2.99).",
    )
    assert "other" not in found
    unclear = words.claims_sentence(claims("can't tell", "one subject decides"))
    assert "**can't tell** (one subject decides); Dice" in unclear
    assert words.claims_sentence(claims().iloc[:0]).startswith("Both multi-task networks are need")
    assert "× 10⁻⁵: 3.000 (" in words.claims_sentence(claims(measure="variance_mse"))


def seeds(*means, network="U-Net"):
    lines = [{"network": network, "seed": k, "mean": m} for k, m in enumerate(means)]
    return pd.DataFrame(lines)


def test_verdicts_beside_what_the_seed_changes():
    both = pd.concat([seeds(0.5, 0.53), seeds(0.8, 0.86, 0.85, network="TransUNet")])
    found = words.trainings_sentence(claims(mean=-3.0), both)
    assert "lie up to 6.0 points of Dice apart, more than that difference, so another" in found
    found = words.trainings_sentence(claims(mean=-9.0), both)
    assert found.endswith("lie up to 6.0 points of Dice apart, less than that difference.")
    one = words.trainings_sentence(claims(), seeds(0.5))
    assert one.endswith("so a verdict is on these two.")


def test_worth_both_ways():
    def say(sign):
        table = lead(0.2 * sign, 0.1 * sign)
        return words.worth_sentence(table, ranking(), "30 raters", 0.05)

    found = both_ways(
        say,
        "Against 30 raters the predicted variance is better than every entropy of its own arch",
        "Against 30 raters the predicted variance is worse than every entropy of its own arch",
    )
    assert found.endswith(
        ", by average precision and by Pearson's r. A random map has an average precision of 0.050."
    )
    mixed = both_ways(
        lambda sign: words.worth_sentence(
            lead(0.2 * sign, 0.001, measures=(AP,)), ranking(), "x", 0.05
        ),
        "own architecture: 1 better and 1 that the data can't tell by average precision.",
        "own architecture: 1 worse and 1 that the data can't tell by average precision.",
    )
    assert mixed.startswith("Against x, of 2 comparisons of the predicted variance with an entropy")
    few = words.worth_sentence(lead(0.2, 0.1, clusters=2), ranking(), "x", 0.05)
    assert "2 that the data can't tell by average precision; 2 that the" in few


def test_worth_where_nothing_is_known():
    known = words.worth_sentence(lead(0.2, 0.1), ranking(), "x", np.nan)
    assert known == "Left out: the disagreement of x is not known here."
    none = words.worth_sentence(lead(0.2, 0.1), ranking().iloc[:0], "x", 0.05)
    assert none == known
    alone = words.worth_sentence(lead(0.2, 0.1).iloc[:0], ranking(), "x", 0.05)
    assert alone.startswith("There is no single-task network")


def test_few_raters_both_ways():
    def say(sign):
        row = {"network": "U-Net", "method": "raters", "measure": R} | around(0.058 * sign)
        return words.few_raters_sentence(pd.DataFrame([row]), ranking(), 3)

    found = both_ways(say, "variance is nearer to it", "variance is further from it")
    assert found == (
        "With the variance of many raters, the map of the 3 raters whom the networks learned from "
        "has r = 0.727 (95 % CI 0.627 to 0.827). The U-Net's predicted variance is "
        "nearer to it, difference of r 0.058 (95 % CI 0.048 to 0.068); 0.053 to 0.063 without any "
        "one subject."
    )
    open_ = pd.DataFrame([{"network": "U-Net", "measure": R} | around(0.001)])
    assert "is not told apart, difference" in words.few_raters_sentence(open_, ranking(), 3)
    assert words.few_raters_sentence(open_, ranking().iloc[:0], 3).startswith("Left out: how")


def test_sharing_says_a_sign_and_what_the_seed_changes_but_no_verdict():
    def say(sign):
        table = SHARING.assign(mean=0.006 * sign, low=0.001 * sign, high=0.011 * sign)
        return words.sharing_sentence(table, seeds(0.89, 0.90, 0.87))

    found = both_ways(
        say, "U-Net +0.6 points (95 % CI 0.1 to 1.1)", "U-Net -0.6 points (95 % CI -0.1 to -1.1)"
    )
    assert found.startswith("One training each can't show whether the second task costs accuracy.")
    assert ", less than the 3.0 points between its 3 single-task trainings." in found
    for change in (0.04, -0.04):
        large = words.sharing_sentence(SHARING.assign(mean=change), seeds(0.89, 0.90, 0.87))
        assert ", more than the 3.0 points" in large
    assert "between its" not in words.sharing_sentence(SHARING, seeds(0.89))
    assert "between its" not in words.sharing_sentence(SHARING, seeds(0.8, 0.9, network="other"))
    none = words.sharing_sentence(SHARING.iloc[:0], seeds(0.89))
    assert none == "There is no single-task network to compare with."
    assert words.headline_sharing(SHARING) == (
        "+0.6 points (U-Net), no more than one training each can show"
    )
    assert words.headline_sharing(SHARING.iloc[:0]) == "not compared"


def test_costs():
    lines = [("U-Net", "variance", "predicted variance", 9.68, 1.0)]
    lines += [
        ("U-Net", m, label, 5.0, t)
        for (m, label), t in zip(NAMES.items(), (0.52, 8.6), strict=True)
    ]
    lines += [("TransUNet", "variance", "predicted variance", 12.0, 1.0)]
    columns = ["network", "method", "label", "milliseconds", "times"]
    assert words.cost_sentence(pd.DataFrame(lines, columns=columns)) == (
        "Both tasks of the U-Net take 9.7 ms an image; the entropy of one pass 0.5 times and the "
        "entropy of test-time dropout 8.6 times as long. Both tasks of the TransUNet take 12.0 ms "
        "an image. Times are those of this run's machine."
    )


def leakage(measure="dice", mean=0.02, half=0.01, **more):
    row = {"network": "multi-task U-Net", "measure": measure, "compared": tables.SAME}
    table = [row | around(mean, half, **more), row | around(-mean, half) | {"compared": "other"}]
    return words.leakage_sentence(pd.DataFrame(table), (60, 54))


def test_leakage_both_ways():
    found = both_ways(
        lambda sign: leakage(mean=0.02 * sign),
        "Dice, %: +2.00 (95 % CI 1.00 to 3.00), better, as data leakage would make it.",
        "Dice, %: -2.00 (95 % CI -3.00 to -1.00), worse, no sign of data leakage.",
    )
    assert found.startswith("Of 60 test slices of the split by slice, 54 are of a subject whose")
    both_ways(  # of an error less is better
        lambda sign: leakage("variance_mse", -2e-5 * sign, 1e-5),
        "× 10⁻⁵: -2.000 (95 % CI -3.000 to -1.000), better, as data leakage would make it.",
        "× 10⁻⁵: +2.000 (95 % CI 1.000 to 3.000), worse, no sign of data leakage.",
    )


def test_leakage_that_cannot_be_told():
    for table in ({"mean": 0.005}, {"decided_by": "s3"}, {"clusters": 5}):
        assert ", data leakage can't be told. Each split was trained once" in leakage(**table)
    assert "multi-task U-Net, Dice, %: no slice is in both test sets." in leakage(mean=np.nan)
    assert words.leakage_sentence(pd.DataFrame(), (1, 1)).startswith("Left out: it takes a netw")


def test_headline_and_summary():
    assert words.headline_worth(ranking(0.5, 0.3, 0.4)) == (
        "0.500 (95 % CI 0.400 to 0.600) (U-Net, predicted variance) and 0.300 (95 % CI 0.200 to "
        "0.400) (U-Net, entropy of one pass)"
    )
    assert words.headline_worth(ranking().iloc[:0]) == "not compared"
    assert words.summary("One.", "", "Two.") == "- One.\n- Two."
