"""Published beside measured: made-up runs whose answers are known, both ways."""

import re
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.metrics import average_precision_score

from paraspine import metrics, published, statistics
from paraspine.arrays import SettingsError
from paraspine.evidence import contrast as evidence_contrast
from paraspine.evidence import contrast as paired
from paraspine.evidence import judge as evidence_judge
from paraspine.evidence import printed
from paraspine.evidence.contrast import QUANTITIES, contrast
from paraspine.evidence.judge import VERDICTS, claims_summary, judge
from paraspine.evidence.results import Condition, Results, read_results, samples_of
from paraspine.statistics import bootstrap
from paraspine.studies.published import printed as published_printed
from paraspine.studies.published import tables
from paraspine.studies.published import words as sentences
from paraspine.studies.published.claims import CLAIMS
from paraspine.studies.published.printed import missing_words, printed_cell
from paraspine.studies.published.tables import TABLES

SUBJECTS, SLICES = 8, 3
STRUCTURES = ("right MF", "left MF", "right ES", "left ES")
EVERY = [
    (model, fusion, method)
    for model in ("unet", "transunet")
    for fusion in ("majority", "random")
    for method in ("single", "dropout", "tta", "ensemble")
    if (fusion, method) != ("random", "ensemble")
]
TODAY = [r for r in EVERY if r[0] == "unet" and r[2] in ("single", "dropout")]


@pytest.fixture(autouse=True)
def draws_in_order(monkeypatch):
    """Draws go to subjects as they appear, whatever is measured: equal from call to call."""
    monkeypatch.setattr(bootstrap, "by_content", lambda codes, values: np.arange(codes.max() + 1))


def images(generator=None):
    """Subject, image number and GT entropy of each image."""
    subject = np.repeat(np.arange(SUBJECTS), SLICES)
    generator = generator or np.random.default_rng(5)
    return subject, 0.02 + 0.002 * subject + 0.001 * generator.random(len(subject))


def run_frame(model, fusion, method, *, seed=0, brier=0.002, dice=0.9, entropy=None, structures):
    """Rows of one run; `brier` and `dice` per image or the same for all."""
    subject, gt = images()
    entropy = np.broadcast_to(gt if entropy is None else entropy, gt.shape)
    rows = []
    for item, person in enumerate(subject):
        common = {"subject": f"s{person}", "image": f"i{item}", "slice": 0}
        found = [("all", "gt_entropy", gt[item]), ("all", "entropy", entropy[item])]
        for name in structures:
            found.append((name, "dice", np.broadcast_to(dice, gt.shape)[item]))
            found.append((name, "brier", np.broadcast_to(brier, gt.shape)[item]))
        found.append(("background", "brier", 9.0))
        rows += [common | {"class": c, "measure": m, "value": v} for c, m, v in found]
    condition = {"model": model, "fusion": fusion, "seed": seed, "method": method}
    return pd.DataFrame(rows).assign(**condition)


def book(runs=EVERY, structures=STRUCTURES, resamples=300, detectors=None, **by_quantity):
    """Results of runs; each keyword is a function of (model, fusion, method) to values."""
    parts = [
        run_frame(*run, structures=structures, **{k: f(*run) for k, f in by_quantity.items()})
        for run in runs
    ]
    return Results(pd.concat(parts, ignore_index=True), detectors or {}, resamples)


def claims_shown(table, of):
    """The text of the claims read from one table or figure."""
    chosen = table[table["table"] == of]
    return evidence_judge.claims_display(chosen, caption="c", source="made up").frame


def beside_shown(table, name):
    """The text of one published table beside a run's."""
    return printed.beside_display(table, name, caption="c", source="made up").frame


def verdicts(found, start):
    """Verdicts at each place on the claim whose words begin so."""
    chosen = [c for c in CLAIMS if c.words.startswith(start)]
    assert len(chosen) == 1
    table = tables.claims_table(found, chosen)
    return list(table["verdict"]), table


def signs():
    """+1 and -1 by turns over subjects: a difference that has no direction."""
    return np.where(np.repeat(np.arange(SUBJECTS), SLICES) % 2, 1.0, -1.0)


# -- resampling ------------------------------------------------------------------------------------


def noisy(model, fusion, method):
    gt = images()[1]
    seed = [ord(c) for c in model + fusion + method]
    return gt + 0.004 * np.random.default_rng(seed).standard_normal(len(gt))


def replicates(found, quantity, terms, *, only=None):
    """Each term from all subjects and from resamples of subjects alone: `contrast` is judged by it.

    ``(len(terms), 1 + resamples)``; of several seeds the mean.
    """
    each = paired._of_runs(found, quantity, terms, only)
    return np.stack([np.mean(list(values.values()), axis=0) for values in each])


def test_replicates_are_those_of_the_statistics_room():
    found = book(EVERY[:3], entropy=noisy, dice=lambda *r: 0.9 + noisy(*r), resamples=500)
    first, second, third = (Condition(*r) for r in EVERY[:3])
    wide = {m: found.wide(m) for m in ("gt_entropy", "entropy", "dice")}
    subjects = wide["entropy"].index.get_level_values("subject")
    gt, one, other, last = (
        wide[m][(c.model, c.fusion, 0, c.method)].to_numpy()
        for m, c in (
            ("gt_entropy", first),
            ("entropy", first),
            ("entropy", second),
            ("entropy", third),
        )
    )

    def same(estimate, drawn):
        got = evidence_contrast.estimate_of(drawn)
        expected = (estimate.value, estimate.low, estimate.high)
        assert (got.value, got.low, got.high) == pytest.approx(expected, abs=1e-12)

    same(statistics.pearson(gt, one, subjects, 500), replicates(found, "correlation", [[first]])[0])
    same(statistics.mean_interval(one, subjects, 500), replicates(found, "entropy", [[first]])[0])
    one_minus_other = [1, -1] @ replicates(found, "entropy", [[first], [second]])
    same(statistics.difference_interval(one, other, subjects, 500), one_minus_other)
    shares = statistics.variance_partition_table(gt, one, last, subjects, 500).set_index("part")
    for part in ("epistemic", "aleatoric", "joint", "unique_aleatoric"):
        row = shares.loc[part]
        same(
            statistics.Estimate(row["value"], row["low"], row["high"]),
            replicates(found, part, [[first, third]])[0],
        )
    dice = wide["dice"]
    classes = dice.index.get_level_values("class") == "left ES"
    chosen = dice[(first.model, first.fusion, 0, first.method)][classes]
    same(
        statistics.mean_interval(chosen.to_numpy(), subjects, 500),
        replicates(found, "dice", [[first]], only="left ES")[0],
    )


