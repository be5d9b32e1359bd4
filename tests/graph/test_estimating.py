"""A book at full size: what Snakemake would run of it, and how long its trainings would take."""

import json
import re
import subprocess
import sys
from collections import Counter

import pandas as pd
import pytest
import yaml
from typer.testing import CliRunner

from paraspine import phantom, runs
from paraspine.cli import app
from paraspine.graph.estimating import RULES, Estimate, estimate, write_estimate
from paraspine.graph.plan import make_plan
from paraspine.session.parameters import declared_parameters
from paraspine.session.profile import load_profile

SUBJECTS = 119  # as in roshanzamir2023


@pytest.fixture
def large(checkout):
    """The checkout with the manifest of a large synthetic phantom, none of whose images is made."""
    rows = [f"s{i},s{i}.nii.gz,c{i % 3},a.nii.gz,b.nii.gz,c.nii.gz\n" for i in range(SUBJECTS)]
    header = "subject,image,center,rater_a,rater_b,rater_c\n"
    (checkout / "data_manifest.csv").write_text(header + "".join(rows))
    sidecar = {"name": "a synthetic phantom", "generator": {"name": "phantom", "kind": "slices"}}
    (checkout / "data_manifest.json").write_text(json.dumps(sidecar))
    return checkout


@pytest.mark.notebooks
def test_snakemake_plans_the_paper_profile(large):
    done = subprocess.run(
        [*(sys.executable, "-m", "snakemake", "-n", "--cores", "1"), "--config", "profile=paper"],
        cwd=large,
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )
    words = done.stdout + done.stderr
    assert done.returncode == 0, words
    plan = make_plan("paper", root=large)
    table = words.split("Job stats:")[1].split("\n\n")[0]
    counts = {name: int(n) for name, n in re.findall(r"^(\S+) +(\d+)$", table, re.M)}
    assert counts.pop("total") == len(plan.jobs) + len(RULES)
    assert counts == dict.fromkeys([job.name for job in plan] + list(RULES), 1)

    defaults = declared_parameters(large / "notebooks" / "03_train.ipynb")
    trained = {j.name: defaults | j.parameters for j in plan if j.notebook == "03_train"}
    (study,) = [job for job in plan if job.name == "interrater"]
    sampled = {job.name: job for job in plan if job.name in study.after}
    needed = {name for job in sampled.values() for name in job.after}
    found = Counter((trained[n]["model"], trained[n]["fusion"]) for n in needed)
    # with the majority vote one network and ten more of an ensemble
    assert found == {
        **{("unet", "majority"): 11, ("transunet", "majority"): 11},
        **{("unet", "random"): 1, ("transunet", "random"): 1},
    }
    ensembles = {
        job.parameters["model"]: job.parameters["members"]
        for job in sampled.values()
        if job.parameters["method"] == "ensemble"
    }
    assert ensembles == {model: list(range(1, 11)) for model in ("unet", "transunet")}
    for name in needed:
        chosen = {k: trained[name][k] for k in ("epochs", "batch_size", "max_size", "width")}
        assert chosen == {"epochs": 250, "batch_size": 8, "max_size": 256, "width": 64}


def made():
    """An estimate as `estimate` makes one, of two kinds."""
    common = {"notebook": "03_train", "loss": "dice_ce", "size": [256, 192], "batch": 8}
    common |= {"slices": 456, "steps": 14250, "measured": 3}
    rows = [
        {"model": "unet", "trainings": 12, "seconds": 1.23456, "hours": 58.64} | common,
        {"model": "transunet", "trainings": 2, "seconds": 2.0, "hours": 15.833} | common,
    ]
    noted = {
        "profile": "paper",
        "changes": {"seeds": [0, 1]},
        "cohort": {"name": "a phantom", "source": "synthetic phantom", "synthetic": True}
        | {"subjects": 119, "slices": 714},
        "conditions": {"device": "cpu", "precision": "float32", "threads": 1},
        "provenance": runs.provenance(threads=1),
    }
    return Estimate(pd.DataFrame(rows), 20, "a phantom", noted)


