"""Error detection: worked answers, scikit-learn, ties, bounded memory, properties."""

import tracemalloc
from itertools import permutations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score

from paraspine import metrics
from paraspine.arrays import LabelError, SettingsError, ShapeError
from paraspine.metrics import bins, errors, thresholds


def entropies(seed, n=300_000, dtype=np.float32):
    """Scores piled up near zero over many decades, errors likelier where they are large."""
    rng = np.random.default_rng(seed)
    scores = np.minimum(rng.gamma(0.15, 0.15, n), 1.6)
    scores[rng.random(n) < 0.1] = 0
    error = rng.random(n) < 0.005 + 0.3 * scores
    return scores.astype(dtype), error


@pytest.fixture
def always_counting(monkeypatch):
    """Count in bins from the first voxel on."""
    monkeypatch.setattr(errors, "_KEPT", -1)


def counted(scores, error, bins=2048):
    return metrics.ErrorDetection(bins).update(scores, error)


def test_hand_worked():
    scores = np.array([0.9, 0.8, 0.7, 0.7, 0.1])
    error = np.array([True, False, True, False, True])
    # Thresholds 0.9 (1 of 1), 0.8 (1 of 2), 0.7 (2 of 4, a tie), 0.1 (3 of 5).
    expected = 1 / 3 * 1 + 0 + 1 / 3 * 2 / 4 + 1 / 3 * 3 / 5
    assert metrics.average_precision(scores, error) == pytest.approx(expected)
    found = counted(scores, error)
    assert found.average_precision() == pytest.approx(expected)
    assert found.prevalence() == pytest.approx(3 / 5)
    # Pairs of error and correct: 0.9 beats both, 0.7 ties with one, 0.1 loses both.
    assert found.auroc() == pytest.approx((2 + 0.5 + 0) / 6)
    recall, precision = found.precision_recall()
    np.testing.assert_allclose(recall, [1 / 3, 1 / 3, 2 / 3, 1])
    np.testing.assert_allclose(precision, [1, 1 / 2, 2 / 4, 3 / 5])
    kept, accuracy = found.accuracy_retention()
    np.testing.assert_allclose(kept, [1 / 5, 3 / 5, 4 / 5, 1])
    np.testing.assert_allclose(accuracy, [0, 1 / 3, 2 / 4, 2 / 5])


def test_undefined():
    none, every = counted([0.1, 0.2], [False, False]), counted([0.1, 0.2], [True, True])
    assert np.isnan(none.average_precision())
    assert np.isnan(metrics.average_precision([0.1, 0.2], [False, False]))
    assert none.prevalence() == 0
    assert np.isnan(none.auroc())
    assert none.precision_recall()[0].size == 0
    np.testing.assert_array_equal(none.accuracy_retention()[1], 1)
    assert every.average_precision() == every.prevalence() == 1
    assert np.isnan(every.auroc())
    empty = metrics.ErrorDetection()
    for value in (empty.average_precision(), empty.prevalence(), empty.auroc()):
        assert np.isnan(value)
    assert empty.accuracy_retention()[0].size == 0
    assert np.isnan(metrics.average_precision([], np.zeros(0, bool)))


@pytest.mark.parametrize("seed", range(3))
def test_scikit_learn(seed, monkeypatch):
    scores, error = entropies(seed)
    precision, auroc = average_precision_score(error, scores), roc_auc_score(error, scores)
    exact = counted(scores, error)
    assert exact.average_precision() == pytest.approx(precision, abs=1e-12)
    assert exact.auroc() == pytest.approx(auroc, abs=1e-12)
    assert metrics.average_precision(scores, error) == exact.average_precision()
    monkeypatch.setattr(errors, "_KEPT", 1000)
    found = counted(scores, error)
    assert abs(found.average_precision() - precision) < 1e-5
    assert abs(found.auroc() - auroc) < 1e-5
    assert found.prevalence() == exact.prevalence() == error.mean()


def test_many_voxels_are_counted_not_sorted():
    scores, error = entropies(6, 2_000_000)
    exact = average_precision_score(error, scores)
    found = counted(scores, error)
    assert len(found.thresholds().errors) < 300_000
    assert abs(found.average_precision() - exact) < 1e-6
    assert abs(counted(scores, error, 512).average_precision() - exact) < 1e-5


