import hashlib
import json
import os
import resource
import signal
import subprocess
import sys
import time
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from paraspine import runs
from paraspine.arrays import RunError
from paraspine.runs import origin


def complete(folder, **parameters):
    run = runs.start(folder, parameters or {"seed": 0})
    run.write_json("numbers.json", {"value": 1})
    run.write_frame("measures.parquet", pd.DataFrame({"value": [0.5, np.nan]}))
    run.write_arrays("maps/one.npz", mean=np.arange(3))
    run.finish()
    return run


def test_killed_while_writing_leaves_the_old_file(tmp_path):
    run = runs.start(tmp_path / "run", {})
    run.write_bytes("a.bin", b"old")
    code = (
        "import os, sys, signal\n"
        "from paraspine import runs\n"
        "with runs.atomic(sys.argv[1]) as temporary:\n"
        "    temporary.write_bytes(b'half')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, run.path("a.bin")], check=False)
    assert done.returncode == -signal.SIGKILL
    assert run.read_bytes("a.bin") == b"old"
    assert list(run.folder.glob(".tmp-*"))
    again = runs.start(run.folder, {})  # what a dead process left is swept away
    assert not list(run.folder.glob(".tmp-*"))
    again.finish()
    assert set(again.checksums) == {"a.bin", "parameters.json", "provenance.json"}


def test_temporary_file_of_a_living_process_is_left_alone(tmp_path):
    run = runs.start(tmp_path / "run", {})
    other, own = (run.folder / f".tmp-{n}-00-a.bin" for n in (os.getppid(), os.getpid()))
    other.write_bytes(b"being written")
    runs.start(run.folder, {})
    own.write_bytes(b"left by a thread that failed")
    run.finish()
    assert other.exists()
    assert not own.exists()
    assert other.name not in run.checksums


def test_run_id_ignores_order_and_tells_values_apart():
    one = runs.run_id({"model": "unet", "fusion": "rater:A b", "seed": 3, "rate": 0.1})
    assert one == runs.run_id({"rate": 0.1, "seed": 3, "fusion": "rater:A b", "model": "unet"})
    assert one.startswith("unet-rater-a-b-seed3-")
    assert one != runs.run_id({"model": "unet", "fusion": "rater:A b", "seed": 3, "rate": 0.2})
    assert len(runs.run_id({})) == len(runs.run_id({"seed": True})) == 10  # a flag is no number
    assert runs.run_id({"a": np.int64(1), "b": (1, 2)}) == runs.run_id({"a": 1, "b": [1, 2]})


@given(st.dictionaries(st.text(max_size=5), st.one_of(st.text(), st.floats(), st.booleans())))
@settings(deadline=None, max_examples=30)
def test_run_id_is_a_file_name(parameters):
    name = runs.run_id(parameters | {"model": "Ünet/../x y"})
    assert name == name.lower()
    assert all(c.isascii() and (c.isalnum() or c == "-") for c in name)
    assert len(name) < 64
    assert len(runs.run_id({"model": "u" * 80})) == 48 + 1 + 10


@dataclass(frozen=True)
class Block:
    rate: float
    sizes: tuple[int, ...]


def test_everything_comes_back(tmp_path):
    parameters = {
        "seed": np.int64(3),
        "block": Block(0.1, (1, 2)),
        "at": Path("a/b"),
        "n": None,
    }
    run = runs.start(tmp_path / "run", parameters)
    expected = {"seed": 3, "block": {"rate": 0.1, "sizes": [1, 2]}, "at": "a/b", "n": None}
    assert run.parameters == expected
    frame = pd.DataFrame({"subject": ["a", "b"], "value": [0.5, np.nan]}, index=[3, 7])
    arrays = {"mean": np.arange(6, dtype=np.float16).reshape(2, 3), "mask": np.array([True])}
    run.write_frame("measures.parquet", frame)
    run.write_arrays("maps/one.npz", **arrays)
    run.write_json("numbers.json", {"Größe": np.float32(0.5), "none": float("nan")})
    run.write_bytes("model.bin", b"\x00\x01")
    run.finish({"manifest": run.path("model.bin")}, started=time.time())
    read = runs.read(run.folder, verify=True)
    assert read.parameters == expected
    pd.testing.assert_frame_equal(read.read_frame("measures.parquet"), frame)
    back = read.read_arrays("maps/one.npz")
    assert back.keys() == arrays.keys()
    for name, values in arrays.items():
        np.testing.assert_array_equal(back[name], values)
        assert back[name].dtype == values.dtype
    numbers = read.read_json("numbers.json")
    assert numbers["Größe"] == 0.5
    assert np.isnan(numbers["none"])
    assert read.read_bytes("model.bin") == b"\x00\x01"


@given(
    hnp.arrays(
        st.sampled_from([np.uint8, np.float32, np.int64]), hnp.array_shapes(min_dims=0, max_dims=3)
    )
)
@settings(deadline=None, max_examples=25)
def test_arrays_have_the_same_bytes_each_time(tmp_path_factory, values):
    folder = tmp_path_factory.mktemp("arrays")
    one, two = runs.start(folder / "1", {}), runs.start(folder / "2", {})
    for run in (one, two):
        run.write_arrays("a.npz", values=values)
        run.write_frame("a.parquet", pd.DataFrame({"v": values.ravel()}))
    with zipfile.ZipFile(one.path("a.npz")) as archive:  # no time, to which another run differs
        assert {file.date_time for file in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    np.testing.assert_array_equal(one.read_arrays("a.npz")["values"], values)
    for name in ("a.npz", "a.parquet"):
        assert one.read_bytes(name) == two.read_bytes(name)


def test_incomplete_does_not_count(tmp_path):
    with pytest.raises(RunError, match="run: there is no such run folder; run it first"):
        runs.read(tmp_path / "run")
    run = runs.start(tmp_path / "run", {})
    run.write_json("numbers.json", 1)
    with pytest.raises(RunError, match=r"run: the run is incomplete .* run it again"):
        runs.read(run.folder)


def test_damage_is_named(tmp_path):
    run = complete(tmp_path / "run")
    for name, digest in json.loads((run.folder / "complete.json").read_text())["files"].items():
        assert hashlib.sha256((run.folder / name).read_bytes()).hexdigest() == digest
    path = run.folder / "numbers.json"
    path.write_text('{"value": 2}')
    (run.folder / "maps" / "one.npz").write_bytes(b"")
    with pytest.raises(RunError, match=r"damaged: .*numbers\.json differs .* run it again"):
        runs.read(run.folder, verify=True)
    read = runs.read(run.folder)  # not looked at yet ...
    for name in ("numbers.json", "maps/one.npz"):
        with pytest.raises(RunError, match=f"{name} differs from its checksum"):
            read.read_bytes(name)  # ... but never handed out
    path.unlink()
    (run.folder / "measures.parquet").write_bytes(b"")
    with pytest.raises(RunError, match=r"numbers\.json is missing"):
        runs.read(run.folder)
    with pytest.raises(
        RunError, match=r"numbers\.json is missing; .*measures\.parquet differs"
    ) as e:
        runs.read(run.folder, verify=True)
    assert "parameters.json" not in str(e.value)
    (run.folder / "complete.json").write_text("{")
    with pytest.raises(RunError, match=r"complete\.json cannot be read"):
        runs.read(run.folder)


def test_unreadable_files_of_an_open_run(tmp_path):
    run = runs.start(tmp_path / "run", {})
    run.write_bytes("a.json", b"{")
    run.write_bytes("a.parquet", b"no")
    run.write_bytes("a.npz", b"no")
    for read, name in (
        (run.read_json, "a.json"),
        (run.read_frame, "a.parquet"),
        (run.read_arrays, "a.npz"),
    ):
        with pytest.raises(RunError, match=f"{name} cannot be read"):
            read(name)
    with pytest.raises(RunError, match=r"other\.json is missing"):
        run.read_json("other.json")


def test_complete_run_is_not_written_to(tmp_path):
    run = complete(tmp_path / "run")
    for again in (run, runs.read(run.folder)):
        with pytest.raises(RunError, match=r"complete and more\.json would change it"):
            again.write_json("more.json", 1)
        with pytest.raises(RunError, match="complete"):
            again.finish()


@pytest.mark.parametrize("name", ["../x", "/x", "", "a/../../x"])
def test_names_stay_inside(tmp_path, name):
    run = runs.start(tmp_path / "run", {})
    with pytest.raises(RunError, match="inside the run folder"):
        run.write_bytes(name, b"")


def test_what_cannot_be_written_leaves_the_file(tmp_path):
    run = runs.start(tmp_path / "run", {})
    run.write_json("a.json", 1)
    with pytest.raises(RunError, match="JSON can hold, got object"):
        run.write_json("a.json", object())
    assert run.read_json("a.json") == 1
    with pytest.raises(RunError, match="'x' holds Python objects"):
        run.write_arrays("a.npz", x=np.array([None]))
    with pytest.raises(RunError, match="JSON can hold"):
        runs.start(tmp_path / "other", {"model": object()})
    assert not (tmp_path / "other").exists()


def test_incomplete_is_taken_up_with_the_same_parameters(tmp_path):
    run = runs.start(tmp_path / "run", {"seed": 0, "sizes": (1, 2)})
    run.write_bytes("checkpoint.pt", b"1")
    again = runs.start(tmp_path / "run", {"sizes": [1, 2], "seed": 0})
    assert again.read_bytes("checkpoint.pt") == b"1"
    with pytest.raises(RunError, match="seed was 0, is 1; width was nothing, is 2"):
        runs.start(tmp_path / "run", {"seed": 1, "sizes": (1, 2), "width": 2})
    assert again.read_bytes("checkpoint.pt") == b"1"
    fresh = runs.start(tmp_path / "run", {"seed": 1}, overwrite=True)
    assert not fresh.path("checkpoint.pt").exists()


def test_complete_run_is_not_replaced_unasked(tmp_path):
    complete(tmp_path / "run")
    with pytest.raises(RunError, match=r"holds a complete run; .*overwrite=True"):
        runs.start(tmp_path / "run", {"seed": 0})
    runs.read(tmp_path / "run", verify=True)


def test_complete_run_stands_until_the_new_one_is_complete(tmp_path):
    complete(tmp_path / "run", seed=0)
    new = runs.start(tmp_path / "run", {"seed": 1}, overwrite=True)
    new.write_bytes("half.bin", b"1")
    assert runs.read(tmp_path / "run", verify=True).parameters == {"seed": 0}
    del new  # killed, and run again
    new = runs.start(tmp_path / "run", {"seed": 1}, overwrite=True)
    assert new.read_bytes("half.bin") == b"1"
    new.finish()
    assert new.folder == tmp_path / "run"
    assert runs.read(tmp_path / "run", verify=True).parameters == {"seed": 1}
    assert os.listdir(tmp_path) == ["run"]


def test_replacement_killed_at_every_rename(tmp_path, monkeypatch):
    class Killed(BaseException):
        pass

    for last in range(2):
        folder = tmp_path / f"{last}" / "run"
        complete(folder, seed=0)
        new = runs.start(folder, {"seed": 1}, overwrite=True)
        rename, folders = os.replace, []

        def replace(source, target, rename=rename, folders=folders, last=last):
            if Path(source).is_dir():
                folders.append(source)
                if len(folders) > last:
                    raise Killed
            rename(source, target)

        with monkeypatch.context() as patch:
            patch.setattr(os, "replace", replace)
            with pytest.raises(Killed):
                new.finish()
        assert runs.read(folder, verify=True).parameters == {"seed": 0}
        runs.start(folder, {"seed": 1}, overwrite=True).finish()
        assert runs.read(folder, verify=True).parameters == {"seed": 1}


def test_other_files_are_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    for overwrite in (False, True):
        with pytest.raises(RunError, match="holds files but no run"):
            runs.start(tmp_path, {}, overwrite=overwrite)
    with pytest.raises(RunError, match="found a file"):
        runs.start(tmp_path / "thesis.tex", {})
    assert (tmp_path / "thesis.tex").read_text() == "years of work"


def test_provenance_says_what_was_used(tmp_path):
    path = tmp_path / "data.csv"
    path.write_bytes(b"abc")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "a").write_bytes(b"1")
    inputs = {"data.csv": path, "/home/someone/labels.csv": "0" * 64, "scans": tmp_path / "folder"}
    inputs["/home/another/labels.csv"] = "1" * 64
    noted = runs.provenance(inputs, started=time.time() - 2, durations={"reading": 0.5})
    assert noted["inputs"]["data.csv"] == hashlib.sha256(b"abc").hexdigest()
    assert noted["inputs"]["labels.csv"] == "0" * 64
    assert noted["inputs"]["labels.csv'"] == "1" * 64
    found = [noted["inputs"]["scans"]]
    for file, content in (("a", b"2"), ("a", b"1"), ("b/a", b"1")):  # content, then place
        (tmp_path / "folder" / file).parent.mkdir(exist_ok=True)
        (tmp_path / "folder" / file).write_bytes(content)
        found.append(runs.provenance(inputs)["inputs"]["scans"])
        (tmp_path / "folder" / file).unlink()
    assert found[2] == found[0]
    assert len(set(found)) == 3
    assert noted["versions"]["numpy"] == np.__version__
    assert 2 <= noted["durations"]["total_seconds"] < 60
    assert noted["durations"]["reading"] == 0.5
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # KiB on Linux
    assert sys.platform != "linux" or noted["peak_memory_mib"] == pytest.approx(peak, rel=0.1)
    assert noted["threads"] >= 1
    with pytest.raises(RunError, match="input gone: there is no such file"):
        runs.provenance({"gone": tmp_path / "gone"})


def test_provenance_names_no_machine_and_no_person(tmp_path):
    import getpass
    import platform

    run = runs.start(tmp_path / "run", {})
    run.finish({str(tmp_path / "run" / "parameters.json"): run.path("parameters.json")})
    text = (run.folder / "provenance.json").read_text()
    assert str(tmp_path) not in text
    assert str(Path.home()) + "/" not in text
    words = json.dumps(list(json.loads(text).values()))
    for secret in {platform.node(), getpass.getuser()} - {""}:
        assert f'"{secret}"' not in words
        assert f"{secret}/" not in words


def git(folder, *words):
    who = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    done = subprocess.run(["git", *who, "-C", folder, *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_git_revision_and_changes(tmp_path, monkeypatch):
    package = tmp_path / "paraspine"
    package.mkdir()
    source = package / "origin.py"
    source.write_text("a = 1\n")
    monkeypatch.setattr(origin, "__file__", str(source))
    nothing = {"revision": None, "dirty": None}
    assert runs.provenance()["git"] == nothing
    git(tmp_path, "init", "-q")
    assert runs.provenance()["git"] == nothing  # a copy inside a project that doesn't own it
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "first")
    revision = git(tmp_path, "rev-parse", "HEAD")
    (tmp_path / "untracked").touch()
    assert runs.provenance()["git"] == {"revision": revision, "dirty": False}
    source.write_text("a = 2\n")
    assert runs.provenance()["git"] == {"revision": revision, "dirty": True}


def test_provenance_loads_no_torch():
    code = (
        "import sys; from paraspine import runs; runs.provenance(); print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
