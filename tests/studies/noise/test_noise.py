"""The grid of noise, bias field and coupling: made-up cells with known answers."""

from dataclasses import replace
from itertools import product

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import stats

from paraspine import statistics
from paraspine.arrays import SettingsError
from paraspine.evidence.judge import claims_summary
from paraspine.studies.noise import frames, tables, words
from paraspine.studies.noise.frames import KINDS, KNOBS
from paraspine.studies.published import claims as published_claims
from tests.studies.both_ways import both_ways


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch):
    monkeypatch.setattr(statistics.defaults, "resamples", 200)


# --- drawing and sampling each thing once ------------------------------------------------------


@pytest.fixture
def world(tools):
    """Images that hold their bias field, labels that hold their coupling, and who asked for what.

    Two raters differ in ``coupling`` of four pixels; a network is torn where the bias field is 1.
    """
    asked = {"draw": [], "sample": []}
    plain = tools.data(np.zeros((2, 2, 2, 2)), classes=2)

    def draw(noise, bias_field, noise_coupling):
        asked["draw"].append((noise, bias_field, noise_coupling))
        labels = plain.labels.copy()
        labels[:, 1].reshape(2, -1)[:, : int(noise_coupling)] = 1
        return replace(plain, images=np.full_like(plain.images, bias_field), labels=labels)

    def sample(method, images):
        asked["sample"].append((method, float(images.max())))
        share = 0.5 if images.max() == 1 else 1.0
        mean = np.stack([np.full((2, 2, 2), share), np.full((2, 2, 2), 1 - share)], axis=1)
        return tools.moments(mean, np.zeros((2, 2, 2)), samples=3)

    return draw, sample, asked


def test_every_cell_has_its_own_images_and_labels(world):
    draw, sample, asked = world
    frame = frames.noise_frame(draw, sample, [7.0, 28.0], [0.0, 1.0], [0.0, 2.0, 4.0])
    assert len(asked["draw"]) == 2 * 3  # not 2 x 2 x 3
    assert len(asked["sample"]) == 2 * 2 * 2  # noise, bias field, way of sampling
    images = frames.noise_images(frame)
    assert len(images) == 2 * (2 * 2 * 3)
    for (_, bias, coupling), cell in images.groupby(list(KNOBS)):
        np.testing.assert_allclose(cell["aleatoric"], np.log(2) * bias)
        np.testing.assert_allclose(cell["epistemic, mutual information"], np.log(2) * bias)
        np.testing.assert_allclose(cell["gt_entropy"], np.log(2) * coupling / 4, rtol=1e-6)


def test_a_knob_needs_different_values(world):
    draw, sample, _ = world
    with pytest.raises(SettingsError, match="bias_field: expected one or more different"):
        frames.noise_frame(draw, sample, [7.0], [1.0, 1.0], [0.0])
    with pytest.raises(SettingsError, match="noise: expected"):
        frames.noise_frame(draw, sample, [], [1.0], [0.0])


def test_dice_is_that_of_dropout_at_the_lowest_coupling():
    ways = [("dropout", 2.0, 0.5), ("dropout", 2.0, 0.7), ("dropout", 4.0, 0.1), ("tta", 2.0, 0.2)]
    rows = [{"subject": f"s{k}", "class": "MF", "measure": "dice", "value": value, "noise": 7.0,
             "bias_field": 1.0, "noise_coupling": coupling, "method": method}
            for k, (method, coupling, value) in enumerate(ways)]  # fmt: skip
    table = tables.dice_table(pd.DataFrame(rows))
    assert table[["mean", "n"]].to_numpy().tolist() == [[pytest.approx(0.6), 2]]
    assert table["column"].tolist() == ["bias field 1"]


# --- correlations, changes, shares -------------------------------------------------------------


def grid(subjects=8, noise=(7.0, 28.0), bias=(1.0, 2.0), coupling=(0.0, 1.0)):
    """Cells in which only the coupling at high noise ties uncertainty to disagreement.

    Disagreement is ``base + coupling * noise / 28``, aleatoric uncertainty ``noise / 28``.
    """
    rng = np.random.default_rng(2)
    base, own = rng.normal(0, 0.05, (2, subjects, 2))
    rows = [
        {
            "subject": f"s{s}", "image": f"i{s}{k}", "slice": 0,
            "noise": n, "bias_field": b, "noise_coupling": c,
            "gt_entropy": base[s, k] + c * n / 28,
            "aleatoric": n / 28 + own[s, k],
            "epistemic": own[s, k] * (1 if b == 1 else -1),
            "epistemic, mutual information": rng.random(),
        }
        for n, b, c, s, k in product(noise, bias, coupling, range(subjects), range(2))
    ]  # fmt: skip
    return pd.DataFrame(rows)


