"""Parameters of notebooks and profiles are checked before anything runs."""

import json

import pytest

from paraspine.arrays import SettingsError
from paraspine.graph.assignments import parse_assignment
from paraspine.session.parameters import check_parameters, declared_parameters
from paraspine.session.profile import load_profile


def write_notebook(path, parameters, code=("pass",)):
    cells = [
        {
            "cell_type": "code",
            "id": "p",
            "metadata": {"tags": ["parameters"]},
            "source": parameters,
            "outputs": [],
            "execution_count": None,
        }
    ]
    cells += [
        {
            "cell_type": "code",
            "id": f"c{i}",
            "metadata": {},
            "source": text,
            "outputs": [],
            "execution_count": None,
        }
        for i, text in enumerate(code)
    ]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    path.write_text(
        json.dumps({"cells": cells, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5})
    )
    return path


@pytest.fixture
def notebook(tmp_path):
    return write_notebook(
        tmp_path / "03_train.ipynb",
        "epochs = 30  # passes\nrate: float = 0.1\nfusion = 'majority'\nseeds = [0]\n"
        "clip = None\nflip = False",
    )


def test_declared_parameters_in_order_with_defaults(notebook):
    assert declared_parameters(notebook) == {
        "epochs": 30,
        "rate": 0.1,
        "fusion": "majority",
        "seeds": [0],
        "clip": None,
        "flip": False,
    }


def test_an_unknown_parameter_is_refused_with_the_nearest_name(notebook):
    with pytest.raises(SettingsError, match=r"unknown parameter 'epoch': did you mean 'epochs'\?"):
        check_parameters(notebook, {"epoch": 3})


def test_all_problems_are_named_at_once(notebook):
    with pytest.raises(SettingsError) as caught:
        check_parameters(notebook, {"epochs": "many", "zzz": 1, "flip": 1})
    for part in ("'epochs': expected a whole number", "'zzz'", "'flip': expected true or false"):
        assert part in str(caught.value)


def test_whole_numbers_pass_where_numbers_are_expected(notebook):
    checked = check_parameters(notebook, {"rate": 1, "clip": 1.0, "seeds": [1, 2]})
    assert checked == {"rate": 1.0, "clip": 1.0, "seeds": [1, 2]}
    assert isinstance(checked["rate"], float)


def test_a_notebook_without_a_parameters_cell_is_refused(tmp_path):
    path = tmp_path / "x.ipynb"
    path.write_text(json.dumps({"cells": []}))
    with pytest.raises(SettingsError, match="one cell tagged 'parameters', found 0"):
        declared_parameters(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("import os", "line 1 of the parameters cell is not an assignment"),
        ("x = len('a')", "must give a plain value"),
    ],
)
def test_a_parameters_cell_holds_literals_only(tmp_path, text, message):
    with pytest.raises(SettingsError, match=message):
        declared_parameters(write_notebook(tmp_path / "x.ipynb", text))


def test_a_missing_profile_names_those_that_exist(tmp_path):
    (tmp_path / "quick.yaml").write_text("epochs: 3\n")
    with pytest.raises(SettingsError, match="profile 'paper': not found; there are quick"):
        load_profile(tmp_path / "paper.yaml")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\na: 2\n", "given twice: a"),
        ("a:\n  b: 1\n", "a profile is flat, but a nests"),
        ("- 1\n", "expected 'name: value' lines"),
        ("a: [1\n", "not valid YAML"),
    ],
)
def test_a_profile_is_flat_and_says_each_thing_once(tmp_path, text, message):
    path = tmp_path / "quick.yaml"
    path.write_text(text)
    with pytest.raises(SettingsError, match=message):
        load_profile(path)


def test_assignments_from_the_command_line_are_yaml():
    assert parse_assignment("methods=[single, dropout]") == ("methods", ["single", "dropout"])
    assert parse_assignment("clip=null") == ("clip", None)
    assert parse_assignment("manifest_path=a=b.csv") == ("manifest_path", "a=b.csv")
    with pytest.raises(SettingsError, match="expected name=value"):
        parse_assignment("epochs")