def test_an_estimate_is_written_whole(tmp_path):
    found = made()
    path = write_estimate(found, tmp_path / "new" / "estimate.json")
    record = json.loads(path.read_text())
    assert record["totals"] == {"jobs": 23, "notebooks": 20, "trainings": 14, "hours": 74.47}
    assert [row["seconds"] for row in record["rows"]] == [1.235, 2.0]
    assert record["rows"][0]["size"] == [256, 192]
    assert {k: record[k] for k in found.noted} == found.noted
    assert found.table["seconds"].tolist() == [1.23456, 2.0]

    before = path.read_bytes()
    broken = Estimate(found.table, 21, "a phantom", {"changes": {"noise": float("nan")}})
    with pytest.raises(ValueError, match="JSON"):
        write_estimate(broken, path)
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_the_command_writes_what_it_is_told_to(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr("paraspine.graph.estimate", lambda *a, **k: asked.append(a) or made())
    path = tmp_path / "estimate.json"
    done = CliRunner().invoke(app, ["estimate", "--output", str(path)])
    assert done.exit_code == 0, done.output
    heads, *lines, said = done.output.strip().splitlines()
    assert heads.split() == ["model", "trainings", "slices", "steps", "seconds", "hours"]
    assert [line.split()[0] for line in lines] == ["unet", "transunet"]
    assert "14 trainings among 20 notebooks" in said
    assert json.loads(path.read_text())["totals"]["trainings"] == 14

    asked.clear()
    done = CliRunner().invoke(app, ["estimate", "--output", str(tmp_path)])
    assert done.exit_code == 1
    assert "--output: expected a file to write, got the folder" in done.output
    assert not asked


@pytest.mark.notebooks
def test_an_estimate_says_what_it_is_of(checkout, tmp_path):
    profile = checkout / "profiles" / "quick.yaml"
    small = {"models": ["unet"], "fusions": ["majority"], "seeds": [0], "methods": ["single"]}
    small |= {"ensemble_seeds": [], "fusion_splits": 0, "width": 4, "epochs": 5}
    profile.write_text(yaml.safe_dump(load_profile(profile) | small, sort_keys=False))
    manifest = phantom.make_cohort(
        tmp_path / "far", 4, seed=1, size=(32, 32), spacing=(5.6, 5.6), raters=1,
        levels=("L4-L5", "S1"),
    )  # fmt: skip
    found = estimate("quick", str(manifest), steps=1, seeds=[0, 1])
    path = write_estimate(found, tmp_path / "estimate.json")
    record = json.loads(path.read_text())
    plan = make_plan("quick", str(manifest), seeds=[0, 1])
    assert record["totals"]["jobs"] == len(plan.jobs) + len(RULES)
    assert record["changes"] == {"seeds": [0, 1]}
    assert record["cohort"]["source"] == "synthetic phantom"
    assert (record["cohort"]["subjects"], record["cohort"]["slices"]) == (4, 8)
    (row,) = record["rows"]  # one rater: one network, no multi-task networks
    said = ("model", "notebook", "trainings", "measured", "size", "batch")
    assert [row[k] for k in said] == ["unet", "03_train", 2, 1, [32, 32], 4]
    assert row["steps"] == 5 * -(-row["slices"] // 4)
    assert record["totals"]["hours"] == pytest.approx(
        2 * row["steps"] * row["seconds"] / 3600, rel=1e-3
    )
    noted = record["provenance"]
    assert set(noted["inputs"]) == {
        *("data_manifest.csv", "data_manifest.json", "quick.yaml", "03_train.ipynb"),
    }
    if record["conditions"]["device"] == "cpu":
        assert (noted["threads"], record["conditions"]["threads"]) == (1, 1)
    assert str(tmp_path) not in path.read_text()
    assert not (checkout / ".cache" / "estimate").exists()