def test_correlations_of_cells_and_mixed():
    images = grid()
    table = tables.correlations_table(images)
    assert set(table["noise"]) == {"7", "28", "mixed"}
    assert len(table) == 3 * 2 * 2 * len(KINDS)
    found = table.set_index([*KNOBS, "kind"])["r"]
    cell = images[(images["noise"] == 7) & (images["bias_field"] == 2)]
    cell = cell[cell["noise_coupling"] == 1]
    expected = stats.pearsonr(cell["gt_entropy"], cell["epistemic"])[0]
    assert found["7", 2.0, 1.0, "epistemic"] == pytest.approx(expected)
    both = images[(images["bias_field"] == 1) & (images["noise_coupling"] == 1)]
    expected = stats.pearsonr(both["gt_entropy"], both["aleatoric"])[0]
    assert found["mixed", 1.0, 1.0, "aleatoric"] == pytest.approx(expected)
    assert expected > 0.9
    assert abs(found["mixed", 1.0, 0.0, "aleatoric"]) < 0.5
    assert set(tables.with_mixed(grid(noise=(14.0,)))["noise"]) == {"14"}


def test_shares_are_those_of_least_squares():
    images = grid()
    table = tables.partition_table(images).set_index([*KNOBS, "part"])["mean"]
    cell = images[(images["bias_field"] == 1) & (images["noise_coupling"] == 1)]

    def share(*names):
        return 100 * sm.OLS(cell["gt_entropy"], sm.add_constant(cell[list(names)])).fit().rsquared

    both = share("epistemic", "aleatoric")
    assert table["mixed", 1.0, 1.0, "joint"] == pytest.approx(both)
    unique = both - share("epistemic")
    assert table["mixed", 1.0, 1.0, "unique_aleatoric"] == pytest.approx(unique)


def test_changes_pair_the_same_slices():
    images = grid()
    table = tables.changes_table(images)
    assert table["knob"].value_counts().to_dict() == {
        "noise": 2 * len(KINDS), "bias_field": 2 * len(KINDS), "noise_coupling": 3 * len(KINDS),
    }  # fmt: skip
    found = table.set_index(["knob", *KNOBS, "kind"])
    # the sign of epistemic uncertainty turns with the bias field, in every resample
    turned = found.loc[("bias_field", "7", "1 → 2", "0", "epistemic")]
    assert turned["last"] == pytest.approx(-turned["first"])
    assert turned["mean"] == pytest.approx(-2 * turned["first"])
    # labels and own uncertainty do not depend on the noise: nothing changes, in any resample
    still = found.loc[("noise", "7 → 28", "1", "0", "epistemic")]
    assert [still["mean"], still["low"], still["high"]] == pytest.approx([0, 0, 0], abs=1e-9)
    raised = found.loc[("noise_coupling", "mixed", "1", "0 → 1", "aleatoric")]
    assert raised["low"] > 0.3


def test_the_interval_of_a_change_is_that_of_resampled_subjects():
    """Against a plain loop over resamples of whole subjects."""
    images = grid(subjects=6)
    statistics.defaults.resamples = 400  # `few_resamples` puts it back
    row = tables.changes_table(images).set_index(["knob", *KNOBS, "kind"])
    row = row.loc[("noise_coupling", "mixed", "1", "0 → 1", "aleatoric")]
    ends = [
        images[(images["bias_field"] == 1) & (images["noise_coupling"] == c)] for c in (0.0, 1.0)
    ]
    names = sorted(images["subject"].unique())
    rng, drawn = np.random.default_rng(9), []
    for _ in range(400):
        chosen = rng.choice(names, len(names))
        r = []
        for cell in ends:
            part = pd.concat([cell[cell["subject"] == s] for s in chosen])
            r.append(np.corrcoef(part["gt_entropy"], part["aleatoric"])[0, 1])
        drawn.append(r[1] - r[0])
    low, high = np.quantile(drawn, [0.025, 0.975])
    assert row["low"] == pytest.approx(low, abs=0.12)
    assert row["high"] == pytest.approx(high, abs=0.12)


def test_undefined_disagreement_stays_undefined():
    images = grid().assign(gt_entropy=np.nan)
    table = tables.changes_table(images)
    assert table[["mean", "low", "high"]].isna().all(axis=None)
    partition = tables.partition_table(images)
    assert partition["mean"].isna().all()
    assert {words.coupling_sentence(table, partition), words.bias_sentence(table),
            words.answer(table)} == {words.UNDEFINED}  # fmt: skip
    claims = tables.claims_table(images)
    assert set(claims["why"]) == {"undefined in this run"}
    assert words.found_sentence(table, claims[:0]) == words.UNDEFINED