@pytest.mark.parametrize("kind", ["float16", "bfloat16", "votes", "all the same"])
def test_ties_are_one_threshold(kind, always_counting):
    scores, error = entropies(5, 200_000)
    if kind == "float16":
        scores = scores.astype(np.float16)
    elif kind == "bfloat16":
        scores = (scores.view(np.uint32) & 0xFFFF0000).view(np.float32)
    elif kind == "votes":
        scores = np.digitize(scores, [0.01, 0.1, 0.3, 0.7]) * np.float32(0.1732)
    else:
        scores = np.full_like(scores, 0.3)
    found = counted(scores, error)
    theirs = average_precision_score(error, scores.astype(np.float32))
    assert found.average_precision() == pytest.approx(theirs, abs=1e-12)
    assert found.auroc() == pytest.approx(roc_auc_score(error, scores), abs=1e-12)


def test_curves_pass_through_scikit_learns_points(always_counting):
    scores, error = entropies(7, 2_000)
    recall, precision = counted(scores, error).precision_recall()
    p, r, _ = precision_recall_curve(error, scores)
    # A bin may join thresholds, but every point of ours is one of theirs.
    ours, theirs = np.stack([recall, precision], 1), np.stack([r, p], 1)
    nearest = np.abs(ours[:, None] - theirs[None]).max(axis=2).min(axis=1)
    assert nearest.max() < 1e-12
    assert recall[-1] == 1
    assert precision[-1] == pytest.approx(error.mean())


def test_accuracy_over_share_kept_matches_sorting(always_counting):
    scores, error = entropies(8, 20_000)
    scores += np.float32(0.01)  # without the great tie at zero
    kept, accuracy = counted(scores, error).accuracy_retention()
    order = np.argsort(scores, kind="stable")
    places = np.rint(kept * len(scores)).astype(int)
    np.testing.assert_allclose(accuracy, 1 - np.cumsum(error[order])[places - 1] / places)
    assert kept[-1] == 1
    assert accuracy[-1] == pytest.approx(1 - error.mean())


def test_thinned_curves_keep_their_ends():
    found = counted(*entropies(9, 50_000))
    for name in ("precision_recall", "accuracy_retention"):
        x, y = getattr(found, name)()
        few_x, few_y = getattr(found, name)(points=100)
        assert 50 < len(few_x) <= 102
        assert set(zip(few_x, few_y, strict=True)) <= set(zip(x, y, strict=True))
        assert (few_x[0], few_x[-1], few_y[-1]) == (x[0], x[-1], y[-1])
        assert len(getattr(found, name)(points=10**6)[0]) == len(x)
        with pytest.raises(SettingsError, match="points: expected at least 2"):
            getattr(found, name)(points=1)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_signs_infinities_and_unseen_voxels(dtype, monkeypatch):
    rng = np.random.default_rng(10)
    scores = rng.normal(size=4000).astype(dtype)
    error = rng.random(4000) < 1 / (1 + np.exp(-scores.astype(float)))
    scores[:5], scores[5:9], scores[9:12], scores[12:20] = np.inf, -np.inf, -0.0, 0.0
    finite = np.clip(scores.astype(np.float32), -9e9, 9e9)
    expected, auroc = average_precision_score(error, finite), roc_auc_score(error, finite)
    prevalence = error.mean()
    scores = np.append(scores, [np.nan] * 7).astype(dtype)
    error = np.append(error, [True, False] * 3 + [True])
    for kept, tolerance in ((1 << 20, 1e-12), (-1, 1e-5)):
        monkeypatch.setattr(errors, "_KEPT", kept)
        found = counted(scores, error, 16384)
        assert found.left_out == 7
        assert found.prevalence() == pytest.approx(prevalence)
        assert found.average_precision() == pytest.approx(expected, abs=tolerance)
        assert found.auroc() == pytest.approx(auroc, abs=tolerance)


def test_bins_of_kept_voxels_are_those_of_counted_ones(monkeypatch):
    scores, error = entropies(14, 5_000)
    scores[::3] *= -1
    kept = counted(scores, error, 64).binned()
    monkeypatch.setattr(errors, "_KEPT", -1)
    for name, values in vars(counted(scores, error, 64).binned()).items():
        np.testing.assert_array_equal(getattr(kept, name), values, err_msg=name)
    assert (np.diff(kept.place) < 0).all()


