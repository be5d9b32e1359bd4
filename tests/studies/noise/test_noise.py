"""The grid of noise, bias field and coupling: made-up cells with known answers."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import stats

from paraspine import figures
from paraspine.arrays import SettingsError
from paraspine.studies.noise import changes as noise_changes
from paraspine.studies.noise import frames
from paraspine.studies.noise import words as noise_words
from paraspine.studies.noise.frames import KINDS, KNOBS

FEW = {"resamples": 200}


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


def test_dice_is_that_of_dropout_at_the_lowest_coupling(world):
    draw, sample, _ = world
    frame = frames.noise_frame(draw, sample, [7.0], [0.0], [2.0, 4.0])
    table = noise_words.noise_dice(frame, **FEW)
    assert len(table) == 1
    # both raters say background at two pixels; the two torn ones go to the lower class
    expected = frame[(frame["measure"] == "dice") & (frame["method"] == "dropout")]
    expected = expected[expected["noise_coupling"] == 2.0]["value"]
    assert table["n"].tolist() == [expected.notna().sum()]


# --- correlations, changes, shares -------------------------------------------------------------


def grid(generator=None, subjects=8, noise=(7.0, 28.0), bias=(1.0, 2.0), coupling=(0.0, 1.0)):
    """Cells in which only the coupling at high noise ties uncertainty to disagreement.

    Disagreement is ``base + coupling * noise / 28``, aleatoric uncertainty ``noise / 28``.
    """
    rng = generator or np.random.default_rng(2)
    base, own = rng.normal(0, 0.05, (2, subjects, 2))
    rows = []
    for n in noise:
        for b in bias:
            for c in coupling:
                for s in range(subjects):
                    for k in range(2):
                        rows.append(
                            {
                                "subject": f"s{s}", "image": f"i{s}{k}", "slice": 0,
                                "noise": n, "bias_field": b, "noise_coupling": c,
                                "gt_entropy": base[s, k] + c * n / 28,
                                "aleatoric": n / 28 + own[s, k],
                                "epistemic": own[s, k] * (1 if b == 1 else -1),
                                "epistemic, mutual information": rng.random(),
                            }
                        )  # fmt: skip
    return pd.DataFrame(rows)


def test_correlations_of_cells_and_mixed():
    images = grid()
    table = frames.noise_correlations(images, **FEW)
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


def test_one_noise_level_is_not_mixed():
    table = frames.noise_correlations(grid(noise=(14.0,)), **FEW)
    assert set(table["noise"]) == {"14"}


def test_shares_are_those_of_least_squares():
    images = grid()
    table = frames.noise_partition(images, **FEW).set_index([*KNOBS, "part"])["mean"]
    cell = images[(images["bias_field"] == 1) & (images["noise_coupling"] == 1)]

    def share(*names):
        return 100 * sm.OLS(cell["gt_entropy"], sm.add_constant(cell[list(names)])).fit().rsquared

    both = share("epistemic", "aleatoric")
    assert table["mixed", 1.0, 1.0, "joint"] == pytest.approx(both)
    unique = both - share("epistemic")
    assert table["mixed", 1.0, 1.0, "unique_aleatoric"] == pytest.approx(unique)


def test_changes_pair_the_same_slices():
    images = grid()
    table = noise_changes.noise_changes(images, **FEW)
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
    row = noise_changes.noise_changes(images, resamples=400).set_index(["knob", *KNOBS, "kind"])
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
    table = noise_changes.noise_changes(images, **FEW)
    assert table[["mean", "low", "high"]].isna().all(axis=None)
    partition = frames.noise_partition(images, **FEW)
    assert partition["mean"].isna().all()
    assert "one rater" in noise_words.coupling_sentence(table, partition)
    assert "one rater" in noise_words.noise_sentence(table)
    assert noise_words.headline_noise(table).startswith("undefined (one rater, ")


# --- words and figures -------------------------------------------------------------------------


def test_sentences_follow_the_intervals():
    images = grid()
    changes, partition = (
        f(images, **FEW) for f in (noise_changes.noise_changes, frames.noise_partition)
    )
    words = noise_words.noise_sentence(changes)
    assert words.startswith("At coupling 0, turning the image noise from 7 to 28 has no effect")
    found = changes.set_index(["knob", *KNOBS, "kind"])
    turned = found.loc[("bias_field", "7", "1 → 2", "0", "epistemic")]
    assert f"from {turned['first']:.2f} to {turned['last']:.2f} (change" in words
    words = noise_words.coupling_sentence(changes, partition)
    assert words.startswith("In a cohort that mixes all noise levels, raising the coupling from 0")
    assert "to 1 raises r(aleatoric, disagreement)" in words
    share = partition.set_index([*KNOBS, "part"])["mean"]["mixed", 1.0, 1.0, "joint"]
    assert f"and {share:.0f} (95 % CI" in words
    assert noise_words.headline_coupling(changes).startswith("r from ")


def test_a_grid_of_one_value_says_so():
    changes = noise_changes.noise_changes(grid(noise=(14.0,), bias=(1.0,), coupling=(0.0,)), **FEW)
    assert changes.empty
    partition = frames.noise_partition(grid(), **FEW)
    assert "nothing moves" in noise_words.noise_sentence(changes)
    assert "nothing moves" in noise_words.coupling_sentence(changes, partition)
    assert noise_words.headline_noise(changes) == "undefined (one value)"


def test_one_noise_level_has_its_coupling():
    images = grid(noise=(14.0,))
    changes, partition = (
        f(images, **FEW) for f in (noise_changes.noise_changes, frames.noise_partition)
    )
    assert noise_words.coupling_sentence(changes, partition).startswith("At noise 14, raising")
    assert noise_words.noise_sentence(changes).startswith("At coupling 0, turning the bias field")


def test_tables_and_figures_show_every_cell():
    images = grid()
    for table in (
        frames.noise_correlations(images, **FEW),
        frames.noise_partition(images, **FEW),
    ):
        curves = frames.noise_curves(table)
        figure = figures.small_multiples(
            curves, "noise", group="coupling", panel="panel", columns=2, x_title="noise",
            title="t", reference=0, source="made by hand",
        )  # fmt: skip
        assert len(figure.data) == curves.groupby(["panel", "coupling"]).ngroups
        assert list(figure.layout.xaxis.ticktext) == ["7", "28", "mixed"]
    levels = frames.noise_levels_table(images, **FEW)
    shown = levels.set_index([*KNOBS, "what"])["mean"]
    expected = images[(images["noise"] == 28) & (images["noise_coupling"] == 1)]
    assert shown[28.0, 1.0, 1.0, "disagreement (GT entropy)"] == pytest.approx(
        1e3 * expected[expected["bias_field"] == 1]["gt_entropy"].mean()
    )
    changes = noise_changes.noise_changes(images, **FEW)
    shown = noise_words.pretty_changes(changes, source="made by hand")
    assert len(shown) == len(changes)
    assert shown.columns.name == "made by hand"


def test_setup_says_what_the_network_knows(world):
    draw, sample, _ = world
    frame = frames.noise_frame(draw, sample, [7.0], [0.0, 1.0], [0.0])
    words = noise_words.noise_setup_sentence(
        frame, {"noise": 14.0, "bias_field": 1.0, "noise_coupling": 0.0}, draw(7.0, 0.0, 0.0)
    )
    assert words.startswith("2 cells of 2 slices of 2 subjects, rated by 2 raters.")
    assert "trained at noise 14, bias field 1 and coupling 0" in words