def test_difference_of_correlations_is_paired():
    """Against `statistics.cluster_bootstrap`, which draws rows and calls NumPy's corrcoef."""
    found = book(EVERY[:2], entropy=noisy, resamples=400)
    cells = [Condition(*r) for r in EVERY[:2]]
    gt = found.wide("gt_entropy").iloc[:, 0]
    columns = [found.wide("entropy")[(c.model, c.fusion, 0, c.method)] for c in cells]
    data = np.column_stack([gt, *columns])

    def difference(rows):
        r = np.corrcoef(rows.T)
        return r[0, 1] - r[0, 2]

    subjects = gt.index.get_level_values("subject").to_numpy()
    expected = statistics.cluster_bootstrap(data, subjects, difference, 400)
    drawn = [1, -1] @ replicates(found, "correlation", [[c] for c in cells])
    got = evidence_contrast.estimate_of(drawn)
    assert (got.value, got.low, got.high) == pytest.approx(
        (expected.value, expected.low, expected.high), abs=1e-12
    )
    # taken apart, the intervals would be wider than that of the difference
    spread = statistics.cluster_bootstrap(data, subjects, lambda d: np.std(d[:, 1]), 400)
    own = evidence_contrast.estimate_of(replicates(found, "entropy_sd", [[cells[0]]])[0])
    assert (own.value, own.low, own.high) == pytest.approx(
        (spread.value, spread.low, spread.high), abs=1e-12
    )


def detectors_of(quality, seed=0):
    """Accumulators by subject; the higher `quality`, the better errors are found."""
    generator = np.random.default_rng(seed)
    found = {}
    for person in range(SUBJECTS):
        wrong = generator.random(400) < 0.1
        score = np.clip(generator.random(400) + quality * wrong, 0, 3)
        found[f"s{person}"] = metrics.ErrorDetection().update(score, wrong)
    return found


def test_precision_is_pooled_and_resampled_over_subjects():
    runs = EVERY[:2]
    detectors = {(m, f, 0, how): detectors_of(i) for i, (m, f, how) in enumerate(runs)}
    found = book(runs, detectors=detectors, resamples=200)
    drawn = replicates(found, "precision", [[Condition(*r)] for r in runs])
    generator = np.random.default_rng(0)
    wrong, score = [], []
    for _ in range(SUBJECTS):
        error = generator.random(400) < 0.1
        wrong.append(error)
        score.append(np.clip(generator.random(400) + error, 0, 3))
    expected = average_precision_score(np.concatenate(wrong), np.concatenate(score))
    assert drawn[1, 0] == pytest.approx(expected, abs=1e-6)
    assert (drawn[1, 1:] > drawn[0, 1:]).all()
    assert replicates(found, "precision", [[Condition(*runs[1])]]) == pytest.approx(drawn[1:])


def test_precision_without_detectors_is_undefined():
    found = book(EVERY[:1], resamples=10)
    assert np.isnan(replicates(found, "precision", [[Condition(*EVERY[0])]])).all()


def test_a_cell_with_seeds_is_the_mean_over_them():
    parts = [
        run_frame("unet", "majority", "single", seed=s, brier=b, structures=STRUCTURES)
        for s, b in ((0, 0.001), (1, 0.003))
    ]
    found = Results(pd.concat(parts), {}, 20)
    assert replicates(found, "brier", [[Condition("unet", "majority", "single")]])[
        0, 0
    ] == pytest.approx(0.002)


# -- trainings -------------------------------------------------------------------------------------

UNET, TRANSUNET = (Condition(model, "majority", "single") for model in ("unet", "transunet"))


def trained(briers, resamples=4000):
    """Results of networks whose images all have the same Brier score: subjects don't differ.

    `briers` are the scores of each cell, one per seed.
    """
    parts = [
        run_frame(*cell, seed=seed, brier=value, structures=STRUCTURES[:1])
        for cell, values in briers.items()
        for seed, value in enumerate(values)
    ]
    return Results(pd.concat(parts, ignore_index=True), {}, resamples)


def test_contrast_of_one_training_resamples_subjects_alone():
    found = book(EVERY[:3], entropy=noisy, dice=lambda *r: 0.9 + noisy(*r), resamples=200)
    first, second, third = ([Condition(*r)] for r in EVERY[:3])
    for quantity in ("dice", "entropy", "correlation"):
        plain = [1, -1] @ replicates(found, quantity, [first, second])
        drawn, trainings = contrast(found, quantity, [first, second], (1, -1))
        assert drawn == pytest.approx(plain)
        assert trainings == 1
    shares = [first + third]
    assert contrast(found, "joint", shares).drawn == pytest.approx(
        replicates(found, "joint", shares)[0]
    )
    with pytest.raises(SettingsError, match="factors: expected 2, one a term, got 1"):
        contrast(found, "dice", [first, second], (1,))


def test_contrast_of_several_trainings_by_hand():
    """Mean 0.2, standard error 0.1 / sqrt(3), two degrees of freedom."""
    found = trained({UNET: [0.1, 0.2, 0.3]}, resamples=20000)
    drawn, trainings = contrast(found, "brier", [[UNET]])
    assert drawn[0] == pytest.approx(0.2)
    assert trainings == 3
    own = stats.t(2, loc=0.2, scale=0.1 / np.sqrt(3))
    below = own.cdf(0)  # what would lie below is 0: no Brier score does
    assert np.mean(drawn[1:] == 0) == pytest.approx(below, abs=1e-4)
    for share in (0.1, 0.25, 0.5, 0.75, 0.9):
        assert np.mean(drawn[1:] <= own.ppf(share)) == pytest.approx(share, abs=1e-4)