def test_only_chosen_voxels_count():
    scores, error = entropies(11, 4_000)
    where = np.random.default_rng(0).random(4000) < 0.3
    shape = (40, 100)
    found = metrics.ErrorDetection().update(
        scores.reshape(shape), error.reshape(shape), where=where.reshape(shape)
    )
    assert_same(found, counted(scores[where], error[where]))


def assert_same(a, b):
    one, other = a.to_arrays(), b.to_arrays()
    assert one.keys() == other.keys()
    for name, values in one.items():
        np.testing.assert_array_equal(values, other[name], err_msg=name)


@pytest.mark.parametrize("kept", [1 << 20, 20_000, -1])
def test_written_and_read(tmp_path, monkeypatch, kept):
    monkeypatch.setattr(errors, "_KEPT", kept)
    scores, error = entropies(12, 30_001)
    scores[::3] *= -1
    scores[5] = np.nan
    found = counted(scores, error, 256)
    np.savez(tmp_path / "counts.npz", **found.to_arrays())
    with np.load(tmp_path / "counts.npz") as arrays:
        again = metrics.ErrorDetection.from_arrays(arrays)
    assert_same(found, again)
    assert again.average_precision() == found.average_precision()
    assert (again.bins, again.left_out) == (256, 1)
    assert counted(scores, error, 256).merge(found).left_out == 2
    assert_same(again.update(scores, error), counted(np.tile(scores, 2), np.tile(error, 2), 256))
    nothing = metrics.ErrorDetection.from_arrays(metrics.ErrorDetection().to_arrays())
    assert np.isnan(nothing.average_precision())


def test_memory_does_not_grow_with_voxels():
    scores, error = entropies(13, 1_000_000)
    found = metrics.ErrorDetection()
    tracemalloc.start()
    for _ in range(5):
        found.update(scores, error)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 24 * 2**20
    assert found.thresholds().errors.sum() == 5 * error.sum()


@pytest.mark.parametrize("kept", [1 << 20, 30, -1])
@settings(max_examples=25, deadline=None)
@given(
    scores=hnp.arrays(np.float32, st.integers(4, 60), elements=st.floats(0, 2, width=16)),
    seed=st.integers(0, 2**32),
    order=st.permutations(range(4)),
)
def test_order_merging_and_bounds(kept, scores, seed, order):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(errors, "_KEPT", kept)
        rng = np.random.default_rng(seed)
        error = rng.random(len(scores)) < 0.4
        whole = counted(scores, error, 64)
        pieces = np.array_split(rng.permutation(len(scores)), 4)
        parts = [counted(scores[i], error[i], 64) for i in pieces]
        merged = metrics.ErrorDetection(64)
        for i in order:
            merged.merge(parts[i])
        assert_same(merged, whole)
        assume(error.any() and not error.all())
        assert 0 < whole.average_precision() <= 1
        assert 0 <= whole.auroc() <= 1
        # Half-precision scores: with 2,048 bins every bin is one score, nothing is approximated.
        fine = counted(scores, error)
        assert fine.average_precision() == pytest.approx(average_precision_score(error, scores))
        assert fine.auroc() == pytest.approx(roc_auc_score(error, scores))
        # Doubling all scores keeps their order.
        doubled = counted(2 * scores, error).average_precision()
        assert doubled == pytest.approx(fine.average_precision())


def test_random_order_inside_a_bin_is_the_expected_value(always_counting):
    # Two errors and two correct voxels, four scores in one bin: the mean over all orders.
    scores = np.float32(1) + np.float32(2**-8) * np.arange(4, dtype=np.float32)
    orders = set(permutations([True, True, False, False]))
    expected = np.mean([average_precision_score(o, scores) for o in orders])
    found = counted(scores, [True, True, False, False], 64)
    assert len(found.thresholds().errors) == 1
    assert found.thresholds().parts[0] == 4
    assert found.average_precision() == pytest.approx(expected)


