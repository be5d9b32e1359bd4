"""Notebooks run for real, under papermill, in a miniature project."""

import os
import shutil
import socket
import tempfile
from concurrent.futures import ThreadPoolExecutor

import nbformat
import pytest
from filelock import FileLock
from jupyter_client import LocalPortCache

from paraspine import runs
from paraspine.arrays import RunError, SettingsError
from paraspine.session import runner
from paraspine.session.freshness import staleness
from paraspine.session.parameters import declared_parameters
from paraspine.session.runner import need, run_notebook
from paraspine.session.session import begin


def stamp(folder):
    """When the files of a run were written."""
    return {p.name: p.stat().st_mtime_ns for p in folder.iterdir()}


@pytest.fixture
def no_kernel(monkeypatch):
    """Fail where a notebook is executed."""
    monkeypatch.setattr(
        "paraspine.session.runner._papermill", lambda *a: pytest.fail("a notebook was executed")
    )


def code_of(notebook):
    return [c for c in nbformat.read(notebook, as_version=4).cells if c.cell_type == "code"]


def test_a_notebook_and_the_missing_one_before_it_are_executed_once(mini, monkeypatch):
    monkeypatch.delenv("PARASPINE_ROOT")  # the notebook's place says where the top folder is
    monkeypatch.chdir(mini.root)
    folder = run_notebook("notebooks/02_use.ipynb", {"scale": 5, "offset": 3})
    assert "PARASPINE_ROOT" not in os.environ
    run = runs.read(folder, verify=True)
    assert run.read_json("value.json") == 13.0  # twice five, and three
    assert run.parameters["scale"] == 5.0
    assert staleness(folder, root=mini.root) is None

    cells = code_of(folder / "notebook.ipynb")
    assert [c.execution_count for c in cells] == list(range(1, len(cells) + 1))
    assert "scale = 5.0" in cells[1].source
    assert cells[1].metadata.tags == ["injected-parameters"]
    assert [p.name for p in folder.parent.iterdir()] == [folder.name]  # nothing left beside it

    (before,) = (mini.root / "runs/quick/numbers").iterdir()
    assert runs.read(before, verify=True).read_json("total.json") == 10.0
    assert code_of(before / "notebook.ipynb")[-1].execution_count

    times = stamp(folder), stamp(before)
    assert run_notebook("notebooks/02_use.ipynb", {"scale": 5.0, "offset": 3}) == folder
    assert (stamp(folder), stamp(before)) == times
    assert not list(mini.root.glob("notebooks/*.running.ipynb"))


def test_a_failing_cell_is_named_and_leaves_the_earlier_result(mini):
    mini.perform("01_numbers")
    folder = mini.perform("02_use", run_folder="runs/quick/use/mine")
    times = stamp(folder)
    with pytest.raises(RunError) as caught:
        run_notebook(mini.notebook("02_use"), {"offset": -1, "run_folder": "runs/quick/use/mine"})
    failed = folder.with_name("mine.failed.ipynb")
    assert str(caught.value).splitlines() == [
        "02_use.ipynb: cell 5 failed with ValueError: offset: expected a positive number",
        f"The notebook as far as it came: {failed}",
    ]
    assert "raise ValueError" in nbformat.read(failed, as_version=4).cells[-4].source
    assert stamp(folder) == times
    assert runs.read(folder, verify=True).read_json("value.json") == 5.0
    assert not folder.with_name("mine.running.ipynb").exists()


def test_a_notebook_that_never_finishes_its_run_is_no_result(mini):
    mini.perform("01_numbers")
    folder = mini.perform("02_use", run_folder="runs/quick/use/mine")
    given = {"offset": 77, "run_folder": "runs/quick/use/mine"}
    with pytest.raises(RunError, match=r"02_use\.ipynb: ended without finishing its run mine"):
        run_notebook(mini.notebook("02_use"), given)
    assert runs.read(folder, verify=True).read_json("value.json") == 5.0
    assert not (folder / "notebook.ipynb").exists()


def test_a_kernel_that_dies_is_told_in_words(mini):
    mini.perform("01_numbers")
    with pytest.raises(RunError, match=r"02_use\.ipynb: the process that ran it died") as caught:
        run_notebook(mini.notebook("02_use"), {"offset": 13})
    (failed,) = (mini.root / "runs/quick/use").glob("*.failed.ipynb")
    assert str(failed) in str(caught.value)


