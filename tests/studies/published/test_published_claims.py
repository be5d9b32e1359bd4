"""Published beside measured: made-up runs whose answers are known, both ways."""

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
from paraspine.evidence.contrast import QUANTITIES, Cell, Evidence, contrast, samples_of
from paraspine.evidence.judge import VERDICTS, claims_summary, judge
from paraspine.studies.published import printed as published_printed
from paraspine.studies.published import tables
from paraspine.studies.published import verdicts as published_verdicts
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
    """Evidence of runs; each keyword is a function of (model, fusion, method) to values."""
    parts = [
        run_frame(*run, structures=structures, **{k: f(*run) for k, f in by_quantity.items()})
        for run in runs
    ]
    return Evidence(pd.concat(parts, ignore_index=True), detectors or {}, resamples)


def verdicts(found, start):
    """Verdicts at each place on the claim whose words begin so."""
    chosen = [c for c in CLAIMS if c.words.startswith(start)]
    assert len(chosen) == 1
    table = published_verdicts.claims_table(found, chosen)
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
    first, second, third = (Cell(*r) for r in EVERY[:3])
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
    cells = [Cell(*r) for r in EVERY[:2]]
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
    drawn = replicates(found, "precision", [[Cell(*r)] for r in runs])
    generator = np.random.default_rng(0)
    wrong, score = [], []
    for _ in range(SUBJECTS):
        error = generator.random(400) < 0.1
        wrong.append(error)
        score.append(np.clip(generator.random(400) + error, 0, 3))
    expected = average_precision_score(np.concatenate(wrong), np.concatenate(score))
    assert drawn[1, 0] == pytest.approx(expected, abs=1e-6)
    assert (drawn[1, 1:] > drawn[0, 1:]).all()
    assert replicates(found, "precision", [[Cell(*runs[1])]]) == pytest.approx(drawn[1:])


def test_precision_without_detectors_is_undefined():
    found = book(EVERY[:1], resamples=10)
    assert np.isnan(replicates(found, "precision", [[Cell(*EVERY[0])]])).all()


def test_a_cell_with_seeds_is_the_mean_over_them():
    parts = [
        run_frame("unet", "majority", "single", seed=s, brier=b, structures=STRUCTURES)
        for s, b in ((0, 0.001), (1, 0.003))
    ]
    found = Evidence(pd.concat(parts), {}, 20)
    assert replicates(found, "brier", [[Cell("unet", "majority", "single")]])[0, 0] == pytest.approx(0.002)


# -- trainings -------------------------------------------------------------------------------------

UNET, TRANSUNET = (Cell(model, "majority", "single") for model in ("unet", "transunet"))


def trained(briers, resamples=4000):
    """Evidence of networks whose images all have the same Brier score: subjects don't differ.

    `briers` are the scores of each cell, one per seed.
    """
    parts = [
        run_frame(*cell, seed=seed, brier=value, structures=STRUCTURES[:1])
        for cell, values in briers.items()
        for seed, value in enumerate(values)
    ]
    return Evidence(pd.concat(parts, ignore_index=True), {}, resamples)


def test_contrast_of_one_training_resamples_subjects_alone():
    found = book(EVERY[:3], entropy=noisy, dice=lambda *r: 0.9 + noisy(*r), resamples=200)
    first, second, third = ([Cell(*r)] for r in EVERY[:3])
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
    drawn, trainings = contrast(Evidence(moved, {}, 4000), "brier", [[other], [UNET]], (1, -1))
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
    found = Evidence(pd.concat(parts), {}, 500)
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
    whole = replicates(Evidence(pd.concat(parts), {}, 50), "joint", [cells])[0]
    alone = [
        replicates(Evidence(pd.concat([parts[0], part]), {}, 50), "joint", [cells])[0]
        for part in parts[1:]
    ]
    assert whole == pytest.approx(np.mean(alone, axis=0))


