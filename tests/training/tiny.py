"""A network, a problem and settings small enough to train in a second; also a script to kill.

``python tiny.py FOLDER PRECISION [EVENT:COUNT ...]`` trains into FOLDER, first once per EVENT in a
process that dies by SIGKILL when EVENT happens for the COUNT-th time, or for the event "outside" is
killed once there is a checkpoint, and then to the end.
"""

import contextlib
import os
import signal
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn

from paraspine import fusion, runs, training
from paraspine.augmentation import Augmentation


class Network(nn.Module):
    """Convolutions, batch normalisation, a strided step and dropout."""

    def __init__(self, classes=3, width=6, dropout=0.3):
        super().__init__()
        self.settings = {"name": "tiny", "classes": classes}
        self.down = nn.Sequential(
            nn.Conv2d(1, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU(),
            nn.Conv2d(width, 2 * width, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(2 * width), nn.ReLU(), nn.Dropout(dropout),
        )  # fmt: skip
        self.up = nn.ConvTranspose2d(2 * width, width, 2, stride=2)
        self.head = nn.Conv2d(width + 1, classes, 1)

    def forward(self, images):
        return self.head(torch.cat([self.up(self.down(images)).relu(), images], dim=1))


class TwoTasks(Network):
    """The same with a head for variance maps."""

    tasks = ("segmentation", "variance")

    def __init__(self, classes=3, width=6, **options):
        super().__init__(classes, width, **options)
        self.spread = nn.Conv2d(width + 1, classes - 1, 1)

    def outputs(self, images):
        shared = torch.cat([self.up(self.down(images)).relu(), images], dim=1)
        spread = nn.functional.softplus(self.spread(shared).float()) / 70
        return {"segmentation": self.head(shared), "variance": spread}


def network(seed=0, kind=Network, **options):
    with torch.random.fork_rng([]):
        torch.manual_seed(seed)
        return kind(**options)


def problem(images=10, size=16, seed=0, raters=3):
    """Bright and dark squares on noise, and raters who shift them."""
    rng = np.random.default_rng(seed)
    labels = np.zeros((images, raters, size, size), np.uint8)
    pictures = 0.5 + 0.05 * rng.standard_normal((images, 1, size, size))
    for n in range(images):
        for kind, place in ((1, 2), (2, size // 2 + 1)):
            row = rng.integers(1, size - 6)
            pictures[n, 0, row : row + 5, place : place + 5] += 0.3 if kind == 1 else -0.3
            for r in range(raters):
                shifted = row + rng.integers(-1, 2)
                labels[n, r, shifted : shifted + 5, place : place + 5] = kind
    return pictures.astype(np.float32), labels


def random_rater(labels, seed=0):
    def targets(epoch):
        rng = np.random.default_rng([seed, epoch])
        chosen = rng.integers(labels.shape[1], size=len(labels))
        return labels[np.arange(len(labels)), chosen]

    return targets


def worsening(labels, good):
    """Targets that are wrong after so many epochs, so that the last weights are not the best."""
    return lambda epoch: labels if epoch < good else (labels + 1) % 3


def data(mirror=(0, 2, 1), variance=False, good=None, **options):
    images, labels = problem(**options)
    cut = len(images) * 7 // 10
    maps = np.stack([fusion.variance_map(raters, 3) for raters in labels]) if variance else None
    return training.Data(
        train_images=images[:cut],
        train_targets=random_rater(labels[:cut]),
        validation_images=images[cut:],
        validation_targets=labels[cut:, 0] if good is None else worsening(labels[cut:, 0], good),
        num_classes=3,
        mirror=mirror,
        train_variance=maps[:cut] if variance else None,
        validation_variance=maps[cut:] if variance else None,
    )


def settings(**options):
    defaults = {
        "epochs": 4,
        "batch_size": 3,
        "optimizer": "adamw",
        "schedule": "onecycle",
        "learning_rate": 0.02,
        "clip": 1.0,
        "precision": "float32",
        "device": "cpu",
        "threads": 1,
        "checkpoint_every": 2,
        "augmentation": Augmentation(mirror=0.5, translation=0.1),
    }
    return training.Settings(**(defaults | options))


class Killed(BaseException):
    """A training dies."""


@contextlib.contextmanager
def interrupted(optimizer, after):
    """Let a training die before its next step, once it has made so many; give where it says so."""
    step, seen, killed = optimizer.step, [], []

    def stepped(self, *args):
        if len(seen) == after:
            raise Killed
        seen.append(1)
        return step(self, *args)

    optimizer.step = stepped
    try:
        yield killed
    except Killed:
        killed.append(1)
    finally:
        optimizer.step = step


#: Files that must be the same, byte for byte.
RESULTS = ("model.safetensors", "history.parquet", "training.json")


def results(folder):
    return {name: (Path(folder) / name).read_bytes() for name in RESULTS}


def _die():
    os.kill(os.getpid(), signal.SIGKILL)


def _arm(event, count):
    seen = 0

    def happens():
        nonlocal seen
        seen += 1
        return seen == count

    if event == "half":  # in the middle of writing a checkpoint
        whole = torch.save

        def half(content, path):
            whole(content, path)
            if happens():
                os.truncate(path, os.path.getsize(path) // 2)
                _die()

        torch.save = half
    elif event in ("before rename", "after rename"):
        rename = os.replace

        def replace(source, target):
            now = happens()
            if now and event == "before rename":
                _die()
            rename(source, target)
            if now:
                _die()

        os.replace = replace
    elif event == "step":
        step = torch.optim.AdamW.step

        def stepped(self, *args):
            out = step(self, *args)
            if happens():
                _die()
            return out

        torch.optim.AdamW.step = stepped


def _kill(child, checkpoint):
    """Kill a process once there is a checkpoint, if it has not come to its end by then."""
    ended = os.WEXITED | os.WNOHANG | os.WNOWAIT
    while not checkpoint.exists() and not os.waitid(os.P_PID, child, ended):
        time.sleep(0.001)
    os.kill(child, signal.SIGKILL)


def _train(place, precision):
    run = runs.start(place, {"precision": precision})
    training.fit(network(), data(), settings(precision=precision), run)


if __name__ == "__main__":
    place, precision, *kills = sys.argv[1:]
    if kills:  # load what torch loads late once, before forking
        with tempfile.TemporaryDirectory() as other:
            _train(other, precision)
    for kill in kills:
        child = os.fork()
        if child == 0:
            event, _, count = kill.partition(":")
            _arm(event, int(count or 0))
            _train(place, precision)
            os._exit(0)
        if kill == "outside":
            _kill(child, Path(place) / "checkpoint.pt")
        print(kill, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
    _train(place, precision)
