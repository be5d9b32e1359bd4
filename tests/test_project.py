"""What holds the project's own files together."""

import re
import subprocess
import sys
import tomllib

import yaml


def normal(name):
    return re.sub(r"[-_.]+", "-", re.match(r"[A-Za-z0-9_.-]+", name)[0]).lower()


def pins(lines):
    return {
        normal(n): v.strip()
        for n, v in (li.split("==") for li in lines if "==" in li and not li.startswith("#"))
    }


def test_conda_users_get_the_same_pins(root):
    constraints = pins((root / "constraints.txt").read_text().splitlines())
    environment = yaml.safe_load((root / "environment.yml").read_text())
    listed = next(d["pip"] for d in environment["dependencies"] if isinstance(d, dict))
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    direct = project["dependencies"] + project["optional-dependencies"]["dev"]
    expected = {normal(d): constraints[normal(d)] for d in direct}
    assert pins(listed) == expected


def test_pins_satisfy_the_ranges(root):
    from packaging.requirements import Requirement

    constraints = pins((root / "constraints.txt").read_text().splitlines())
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    for text in project["dependencies"] + project["optional-dependencies"]["dev"]:
        requirement = Requirement(text)
        assert constraints[normal(requirement.name)] in requirement.specifier, text


def test_pins_install_on_the_oldest_python_that_is_promised(root):
    from importlib.metadata import PackageNotFoundError, distribution

    from packaging.specifiers import SpecifierSet

    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    oldest = project["requires-python"].removeprefix(">=") + ".0"
    checked = 0
    for name, version in pins((root / "constraints.txt").read_text().splitlines()).items():
        try:
            found = distribution(name)
        except PackageNotFoundError:  # of another system or Python
            continue
        if found.version.split("+")[0] == version:
            asked = found.metadata.get("Requires-Python") or ""
            assert oldest in SpecifierSet(asked), f"{name}=={version} asks for Python {asked}"
            checked += 1
    assert checked > 50


def test_nothing_brings_torchvision_or_timm(root):
    constraints = pins((root / "constraints.txt").read_text().splitlines())
    assert not {"torchvision", "timm", "torchaudio"} & set(constraints)


def test_import_is_light():
    code = (
        "import sys, paraspine; heavy = {'torch', 'monai', 'pandas', 'numpy', 'SimpleITK'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_import_takes_less_than_a_third_of_a_second():
    code = "from time import perf_counter as now; t = now(); import paraspine; print(now() - t)"
    words = [sys.executable, "-c", code]
    seconds = [
        float(subprocess.run(words, capture_output=True, text=True, check=True).stdout)
        for _ in range(3)
    ]
    assert min(seconds) < 0.3


def test_version_is_said_once_and_the_same(root):
    import paraspine

    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    citation = yaml.safe_load((root / "CITATION.cff").read_text())
    assert paraspine.__version__ == project["version"] == citation["version"]


def test_no_lazy_name_is_that_of_a_module(root):
    """A module that was imported would stand in the place of the function of its name."""
    import ast

    for face in sorted((root / "paraspine").rglob("__init__.py")):
        modules = {path.stem for path in face.parent.glob("*.py")}
        for node in ast.walk(ast.parse(face.read_text(encoding="utf-8"))):
            if isinstance(node, ast.keyword) and node.arg == "submod_attrs":
                table = ast.literal_eval(node.value)
                assert set(table) <= modules, face
                assert not modules & {name for own in table.values() for name in own}, face