def test_verdicts_hold_what_another_training_would_change():
    start = "TransUNet keeps"
    near = {UNET: [0.0020, 0.0021, 0.0022], TRANSUNET: [0.0010, 0.0011, 0.0012]}
    told, table = verdicts(trained(near), start)
    assert told == ["supported", "not run"]
    assert table["trainings"].tolist() == [3, 0]
    words = published_verdicts.claims_sentence(table, "made up")
    assert "another training would change, from 3 trainings of each." in words
    assert "once" not in words
    assert "ensemble" not in words
    shown = evidence_judge.pretty_claims(table, "Table 1", "made up")
    assert shown["this run (made up)"].iloc[0].endswith("mean of 3 trainings")
    # The means differ as much, but so do trainings.
    far = {UNET: [0.0010, 0.0021, 0.0032], TRANSUNET: [0.0001, 0.0011, 0.0021]}
    assert verdicts(trained(far), start)[0][0] == "can't tell"
    once = {cell: values[:1] for cell, values in far.items()}
    told, table = verdicts(trained(once), start)
    assert told[0] == "supported"
    words = published_verdicts.claims_sentence(table, "made up")
    assert "Each network was trained once" in words
    assert "The intervals hold" not in words
    ensembles = {cell._replace(method="ensemble"): [0.2] for cell in far}
    table = verdicts(trained(far | ensembles), "TransUNet outlines better")[1]
    told = table.set_index("where")["trainings"]
    assert told["ensemble majority"] == 0
    assert "An ensemble is taken as it is" in published_verdicts.claims_sentence(table, "made up")


def test_images_that_one_run_lacks_leave_the_comparison():
    found = book(EVERY[:2], entropy=lambda m, f, how: 1.0 if how == "single" else 0.5)
    frame = found.frame.copy()
    gone = (frame["method"] == "dropout") & (frame["image"] == "i0")
    frame.loc[gone & (frame["measure"] == "entropy"), "value"] = np.nan
    frame.loc[(frame["image"] == "i0") & (frame["method"] == "single"), "value"] = 99.0
    found = Evidence(frame, {}, 20)
    drawn = replicates(found, "entropy", [[Cell(*r)] for r in EVERY[:2]])
    assert drawn[:, 0] == pytest.approx([1.0, 0.5])


def test_unknown_quantities_and_cells_are_refused():
    found = book(EVERY[:1], resamples=10)
    with pytest.raises(SettingsError, match="quantity: expected one of"):
        contrast(found, "kappa", [[Cell(*EVERY[0])]])
    with pytest.raises(SettingsError, match="no such run"):
        contrast(found, "dice", [[Cell(*EVERY[1])]])
    twice = Evidence(pd.concat([found.frame, found.frame]), {}, 10)
    with pytest.raises(SettingsError, match="several values in one run"):
        contrast(twice, "dice", [[Cell(*EVERY[0])]])


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
        assert table["why"].iloc[3] == "needs TTA"
        assert table["why"].iloc[5] == "needs ensemble and TTA"


def test_no_correlation_needs_more_than_an_interval_around_zero():
    start = "Aleatoric uncertainty has no correlation"
    tied = book(entropy=follows(lambda *_: 1.0))
    assert verdicts(tied, start)[0] == ["contradicted"] * 4
    loose = book(entropy=follows(lambda *_: 0.0))
    told, table = verdicts(loose, start)
    assert set(told) == {"can't tell"}  # eight subjects can't show that there is none
    assert set(table["why"]) == {"the interval lies partly within the bounds"}


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
    same = "Random sampling, TTD and deep ensemble"
    assert verdicts(book(detectors=better), same)[0] == ["supported"] * 4
    apart = dict(better)
    for model in ("unet", "transunet"):
        apart[model, "majority", 0, "ensemble"] = detectors_of(0)
    told, table = verdicts(book(detectors=apart), same)
    assert told == ["contradicted", "contradicted", "supported", "supported"]
    assert table["where"].iloc[0] == "TransUNet, TTD minus ensemble"


def test_tighter_distribution():
    start = "TransUNet's epistemic uncertainty has a tighter"
    wide = book(entropy=lambda m, *_: 0.05 + signs() * (0.001 if m == "transunet" else 0.01))
    assert verdicts(wide, start)[0] == ["supported"] * 3
    assert verdicts(wide, "TransUNet's epistemic uncertainty is lower")[0] == ["can't tell"] * 3