def test_trainings_of_two_networks_vary_apart_and_of_one_together():
    other = UNET._replace(method="dropout")
    found = trained({UNET: [0.1, 0.2, 0.4], other: [0.3, 0.4, 0.6], TRANSUNET: [0.5, 0.7, 0.6]})
    # Each training of the same network differs by 0.2 between its two ways of sampling.
    same = contrast(found, "brier", [[other], [UNET]], (1, -1)).drawn
    assert same == pytest.approx(np.full(4001, 0.2))
    apart = contrast(found, "brier", [[TRANSUNET], [UNET]], (1, -1)).drawn - (0.6 - 0.7 / 3)
    errors = [np.std(v, ddof=1) / np.sqrt(3) for v in ([0.5, 0.7, 0.6], [0.1, 0.2, 0.4])]
    # The sum of two independent t: its middle half by convolving their densities.
    grid = np.linspace(-20, 20, 80001)
    densities = [stats.t(2, scale=e).pdf(grid) for e in errors]
    both = np.convolve(*densities, mode="same") * (grid[1] - grid[0]) ** 2
    quarter = -grid[np.searchsorted(np.cumsum(both), 0.25)]
    assert np.mean(np.abs(apart[1:]) <= quarter) == pytest.approx(0.5, abs=0.03)


def test_intervals_over_trainings_cover_as_often_as_they_say():
    generator = np.random.default_rng(11)
    covered, subjects_alone, studies = 0, 0, 120
    for _ in range(studies):
        scores = {cell: generator.normal(0.5, s, 3) for cell, s in ((UNET, 0.1), (TRANSUNET, 0.02))}
        found, terms = trained(scores, 1000), [[UNET], [TRANSUNET]]
        both = evidence_contrast.estimate_of(contrast(found, "brier", terms, (1, -1)).drawn)
        covered += both.low <= 0 <= both.high
        without = evidence_contrast.estimate_of([1, -1] @ replicates(found, "brier", terms))
        subjects_alone += without.low <= 0 <= without.high
    assert stats.binomtest(covered, studies, 0.95, alternative="less").pvalue > 0.05
    assert subjects_alone < 0.1 * studies


def test_ways_of_a_network_are_compared_on_the_seeds_that_both_have():
    other = UNET._replace(method="dropout")
    found = trained({UNET: [0.1, 0.2, 0.9], other: [0.3, 0.5]})
    drawn, trainings = contrast(found, "brier", [[other], [UNET]], (1, -1))
    assert trainings == 2
    assert drawn[0] == pytest.approx(0.25)  # 0.2 and 0.3, not 0.4 less 0.4
    scale = np.std([0.2, 0.3], ddof=1) / np.sqrt(2)
    assert np.mean(drawn[1:] <= 0.25 + scale * stats.t(1).ppf(0.9)) == pytest.approx(0.9, abs=1e-3)
    # Without a common seed they are as different networks.
    frame = found.frame
    moved = frame.assign(seed=frame["seed"] + 3 * (frame["method"] == "dropout"))
    drawn, trainings = contrast(Results(moved, {}, 4000), "brier", [[other], [UNET]], (1, -1))
    assert (drawn[0], trainings) == (pytest.approx(0.0), 2)
    assert np.ptp(drawn) > 0


def test_an_ensemble_is_taken_as_it_is_and_its_partner_is_not():
    ensemble = UNET._replace(method="ensemble")
    found = trained({UNET: [0.1, 0.2, 0.4], ensemble: [0.3]})
    drawn, trainings = contrast(found, "brier", [[ensemble]])
    assert (drawn == 0.3).all()
    assert trainings == 0
    drawn, trainings = contrast(found, "brier", [[ensemble], [UNET]], (1, -1))
    assert trainings == 3
    assert np.ptp(drawn) > 0.1
    # A share of an ensemble and TTA has the chance of TTA's trainings.
    tta = UNET._replace(method="tta")
    parts = [run_frame(*ensemble, entropy=noisy(*EVERY[0]), structures=())]
    for seed in range(3):
        entropy = noisy("unet", "majority", f"tta {seed}")
        parts.append(run_frame(*tta, seed=seed, entropy=entropy, structures=()))
    found = Results(pd.concat(parts), {}, 500)
    drawn, trainings = contrast(found, "aleatoric", [[ensemble, tta]])
    assert trainings == 3
    assert drawn == pytest.approx(contrast(found, "epistemic", [[tta, tta]]).drawn)


def test_an_ensemble_is_paired_with_every_training_of_its_partner():
    parts = [run_frame("unet", "majority", "ensemble", entropy=noisy(*EVERY[0]), structures=())]
    for seed in (0, 1):
        entropy = noisy("unet", "majority", f"tta {seed}")
        parts.append(
            run_frame("unet", "majority", "tta", seed=seed, entropy=entropy, structures=())
        )
    cells = [UNET._replace(method="ensemble"), UNET._replace(method="tta")]
    whole = replicates(Results(pd.concat(parts), {}, 50), "joint", [cells])[0]
    alone = [
        replicates(Results(pd.concat([parts[0], part]), {}, 50), "joint", [cells])[0]
        for part in parts[1:]
    ]
    assert whole == pytest.approx(np.mean(alone, axis=0))


