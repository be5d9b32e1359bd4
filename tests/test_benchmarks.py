"""The harness of the benchmarks, its fastest rows at small size, and the committed table."""

import csv
import json
import math
import multiprocessing
import os
import re
import signal
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from scipy import stats
from sklearn.metrics import average_precision_score
from typer.testing import CliRunner

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # the benchmarks are no part of the installed package

from benchmarks import command, fusion, metrics, report, timing  # noqa: E402
from benchmarks.catalogue import choose, collect  # noqa: E402
from benchmarks.material import Benchmark, Material  # noqa: E402
from benchmarks.timing import Case, Limit, Measured, Row, measure, order_interval  # noqa: E402

RESULTS = ROOT / "benchmarks" / "results.csv"


def case(ours=lambda: None, rival=lambda: None, bound=1.0, **options):
    options = {"check": lambda: None, "threads": 1, "note": ""} | options
    return Case(rows=[Row("this", "that", ours, rival, bound)], **options)


def line(ratio=3.0, bound=2.0, **options):
    values = {"low": 0.9 * ratio, "high": 1.1 * ratio, "coverage": 0.96, "rounds": 7} | options
    return Measured("this", "that", ratio, bound=bound, **values)


@pytest.fixture
def ticking(monkeypatch):
    """A clock that callables move on by hand."""
    now = [0.0]
    monkeypatch.setattr(timing, "perf_counter", lambda: now[0])

    def takes(*seconds):
        turns = iter(seconds) if len(seconds) > 1 else None

        def work():
            now[0] += seconds[0] if turns is None else next(turns)

        return work

    return takes


# --- the interval ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("count", "first", "coverage"),
    # Classical table of order-statistic intervals of the median (Conover 1999, table A3).
    [(1, 1, 0), (3, 1, 0.75), (5, 1, 0.9375), (6, 1, 0.96875), (9, 2, 0.9609), (15, 4, 0.9648)],
)
def test_interval_by_hand(count, first, coverage):
    values = np.random.default_rng(count).permutation(np.arange(1, count + 1)).tolist()
    low, high, found = order_interval(values)
    assert (low, high) == (first, count + 1 - first)
    assert found == pytest.approx(coverage, abs=1e-4)


@given(st.integers(6, 60), st.sampled_from([0.5, 0.9, 0.95, 0.99]))
def test_interval_against_the_binomial_of_scipy(count, confidence):
    low, high, coverage = order_interval(range(1, count + 1), confidence)
    assert coverage == pytest.approx(1 - 2 * stats.binom.cdf(low - 1, count, 0.5))
    assert high == count + 1 - low
    if low > 1:
        assert coverage >= confidence
    if 2 * (low + 1) <= count:  # the next narrower one would not be enough
        assert 1 - 2 * stats.binom.cdf(low, count, 0.5) < confidence


def test_interval_holds_the_median_as_often_as_it_says():
    generator = np.random.default_rng(0)
    draws = generator.lognormal(size=(4000, 9))
    inside = [low <= 1 <= high for low, high, _ in map(order_interval, draws.tolist())]
    assert np.mean(inside) == pytest.approx(0.9609, abs=0.015)


# --- timing ----------------------------------------------------------------------------------


def test_rounds_are_interleaved_after_the_check():
    calls = []
    rival = lambda: calls.append("B")  # noqa: E731
    rows = [Row(n, "rival", lambda n=n: calls.append(n), rival, 1) for n in ("a", "b")]
    found = measure(Case(rows, lambda: calls.append("check"), 1, ""), repeats=3)
    assert calls == ["check", *["B", "a", "b"] * 3]
    assert [m.what for m in found] == ["a", "b"]
    assert {m.rounds for m in found} == {3}


def test_ratio_is_the_median_of_the_rounds_own_ratios(ticking):
    # Ratios 4, 2, 3: a slow spell that hits both sides of a round leaves its ratio.
    found = measure(case(ticking(1, 10, 1), ticking(4, 20, 3), bound=3), repeats=3)[0]
    assert (found.ratio, found.low, found.high) == (3, 2, 4)
    assert (found.ours, found.rival) == (1, 4)
    assert found.coverage == 0.75
    assert found.holds
    assert not found.sure


def test_quick_cases_get_more_rounds_and_slow_ones_their_own(ticking):
    assert measure(case(ticking(0.001), ticking(0.01)))[0].rounds == timing.MOST_ROUNDS
    assert measure(case(ticking(1.0), ticking(5.0), rounds=4))[0].rounds == 4
    assert measure(case(ticking(0.001), ticking(0.01)), repeats=2)[0].rounds == 2
    some = measure(case(ticking(0.1), ticking(0.2), rounds=2))[0]
    assert 2 < some.rounds < timing.MOST_ROUNDS
    assert some.rounds * 0.3 <= timing.MOST_SECONDS