def test_one_rater_leaves_correlations_undefined_and_says_so():
    found = book(entropy=noisy)
    frame = found.frame.copy()
    frame.loc[frame["measure"] == "gt_entropy", "value"] = np.nan
    table = published_verdicts.claims_table(Evidence(frame, {}, 20))
    told = table[table["quantity"] == "correlation"]
    assert set(told["why"]) == {"undefined in this run"}
    assert "nan" not in published_verdicts.claims_sentence(table, "one rater").lower().split()
    for of in dict.fromkeys(table["table"]):
        assert readable(evidence_judge.pretty_claims(table, of, "x"))


def test_one_subject_gives_no_interval_and_no_verdict():
    found = book(brier=model_brier(1))
    frame = found.frame[found.frame["subject"] == "s1"]
    told, table = verdicts(Evidence(frame, {}, 20), "TransUNet keeps")
    assert told == ["can't tell"] * 2
    assert set(table["why"]) == {"no interval: it needs several subjects"}
    beside = tables.beside_tables(Evidence(frame, {}, 20))
    assert (beside["place"] == "").all()
    assert "None has an interval" in printed.beside_sentence(beside, "Table 1", "x")
    shown = printed.pretty_beside(beside, "Table 1", "x")
    assert set(shown["the published value is"]) == {"no interval"}


def test_few_subjects_give_an_interval_but_no_verdict():
    found = book(brier=model_brier(1))
    for kept, expected in ((5, "can't tell"), (6, "supported")):
        frame = found.frame[found.frame["subject"].str[1:].astype(int) < kept]
        told, table = verdicts(Evidence(frame, {}, 200), "TransUNet keeps")
        assert told == [expected] * 2
        assert table["high"].max() < 0
        assert f"on {kept} test subjects" in published_verdicts.claims_sentence(table, "x")


# -- words -----------------------------------------------------------------------------------------


def readable(frame):
    """Whether every cell can be read: no NaN, and nothing that pandas would cut short."""
    whole = all(len(str(w)) <= 50 for w in frame.to_numpy().ravel())
    words = frame.reset_index().astype(str).to_numpy().ravel()
    return whole and not any("nan" in w.lower() for w in words)


@pytest.mark.parametrize("runs", [TODAY, EVERY, EVERY[:1], [("other", "staple", "single")]])
def test_pages_read_without_nan_for_any_set_of_runs(runs):
    found = book(runs, entropy=noisy, resamples=50)
    table = published_verdicts.claims_table(found)
    assert set(table["verdict"]) <= set(VERDICTS)
    assert readable(claims_summary(table).set_index("claim"))
    for of in dict.fromkeys(table["table"]):
        shown = evidence_judge.pretty_claims(table, of, "synthetic phantom")
        assert "this run (synthetic phantom)" in shown
        assert readable(shown)
    words = published_verdicts.claims_sentence(table, "synthetic phantom")
    assert "synthetic phantom" in words
    assert "nan" not in words
    beside = tables.beside_tables(found)
    assert len(beside) == len(published.table("roshanzamir2023"))
    for name in TABLES:
        shown = printed.pretty_beside(beside, name, "synthetic phantom")
        assert len(shown) == len(published.table("roshanzamir2023", name))
        assert readable(shown)
        sentence = printed.beside_sentence(beside, name, "synthetic phantom")
        assert "nan" not in sentence


def test_sentence_names_what_is_supported_and_contradicted():
    found = book(brier=model_brier(1), dice=lambda m, *_: 0.9 - 0.1 * (m == "transunet"))
    table = published_verdicts.claims_table(found)
    words = published_verdicts.claims_sentence(table, "synthetic phantom")
    supported, contradicted = words.split("Contradicted, at least in part: ")
    assert "TransUNet keeps the raters' disagreement better" in supported
    assert "TransUNet outlines better than UNet" in contradicted
    assert "synthetic phantom" in words
    summary = claims_summary(table).set_index("claim")
    row = summary.loc["TransUNet outlines better than UNet: higher Dice"]
    assert (row["verdict"], row["contradicted"], row["read from"]) == ("contradicted", 3, "Table 4")
    noise = summary.iloc[-1]
    assert noise["verdict"] == "not run"
    assert published_verdicts.headline_claims(table).startswith(
        f"Of the paper's {len(CLAIMS)} claims"
    )


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
    assert missing_words(found, [Cell("unet", "random", "dropout")]) == ""
    needs = [Cell("transunet", "majority", "tta"), Cell("transunet", "majority", "dropout")]
    assert missing_words(found, needs) == "needs TransUNet"
    assert missing_words(found, [Cell("unet", "majority", "tta")]) == "needs TTA"
    more = book([*TODAY, ("transunet", "majority", "tta")], resamples=10)
    assert missing_words(more, [Cell("unet", "majority", "tta")]) == "needs TTA of UNet"
    few = book([("unet", "majority", "dropout")], resamples=10)
    assert missing_words(few, [Cell("unet", "random", "dropout")]) == "needs UNet (random, TTD)"


