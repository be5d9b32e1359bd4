"""Killed at any moment and run again, a training ends with the same bytes."""

import dataclasses
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from paraspine import runs, training
from paraspine.arrays import RunError

SCRIPT = Path(__file__).with_name("tiny.py")
#: Threads that wait for each other cost tiny networks most of their time.
ALONE = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def train(folder, precision, *kills):
    """Train in processes of their own; return what became of those that were to be killed."""
    environment = os.environ | ALONE
    words = [sys.executable, SCRIPT, folder, precision, *kills]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize(
    ("precision", "kills"),
    [
        # Of the 12 iterations, 2, 3, 4, 6, 8, 9 and 10 are followed by a checkpoint.
        (
            "float32",
            [
                "step:1",  # before there is any
                "half:1",  # half of the first one written
                "before rename:2",  # the second one written, the first one in its place
                "step:4",  # in iteration 6, to go on from 4
                "after rename:2",  # of the checkpoint of iteration 8
                "half:1",
                "step:3",
                "after rename:2",  # weights, history: no times yet
                "before rename:4",  # all but the summary
                "after rename:4",  # everything, and still the checkpoint
            ],
        ),
        # By another process, at any time after the first checkpoint.
        ("bf16", ["outside", "outside"]),
    ],
)
def test_killed_again_and_again_it_ends_with_the_same_bytes(
    tmp_path, tiny, new_run, precision, kills
):
    run = new_run("whole")
    training.fit(tiny.network(), tiny.data(), tiny.settings(precision=precision), run)
    place = tmp_path / "killed"
    for kill, line in zip(kills, train(place, precision, *kills), strict=True):
        # From outside it may have come to its end by then.
        assert line in (f"{kill} {-signal.SIGKILL}", "outside 0")
    assert tiny.results(place) == tiny.results(run.folder)
    assert not (place / "checkpoint.pt").exists()
    assert not list(place.glob(".tmp-*"))


@pytest.mark.parametrize(
    ("optimizer", "loss"), [("sgd", "dice_ce"), ("adamw", "dice_ce"), ("adamw", "multitask")]
)
def test_interrupted_again_and_again(tmp_path, tiny, new_run, optimizer, loss):
    """The best epoch is the second, and patience ends the training after the fourth of six."""
    settings = tiny.settings(
        optimizer=optimizer, loss=loss, checkpoint_every=1, epochs=6, patience=2, precision="auto"
    )
    both = loss == "multitask"

    def parts():
        kind = tiny.TwoTasks if both else tiny.Network
        return tiny.network(kind=kind), tiny.data(variance=both, good=2)

    whole = training.fit(*parts(), settings, new_run("whole"))
    assert (whole.best_epoch, whole.stopped, len(whole.frame)) == (2, "patience", 4)
    assert ("validation_variance_mse" in whole.frame) == both
    run = runs.start(tmp_path / "stopped", {})
    kind = {"sgd": torch.optim.SGD, "adamw": torch.optim.AdamW}[optimizer]
    for process in range(6):  # 12 iterations, 2 in each
        with tiny.interrupted(kind, after=2) as killed:
            history = training.fit(*parts(), settings, run)
        assert bool(killed) == (process < 5)
    assert tiny.results(run.folder) == tiny.results(tmp_path / "whole")
    assert history.frame.drop(columns="seconds").equals(whole.frame.drop(columns="seconds"))
    assert not history.notes


def stopped(tiny, run, **options):
    """Leave a training that was interrupted after its first checkpoint."""
    with tiny.interrupted(torch.optim.AdamW, after=4) as killed:
        training.fit(tiny.network(), tiny.data(), tiny.settings(**options), run)
    assert killed