def test_real_time():
    found = measure(case(lambda: time.sleep(0.01), lambda: time.sleep(0.05)), repeats=3)[0]
    assert found.ours >= 0.01
    assert found.rival >= 0.05
    assert found.ratio > 1


def test_results_that_differ_are_not_timed():
    calls = []

    def check():
        raise AssertionError("they differ\nby 3")

    found = measure(case(lambda: calls.append(1), check=check, bound=2))[0]
    assert not calls
    assert math.isnan(found.ratio)
    assert (found.holds, found.problem) == (False, "they differ by 3")


def test_results_that_differ_after_timing():
    def after():
        raise AssertionError

    found = measure(case(after=after), repeats=1)[0]
    assert (found.holds, bool(found.problem)) == (False, True)


def test_rows_of_a_case_share_their_rival():
    rows = [Row("a", "x", print, lambda: None, 1), Row("b", "x", print, lambda: None, 1)]
    with pytest.raises(ValueError, match="one rival"):
        measure(Case(rows, lambda: None, 1, ""))


def test_limits_become_lines():
    limits = [Limit("memory", "64 MiB", 16.0, 64), Limit("error", "1e-5", 2e-5, 1e-5)]
    limits.append(Limit("nothing", "1e-9", 0.0, 1e-9))
    found = measure(case(check=lambda: limits), repeats=1)[1:]
    assert [(m.ratio, m.low, m.high, m.bound) for m in found[:2]] == [
        (4,) * 3 + (1,),
        (0.5,) * 3 + (1,),
    ]
    assert [m.holds for m in found] == [True, False, True]
    assert math.isfinite(found[2].ratio)


@pytest.mark.parametrize(
    ("ratio", "low", "high", "holds", "sure"),
    [
        (3, 2.5, 4, True, True),
        (3, 1.5, 4, True, False),
        (2, 2, 2, True, True),
        (1.5, 1, 2.5, False, False),
        (1.5, 1, 1.9, False, True),
    ],
)
def test_what_holds_for_sure(ratio, low, high, holds, sure):
    found = line(ratio, low=low, high=high)
    assert (found.holds, found.sure) == (holds, sure)


def test_holds_is_decided_on_the_rounded_ratio():
    assert line(1.99996).ratio == 2
    assert line(1.99996).holds
    assert not line(1.9994).holds


# --- the table -------------------------------------------------------------------------------


def test_written_table_and_record(tmp_path):
    lines = [line(3.14159), Measured("x, y", '"z"', *[math.nan] * 3, 2, problem="they differ")]
    table, record = report.write_results(
        lines, tmp_path, provenance={"threads": 2}, left_out={"graph": "one core"}
    )
    assert table.read_text().splitlines()[0] == "what,against,ratio,low,high,bound,holds"
    first, second = report.read_results(table)
    assert first == {
        "what": "this", "against": "that", "ratio": 3.142, "low": 2.827, "high": 3.456, "bound": 2,
        "holds": True,
    }  # fmt: skip
    assert (second["what"], second["against"], second["holds"]) == ("x, y", '"z"', False)
    assert math.isnan(second["ratio"])
    found = json.loads(record.read_text())
    assert found["provenance"] == {"threads": 2}
    assert found["left_out"] == {"graph": "one core"}
    assert found["rows"][0]["coverage"] == 0.96
    assert (found["rows"][1]["ratio"], found["rows"][1]["problem"]) == (None, "they differ")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["results.csv", "results.json"]


def test_a_table_that_cannot_be_written_leaves_the_old_one(tmp_path, monkeypatch):
    report.write_results([line()], tmp_path, provenance={}, left_out={})
    before = (tmp_path / "results.csv").read_bytes()

    def broken(*_):
        raise OSError("disk full")

    monkeypatch.setattr(csv.DictWriter, "writerows", broken)
    with pytest.raises(OSError, match="disk full"):
        report.write_results([line(9)], tmp_path, provenance={}, left_out={})
    assert (tmp_path / "results.csv").read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 2


def test_committed_table():
    if not RESULTS.is_file():
        pytest.skip("benchmarks/results.csv is not there: `make bench` writes it")
    with RESULTS.open(newline="") as file:
        assert tuple(csv.DictReader(file).fieldnames) == report.COLUMNS
    rows = report.read_results(RESULTS)
    assert max(Counter((row["what"], row["against"]) for row in rows).values()) == 1
    for row in rows:
        assert row["low"] <= row["ratio"] <= row["high"] or math.isnan(row["ratio"]), row
        assert row["holds"] == (row["ratio"] >= row["bound"]), row
    record = json.loads(RESULTS.with_suffix(".json").read_text())
    assert [r["what"] for r in record["rows"]] == [row["what"] for row in rows]
    assert {"versions", "processor", "git", "threads"} <= record["provenance"].keys()
    text = RESULTS.with_suffix(".json").read_text()
    assert not re.search(r"(^|[\s\"'])(/home|/work|/root|/Users|/tmp)/", text)