# -- cells -----------------------------------------------------------------------------------------


def test_every_published_row_finds_its_cells():
    for name in TABLES:
        for row in published.table("roshanzamir2023", name).itertuples():
            assert set(printed_cell(name, row.system, row.condition)) <= {Cell(*r) for r in EVERY}
    assert printed_cell("Table 1", "TransUNet", "random") == (
        Cell("transunet", "random", "single"),
    )
    assert printed_cell("Table 3", "UNet", "TTA random") == (Cell("unet", "random", "tta"),)
    assert printed_cell("Table 5", "UNet", "TTA+ensemble") == (
        Cell("unet", "majority", "ensemble"),
        Cell("unet", "majority", "tta"),
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
    shown = printed.pretty_beside(table.reset_index(), "Table 4", "synthetic phantom")
    row = shown.loc["UNet", "TTD majority", "left ES"]
    assert row["Dice, %, published"] == "92.06 ± 9.31"
    other = shown.loc["TransUNet", "TTD majority", "left ES"]
    assert other["Dice, %, published"] == "94.18 ± 3.77, p<0.01 vs UNet"
    assert row["this run (synthetic phantom)"].startswith("92.00 ± 1.02 (")
    assert row["the published value is"] == "inside this run's interval"
    words = printed.beside_sentence(table.reset_index(), "Table 4", "synthetic phantom")
    assert words.startswith("Of 24 published cells this run has 24.")
    assert "cohorts differ (here: synthetic phantom)" in words


def test_cells_that_this_run_lacks_say_why():
    today = tables.beside_published(book(TODAY, entropy=noisy), "Table 3")
    status = today.set_index(["system", "condition"])["status"]
    assert status["TransUNet", "TTD majority"] == "not run: needs TransUNet"
    assert status["UNet", "TTA random"] == "not run: needs TTA"
    assert status["UNet", "TTD random"] == ""
    other = tables.beside_published(book(structures=("lesion", "MF RIGHT")), "Table 4")
    status = other.set_index(["system", "condition", "target"])["status"]
    assert status["UNet", "TTD majority", "left ES"] == "this cohort has no left ES"
    assert status["UNet", "TTD majority", "right MF"] == ""  # words in another order
    none = book([("other", "majority", "single")])
    words = printed.beside_sentence(tables.beside_published(none, "Table 2"), "Table 2", "x")
    assert words.startswith("This run has none of the 6 published cells: not run: needs")


def test_table_5_is_filled_as_far_as_runs_go():
    whole = book(entropy=noisy)
    table = tables.beside_published(whole, "Table 5")
    assert (table["status"] == "").all()
    cells = Cell("unet", "majority", "dropout"), Cell("unet", "majority", "tta")
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
        "not run: needs TTA",
        "not run: needs TTA",
    ]
    assert own["value"].iloc[0] == pytest.approx(100 * expected.epistemic)


# -- other papers, inconsistencies, runs -----------------------------------------------------------


@pytest.mark.parametrize("source", ["roshanzamir2022", "baur2021", "wesselink2022", "lemay2022"])
def test_other_papers_are_shown_whole(source):
    shown = published_printed.as_published(source)
    cells = shown.drop(columns="this run").to_numpy()
    assert (cells != "").sum() == len(published.table(source))
    elsewhere = "in the multi-task chapter, where there is one"
    not_yet = "this book does not run it yet"
    assert set(shown["this run"]) == {elsewhere if source == "roshanzamir2022" else not_yet}
    assert len(shown) <= 60  # so that no reader's pandas leaves rows out
    assert readable(shown)


