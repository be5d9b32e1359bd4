"""The page of the benchmarks: what it says of a record, and where there is none."""

import json
import math
import re
import sys

import pytest

from paraspine.arrays import RunError
from paraspine.book import publish
from paraspine.book.contents import fill_contents
from paraspine.book.speed import read_record, speed_page

PAGES = {"index": "# Book\n"}
TOC = "format: jb-book\nroot: index\nchapters:\n- file: speed\n- file: provenance\n"


@pytest.fixture
def write(root, tmp_path, monkeypatch):
    """Write a record as ``make bench`` does, and return its path."""
    monkeypatch.syspath_prepend(str(root))  # the benchmarks are no part of the package
    from benchmarks.report import write_results
    from benchmarks.timing import Measured
    from paraspine.runs import provenance

    def write(*lines, **left_out):
        rows = [Measured(**{"against": "a loop", "bound": 2.0} | line) for line in lines]
        noted = provenance(threads=2, durations={"total_seconds": 83.0})
        noted["processes"] = "a fresh one for each case"
        return write_results(rows, tmp_path, provenance=noted, left_out=left_out)[1]

    yield write
    for name in [n for n in sys.modules if n.split(".")[0] == "benchmarks"]:
        monkeypatch.delitem(sys.modules, name)


def line(ratio, low, high, what="entropy", **more):
    times = {"ours": 0.5, "rival": 0.5 * ratio, "rounds": 7}
    return {"what": what, "ratio": ratio, "low": low, "high": high} | times | more


def cells(text):
    """Rows of the page's first table."""
    body = text.split("</table>")[0].split("<tbody>")[1]
    rows = re.findall(r"<tr>(.*?)</tr>", body, re.DOTALL)
    return [re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", row) for row in rows]


def test_table_sentence_and_machine(write):
    path = write(
        line(3.14159, 2.9, 3.3, note="5 classes", coverage=0.96), line(4, 3, 5, what="a < b")
    )
    record = read_record(path)
    text = speed_page(record)
    assert "All 2 bounds are reached on this machine." in text
    assert cells(text) == [
        ["entropy", "a loop", "3.14 (2.9 to 3.3)", "2", "yes", "0.5 against 1.57"],
        ["a &lt; b", "a loop", "4 (3 to 5)", "2", "yes", "0.5 against 2"],
    ]
    noted = record["provenance"]
    for words in (noted["processor"], noted["versions"]["numpy"], noted["finished"], "83 s",
                  "5 classes; 7 rounds, 1 thread; coverage of the interval 0.96",
                  "a fresh one for each case"):  # fmt: skip
        assert words in text


def test_bounds_that_are_missed_or_only_just_decided_are_said(write):
    text = speed_page(read_record(write(line(3, 2.5, 4), line(1.9, 1.5, 2.5), line(1, 0.9, 1.1))))
    assert "1 of 3 bounds are reached on this machine." in text
    assert "1 verdict is marked 'just': that bound lies within the interval" in text
    assert [row[4] for row in cells(text)] == ["yes", "no, just", "no"]


def test_results_that_differ_and_cases_left_out(write):
    nan = math.nan
    path = write(line(nan, nan, nan, problem="0.1 apart"), graph="needs two <cores>")
    text = speed_page(read_record(path))
    assert cells(text)[0][2:] == ["undefined", "2", "results differ", ""]
    assert "In 1 row the two ways gave different results." in text
    assert "Left out: `graph`, because needs two &lt;cores&gt;." in text
    assert "nan" not in text.lower()


def test_one_bound_and_a_limit_without_times(write):
    limit = {"ours": math.nan, "rival": math.nan, "rounds": 0}
    text = speed_page(read_record(write(line(8, 8, 8, bound=1.0, **limit))))
    assert "The bound is reached on this machine." in text
    assert cells(text) == [["entropy", "a loop", "8", "1", "yes", ""]]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "not a record"),
        ("[]", "not a record"),
        ('{"rows": []}', "'provenance'"),
        ('{"rows": [], "provenance": {}}', "without rows"),
        ('{"rows": [{"what": "x"}], "provenance": {}}', "without against, bound"),
    ],
)
def test_something_else_is_refused(tmp_path, content, words):
    path = tmp_path / "results.json"
    path.write_text(content)
    with pytest.raises(RunError, match=re.escape(words)) as error:
        read_record(path)
    assert "Run make bench again" in str(error.value)


@pytest.fixture
def full_size(write):
    """Write a record with an estimate beside it, with some changes, and return both paths."""
    from paraspine.runs import provenance

    common = {"notebook": "03_train", "loss": "dice_ce", "size": [256, 192], "batch": 8}
    common |= {"slices": 456, "steps": 14250, "measured": 1}
    rows = [
        {"model": "unet", "trainings": 1200, "seconds": 1.234, "hours": 5864} | common,
        {"model": "trans<unet", "trainings": 2, "seconds": 2.0, "hours": 15.83} | common,
    ]

    def make(**changes):
        path = write(line(3, 2, 4))
        found = {
            "profile": "paper",
            "changes": {},
            "cohort": {"name": "119 <subjects>", "source": "synthetic phantom", "synthetic": True}
            | {"subjects": 119, "slices": 714},
            "conditions": {"device": "cpu", "precision": "float32", "threads": 1},
            "provenance": provenance(threads=1, durations={"total_seconds": 271.0}),
            "totals": {"jobs": 1234, "notebooks": 1231, "trainings": 1202, "hours": 5880.0},
            "rows": rows,
        }
        beside = path.with_name("estimate.json")
        beside.write_text(json.dumps(found | changes))
        return path, beside

    return make