# --- the command -----------------------------------------------------------------------------


def test_all_cases_have_names_of_their_own():
    names = [benchmark.name for benchmark in collect()]
    assert len(set(names)) == len(names)
    wanted = {"dropout-unet", "epoch-unet", "augmentation", "tta", "average-precision", "ece"}
    assert wanted | {"gt-entropy", "staple", "graph"} <= set(names)


def test_choosing_cases():
    assert [b.name for b in choose("STAPLE|entropy")] == ["gt-entropy", "staple"]
    assert choose(None) == collect()
    with pytest.raises(ValueError, match="finds none of dropout"):
        choose("wavelets")
    with pytest.raises(ValueError, match="not a regular expression"):
        choose("(")


@pytest.fixture
def two_cases(monkeypatch):
    """A catalogue of one case that runs and one that cannot."""
    threads = []

    def make(material):
        import torch

        return case(bound=0.0, check=lambda: threads.append(torch.get_num_threads()))

    cases = [Benchmark("here", make), Benchmark("elsewhere", make, lambda: "no such processor")]
    monkeypatch.setattr("benchmarks.catalogue.collect", lambda: cases)
    return threads


def test_command_writes_a_whole_run_only(two_cases, tmp_path, monkeypatch):
    monkeypatch.setattr(command, "FOLDER", tmp_path)
    for words in (["--quick"], ["--only", "here"]):
        found = CliRunner().invoke(command.app, ["--in-process", *words])
        assert found.exit_code == 0, found.output
        assert not list(tmp_path.iterdir())
    found = CliRunner().invoke(command.app, ["--in-process", "--repeats", "4"])
    assert "elsewhere is left out: no such processor." in found.output
    assert "1 of 1 rows hold." in found.output
    record = json.loads((tmp_path / "results.json").read_text())
    assert record["left_out"] == {"elsewhere": "no such processor"}
    assert record["rows"][0]["rounds"] == 4
    assert record["provenance"]["durations"].keys() == {"here", "total_seconds"}
    assert record["provenance"]["processes"] == "one for all"
    assert len(report.read_results(tmp_path / "results.csv")) == 1
    assert set(two_cases) == {1}


def test_command_fails_where_results_differ(monkeypatch):
    def check():
        raise AssertionError("not equal")

    cases = [Benchmark("wrong", lambda material: case(check=check))]
    monkeypatch.setattr("benchmarks.catalogue.collect", lambda: cases)
    found = CliRunner().invoke(command.app, ["--in-process", "--quick"])
    assert found.exit_code == 1
    assert "not equal" in found.output
    assert CliRunner().invoke(command.app, ["--only", "nothing"]).exit_code == 2
    assert "wrong" in CliRunner().invoke(command.app, ["--list"]).output


def whose(material):
    """A case that says which process it was in, how it starts others, and with which material."""
    manner = multiprocessing.get_start_method()
    return case(bound=0.0, note=f"{os.getpid()} {material.quick} {manner}")


def killed(material):
    os.kill(os.getpid(), signal.SIGKILL)


def measured(*makes, **options):
    benchmarks = [Benchmark(make.__name__, make) for make in makes]
    return command.run(benchmarks, Material(Path(), True), 1, Console(quiet=True), **options)


def test_each_case_has_a_process_of_its_own():
    lines, left_out, seconds = measured(whose, whose)
    processes = [line.note.split()[0] for line in lines]
    assert len({*processes, str(os.getpid())}) == 3
    own = f"True {multiprocessing.get_start_method()}"
    assert [line.note.split(maxsplit=1)[1] for line in lines] == [own, own]
    assert not left_out
    assert seconds["whose"] > 0
    assert measured(whose, isolated=False)[0][0].note == f"{os.getpid()} {own}"


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL")
def test_a_case_whose_process_is_killed_is_named():
    with pytest.raises(RuntimeError, match="killed: its process gave no result"):
        measured(killed)


def test_fast_cases_at_small_size(tmp_path):
    names = "gt-entropy|staple|^ece"
    found = CliRunner().invoke(
        command.app, ["--quick", "--repeats", "2", "--only", names, "--output", str(tmp_path)]
    )
    assert found.exit_code == 0, found.output
    noted = json.loads((tmp_path / "results.json").read_text())["provenance"]
    assert noted["processes"] == "a fresh one for each case"
    assert "peak_memory_mib" not in noted
    rows = report.read_results(tmp_path / "results.csv")
    assert [row["bound"] for row in rows] == [7, 1, 30, 40]
    for row in rows:
        assert 0 < row["low"] <= row["ratio"] <= row["high"]
        assert row["holds"] == (row["ratio"] >= row["bound"])
    assert rows[1]["holds"], "ECE is within 1e-9 of float64"


