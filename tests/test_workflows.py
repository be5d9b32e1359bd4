"""Workflows of the repository: pinned actions, the Makefile's commands, few rights."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.y*ml"))
each = pytest.mark.parametrize("path", WORKFLOWS, ids=lambda p: p.stem)


def steps_of(path):
    jobs = yaml.safe_load(path.read_text())["jobs"].values()
    return [(job, step) for job in jobs for step in job["steps"]]


def test_tests_and_book_have_a_workflow():
    assert [path.name for path in WORKFLOWS] == ["book.yml", "tests.yml"]


@each
def test_actions_are_pinned_to_a_commit_and_name_its_version(path):
    lines = [line for line in path.read_text().splitlines() if "uses:" in line]
    assert len(lines) == sum("uses" in step for _, step in steps_of(path)) > 0
    for line in lines:
        assert re.fullmatch(r" +(- )?uses: [\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line), line


def test_an_action_has_one_version():
    words = "\n".join(path.read_text() for path in WORKFLOWS)
    found = re.findall(r"uses: ([\w/-]+)@(.+)", words)
    assert len(dict(found)) == len(set(found))


@each
def test_commands_are_those_of_the_makefile(path):
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for command in [step["run"] for _, step in steps_of(path) if "run" in step]:
        make, target, *rest = command.split()
        assert make == "make"
        assert target in targets, command
        assert all(re.fullmatch(r"[A-Z]+=\S+", word) for word in rest), command


@each
def test_what_runs_the_projects_code_may_only_read(path):
    workflow = yaml.safe_load(path.read_text())
    assert workflow["permissions"] == {"contents": "read"}
    assert workflow["concurrency"]["group"].endswith("-${{ github.ref }}")
    for job, step in steps_of(path):
        assert job["timeout-minutes"] <= 180
        if "run" in step:
            assert "permissions" not in job
        if "actions/checkout@" in step.get("uses", ""):
            assert step["with"]["persist-credentials"] is False


def test_only_the_main_branch_is_deployed():
    job = yaml.safe_load((ROOT / ".github/workflows/book.yml").read_text())["jobs"]["deploy"]
    assert job["permissions"] == {"pages": "write", "id-token": "write"}
    assert job["needs"] == "build"
    assert "event_name != 'pull_request' && github.ref == 'refs/heads/main'" in job["if"]


def test_python_versions_are_those_that_the_project_names():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    named = re.findall(r"Python :: (3\.\d+)$", "\n".join(project["classifiers"]), re.MULTILINE)
    assert f">={named[0]}" == project["requires-python"]
    jobs = yaml.safe_load((ROOT / ".github/workflows/tests.yml").read_text())["jobs"]
    assert jobs["test"]["strategy"]["matrix"]["python"] == named
    book = [step["with"] for _, step in steps_of(ROOT / ".github/workflows/book.yml")
            if "setup-python" in step.get("uses", "")]  # fmt: skip
    assert [own["python-version"] for own in book] == [named[0]]