def test_other_papers_as_printed():
    wesselink = published_printed.as_published("wesselink2022")
    row = wesselink.loc["Table 1", "modified U-Net", "MF left", "volume ICC(2,1)"]
    assert row["2D without augmentation"] == "0.967"
    p = wesselink.xs("data augmentation", level="target")
    assert (p["Dice"] == "<0.001").all()
    with pytest.raises(SettingsError, match="beside_published"):
        published_printed.as_published("roshanzamir2023")


def test_inconsistencies_are_found_not_typed(monkeypatch):
    words = published_printed.inconsistency_sentence()
    assert "of UNet's epistemic column, the rows 'TTA+TTD random' and 'TTA+ensemble'" in words
    assert "of TransUNet's aleatoric column, 'TTA+TTD random' repeats the 0.251 %" in words
    assert "of UNet's aleatoric column, 'TTA+TTD random' repeats the 0.517 %" in words
    assert words.startswith("Of the 12 numbers")
    assert "8 follow" in words
    shown = published_printed.inconsistency_table()
    assert list(shown["follows"]).count("no") == 4
    swapped = shown.loc["UNet", "TTA+ensemble", "epistemic"]
    assert swapped["the printed number is that of"] == "TTD random"
    fixed = published.inconsistencies().assign(consistent=True, exchanged_with="", repeats="")
    monkeypatch.setattr(published, "inconsistencies", lambda: fixed)
    assert (
        published_printed.inconsistency_sentence()
        == "Every number of Table 5 follows from Table 3."
    )


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

    found = evidence_contrast.evidence([run("single", 0), run("dropout", 1)], resamples=20)
    assert found.cells() == {Cell("unet", "majority", m) for m in ("single", "dropout")}
    drawn = replicates(found, "precision", [[c] for c in sorted(found.cells())])
    assert drawn.shape == (2, 21)
    assert drawn[0, 0] > drawn[1, 0]
    with pytest.raises(SettingsError, match="at least one run"):
        evidence_contrast.evidence([])


def test_runs_in_the_papers_words(tools):
    base = {"model": "unet", "fusion": "majority", "seed": 0, "samples": 10, "members": []}
    chosen = [
        base | {"method": "single"},
        base | {"method": "dropout", "fusion": "random"},
        base | {"method": "ensemble", "model": "transunet", "members": [1, 2, 3]},
    ]
    sampled = [tools.Sampled(**p) for p in chosen]
    words = published_printed.runs_sentence(sampled, "synthetic phantom")
    assert words.startswith(
        "This run, on the synthetic phantom: UNet and TransUNet, trained on majority and random, "
        "sampled by one pass, TTD and ensemble; 10 samples of TTD and TTA; ensembles of 3 "
        "trainings with independent seeds; 1 training of each network."
    )
    assert (
        "samples" not in published_printed.runs_sentence(sampled[:1], "x").split(". The paper")[0]
    )


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
    named = found.frame["model"] + ", " + found.frame["fusion"] + ", " + found.frame["method"]
    who = named.str.replace(", ensemble", ", ensemble of 4 seeds")
    found = Evidence(found.frame.assign(condition=who), {}, 30)
    beside = tables.beside_tables(found)
    for name in ("Table 3", "Table 4", "Table 5"):
        shown = printed.pretty_beside(beside, name, "made by hand").reset_index()
        ours = shown["this run (made by hand)"]
        ensemble = shown["condition"].str.contains("ensemble")
        assert ensemble.any(), name
        assert ours[ensemble].str.contains("ensemble of 4 seeds").all(), name
        assert not ours[~ensemble].str.contains("seeds").any(), name
    claims = published_verdicts.claims_table(found)
    told = claims[claims["ensemble"] != ""]
    assert set(told["ensemble"]) == {"ensemble of 4 seeds"}
    measured = told.loc[told["value"].notna(), "table"].iloc[0]
    ours = evidence_judge.pretty_claims(claims, measured, "made by hand")["this run (made by hand)"]
    assert ours.str.contains("ensemble of 4 seeds").any()