def test_a_change_without_each_subject_is_that_of_the_rest():
    images = grid(subjects=7)
    row = tables.changes_table(images).set_index(["knob", *KNOBS, "kind"])
    row = row.loc[("noise_coupling", "mixed", "1", "0 → 1", "aleatoric")]
    left = {}
    for name in images["subject"].unique():
        rest = images[(images["subject"] != name) & (images["bias_field"] == 1)]
        r = [
            stats.pearsonr(cell["gt_entropy"], cell["aleatoric"])[0]
            for _, cell in rest.groupby("noise_coupling")
        ]
        left[name] = r[1] - r[0]
    ends = min(left.values()), max(left.values())
    assert (row["without_low"], row["without_high"]) == pytest.approx(ends)
    assert row["clusters"] == 7


def test_the_papers_hypothesis_is_judged_in_each_cell_without_noise():
    """Coupling ties aleatoric uncertainty to disagreement only where the noise differs."""
    images = grid()
    claims = tables.claims_table(images)
    assert claims["where"].tolist() == [
        f"bias field {b}, coupling {c}" for b in (1, 2) for c in (0, 1)
    ]
    told = claims.set_index("where")
    one = told.loc["bias field 1, coupling 1"]
    assert one["verdict"] == "supported"
    own = images[(images["bias_field"] == 1) & (images["noise_coupling"] == 1)]
    quiet = own[own["noise"] == 7]
    ends = [stats.pearsonr(c["gt_entropy"], c["aleatoric"])[0] for c in (quiet, own)]
    assert (one["first"], one["last"]) == pytest.approx(tuple(ends))
    assert told.loc["bias field 1, coupling 0", "verdict"] != "supported"
    assert claims_summary(claims)["claim"].item() == tables.CLAIM
    said = words.claim_sentence(claims)
    ends = "{without_low:.2f} to {without_high:.2f}".format(**claims.iloc[0])
    assert said.endswith(f"; {ends} without any one subject.")
    assert f"*r* is {claims['first'].iloc[0]:.2f} where all images have the same noise" in said
    counted = {v: f"{v} in {n}" for v, n in claims["verdict"].value_counts().items()}
    assert all(words in said for words in counted.values())
    # uncertainty that follows disagreement only without a difference in noise
    turned = images.assign(aleatoric=images["gt_entropy"] - 2 * images["noise"] / 28)
    told = tables.claims_table(turned).set_index("where")
    assert told.loc["bias field 2, coupling 1", "verdict"] == "contradicted"
    assert tables.claims_table(grid(noise=(7.0,))).empty
    assert "can't be checked" in words.claim_sentence(claims[:0])


def test_the_hypothesis_is_the_claim_of_the_chapter_on_published_results():
    assert tables.CLAIM in {claim.words for claim in published_claims.CLAIMS}


# --- words and figures -------------------------------------------------------------------------


def turned(sign, knob="noise", place="7"):
    """Changes of both ties by one knob: the aleatoric one by `sign`, the epistemic one not."""
    where = {"noise": place, "bias_field": "1", "noise_coupling": "0"} | {knob: "0 → 1"}
    nothing = {"decided_by": "", "clusters": 8, "without_low": -0.25, "without_high": 0.125}
    ends = sorted((0.1 * sign, 0.3 * sign))
    moved = {"first": 0.4, "last": 0.4 + 0.2 * sign, "mean": 0.2 * sign}
    moved |= {"low": ends[0], "high": ends[1]}
    still = {"first": 0.5, "last": 0.6, "mean": 0.1, "low": -0.1, "high": 0.3}
    rows = [{"kind": "aleatoric"} | moved, {"kind": "epistemic"} | still]
    return pd.DataFrame([{"knob": knob} | where | nothing | row for row in rows])


def test_noise_tightens_or_loosens():
    both_ways(
        lambda sign: words.answer(turned(sign)),
        "More image noise **tightens the link of aleatoric uncertainty to disagreement**",
        "More image noise **loosens the link of aleatoric uncertainty to disagreement**",
    )
    both_ways(
        lambda sign: words.found_sentence(turned(sign), pd.DataFrame()),
        "- More image noise: aleatoric **tighter**, epistemic **no clear change**.",
        "- More image noise: aleatoric **looser**, epistemic **no clear change**.",
    )
    said = words.answer(turned(-1))
    assert "(*r* from 0.40 to 0.20, change -0.20 (-0.30 to -0.10)) and does not clearly" in said
    assert said.endswith(
        "link of epistemic uncertainty (*r* from 0.50 to 0.60, change 0.10 (-0.10 to 0.30))."
    )
    alone = turned(1).assign(decided_by="s3")
    said = words.answer(alone)
    assert said.startswith(
        "More image noise does not clearly change how closely uncertainty follows disagreement: "
    )
    assert "0.20 (0.10 to 0.30), not counted, as it depends on one subject; epistemic" in said
    assert words.bias_sentence(turned(1, "bias_field")).startswith("A stronger bias field **tight")