def test_verdicts_hold_what_another_training_would_change():
    start = "TransUNet keeps"
    near = {UNET: [0.0020, 0.0021, 0.0022], TRANSUNET: [0.0010, 0.0011, 0.0012]}
    told, table = verdicts(trained(near), start)
    assert told == ["supported", "not run"]
    assert table["trainings"].tolist() == [3, 0]
    words = sentences.chance_sentence(table)
    assert "another training would change, from 3 trainings of each." in words
    assert "once" not in words
    assert "ensemble" not in words
    shown = claims_shown(table, "Table 1")
    assert shown["this run"].iloc[0].endswith("mean of 3 trainings")
    # The means differ as much, but so do trainings.
    far = {UNET: [0.0010, 0.0021, 0.0032], TRANSUNET: [0.0001, 0.0011, 0.0021]}
    assert verdicts(trained(far), start)[0][0] == "can't tell"
    once = {cell: values[:1] for cell, values in far.items()}
    told, table = verdicts(trained(once), start)
    assert told[0] == "supported"
    words = sentences.chance_sentence(table)
    assert "Each network was trained once" in words
    assert "The intervals hold" not in words
    ensembles = {cell._replace(method="ensemble"): [0.2] for cell in far}
    table = verdicts(trained(far | ensembles), "TransUNet outlines better")[1]
    told = table.set_index("where")["trainings"]
    assert told["ensemble, majority vote"] == 0
    assert "An ensemble is taken as it is" in sentences.chance_sentence(table)


def test_images_that_one_run_lacks_leave_the_comparison():
    found = book(EVERY[:2], entropy=lambda m, f, how: 1.0 if how == "single" else 0.5)
    frame = found.frame.copy()
    gone = (frame["method"] == "dropout") & (frame["image"] == "i0")
    frame.loc[gone & (frame["measure"] == "entropy"), "value"] = np.nan
    frame.loc[(frame["image"] == "i0") & (frame["method"] == "single"), "value"] = 99.0
    found = Results(frame, {}, 20)
    drawn = replicates(found, "entropy", [[Condition(*r)] for r in EVERY[:2]])
    assert drawn[:, 0] == pytest.approx([1.0, 0.5])


def test_unknown_quantities_and_cells_are_refused():
    found = book(EVERY[:1], resamples=10)
    with pytest.raises(SettingsError, match="quantity: expected one of"):
        contrast(found, "kappa", [[Condition(*EVERY[0])]])
    with pytest.raises(SettingsError, match="no such run"):
        contrast(found, "dice", [[Condition(*EVERY[1])]])
    twice = Results(pd.concat([found.frame, found.frame]), {}, 10)
    with pytest.raises(SettingsError, match="several values in one run"):
        contrast(twice, "dice", [[Condition(*EVERY[0])]])


# -- verdicts --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("low", "high", "kind", "bounds", "expected"),
    [
        (0.1, 0.3, "above", (0, 0), "supported"),
        (-0.3, -0.1, "above", (0, 0), "contradicted"),
        (-0.1, 0.3, "above", (0, 0), "can't tell"),
        (0.0, 0.3, "above", (0, 0), "can't tell"),
        (0.1, 0.3, "below", (0, 0), "contradicted"),
        (-0.3, -0.1, "below", (0, 0), "supported"),
        (-0.1, 0.3, "below", (0, 0), "can't tell"),
        (-0.01, 0.02, "near zero", (-0.05, 0.05), "supported"),
        (0.01, 0.02, "near zero", (-0.05, 0.05), "supported"),
        (0.01, 0.2, "near zero", (-0.05, 0.05), "contradicted"),
        (-0.2, -0.1, "near zero", (-0.05, 0.05), "contradicted"),
        (-0.01, 0.2, "near zero", (-0.05, 0.05), "can't tell"),
        (0.35, 0.37, "about", (0.34, 0.38), "supported"),
        (0.1, 0.3, "about", (0.34, 0.38), "contradicted"),
        (0.4, 0.5, "about", (0.34, 0.38), "contradicted"),
        (0.1, 0.9, "about", (0.34, 0.38), "can't tell"),
        (float("nan"), float("nan"), "above", (0, 0), "can't tell"),
    ],
)
def test_verdict_goes_by_interval(low, high, kind, bounds, expected):
    verdict, why = judge(statistics.Estimate(0.2, low, high), kind, bounds)
    assert verdict == expected
    assert bool(why) == (verdict == "can't tell")


def test_the_papers_own_numbers_agree_with_its_claims():
    for claim in CLAIMS:
        for place in claim.comparisons:
            if np.isnan(place.printed):
                assert claim.table == "Figure 2"
                continue
            point = statistics.Estimate(place.printed, place.printed, place.printed)
            assert judge(point, claim.kind, claim.bounds)[0] == "supported", (claim.words, place)
            assert claim.quantity in QUANTITIES
    assert len({c.words for c in CLAIMS}) == len(CLAIMS)


def test_printed_values_come_from_the_paper():
    by_words = {c.words[:24]: c for c in CLAIMS}
    brier = by_words["TransUNet keeps the rater"[:24]].comparisons[0]
    own = np.mean([1.324, 1.209, 1.936, 1.890]) - np.mean([2.071, 1.973, 3.286, 3.146])
    assert 1e3 * brier.printed == pytest.approx(own)
    aleatoric = next(c for c in CLAIMS if c.words.startswith("Aleatoric uncertainty has"))
    assert aleatoric.bounds == (-0.1028, 0.1028)
    similar = next(c for c in CLAIMS if c.kind == "near zero" and c.table == "Table 2")
    assert similar.bounds == pytest.approx((-0.0122, 0.0122))
    large = next(c for c in CLAIMS if "35 %" in c.words)
    assert large.bounds == pytest.approx((0.34506, 0.38007))


def model_brier(lower):
    return lambda model, *_: 0.002 - (0.001 * lower if model == "transunet" else 0)


def test_brier_claims():
    start = "TransUNet keeps"
    assert verdicts(book(brier=model_brier(1)), start)[0] == ["supported"] * 2
    assert verdicts(book(brier=model_brier(-1)), start)[0] == ["contradicted"] * 2
    unclear = book(
        brier=lambda m, *_: 0.002 + 0.001 * signs() if m == "unet" else np.full(24, 0.002)
    )
    told, table = verdicts(unclear, start)
    assert told == ["can't tell"] * 2
    assert (table["why"] == "the interval includes 0").all()
    told, table = verdicts(book(TODAY), start)
    assert told == ["not run"] * 2
    assert (table["why"] == "needs TransUNet").all()
    # background, with its 9.0, plays no part
    assert verdicts(book(brier=model_brier(1)), start)[1]["value"].tolist() == pytest.approx(
        [-0.001, -0.001]
    )


