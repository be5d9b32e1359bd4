"""The road on a volume with one rater, by the commands of the book's own page."""

import json
import re
import shutil

import pytest

pytestmark = [pytest.mark.notebooks, pytest.mark.book, pytest.mark.shared]


@pytest.fixture(scope="module")
def said(road, shared_data):
    """What the page's commands print."""
    folder = road.folder / "myosegmentum"
    folder.mkdir()
    for name in ("water.nii.gz", "fat.nii.gz", "labels.nii.gz"):
        shutil.copyfile(shared_data / "myosegmentum-tum01" / name, folder / name)
    page = "your-data-myosegmentum.md"
    road.page_code(page)
    about = json.loads((folder / "data_manifest.json").read_text())
    assert about["parameters"]["split_by"] == "slice"
    commands = road.blocks(page, "sh")
    said = road.type_in(commands.pop("myosegmentum-run"), fusions="[majority,random]")
    assert not commands  # every block of commands was run
    return said


def test_a_single_rater_leaves_out_what_cannot_be_measured(road, said, words):
    assert "One rater only (lpm)" in said
    found = road.chapters("quick-myosegmentum")
    assert sum(name.startswith("03_train") for name in found) == 1  # random = majority
    assert "one rater only" in found["02_raters"].lower()
    assert "one rater only" in found["05_interrater"].lower()
    assert "07_multitask" not in found
    provenance = words(road.html("quick-myosegmentum") / "provenance.html")
    assert "multi-task networks is left out" in provenance
    assert "are on more than one side" in found["01_cohort"]
    assert not any(re.search(r"\bnan\b", text, re.I) for text in found.values())


def test_the_single_raters_book_in_a_browser(road, said, browser, chromium, tmp_path):
    html = road.html("quick-myosegmentum")
    report = browser.check(html, chromium=chromium, screenshots=tmp_path)
    assert not report.problems, "\n".join(report.problems)
