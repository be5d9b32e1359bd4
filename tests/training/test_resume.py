"""Killed at any moment and run again, a training ends with the same bytes."""

import os
import signal
import subprocess
import sys
import time
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


@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_killed_again_and_again_it_ends_with_the_same_bytes(tmp_path, tiny, new_run, precision):
    run = new_run("whole")
    settings = tiny.settings(precision=precision)
    training.fit(tiny.network(), tiny.data(), settings, run)
    # Of the 12 iterations, 2, 3, 4, 6, 8, 9 and 10 are followed by a checkpoint.
    kills = [
        "step:1",  # before there is any
        "half:1",  # half of the first one written
        "before rename:2",  # the second one written, the first one in its place
        "step:4",  # in iteration 6, to go on from 4
    ]
    if precision == "float32":
        kills += [
            "after rename:2",  # of the checkpoint of iteration 8
            "half:1",
            "step:3",
            "after rename:2",  # weights, history: no times yet
            "before rename:4",  # all but the summary
            "after rename:4",  # everything, and still the checkpoint
        ]
    place = tmp_path / "killed"
    assert train(place, precision, *kills) == [f"{kill} {-signal.SIGKILL}" for kill in kills]
    assert tiny.results(place) == tiny.results(run.folder)
    assert not (place / "checkpoint.pt").exists()
    assert not list(place.glob(".tmp-*"))


def test_killed_from_outside_at_any_time(tmp_path, tiny, new_run):
    run = new_run("whole")
    training.fit(tiny.network(), tiny.data(), tiny.settings(), run)
    place = tmp_path / "killed"
    for wait in (0.0, 0.07):
        words = [sys.executable, SCRIPT, place, "float32"]
        process = subprocess.Popen(words, env=os.environ | ALONE)
        until = time.monotonic() + 60
        while not (place / "checkpoint.pt").exists() and time.monotonic() < until:
            time.sleep(0.002)
        time.sleep(wait)
        process.send_signal(signal.SIGKILL)
        assert process.wait() in (-signal.SIGKILL, 0)
    train(place, "float32")
    assert tiny.results(place) == tiny.results(run.folder)


class Killed(BaseException):
    pass


@pytest.mark.parametrize(
    ("optimizer", "loss"), [("sgd", "dice_ce"), ("adamw", "dice_ce"), ("adamw", "multitask")]
)
def test_interrupted_after_every_iteration(tmp_path, tiny, new_run, monkeypatch, optimizer, loss):
    options = {"optimizer": optimizer, "checkpoint_every": 1, "epochs": 3, "precision": "auto"}
    settings = tiny.settings(**options, loss=loss)
    both = loss == "multitask"

    def parts():
        kind = tiny.TwoTasks if both else tiny.Network
        return tiny.network(kind=kind), tiny.data(variance=both)

    whole = training.fit(*parts(), settings, new_run("whole"))
    assert ("validation_variance_mse" in whole.frame) == both
    run = runs.start(tmp_path / "stopped", {})
    kind = {"sgd": torch.optim.SGD, "adamw": torch.optim.AdamW}[optimizer]
    step, seen = kind.step, []

    def once(self, *args):
        if len(seen) == 2:
            raise Killed
        seen.append(1)
        return step(self, *args)

    monkeypatch.setattr(kind, "step", once)
    interruptions = 0
    while True:
        seen.clear()
        try:
            history = training.fit(*parts(), settings, run)
            break
        except Killed:
            interruptions += 1
    assert interruptions == 4  # 9 iterations, 2 in each process
    assert tiny.results(run.folder) == tiny.results(tmp_path / "whole")
    assert history.frame.drop(columns="seconds").equals(whole.frame.drop(columns="seconds"))
    assert not history.notes


def stopped(tiny, run, monkeypatch, **options):
    """Leave a training that was interrupted after its first checkpoint."""
    with monkeypatch.context() as patch:
        seen = []
        step = torch.optim.AdamW.step

        def once(self, *args):
            seen.append(1)
            if len(seen) > 4:
                raise Killed
            return step(self, *args)

        patch.setattr(torch.optim.AdamW, "step", once)
        with pytest.raises(Killed):
            training.fit(tiny.network(), tiny.data(), tiny.settings(**options), run)


def test_checkpoint_of_another_training_is_refused(tiny, new_run, monkeypatch):
    run = new_run()
    stopped(tiny, run, monkeypatch)
    same = tiny.network, tiny.data, tiny.settings
    cases = {
        "learning_rate was 0.02, is 0.1": (*same[:2], lambda: tiny.settings(learning_rate=0.1)),
        "augmentation was .*, is None": (*same[:2], lambda: tiny.settings(augmentation=None)),
        "train images was .*train targets was": (
            tiny.network, lambda: tiny.data(seed=1), tiny.settings,
        ),
        "initial weights was": (lambda: tiny.network(1), *same[1:]),
        "network was": (lambda: tiny.network(dropout=0.1), *same[1:]),
        "mirror classes was": (tiny.network, lambda: tiny.data(mirror=(0, 1, 2)), tiny.settings),
        "precision was 'float32', is 'bf16'": (*same[:2], lambda: tiny.settings(precision="bf16")),
    }  # fmt: skip
    before = run.path("checkpoint.pt").read_bytes()
    for message, (network, data, settings) in cases.items():
        with pytest.raises(RunError, match=message):
            training.fit(network(), data(), settings(), run)
    assert run.path("checkpoint.pt").read_bytes() == before
    # what does not touch the result may change
    training.fit(tiny.network(), tiny.data(), tiny.settings(checkpoint_every=0), run)


def test_resume_takes_the_thread_count_it_began_with(tiny, new_run, monkeypatch, tmp_path):
    before = torch.get_num_threads()
    training.fit(tiny.network(), tiny.data(), tiny.settings(threads=2), new_run("whole"))
    run = new_run("stopped")
    stopped(tiny, run, monkeypatch, threads=2)
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


def test_another_thread_count_is_said(tiny, new_run, monkeypatch):
    run = new_run()
    stopped(tiny, run, monkeypatch, threads=1)
    with pytest.warns(UserWarning, match="resumed with threads 2, begun with 1"):
        history = training.fit(tiny.network(), tiny.data(), tiny.settings(threads=2), run)
    assert "threads 2" in history.notes[0]
    again = training.fit(tiny.network(), tiny.data(), tiny.settings(threads=2), run)
    assert again.notes == history.notes


def test_checkpoints_may_be_rare(tiny, new_run, monkeypatch, tmp_path):
    training.fit(tiny.network(), tiny.data(), tiny.settings(), new_run("whole"))
    rare = {"checkpoint_seconds": 1000.0, "checkpoint_every": 0}
    run = new_run()
    stopped(tiny, run, monkeypatch, **rare)
    assert not run.path("checkpoint.pt").exists()
    training.fit(tiny.network(), tiny.data(), tiny.settings(**rare), run)
    assert tiny.results(run.folder) == tiny.results(tmp_path / "whole")


def test_damaged_checkpoint_is_refused(tiny, new_run, monkeypatch):
    run = new_run()
    stopped(tiny, run, monkeypatch)
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
