"""The road on four radiologists' nodules, by the commands of the book's own page."""

import re
import shutil
import subprocess

import pytest

pytestmark = [pytest.mark.notebooks, pytest.mark.book, pytest.mark.shared]


@pytest.fixture(scope="module")
def said(road, shared_data, fusion_study):
    """What the page's two commands print, one for each way to read a blank."""
    folder = road.folder / "lidc-0181"
    shutil.copytree(shared_data / "lidc-0181", folder)
    subprocess.run(["chmod", "-R", "u+w", str(folder)], check=True)
    page = "your-data-lidc.md"
    road.page_code(page)
    commands = road.blocks(page, "sh")
    short = {"leak_models": "[]"}  # the phantom's book has that part
    more = {"fusions": "[majority,random]", **fusion_study}
    blank = road.type_in(commands.pop("lidc-run"), **short | more)
    empty = road.type_in(commands.pop("lidc-empty-run"), **short)
    assert not commands  # every block of commands was run
    return blank, empty


def test_four_radiologists_and_two_ways_to_read_a_blank(road, said):
    assert "No problems." in said[0]
    assert "GT entropy" in said[1]
    assert re.search("differs from|overlap in all|are not compared", said[1])
    blank = road.chapters("quick-lidc-0181")
    empty = road.chapters("quick-lidc-0181-rated-and-empty")
    assert "Counting them as rated and empty changes" in blank["02_raters"]
    assert "the question does not arise" in empty["02_raters"]
    assert "LIDC-IDRI-0181, one patient" in blank["05_interrater"]
    assert "synthetic" not in blank["05_interrater"]
    fused = blank["08_label_fusion"]
    assert "7 candidates, 10 trainings, 4 raters" in fused
    assert "threshold" in fused  # of one class, chosen on validation images
    assert "synthetic" not in fused
    assert "08_label_fusion" not in empty
    for sentence in ("two raters or more and so a variance map", "known for the phantom alone"):
        assert sentence in blank["07_multitask"]


def test_the_radiologists_book_in_a_browser(road, said, browser, chromium, tmp_path):
    report = browser.check(road.html("quick-lidc-0181"), chromium=chromium, screenshots=tmp_path)
    assert not report.problems, "\n".join(report.problems)