def test_a_book_at_full_size(full_size):
    path, beside = full_size()
    page = speed_page(read_record(path))
    section = page.split("## A book at full size\n")[1]
    assert (
        "With the profile `paper`, the book of the cohort '119 &lt;subjects&gt;' (synthetic "
        "phantom, 119 subjects, 714 slices) is a graph of 1,234 jobs, 1,202 of them trainings. On "
        "1 core of this processor, in float32, the trainings would take 5,880 hours (245 days) one "
        "after another if none stops early: 1 step of each of the 2 kinds below was timed, and the "
        "time multiplied."
    ) in section
    assert "A GPU is advised." in section
    same = ["dice ce", "256 × 192", "8"]
    assert cells(section) == [
        ["unet", *same, "1,200", "14,250", "1.23", "5,864"],
        ["trans&lt;unet", *same, "2", "14,250", "2", "15.8"],
    ]
    noted = json.loads(beside.read_text())["provenance"]
    threads = '<th scope="row">threads</th><td>1</td>'
    for words in (noted["processor"], noted["finished"], threads, "5 min"):
        assert words in section.split("### The machine of this estimate\n")[1]
    assert len(cells(page)) == 1  # the benchmarks' own table comes first


def test_a_few_hours_of_one_kind_on_a_gpu(full_size):
    conditions = {"device": "cuda", "precision": "bf16", "processor": "A large one"}
    path, beside = full_size(conditions=conditions)
    record = json.loads(beside.read_text())
    record["totals"]["hours"] = 1.25
    record["rows"] = [record["rows"][0] | {"measured": 3}]
    record["cohort"] |= {"name": "Backs", "synthetic": False}
    beside.write_text(json.dumps(record))
    page = speed_page(read_record(path))
    assert "cohort 'Backs' (119 subjects, 714 slices)" in page
    assert "On this GPU, in bf16, the trainings would take 1.2 hours one after another" in page
    assert "3 steps of the one kind were timed" in page
    assert "advised" not in page


def test_without_an_estimate_there_is_no_such_section(write):
    record = read_record(write(line(3, 2, 4)))
    assert record["estimate"] is None
    assert "full size" not in speed_page(record)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("{", "not an estimate"),
        ({"rows": []}, "without rows"),
        ({"rows": [{"model": "unet"}]}, "without batch, hours, loss"),
        ({"provenance": None}, "without rows or provenance"),
        ({"totals": {"jobs": 3}}, "'trainings'"),
        ({"cohort": "Backs"}, "not an estimate"),
        ({"conditions": {"device": "cpu", "precision": "bf16"}}, "'threads'"),
        (
            {"totals": {"jobs": "3", "trainings": None, "hours": 2.0}, "profile": 4},
            "something else for totals.jobs, totals.trainings, profile.",
        ),
    ],
)
def test_a_damaged_estimate_is_refused(full_size, change, words):
    path, beside = full_size(**(change if isinstance(change, dict) else {}))
    if isinstance(change, str):
        beside.write_text(change)
    with pytest.raises(RunError, match=re.escape(words)) as error:
        read_record(path)
    assert "estimate.json: " in str(error.value)
    assert "Run paraspine estimate --output again, or remove the file." in str(error.value)


def test_the_committed_estimate_makes_a_section(root):
    path = root / "benchmarks" / "estimate.json"
    record = read_record(path.with_name("results.json"))
    if record is None or record["estimate"] is None:
        pytest.skip(f"{path.name} is not there: no estimate was made on this checkout")
    section = speed_page(record).split("## A book at full size\n")[1]
    assert len(cells(section)) == len(json.loads(path.read_text())["rows"])
    assert "synthetic phantom" in section


def test_the_page_is_there_where_the_benchmarks_were_run(make, root, tmp_path, write):
    source = make.book(tmp_path / "source", root, pages=PAGES, toc=TOC)
    path = write(line(3, 2, 4, note=f"{tmp_path}/x"))
    done = publish([], source, tmp_path / "out", benchmarks=path, root=tmp_path)
    text = (done.folder / "speed.md").read_text()
    assert text.startswith("# Speed\n")
    assert str(tmp_path) not in text
    assert "file: speed" in (done.folder / "_toc.yml").read_text()
    assert done.left_out == ()


def test_the_page_is_left_out_where_they_were_not(make, root, tmp_path):
    source = make.book(tmp_path / "source", root, pages=PAGES, toc=TOC)
    absent = tmp_path / "results.json"
    assert read_record(absent) is None
    for number, given in enumerate((absent, None)):
        done = publish([], source, tmp_path / f"out{number}", benchmarks=given, root=tmp_path)
        assert not (done.folder / "speed.md").exists()
        assert "speed" not in (done.folder / "_toc.yml").read_text()
        assert done.left_out == ("speed",)


def test_pages_below_an_absent_one_move_up():
    chapters = [{"file": "speed", "sections": [{"file": "words"}]}, {"file": "provenance"}]
    skeleton = {"format": "jb-book", "root": "index", "chapters": chapters}
    filled = fill_contents(skeleton, [], generated=["provenance"], absent=["speed"])
    assert [c["file"] for c in filled.toc["chapters"]] == ["words", "provenance"]
    there = fill_contents(skeleton, [], generated=["speed", "provenance"])
    assert there.toc == skeleton


def test_the_committed_record_makes_a_page(root):
    path = root / "benchmarks" / "results.json"
    record = read_record(path)
    if record is None:
        pytest.skip(f"{path.name} is not there: the benchmarks were not run on this checkout")
    page = speed_page(record)
    assert len(cells(page)) == len(json.loads(path.read_text())["rows"])