def test_random_below_majority_runs_today():
    start = "Training on random raters gives a lower Brier"
    for sign, expected in ((-1, "supported"), (1, "contradicted")):
        found = book(TODAY, brier=lambda m, f, h, s=sign: 0.002 + s * 1e-4 * (f == "random"))
        told, table = verdicts(found, start)
        assert told == ["not run", expected]
        assert table["value"].iloc[1] == pytest.approx(sign * 1e-4)


def follows(strength, noise=0.0005):
    """Entropies that follow GT entropy (1), oppose it (-1) or ignore it (0)."""

    def entropy(model, fusion, method):
        gt = images()[1]
        share = strength(model, fusion, method)
        seed = [ord(c) for c in model + fusion + method]
        own = np.random.default_rng(seed).standard_normal(len(gt))
        return 0.05 + share * gt + noise * own

    return entropy


def test_epistemic_over_aleatoric_both_ways():
    starts = (
        "Disagreement goes with epistemic more than",
        "Epistemic uncertainty explains more of the disagreement",
    )
    for start in starts:
        epistemic = book(entropy=follows(lambda m, f, h: float(h != "tta")))
        assert verdicts(epistemic, start)[0] == ["supported"] * 6
        aleatoric = book(entropy=follows(lambda m, f, h: float(h == "tta")))
        assert verdicts(aleatoric, start)[0] == ["contradicted"] * 6
        told, table = verdicts(book(TODAY), start)
        assert told == ["not run"] * 6
        assert table["why"].iloc[3] == "needs test-time augmentation"
        assert table["why"].iloc[5] == "needs ensemble and test-time augmentation"


def test_no_correlation_needs_more_than_an_interval_around_zero():
    start = "Aleatoric uncertainty has no correlation"
    tied = book(entropy=follows(lambda *_: 1.0))
    assert verdicts(tied, start)[0] == ["contradicted"] * 4
    loose = book(entropy=follows(lambda *_: 0.0))
    told, table = verdicts(loose, start)
    assert set(told) == {"can't tell"}  # eight subjects can't show that there is none
    assert set(table["why"]) == {"the interval is wider than the bounds", "it crosses a bound"}


def test_small_shares():
    start = "Aleatoric uncertainty adds very little"
    alone = book(entropy=follows(lambda m, f, h: float(h != "tta"), noise=1e-6))
    assert verdicts(alone, start)[0] == ["supported"] * 6

    def halves(model, fusion, method):  # each follows GT entropy where the other does not
        gt = images()[1]
        early = np.arange(len(gt)) % SLICES == 0
        return np.where(early == (method == "tta"), 10 * gt, gt.mean())

    assert set(verdicts(book(entropy=halves), start)[0]) == {"contradicted"}


def test_detection_claims():
    quality = {"single": 0.0, "tta": 0.0, "dropout": 0.5, "ensemble": 0.5}
    better = {
        (m, f, 0, h): detectors_of(quality[h] + 0.5 * (m == "transunet")) for m, f, h in EVERY
    }
    start = "TransUNet's epistemic uncertainty finds"
    assert verdicts(book(detectors=better), start)[0] == ["supported"] * 3
    worse = {(m, f, 0, h): better["unet" if m == "transunet" else "transunet", f, 0, h]
             for m, f, h in EVERY}  # fmt: skip
    assert verdicts(book(detectors=worse), start)[0] == ["contradicted"] * 3
    same = "Random sampling, test-time dropout and ensemble"
    assert verdicts(book(detectors=better), same)[0] == ["supported"] * 4
    apart = dict(better)
    for model in ("unet", "transunet"):
        apart[model, "majority", 0, "ensemble"] = detectors_of(0)
    told, table = verdicts(book(detectors=apart), same)
    assert told == ["contradicted", "contradicted", "supported", "supported"]
    assert table["where"].iloc[0] == "TransUNet, test-time dropout minus ensemble"


def test_tighter_distribution():
    start = "TransUNet's epistemic uncertainty has a tighter"
    spread = np.repeat(np.linspace(-1, 1, SUBJECTS) ** 3, SLICES)
    wide = book(entropy=lambda m, *_: 0.05 + spread * (0.001 if m == "transunet" else 0.01))
    assert verdicts(wide, start)[0] == ["supported"] * 3
    assert verdicts(wide, "TransUNet's epistemic uncertainty is lower")[0] == ["can't tell"] * 3


def test_one_rater_leaves_correlations_undefined_and_says_so():
    found = book(entropy=noisy)
    frame = found.frame.copy()
    frame.loc[frame["measure"] == "gt_entropy", "value"] = np.nan
    table = tables.claims_table(Results(frame, {}, 20))
    told = table[table["quantity"] == "correlation"]
    assert set(told["why"]) == {"undefined in this run"}
    assert "nan" not in sentences.claims_sentence(table, "one rater").lower().split()
    for of in dict.fromkeys(table["table"]):
        assert readable(claims_shown(table, of))


def test_one_subject_gives_no_interval_and_no_verdict():
    found = book(brier=model_brier(1))
    frame = found.frame[found.frame["subject"] == "s1"]
    told, table = verdicts(Results(frame, {}, 20), "TransUNet keeps")
    assert told == ["can't tell"] * 2
    assert set(table["why"]) == {"no interval: it needs several subjects"}
    beside = tables.beside_tables(Results(frame, {}, 20))
    assert (beside["place"] == "").all()
    assert "None has an interval" in printed.beside_sentence(beside, "Table 1")
    shown = beside_shown(beside, "Table 1")
    assert set(shown["published value"]) == {""}


def test_few_subjects_give_an_interval_but_no_verdict():
    found = book(brier=model_brier(1))
    for kept, expected in ((5, "can't tell"), (6, "supported")):
        frame = found.frame[found.frame["subject"].str[1:].astype(int) < kept]
        told, table = verdicts(Results(frame, {}, 200), "TransUNet keeps")
        assert told == [expected] * 2
        assert table["high"].max() < 0
        assert f"on {kept} test subjects" in sentences.chance_sentence(table)


