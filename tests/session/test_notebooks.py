"""The project's notebooks: stripped, without logic, in step with the profiles."""

import ast
import json
from pathlib import Path

import pytest

from paraspine.book.notebook import HINT
from paraspine.session.parameters import CHOSEN, WITH_SETTINGS, declared_parameters
from paraspine.session.profile import load_profile

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
PROFILES = sorted((ROOT / "profiles").glob("*.yaml"))
START = ROOT / "notebooks" / "00_start.ipynb"  # shows what the others are, and is no run
RUN = [path for path in NOTEBOOKS if path != START]
each = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
each_run = pytest.mark.parametrize("path", RUN, ids=lambda p: p.stem)


def cells_of(path, kind="code"):
    return [c for c in json.loads(path.read_text())["cells"] if c["cell_type"] == kind]


def source_of(cell):
    return "".join(cell["source"])


def test_there_are_notebooks_and_profiles():
    assert len(NOTEBOOKS) >= 6
    assert {p.stem for p in PROFILES} >= {"quick", "paper"}


@each
def test_stripped(path):
    for cell in cells_of(path):
        assert cell["outputs"] == []
        assert cell["execution_count"] is None
        assert set(cell["metadata"]) <= {"tags"}
    about = json.loads(path.read_text())
    assert about["metadata"]["kernelspec"]["name"] == "python3"
    assert set(about["metadata"]) <= {"kernelspec", "language_info"}


@each
def test_a_title_first_then_one_parameters_cell(path):
    cells = json.loads(path.read_text())["cells"]
    assert cells[0]["cell_type"] == "markdown"
    assert source_of(cells[0]).startswith("# ")
    tags = [c["metadata"].get("tags", []) for c in cells if c["cell_type"] == "code"]
    assert tags[0] == ["parameters"]
    assert sum("parameters" in t for t in tags) == 1
    assert set().union(*tags[1:]) <= {"hide-cell", "hide-input", "remove-cell"}
    own = {"run_folder"} if path in RUN else set()
    assert {"profile", "manifest_path", *own} <= set(declared_parameters(path))


@each
def test_who_runs_a_notebook_is_told_which_cell_to_change(path):
    cells = json.loads(path.read_text())["cells"]
    place = next(i for i, c in enumerate(cells) if "parameters" in c["metadata"].get("tags", []))
    assert source_of(cells[place - 1]) == HINT


@each
def test_no_logic_and_short_cells(path):
    """What decides or computes stands in the library, where tests reach it."""
    logic = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda, ast.While, ast.Try)
    for cell in cells_of(path)[1:]:
        tree = ast.parse(source_of(cell))
        found = [type(node).__name__ for node in ast.walk(tree) if isinstance(node, logic)]
        assert not found, f"{found} in: {source_of(cell)}"
        steps = [n for n in tree.body if not isinstance(n, ast.Import | ast.ImportFrom)]
        assert len(steps) <= 10, source_of(cell)


@each_run
def test_opens_its_own_run_and_finishes_it(path):
    code = [source_of(c) for c in cells_of(path)]
    assert sum(f'session = begin("{path.stem}", globals())' in c for c in code) == 1
    assert code[-1].rstrip().endswith("session.finish()")
    assert sum("session.finish()" in c for c in code) == 1


@each
def test_every_parameter_is_used_here_or_by_a_run_that_is_needed(path):
    code = "\n".join(source_of(c) for c in cells_of(path)[1:])
    names = {node.id for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Name)}
    session = {"profile", "run_folder", "manifest_path", "max_size", "denoise", "bias_correction"}
    session |= {"split_by", "train_fraction", "validation_fraction", "split_seed", "test_center"}
    session |= {"training", "resamples", "levels"}
    declared = set(declared_parameters(path))
    if "plan.fusion_trainings(session.parameters" in code:
        session |= {name for name in declared if name.startswith("fusion_")}
    handed_on = needed(code)
    if path.stem not in WITH_SETTINGS:  # the profile gives the settings of trainings, or `training`
        handed_on -= settings_of_trainings()
    assert declared <= names | session | handed_on


def settings_of_trainings():
    found = (set(declared_parameters(ROOT / "notebooks" / f"{n}.ipynb")) for n in WITH_SETTINGS)
    return set().union(*found) - set(CHOSEN)


def needed(code):
    """Parameters of the notebooks that a notebook's code asks `need` for, and of theirs."""
    found = set()
    for path in NOTEBOOKS:
        if f'need(session, "{path.stem}"' in code or f'session, "{path.stem}",' in code:
            found |= set(declared_parameters(path))
            found |= needed("\n".join(source_of(c) for c in cells_of(path)[1:]))
    if "study.multitask_study(session.parameters)" in code:
        found |= {f"multitask_{name}" for name in found} | {"models", "methods", "leak_models"}
    return found


@each
def test_defaults_are_those_of_the_quick_profile(path):
    quick = load_profile(ROOT / "profiles" / "quick.yaml")
    declared = declared_parameters(path)
    shared = [name for name in quick if name in declared]
    assert {name: repr(declared[name]) for name in shared} == {n: repr(quick[n]) for n in shared}
    assert declared["profile"] == "quick"
    assert declared.get("run_folder", "") == ""


def test_the_first_notebook_runs_by_itself(monkeypatch):
    """Its cells as they are, from their own folder, as JupyterLab runs them."""
    monkeypatch.chdir(START.parent)
    space = {}
    *before, last = [source_of(c) for c in cells_of(START)]
    exec("\n".join(before), space)
    *imports, shown = ast.parse(last).body
    exec(compile(ast.Module(imports, []), "imports", "exec"), space)
    said = eval(compile(ast.Expression(shown.value), "shown", "eval"), space).data
    for path in RUN:
        assert f"[{path.stem}]({path.name})" in said


def test_notebooks_agree_on_shared_defaults():
    found = {}
    for path in NOTEBOOKS:
        for name, value in declared_parameters(path).items():
            found.setdefault(name, set()).add(repr(value))
    assert {name: values for name, values in found.items() if len(values) > 1} == {}


def test_profiles_give_the_same_names_and_a_notebook_declares_each():
    known = set().union(*(declared_parameters(p) for p in NOTEBOOKS))
    names = {p.stem: list(load_profile(p)) for p in PROFILES}
    for profile, given in names.items():
        assert set(given) <= known, profile
        assert given == names["quick"], profile