def test_the_answer_begins_with_what_moves_something():
    moved, still = turned(-1, "noise_coupling", "mixed"), turned(1).assign(low=-0.5, high=0.5)
    said = words.answer(pd.concat([still, moved]))
    assert said.index("Noise that misleads") < said.index("More image noise does not")
    said = words.answer(pd.concat([turned(1), moved]))
    assert said.index("More image noise **tightens") < said.index("Noise that misleads")


def test_misled_raters_in_a_mixed_cohort_or_at_one_noise():
    both_ways(
        lambda sign: words.answer(turned(sign, "noise_coupling", "mixed")),
        "Noise that misleads the raters, in images that differ in noise, **tightens",
        "Noise that misleads the raters, in images that differ in noise, **loosens",
    )
    at_one = turned(1, "noise_coupling")
    assert words.answer(at_one).startswith("Noise that misleads the raters **tightens")
    several = pd.concat([at_one, turned(-1, "noise_coupling", "mixed")])
    assert "**loosens" in words.answer(several)
    partition = tables.partition_table(grid())
    changes = tables.changes_table(grid())
    share = partition.set_index([*KNOBS, "part"])["mean"]["mixed", 1.0, 1.0, "joint"]
    said = words.coupling_sentence(changes, partition)
    assert said.startswith("Both kinds together, in images that differ in noise, explain ")
    assert f"and {share:.0f} % (95 % CI" in said


def test_a_grid_of_one_value_says_so():
    images = grid(noise=(14.0,), bias=(1.0,), coupling=(0.0,))
    changes = tables.changes_table(images)
    assert changes.empty
    assert "one bias field, so nothing moves" in words.bias_sentence(changes)
    assert "nothing moves" in words.coupling_sentence(changes, tables.partition_table(images))
    assert words.answer(changes) == "The grid has one noise level and one coupling."


def test_tables_and_figures_show_every_cell():
    images = grid()
    correlations = tables.correlations_table(images)
    shares = ["both together", "epistemic alone adds", "aleatoric alone adds", "either explains"]
    partition = tables.partition_table(images)
    for table, panels in ((correlations, list(KINDS)), (partition, shares)):
        curves = tables.curves(table, 2.0)
        assert list(dict.fromkeys(curves["panel"])) == panels
        assert list(dict.fromkeys(curves["noise"])) == ["7", "28", "mixed"]
        names = {"raters unaffected by noise", "raters misled by noise, coupling 1"}
        assert set(curves["raters"]) == names
    curves = tables.curves(correlations, 2.0).set_index(["panel", "raters", "noise"])["value"]
    r = correlations.set_index([*KNOBS, "kind"])["r"]
    misled = curves["epistemic", "raters misled by noise, coupling 1", "28"]
    assert misled == r["28", 2.0, 1.0, "epistemic"]
    levels = tables.levels_table(images).set_index([*KNOBS, "what"])["mean"]
    expected = images[(images["noise"] == 28) & (images["noise_coupling"] == 1)]
    assert levels[28.0, 1.0, 1.0, "disagreement"] == pytest.approx(
        1e3 * expected[expected["bias_field"] == 1]["gt_entropy"].mean()
    )
    shown = words.named(turned(1)).iloc[0]
    columns = ["turned", "image noise", "coupling", "range"]
    assert shown[columns].tolist() == ["image noise", "0 → 1", "0", "-0.25 to 0.12"]


def test_setup_says_what_the_network_knows_and_which_slices_these_are(world):
    draw, sample, _ = world
    frame = frames.noise_frame(draw, sample, [7.0], [0.0, 1.0], [0.0])
    data, settings = draw(7.0, 0.0, 0.0), {"noise": 14.0, "bias_field": 1.0, "noise_coupling": 0.25}
    data = replace(data, table=data.table.assign(level=["S1", "L5-S1"]))
    all_of_them = words.setup_sentence(frame, settings, data, 2)
    assert all_of_them == (
        "2 cells of 2 slices of 2 test subjects, rated by 2 raters. The network was trained at "
        "noise 14, bias field 1 and coupling 0.25; it has seen no other cell."
    )
    some = words.setup_sentence(frame, settings, data, 55)
    assert "chapter 5, which takes all 55 test slices: these are of S1 and L5-S1. The" in some