def test_results_follow_new_voxels():
    found = counted([0.1, 0.2], [False, True])
    assert found.average_precision() == 1
    assert found.update([0.3], [False]).average_precision() == pytest.approx(0.5)
    found.merge(counted([0.4], [True]))
    assert found.average_precision() == pytest.approx((1 + 2 / 3) / 2)


def test_messages():
    with pytest.raises(SettingsError, match="bins: expected a power of two from 16 to 16384"):
        metrics.ErrorDetection(1000)
    with pytest.raises(SettingsError, match="expected 2048 in both to merge them, got 64"):
        metrics.ErrorDetection().merge(metrics.ErrorDetection(64))
    with pytest.raises(ShapeError, match="uncertainty and error: expected the same shape"):
        metrics.average_precision([0.1, 0.2], [True])
    with pytest.raises(LabelError, match="true or false"):
        metrics.average_precision([0.1, 0.2], [0, 2])
    with pytest.raises(ShapeError, match="where and error"):
        metrics.ErrorDetection().update([0.1], [True], where=[True, True])
    assert metrics.average_precision([0.1, 0.2], [0, 1]) == 1


# --- more voxels than are kept ---------------------------------------------------------------


@pytest.mark.parametrize("case", ["crowded", "zeros and denormals", "spread"])
def test_average_precision_of_counted_voxels_lies_within_its_bounds(case, monkeypatch):
    """Against scikit-learn, where scores crowd in a bin, and where zeros lie beside denormals."""
    monkeypatch.setattr(errors, "_KEPT", -1)
    rng = np.random.default_rng(5)
    scores = {
        "crowded": lambda: np.linspace(1, 1.0001, 4000),
        "zeros and denormals": lambda: np.where(rng.random(4000) < 0.95, 0, rng.random(4000) ** 90),
        "spread": lambda: rng.random(4000) ** 4,
    }[case]().astype(np.float32)
    wrong = rng.random(4000) < 0.02 + 0.5 * (scores > np.quantile(scores, 0.8))
    exact = average_precision_score(wrong, scores)
    found = metrics.ErrorDetection().update(scores, wrong)
    low, high = found.bounds()
    assert low - 1e-12 <= exact <= high + 1e-12
    assert low - 1e-12 <= found.average_precision() <= high + 1e-12
    if case != "crowded":
        assert found.average_precision() == pytest.approx(exact, abs=1e-3)
        assert high - low < 0.05
    assert metrics.ErrorDetection().update(scores, wrong).bounds() == (low, high)


@given(
    st.lists(
        st.tuples(
            st.floats(-3, 3, width=32, allow_subnormal=False)
            | st.floats(1, 1.0009765625, width=32),
            st.booleans(),
        ),
        min_size=2,
        max_size=60,
    )
)
def test_any_scores_lie_within_the_bounds(voxels):
    scores, wrong = (np.array(column) for column in zip(*voxels, strict=True))
    scores = scores.astype(np.float32)
    counted = metrics.ErrorDetection(16)
    counted._start_counting()
    low, high = counted.update(scores, wrong).bounds()
    if not wrong.any():
        assert np.isnan([low, high]).all()
        return
    assert low - 1e-9 <= average_precision_score(wrong, scores) <= high + 1e-9


def test_bounds_by_hand():
    """One joint threshold of two errors and two correct voxels below one error and one correct."""
    found = thresholds.Thresholds(np.array([1, 2]), np.array([1, 2]), np.array([1, 2]))
    low, high = found.bounds(np.array([True, False]))
    assert low == pytest.approx((1 / 2 + 2 / 5 + 3 / 6) / 3)
    assert high == pytest.approx((1 / 2 + 2 * 3 / 4) / 3)


def test_zeros_are_one_threshold_beside_denormals(monkeypatch):
    monkeypatch.setattr(errors, "_KEPT", -1)
    scores = np.array([0, 0, 0, 1e-45, 1e-40, 0.5], np.float32)
    wrong = np.array([True, False, False, False, True, True])
    found = metrics.ErrorDetection().update(scores, wrong)
    assert found.binned().place[-1] == 0
    assert found.binned().parts[-1] == 1
    assert found.binned().correct[-1] == 2
    np.testing.assert_array_equal(found.binned().place, bins.bins_of(scores, wrong, 2048).place)