@pytest.fixture
def ports_taken(monkeypatch):
    """Every port that Jupyter finds free is another process's before the kernel takes it."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        monkeypatch.setattr(
            LocalPortCache, "find_available_port", lambda *_: taken.getsockname()[1]
        )
        yield


def test_a_kernel_starts_beside_others_that_take_its_ports(mini, ports_taken):
    mini.perform("01_numbers")
    assert runs.read(run_notebook(mini.notebook("02_use"), {}), verify=True)


def test_a_kernel_that_does_not_start_is_told_in_words(mini, ports_taken, tmp_path, monkeypatch):
    mini.perform("01_numbers")
    deep = tmp_path / "a_name_too_long_for_the_path_of_a_socket" / "and_more_of_it" / "and_more"
    deep.mkdir(parents=True)
    monkeypatch.setattr(tempfile, "tempdir", str(deep))
    with pytest.raises(RunError, match=r"02_use\.ipynb: the process to run it did not start"):
        run_notebook(mini.notebook("02_use"), {})
    assert not list(deep.iterdir())
    assert not list((mini.root / "runs/quick/use").iterdir())


def test_an_error_of_jupyters_own_keeps_what_was_executed(mini, monkeypatch):
    import papermill

    def execute(source, output, **options):
        notebook = nbformat.read(source, as_version=4)
        notebook.cells[1].execution_count = 1
        nbformat.write(notebook, output)
        raise RecursionError("too deep")

    monkeypatch.setattr(papermill, "execute_notebook", execute)
    with pytest.raises(
        RunError, match=r"01_numbers\.ipynb: ended with RecursionError: too"
    ) as told:
        run_notebook(mini.notebook("01_numbers"), {})
    (failed,) = (mini.root / "runs/quick/numbers").iterdir()
    assert failed.name.endswith(".failed.ipynb")
    assert str(failed) in str(told.value)


def test_an_unknown_parameter_is_refused_before_anything_runs(mini, no_kernel):
    with pytest.raises(SettingsError, match="unknown parameter 'ofset': did you mean 'offset'"):
        run_notebook(mini.notebook("02_use"), {"ofset": 3})
    with pytest.raises(SettingsError, match="'offset': expected a whole number such as 1, got"):
        run_notebook(mini.notebook("02_use"), {"offset": 1.5})
    with pytest.raises(SettingsError, match="no such notebook"):
        run_notebook(mini.notebook("04_none"), {})
    assert not (mini.root / "runs").exists()


def test_only_a_fresh_result_with_its_executed_notebook_is_taken(mini, monkeypatch):
    executed = []

    def papermill(notebook, output, failed, parameters, progress):
        executed.append(notebook.stem)
        shutil.copy(notebook, output)
        mini.perform(notebook.stem, **parameters)

    monkeypatch.setattr("paraspine.session.runner._papermill", papermill)

    def count(name="01_numbers", given=(), **options):
        executed.clear()
        run_notebook(mini.notebook(name), dict(given), **options)
        return len(executed)

    assert count() == 1
    assert count() == 0
    assert count(force=True) == 1
    assert count(given={"scale": 7.0}) == 1
    assert count(given={"scale": 7.0}) == 0
    assert count() == 0
    mini.edit("01_numbers", "# What is it?", "# Who is it?")
    assert count() == 0
    mini.edit("01_numbers", "scale * len(cohort)", "scale + len(cohort)")
    assert count() == 1
    assert count() == 0
    shutil.copy(mini.root / "p1_b.nii.gz", mini.root / "p1_a.nii.gz")
    assert count() == 1
    for path in (mini.root / "runs/quick/numbers").glob("*/notebook.ipynb"):
        path.unlink()
    assert count() == 1


def test_need_takes_an_equal_run_wherever_it_lies(mini, no_kernel):
    there = mini.perform("01_numbers", scale=4.0, run_folder="runs/quick/numbers/by-hand")
    mini.perform("01_numbers", scale=3.0)
    shutil.copytree(there, there.with_name(".by-hand.new"))  # as left by a kill
    session = begin("02_use", declared_parameters(mini.notebook("02_use")) | {"scale": 4.0})
    assert need(session, "01_numbers").folder == there
    assert list(session.inputs) == ["runs/quick/numbers/by-hand"]
    assert need(session, "01_numbers", scale=3.0).read_json("total.json") == 6.0
    with pytest.raises(SettingsError, match="unknown parameter 'scal'"):
        need(session, "01_numbers", scal=3.0)


def test_need_passes_on_what_both_declare_and_nothing_else(mini, monkeypatch):
    asked = []

    def run(notebook, parameters):
        asked.append(parameters)
        return mini.perform(notebook.stem, **parameters)

    monkeypatch.setattr("paraspine.session.runner.run_notebook", run)
    values = declared_parameters(mini.notebook("02_use"))
    (mini.root / "profiles" / "mine.yaml").write_text("scale: 3.0\n")
    session = begin("02_use", values | {"profile": "mine", "run_folder": "runs/x/y/z"})
    found = need(session, "01_numbers", scale=9.0)
    assert asked == [{"profile": "mine", "manifest_path": "data_manifest.csv", "scale": 9.0}]
    assert found.folder.parent == mini.root / "runs/mine/numbers"
    assert need(session, "01_numbers", scale=9.0).folder == found.folder
    assert len(asked) == 1


def test_need_each_takes_every_choice_or_the_folders_given(mini, no_kernel):
    folders = [mini.perform("01_numbers", scale=s) for s in (3.0, 1.0)]
    assert runs.read(mini.perform("03_many")).read_json("all.json") == [2.0, 6.0]
    given = [f.relative_to(mini.root).as_posix() for f in folders]
    folder = mini.perform("03_many", numbers_runs=given)
    assert runs.read(folder).read_json("all.json") == [6.0, 2.0]
    assert list(runs.read(folder).read_json("inputs.json")["inputs"]) == given


def test_who_comes_second_waits_for_the_run_and_takes_it(mini, no_kernel, capsys):
    notebook = mini.root / "notebooks" / "01_numbers.ipynb"
    folder = mini.perform("01_numbers")
    (folder / "complete.json").rename(mini.root / "aside")  # not complete yet
    with ThreadPoolExecutor(1) as pool, FileLock(runner._lock_file(folder, mini.root)):
        second = pool.submit(run_notebook, notebook, {})
        with pytest.raises(TimeoutError):
            second.result(timeout=0.5)
        (mini.root / "aside").rename(folder / "complete.json")
        (folder / "notebook.ipynb").write_text("{}")
    assert second.result() == folder
    assert "another process makes this run; waiting" in capsys.readouterr().err