# --- what the rows are made of -----------------------------------------------------------------


def test_entropies_pile_up_near_zero():
    uncertainty, error = metrics.entropies(1_200_000)
    assert (uncertainty.dtype, error.dtype) == (np.float32, bool)
    assert np.median(uncertainty) < 0.02
    assert 0.03 < error.mean() < 0.07
    assert average_precision_score(error, uncertainty) > 5 * error.mean()
    other, _ = metrics.entropies(1_200_000)
    assert (other == uncertainty).all()


def test_plain_ece_by_hand():
    # Two bins: confidences 0.8 (right) and 0.6 (wrong), and 0.4 (right) of three classes.
    probabilities = np.array([[[0.8, 0.3, 0.4], [0.1, 0.6, 0.35], [0.1, 0.1, 0.25]]])
    found = metrics.plain_ece(probabilities, np.array([[0, 0, 0]]), bins=2)
    assert found == pytest.approx((abs(1 - 1.4) + abs(1 - 0.4)) / 3)


def test_one_hot_entropy_by_hand():
    votes = np.array([[0, 1, 2], [0, 1, 0], [0, 0, 1]])
    two_to_one = -(2 / 3 * math.log(2 / 3) + 1 / 3 * math.log(1 / 3))
    assert fusion.one_hot_entropy(votes, 3) == pytest.approx([0, two_to_one, math.log(3)])


def test_material_is_what_the_sizes_say(tmp_path):
    material = Material(tmp_path, quick=True)
    assert material.size("full", "quick") == "quick"
    assert Material(tmp_path).size("full", "quick") == "full"
    images, votes = material.images(3), material.votes(3)
    assert (images.shape, images.dtype) == ((3, 1, 64, 64), np.float32)
    assert (votes.shape, set(np.unique(votes))) == ((3, 64, 64), set(range(5)))
    assert material.slices.rated.all()


def test_augmentation_and_tta_agree_with_monai_and_would_notice(monkeypatch):
    import torch

    from benchmarks import augmentation
    from paraspine.augmentation import Augmentation

    images = np.random.default_rng(0).random((2, 1, 48, 64), dtype=np.float32)
    labels = torch.randint(0, 5, (2, 6, 8), generator=torch.Generator().manual_seed(0))
    labels = labels.repeat_interleave(8, 1).repeat_interleave(8, 2).to(torch.uint8)
    training = (torch.from_numpy(images), labels, Augmentation())
    network = augmentation.nearly_free_network()
    augmentation.compare_with_monai(*training)
    augmentation.compare_tta(images[:1], network, samples=2)
    right = augmentation.movement
    turned = lambda *words: (1.1 * right(*words)[0], right(*words)[1])  # noqa: E731
    monkeypatch.setattr(augmentation, "movement", turned)
    with pytest.raises(AssertionError, match="differs from MONAI's"):
        augmentation.compare_with_monai(*training)
    with pytest.raises(AssertionError, match="differs from MONAI's"):
        augmentation.compare_tta(images[:1], network, samples=2)


@pytest.mark.parametrize("name", ["unet", "transunet"])
def test_plain_network_has_the_librarys_layers_only(name):
    import torch
    from torch import nn

    from benchmarks import plain
    from paraspine import models
    from paraspine.dropout import Dropout
    from paraspine.models.enlarge import Twofold
    from paraspine.models.transposed import TwofoldTransposed

    network = models.build(name, 1, 3, dropout=0.2, **({"width": 4} if name == "unet" else {}))
    ours = (Dropout, Twofold, TwofoldTransposed)
    assert any(isinstance(layer, ours) for layer in network.modules())
    found = plain.with_torchs_own(network).eval()
    assert not any(isinstance(layer, ours) for layer in found.modules())
    assert any(isinstance(layer, nn.Dropout) for layer in found.modules())
    images = torch.linspace(0, 1, 32 * 32).view(1, 1, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(found(images), network.eval()(images), rtol=1e-4, atol=1e-4)


def test_plain_loop_loses_what_ours_does_and_would_notice(tmp_path):
    from benchmarks import training
    from paraspine.training import Settings

    settings = Settings(
        optimizer="adamw", schedule="constant", epochs=1, learning_rate=2e-3, weight_decay=1e-4,
        clip=1.0, device="cpu",
    )  # fmt: skip
    material = Material(tmp_path, quick=True)
    data = (material.images(4), material.votes(4))
    training.compare_losses("unet", {"width": 4}, *data, settings, material)
    with pytest.raises(AssertionError, match="loss 1"):
        training.compare_losses(
            "unet",
            {"width": 4},
            *data,
            training.copy_settings(settings, loss_options={"ce_weight": 0.9}),
            material,
        )
