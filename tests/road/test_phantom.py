"""The road on the phantom: manifest → check → every notebook → book → browser."""

import re
import shutil

import pytest

pytestmark = [pytest.mark.notebooks, pytest.mark.book]


@pytest.fixture(scope="module")
def book(road, fusion_study):
    road.python(
        "from paraspine import phantom;"
        "phantom.make_cohort('.', subjects=8, size=(96, 96), spacing=(1.87, 1.87),"
        " levels=('L3-L4', 'L5-S1'), images='data/phantom')"
    )
    shutil.rmtree(road.folder / "data")  # as after a clone: only the manifest is there
    road.make_book("data_manifest.csv", **fusion_study)
    return road.html("quick")


def test_the_phantoms_images_come_back_and_every_chapter_is_there(road, book):
    found = road.chapters("quick")
    assert set(found) >= {"01_cohort", "02_raters", "05_interrater", "06_calibration"}
    assert set(found) >= {"08_label_fusion", "11_truth", "12_noise", "14_phantom"}
    fused = sum(name.startswith("03_train-fusion") for name in found)
    assert fused == 9  # 6 candidates, 3 raters
    # 2 networks, 3 seeds; 2 networks with two tasks, one of them on a split by slice too
    assert sum(name.startswith("03_train") for name in found) - fused == 9
    assert "multi-task U-Net" in found["07_multitask"]
    assert sum(name.startswith("04_sample") for name in found) == 8  # 2 networks, 4 ways
    assert book.joinpath("index.html").is_file()


def test_every_number_of_the_phantom_says_synthetic(road, book, words):
    for name, text in road.chapters("quick").items():
        assert "synthetic phantom" in text, name
    assert "synthetic phantom" in words(book / "index.html")


#: What a figure shows, and the words of an explorer, which stand before it.
FIGURE = (
    r'(?:<div class="paraspine-explorer"(?:(?!<script).)*)?'
    r'<script type="application/json".*?</script>'
)


#: Tables of the papers' own numbers, and of settings, are nobody's phantom.
PAPERS = r"as printed|follows from|>parameter<|Parameters of"


def test_every_table_and_figure_from_the_phantom_says_so(book):
    seen = {"tables": 0, "figures": 0}
    for page in (book / "executed").glob("*.html"):
        text = page.read_text()
        tables = re.findall(r"<table [^>]*(?:dataframe|paraspine-table).*?</table>", text, re.S)
        tables = [t for t in tables if not re.search(PAPERS, t)]
        found = {
            "tables": tables,
            "figures": re.findall(FIGURE, text, re.S),
        }
        for kind, items in found.items():
            assert all("synthetic phantom" in item for item in items), (page.name, kind)
            seen[kind] += len(items)
    assert seen["tables"] >= 30
    assert seen["figures"] >= 25


def test_no_page_shows_nan_or_a_path_of_this_machine(road, book, words):
    for page in book.rglob("*.html"):
        assert not re.search(r"\bnan\b", words(page), re.I), page.name
        assert str(road.folder.parent) not in page.read_text(), page.name


def test_the_book_in_a_browser(book, browser, chromium, tmp_path):
    report = browser.check(book, chromium=chromium, screenshots=tmp_path)
    assert not report.problems, "\n".join(report.problems)
    assert len(report.pages) >= 20
    assert report.figures >= 30
    assert report.hovered == report.figures


def test_a_second_call_runs_no_notebook(road, book, fusion_study):
    before = {p: p.stat().st_mtime_ns for p in (road.folder / "runs").rglob("notebook.ipynb")}
    assert len(before) == len(road.chapters("quick"))
    done = road.make_book("data_manifest.csv", **fusion_study)
    assert "paraspine run" not in done.stdout + done.stderr
    after = {p: p.stat().st_mtime_ns for p in (road.folder / "runs").rglob("notebook.ipynb")}
    assert after == before


def test_what_a_books_trainings_will_take(road, book):
    own = road.settings(models="[unet]", ensemble_seeds="[0,1,2]", epochs=7)
    words = [w for setting in own for w in ("-p", setting)]
    done = road.call("paraspine", "estimate", "--profile", "quick", "--steps", "2", *words)
    heads, *lines, said = done.stdout.strip().splitlines()
    assert heads.split() == ["model", "trainings", "slices", "steps", "seconds", "hours"]
    rows = {line.split()[0]: line.split()[1:] for line in lines}
    # 3 seeds; with two tasks one more on a split by slice
    assert {name: int(row[0]) for name, row in rows.items()} == {"unet": 3, "multitask_unet": 2}
    for _, slices, steps, seconds, _ in rows.values():
        assert int(steps) == 7 * -(-int(slices) // 4)
        assert float(seconds) > 0
    assert "5 trainings among" in said
    assert not (road.folder / ".cache" / "estimate").exists()


def test_an_unknown_parameter_is_refused_before_anything_runs(road, book):
    done = road.call(
        *("snakemake", "--cores", "1", "--config", "profile=quick", "epoch=3"), check=False
    )
    assert done.returncode != 0
    assert "no notebook declares epoch" in done.stdout + done.stderr


def test_a_stale_result_is_refused_by_the_book(road, book, fusion_study):
    image = next((road.folder / "data" / "phantom").rglob("*_rater-a.nii.gz"))
    content = image.read_bytes()
    settings = [w for setting in road.settings(**fusion_study) for w in ("-p", setting)]
    try:
        image.write_bytes(content + b"\0")
        done = road.call("paraspine", "book", *settings, check=False)
    finally:
        image.write_bytes(content)
    assert done.returncode == 1
    assert "its input data_manifest.csv changed since it ran" in done.stderr
    assert book.joinpath("index.html").is_file()