def test_checkpoint_of_another_training_is_refused(tiny, new_run):
    run = new_run()
    stopped(tiny, run)
    network, data, settings = tiny.network(), tiny.data(), tiny.settings()
    other, change = tiny.data(seed=1), dataclasses.replace
    cases = {
        "learning_rate was 0.02, is 0.1": {"settings": change(settings, learning_rate=0.1)},
        "augmentation was .*, is None": {"settings": change(settings, augmentation=None)},
        "precision was 'float32', is 'bf16'": {"settings": change(settings, precision="bf16")},
        "initial weights was": {"model": tiny.network(1)},
        "network was": {"model": tiny.network(dropout=0.1)},
        "mirror classes was": {"data": change(data, mirror=(0, 1, 2))},
        "spacing was": {"data": change(data, spacing=(2.0, 1.0))},
        "training: classes was 3, is 4": {"data": change(data, num_classes=4, mirror=(0, 2, 1, 3))},
    } | {
        f"training: {part.replace('_', ' ')} was [^;]*$": {"data": change(data, **{part: value})}
        for part, value in vars(other).items()
        if part.endswith(("_images", "_targets"))
    }
    before = run.path("checkpoint.pt").read_bytes()
    same = {"model": network, "data": data, "settings": settings, "run": run}
    for message, changed in cases.items():
        with pytest.raises(RunError, match=message):
            training.fit(**same | changed)
    assert run.path("checkpoint.pt").read_bytes() == before
    # what does not touch the result may change
    training.fit(tiny.network(), tiny.data(), tiny.settings(checkpoint_every=0), run)


def test_resume_takes_the_thread_count_it_began_with(tiny, new_run, monkeypatch, tmp_path):
    before = torch.get_num_threads()
    training.fit(tiny.network(), tiny.data(), tiny.settings(threads=2), new_run("whole"))
    run = new_run("stopped")
    stopped(tiny, run, threads=2)
    counts = []
    forward = torch.nn.Conv2d.forward

    def counted(self, values):
        counts.append(torch.get_num_threads())
        return forward(self, values)

    monkeypatch.setattr(torch.nn.Conv2d, "forward", counted)
    training.fit(tiny.network(), tiny.data(), tiny.settings(threads=None), run)
    assert set(counts) == {2}
    assert torch.get_num_threads() == before
    assert tiny.results(run.folder) == tiny.results(tmp_path / "whole")


def test_another_thread_count_is_said(tiny, new_run):
    run = new_run()
    stopped(tiny, run, threads=1)
    with pytest.warns(UserWarning, match="resumed with threads 2, begun with 1"):
        history = training.fit(tiny.network(), tiny.data(), tiny.settings(threads=2), run)
    assert "threads 2" in history.notes[0]
    again = training.fit(tiny.network(), tiny.data(), tiny.settings(threads=2), run)
    assert again.notes == history.notes


def test_checkpoints_may_be_rare(tiny, new_run, tmp_path):
    training.fit(tiny.network(), tiny.data(), tiny.settings(), new_run("whole"))
    rare = {"checkpoint_seconds": 1000.0, "checkpoint_every": 0}
    run = new_run()
    stopped(tiny, run, **rare)
    assert not run.path("checkpoint.pt").exists()
    training.fit(tiny.network(), tiny.data(), tiny.settings(**rare), run)
    assert tiny.results(run.folder) == tiny.results(tmp_path / "whole")


def test_damaged_checkpoint_is_refused(tiny, new_run):
    run = new_run()
    stopped(tiny, run)
    path = run.path("checkpoint.pt")
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(RunError, match=r"checkpoint\.pt is damaged .* remove it"):
        training.fit(tiny.network(), tiny.data(), tiny.settings(), run)


def test_done_is_read_again(tiny, new_run):
    run = new_run()
    history = training.fit(tiny.network(), tiny.data(), tiny.settings(), run)
    files = tiny.results(run.folder)
    model = tiny.network()
    again = training.fit(model, tiny.data(), tiny.settings(), run)
    assert again.frame.equals(history.frame)
    assert (again.best_epoch, again.stopped) == (history.best_epoch, history.stopped)
    assert tiny.results(run.folder) == files
    assert not model.training
    assert training.fit(tiny.network(), tiny.data(), tiny.settings(), run).frame.equals(again.frame)
    with pytest.raises(RunError, match="the result is of another training: seed was 0, is 1"):
        training.fit(tiny.network(), tiny.data(), tiny.settings(seed=1), run)
    with pytest.raises(RunError, match=r"initial weights was .* must be built anew"):
        training.fit(model, tiny.data(), tiny.settings(), run)


def test_finished_run_holds_the_weights_and_no_checkpoint(tiny, new_run):
    run = new_run()
    training.fit(tiny.network(), tiny.data(), tiny.settings(), run)
    run.finish()
    names = {p.name for p in run.folder.iterdir()}
    expected = {*tiny.RESULTS, "times.json", "parameters.json", "provenance.json", "complete.json"}
    assert names == expected
    read = runs.read(run.folder, verify=True)
    assert training.fit(tiny.network(), tiny.data(), tiny.settings(), read).stopped == "epochs"