# -- words -----------------------------------------------------------------------------------------


def readable(frame):
    """Whether every cell can be read: no NaN, and nothing that pandas would cut short."""
    whole = all(len(str(w)) <= 80 for w in frame.to_numpy().ravel())
    words = frame.reset_index().astype(str).to_numpy().ravel()
    return whole and not any("nan" in w.lower() for w in words)


@pytest.mark.parametrize("runs", [TODAY, EVERY, EVERY[:1], [("other", "staple", "single")]])
def test_pages_read_without_nan_for_any_set_of_runs(runs):
    found = book(runs, entropy=noisy, resamples=50)
    table = tables.claims_table(found)
    assert set(table["verdict"]) <= set(VERDICTS)
    assert readable(claims_summary(table).set_index("claim"))
    for of in dict.fromkeys(table["table"]):
        shown = claims_shown(table, of)
        assert list(shown) == ["paper", "this run", "without one subject", "verdict"]
        assert readable(shown)
    words = sentences.claims_sentence(table, "synthetic phantom")
    assert "synthetic phantom" in words
    assert "nan" not in words
    beside = tables.beside_tables(found)
    assert len(beside) == len(published.table("roshanzamir2023"))
    for name in TABLES:
        shown = beside_shown(beside, name)
        assert len(shown) == len(published.table("roshanzamir2023", name))
        assert readable(shown)
        sentence = printed.beside_sentence(beside, name)
        assert "nan" not in sentence


def test_sentence_names_what_is_supported_and_contradicted():
    found = book(brier=model_brier(1), dice=lambda m, *_: 0.9 - 0.1 * (m == "transunet"))
    table = tables.claims_table(found)
    words = sentences.claims_sentence(table, "synthetic phantom")
    supported, contradicted = words.split("Contradicted, at least in part:")
    assert "TransUNet keeps the raters' disagreement better" in supported
    assert "TransUNet outlines better than U-Net" in contradicted
    assert "synthetic phantom" in words
    summary = claims_summary(table).set_index("claim")
    row = summary.loc["TransUNet outlines better than U-Net: higher Dice"]
    assert (row["verdict"], row["contradicted"], row["read from"]) == ("contradicted", 3, "Table 4")
    noise = summary.iloc[-1]
    assert noise["verdict"] == "not run"
    assert sentences.headline_claims(table).startswith(f"Of the paper's {len(CLAIMS)} claims")


def test_summary_over_places():
    def summed(*told):
        frame = pd.DataFrame({"verdict": told}).assign(claim="c", table="t", said="s")
        return claims_summary(frame)["verdict"].item()

    assert summed("supported", "not run") == "supported"
    assert summed("supported", "can't tell") == "supported in part"
    assert summed("contradicted", "can't tell") == "contradicted in part"
    assert summed("supported", "contradicted", "can't tell") == "mixed"
    assert summed("can't tell", "not run") == "can't tell"
    assert summed("not run", "not run") == "not run"


def test_missing_words():
    found = book(TODAY, resamples=10)
    assert missing_words(found, [Condition("unet", "random", "dropout")]) == ""
    needs = [
        Condition("transunet", "majority", "tta"),
        Condition("transunet", "majority", "dropout"),
    ]
    assert missing_words(found, needs) == "needs TransUNet"
    assert (
        missing_words(found, [Condition("unet", "majority", "tta")])
        == "needs test-time augmentation"
    )
    more = book([*TODAY, ("transunet", "majority", "tta")], resamples=10)
    assert (
        missing_words(more, [Condition("unet", "majority", "tta")])
        == "needs test-time augmentation of U-Net"
    )
    few = book([("unet", "majority", "dropout")], resamples=10)
    needs = missing_words(few, [Condition("unet", "random", "dropout")])
    assert needs == "needs U-Net (random rater, test-time dropout)"


# -- cells -----------------------------------------------------------------------------------------


def test_every_published_row_finds_its_cells():
    for name in TABLES:
        for row in published.table("roshanzamir2023", name).itertuples():
            assert set(printed_cell(name, row.system, row.condition)) <= {
                Condition(*r) for r in EVERY
            }
    assert printed_cell("Table 1", "TransUNet", "random") == (
        Condition("transunet", "random", "single"),
    )
    assert printed_cell("Table 3", "UNet", "TTA random") == (Condition("unet", "random", "tta"),)
    assert printed_cell("Table 5", "UNet", "TTA+ensemble") == (
        Condition("unet", "majority", "ensemble"),
        Condition("unet", "majority", "tta"),
    )


def test_cells_beside_published_in_the_printed_unit():
    found = book(brier=lambda *_: 0.002 + 1e-6 * signs())
    table = tables.beside_published(found, "Table 1").set_index(["system", "condition", "target"])
    cell = table.loc["UNet", "majority", "left MF"]
    assert cell["published"] == 1.973
    assert cell["value"] == pytest.approx(2.0)
    assert cell["low"] == pytest.approx(2.0, abs=2e-3)
    assert cell["place"] == "below"
    assert table.loc["UNet", "majority", "right MF"]["place"] == "above"


def test_dice_has_its_spread_and_place():
    found = book(dice=lambda *_: 0.92 + 0.01 * signs())
    table = tables.beside_published(found, "Table 4").set_index(["system", "condition", "target"])
    cell = table.loc["UNet", "TTD majority", "left ES"]
    assert (cell["value"], cell["place"]) == (pytest.approx(92.0), "inside")
    assert cell["sd"] == pytest.approx(100 * np.std(0.01 * signs(), ddof=1))
    shown = beside_shown(table.reset_index(), "Table 4")
    row = shown.loc["UNet", "TTD majority", "left ES"]
    assert row["published, %"] == "92.06 ± 9.31"
    other = shown.loc["TransUNet", "TTD majority", "left ES"]
    assert other["published, %"] == "94.18 ± 3.77, p<0.01 vs UNet"
    assert re.fullmatch(r"92\.00 \[91\.\d\d, 92\.\d\d\] ± 1\.02", row["this run"])
    assert row["published value"] == "inside the interval"
    words = printed.beside_sentence(table.reset_index(), "Table 4")
    assert words.startswith("Of 24 published cells this run has 24.")


def test_cells_that_this_run_lacks_say_why():
    today = tables.beside_published(book(TODAY, entropy=noisy), "Table 3")
    status = today.set_index(["system", "condition"])["status"]
    assert status["TransUNet", "TTD majority"] == "not run: needs TransUNet"
    assert status["UNet", "TTA random"] == "not run: needs test-time augmentation"
    assert status["UNet", "TTD random"] == ""
    other = tables.beside_published(book(structures=("lesion", "MF RIGHT")), "Table 4")
    status = other.set_index(["system", "condition", "target"])["status"]
    assert status["UNet", "TTD majority", "left ES"] == "this cohort has no left ES"
    assert status["UNet", "TTD majority", "right MF"] == ""  # words in another order
    none = book([("other", "majority", "single")])
    words = printed.beside_sentence(tables.beside_published(none, "Table 2"), "Table 2")
    assert words.startswith("This run has none of the 6 published cells: not run: needs")


def test_table_5_is_filled_as_far_as_runs_go():
    whole = book(entropy=noisy)
    table = tables.beside_published(whole, "Table 5")
    assert (table["status"] == "").all()
    cells = Condition("unet", "majority", "dropout"), Condition("unet", "majority", "tta")
    gt = whole.wide("gt_entropy").iloc[:, 0].to_numpy()
    e, a = (whole.wide("entropy")[(c.model, c.fusion, 0, c.method)].to_numpy() for c in cells)
    expected = statistics.variance_partition(gt, e, a)
    own = table[(table["system"] == "UNet") & (table["condition"] == "TTA+TTD majority")]
    assert own["value"].tolist() == pytest.approx(
        [100 * expected.epistemic, 100 * expected.aleatoric, 100 * expected.joint]
    )
    partly = tables.beside_published(book(TODAY, entropy=noisy), "Table 5")
    own = partly[(partly["system"] == "UNet") & (partly["condition"] == "TTA+TTD majority")]
    assert own["status"].tolist() == [
        "",
        "not run: needs test-time augmentation",
        "not run: needs test-time augmentation",
    ]
    assert own["value"].iloc[0] == pytest.approx(100 * expected.epistemic)


# -- other papers, inconsistencies, runs -----------------------------------------------------------


@pytest.mark.parametrize("source", ["roshanzamir2022", "baur2021", "wesselink2022", "lemay2022"])
def test_other_papers_are_shown_whole(source):
    shown = published_printed.as_printed(source)
    assert (shown.to_numpy() != "").sum() == len(published.table(source))
    assert len(published_printed.printed_display(source).frame) == len(shown)
    assert len(shown) <= 60  # so that no reader's pandas leaves rows out
    assert readable(shown)


def test_other_papers_as_printed():
    wesselink = published_printed.as_printed("wesselink2022")
    row = wesselink.loc["Table 1", "modified U-Net", "MF left", "volume ICC(2,1)"]
    assert row["2D without augmentation"] == "0.967"
    p = wesselink.xs("data augmentation", level="target")
    assert (p["Dice"] == "<0.001").all()
    with pytest.raises(SettingsError, match="beside_published"):
        published_printed.as_printed("roshanzamir2023")


def test_inconsistencies_are_found_not_typed(monkeypatch):
    words = sentences.inconsistency_sentence()
    assert "of UNet's epistemic column, the rows 'TTA+TTD random' and 'TTA+ensemble'" in words
    assert "of TransUNet's aleatoric column, 'TTA+TTD random' repeats the 0.251 %" in words
    assert "of UNet's aleatoric column, 'TTA+TTD random' repeats the 0.517 %" in words
    assert words.startswith("Of the 12 numbers")
    assert "8 follow" in words
    shown = published_printed.inconsistency_table()
    assert list(shown["follows"]).count("no") == 4
    swapped = shown.set_index(["model", "row of Table 5", "column"])
    assert swapped.loc[("UNet", "TTA+ensemble", "epistemic"), "fits"] == "TTD random"
    fixed = published.inconsistencies().assign(consistent=True, exchanged_with="", repeats="")
    monkeypatch.setattr(published, "inconsistencies", lambda: fixed)
    assert sentences.inconsistency_sentence() == "Every number of Table 5 follows from Table 3."


def test_evidence_reads_sample_runs():
    def run(method, quality):
        condition = {"model": "unet", "fusion": "majority", "seed": 0, "method": method}
        frame = run_frame("unet", "majority", method, structures=STRUCTURES)
        arrays = {
            f"entropy/{s}/{key}": array
            for s, detector in detectors_of(quality).items()
            for key, array in detector.to_arrays().items()
        }
        return SimpleNamespace(
            parameters=condition | {"epochs": 1},
            read_frame=lambda name: frame.drop(columns=list(condition)),
            read_arrays=lambda name: arrays,
        )

    found = read_results([run("single", 0), run("dropout", 1)])
    assert found.cells() == {Condition("unet", "majority", m) for m in ("single", "dropout")}
    drawn = replicates(found, "precision", [[c] for c in sorted(found.cells())])
    assert drawn.shape == (2, 2001)
    assert drawn[0, 0] > drawn[1, 0]
    with pytest.raises(SettingsError, match="at least one run"):
        read_results([])


def test_runs_in_the_papers_words(tools):
    base = {"model": "unet", "fusion": "majority", "seed": 0, "samples": 10, "members": []}
    chosen = [
        base | {"method": "single"},
        base | {"method": "dropout", "fusion": "random"},
        base | {"method": "ensemble", "model": "transunet", "members": [1, 2, 3]},
    ]
    sampled = [tools.Sampled(**p) for p in chosen]
    words = sentences.runs_sentence(sampled, "synthetic phantom")
    assert words.startswith(
        "This run, on the synthetic phantom: U-Net and TransUNet, trained on majority vote and "
        "random rater, sampled by one pass, test-time dropout and ensemble; 10 samples of each; "
        "ensembles of 3 trainings with independent seeds; 1 training of each network."
    )
    assert "samples" not in sentences.runs_sentence(sampled[:1], "x").split(". The paper")[0]


def test_sample_runs_behind_another_run_are_opened():
    opened = {
        "runs/a": SimpleNamespace(parameters={"model": 1, "fusion": 1, "seed": 1, "method": 1}),
        "runs/b": SimpleNamespace(parameters={"model": 1, "fusion": 1, "seed": 1}),
    }
    inputs = {"runs/a": {"kind": "run"}, "m.csv": {"kind": "cohort"}, "runs/b": {"kind": "run"}}
    run = SimpleNamespace(read_json=lambda name: {"inputs.json": {"inputs": inputs}}[name])
    session = SimpleNamespace(upstream=opened.__getitem__)
    assert samples_of(session, run) == [opened["runs/a"]]


# --- the kind of an ensemble -----------------------------------------------------------------


def test_ensembles_are_named_with_their_kind_in_every_table():
    found = book(resamples=30)
    labels = found.frame["method"].replace("ensemble", "ensemble of 4 seeds")
    named = found.frame["model"] + ", " + found.frame["fusion"] + ", " + labels
    found = Results(found.frame.assign(method_label=labels, condition=named), {}, 30)
    beside = tables.beside_tables(found)
    for name in ("Table 3", "Table 4", "Table 5"):
        shown = beside_shown(beside, name).reset_index()
        ours = shown["this run"]
        ensemble = shown["training and method"].str.contains("ensemble")
        assert ensemble.any(), name
        assert ours[ensemble].str.contains("ensemble of 4 seeds").all(), name
        assert not ours[~ensemble].str.contains("seeds").any(), name
    claims = tables.claims_table(found)
    told = claims[claims["ensemble"] != ""]
    assert set(told["ensemble"]) == {"ensemble of 4 seeds"}
    measured = told.loc[told["value"].notna(), "table"].iloc[0]
    ours = claims_shown(claims, measured)["this run"]
    assert ours.str.contains("ensemble of 4 seeds").any()


# --- a single subject that decides ----------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "bounds", "low", "high", "without", "expected"),
    [
        ("above", (0, 0), 0.1, 0.5, (0.05, 0.6), "supported"),
        ("above", (0, 0), 0.1, 0.5, (-0.05, 0.6), "can't tell"),
        ("below", (0, 0), -0.5, -0.1, (-0.6, -0.05), "supported"),
        ("below", (0, 0), -0.5, -0.1, (-0.6, 0.05), "can't tell"),
        ("about", (0.1, 0.3), 0.12, 0.28, (0.11, 0.29), "supported"),
        ("about", (0.1, 0.3), 0.12, 0.28, (0.11, 0.31), "can't tell"),
        ("near zero", (-1, 1), -0.5, 0.9, (-0.6, 0.99), "supported"),
        ("near zero", (-1, 1), -0.5, 0.9, (-1.1, 0.6), "can't tell"),
        ("above", (0, 0), -0.5, -0.1, (-0.6, -0.05), "contradicted"),
        ("above", (0, 0), -0.5, -0.1, (-0.6, 0.05), "can't tell"),
    ],
)
def test_what_one_subject_decides_supports_nothing(kind, bounds, low, high, without, expected):
    found = statistics.Estimate((low + high) / 2, low, high)
    rest = [found, statistics.Estimate(sum(without) / 2, *without), found]
    verdict, why = judge(found, kind, bounds, 8, rest)
    assert verdict == expected
    assert why == ("one subject decides" if expected == "can't tell" else "")


def test_values_without_each_subject_are_those_of_the_rest():
    found = book(
        brier=lambda m, *_: 0.002 + (m == "transunet") * 1e-4 * np.arange(SUBJECTS * SLICES)
    )
    _, table = verdicts(found, "TransUNet keeps")
    each = 1e-4 * np.arange(SUBJECTS * SLICES).reshape(SUBJECTS, SLICES)
    rest = [np.delete(each, s, axis=0).mean() for s in range(SUBJECTS)]
    assert table["least"].tolist() == pytest.approx([min(rest)] * 2)
    assert table["most"].tolist() == pytest.approx([max(rest)] * 2)
    assert table["difference"].all()


def test_the_answer_counts_claims_of_each_kind():
    def table(*told):
        lines = [
            {"claim": i, "table": "t", "said": "s", "verdict": v}
            for i, given in enumerate(told)
            for v in given.split("+")
        ]
        return pd.DataFrame(lines)

    assert sentences.answer(table("supported", "contradicted", "contradicted+can't tell")) == (
        "Of 3 claims of Roshanzamir et al. (2023), 1 is supported here at least in part, 2 "
        "contradicted."
    )
    assert sentences.answer(table("supported+contradicted", "can't tell", "not run")) == (
        "Of 2 claims of Roshanzamir et al. (2023), 0 are supported here at least in part, 0 "
        "contradicted, 1 supported in one place and contradicted in another; "
        "for 1 the data can't tell."
    )
    assert sentences.answer(table("not run")).startswith("None of the claims")


def test_claims_of_other_chapters_follow_with_their_papers_names():
    class Other:
        def read_frame(self, name):
            assert name == "claims.parquet"
            own = {"paper": "lemay2022", "table": "Table 2", "said": "Abstract"}
            rows = [("A", "supported"), ("A", "can't tell"), ("B", "contradicted")]
            return pd.DataFrame([own | {"claim": c, "verdict": v} for c, v in rows])

    own = {"paper": "roshanzamir2023", "table": "Figure 2", "said": "Results", "claim": "C"}
    table = tables.claims_of_all(pd.DataFrame([own | {"verdict": "not run"}]), [Other()])
    assert table["claim"].tolist() == ["C", "A", "B"]
    assert table["verdict"].tolist() == ["not run", "supported in part", "contradicted"]
    places = ["Roshanzamir 2023, Figure 2", "Lemay 2022, Table 2", "Lemay 2022, Table 2"]
    assert table["read from"].tolist() == places
