"""Runs become pages; what failed, is incomplete or would mislead is refused."""

import json
import sys
from pathlib import Path

import nbformat
import pytest
import yaml

from paraspine.arrays import RunError, SettingsError
from paraspine.book import publish
from paraspine.book.contents import fill_contents, fill_prose
from paraspine.book.mime import PLOTLY, PlotlyRenderer, figure_html
from paraspine.book.notebook import HINT, check_executed, clean, default_roots, strip_paths

PAGES = {"index": "# Book\n", "words": "# Words\n"}


@pytest.fixture
def source(make, root, tmp_path):
    return make.book(tmp_path / "source", root, pages=PAGES)


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


# ------------------------------------------------------------------ names, titles, parameters


def test_a_single_run_keeps_the_name_of_its_notebook(make, source, tmp_path):
    run = make.run(tmp_path / "runs" / "abc", make.notebook(title="How far apart?"))
    done = publish([run], source, tmp_path / "out", root=tmp_path)
    assert [p.name for p in done.pages] == ["05_measure"]
    page = nbformat.read(done.folder / "executed" / "05_measure.ipynb", as_version=4)
    assert page.cells[0].source == "# How far apart?\n\nSome words."
    assert "model: `unet`" in page.cells[-1].source
    assert "run_folder" not in page.cells[-1].source


def test_what_is_said_to_who_runs_a_notebook_is_not_in_the_book():
    cells = [nbformat.v4.new_markdown_cell(s) for s in ("# Title", HINT, f"{HINT} And more.")]
    page = clean(nbformat.v4.new_notebook(cells=cells), title="Title")
    assert [c.source for c in page.cells] == ["# Title", f"{HINT} And more."]


def trainings(make, source, tmp_path, parameters):
    """Publish runs of one notebook, by name."""
    runs = [
        make.run(tmp_path / name, make.notebook(title="Training"), name="03_train", parameters=own)
        for name, own in parameters.items()
    ]
    return publish(runs, source, tmp_path / "out").pages


def test_runs_of_one_notebook_are_told_apart_by_what_differs(make, source, tmp_path):
    pages = trainings(make, source, tmp_path, {
        "m0": {"model": "unet", "fusion": "majority", "seed": 0},
        "r0": {"model": "unet", "fusion": "random", "seed": 0},
        "r1": {"model": "unet", "fusion": "random", "seed": 1},
    })  # fmt: skip
    assert [p.name for p in pages] == ["03_train-m0", "03_train-r0", "03_train-r1"]
    assert [p.title for p in pages] == [
        "U-Net, majority vote, seed 0", "U-Net, random rater, seed 0",
        "U-Net, random rater, seed 1",
    ]  # fmt: skip


def test_runs_that_differ_in_much_are_told_apart_by_their_names(make, source, tmp_path):
    pages = trainings(make, source, tmp_path, {
        name: {f"option_{i}": i * step for i in range(1, 7)} | {"center": ""}
        for name, step in (("fusion-dice_split-0", 1), ("unet-seed1", 2))
    })  # fmt: skip
    assert [p.title for p in pages] == ["Training (fusion-dice_split-0)", "Training (unet-seed1)"]


def test_what_is_empty_says_nothing(make, source, tmp_path):
    pages = trainings(make, source, tmp_path, {
        "a": {"center": "", "width": 8},
        "b": {"center": "north", "width": 8},
        "c": {"center": "", "width": 16},
    })  # fmt: skip
    assert [p.title for p in pages] == [
        "Training (width 8)", "Training (north, width 8)", "Training (width 16)",
    ]  # fmt: skip


def test_titles_that_would_be_the_same_are_told_apart_by_their_names(make, source, tmp_path):
    pages = trainings(make, source, tmp_path, {
        "a": {"left": "", "right": "x"}, "b": {"left": "x", "right": ""},
    })  # fmt: skip
    assert [p.title for p in pages] == ["Training (a)", "Training (b)"]


def test_many_parameters_fold_away(make, source, tmp_path):
    parameters = {"model": "unet", "seed": 0} | {f"option_{i}": i / 2 for i in range(9)}
    run = make.run(tmp_path / "a", make.notebook(), parameters=parameters)
    done = publish([run], source, tmp_path / "out")
    text = text_of(done.folder / "executed" / "05_measure.ipynb")
    assert "model: `unet` · seed: `0`" in text
    assert "All 11 parameters" in text


def test_an_executed_notebook_without_a_run_is_a_page_too(make, source, tmp_path):
    path = tmp_path / "look.ipynb"
    nbformat.write(make.notebook(title="A look", parameters={"seed": 3}), path)
    done = publish([path], source, tmp_path / "out")
    assert [(p.name, p.parameters) for p in done.pages] == [("look", {"seed": 3})]
    assert "nothing more is known" in text_of(done.folder / "provenance.md")


def test_two_runs_with_one_name_are_refused(make, source, tmp_path):
    runs = [make.run(tmp_path / place / "a", make.notebook()) for place in "xy"]
    with pytest.raises(RunError, match="two runs would both become the page '05_measure-a'"):
        publish(runs, source, tmp_path / "out")


# ------------------------------------------------------------------ refusals


def test_an_incomplete_run_is_refused(make, source, tmp_path):
    run = make.run(tmp_path / "a", make.notebook(), complete=False)
    for given in (run, run / "notebook.ipynb"):
        with pytest.raises(RunError, match="incomplete"):
            publish([given], source, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_damaged_run_is_refused(make, source, tmp_path):
    run = make.run(tmp_path / "a", make.notebook())
    (run / "provenance.json").write_text("{}")
    with pytest.raises(RunError, match="damaged"):
        publish([run], source, tmp_path / "out")


def test_a_run_without_a_notebook_is_refused(make, source, tmp_path):
    run = make.run(tmp_path / "a", make.notebook())
    (run / "notebook.ipynb").unlink()
    with pytest.raises(RunError, match=r"notebook\.ipynb: expected the executed notebook"):
        publish([run], source, tmp_path / "out")


def test_files_that_are_no_run_are_refused(source, tmp_path):
    (tmp_path / "x.txt").write_text("x")
    (tmp_path / "x.ipynb").write_text("{")
    messages = {
        "x.txt": "run folder or an executed",
        "x.ipynb": "not a notebook",
        "y.ipynb": "expected the executed",
        "missing": "no such run",
    }
    for name, message in messages.items():
        with pytest.raises(RunError, match=message):
            publish([tmp_path / name], source, tmp_path / "out")


def failing(make, kind: str):
    error = nbformat.v4.new_output("error", ename="KeyError", evalue="'dice'", traceback=["t"])
    return {
        "error": make.notebook(make.code("x", error)),
        "papermill": make.notebook(exception=True),
        "failed": make.notebook(make.code("x", papermill={"status": "failed"})),
        "pending": make.notebook(make.code("x", papermill={"status": "pending"})),
        "not executed": make.notebook(make.code("x", count=None)),
        "foreign": make.notebook(
            make.code("x", make.shown({"text/html": '<script src="https://cdn.plot.ly/p.js">'}))
        ),
    }[kind]


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("error", r"cell 3 failed with KeyError: 'dice'"),
        ("papermill", "papermill noted a failed execution"),
        ("failed", "cell 3 is noted as 'failed'"),
        ("pending", "cell 3 is noted as 'pending'"),
        ("not executed", "cell 3 was not executed"),
        ("foreign", "another host"),
    ],
)
def test_failed_executions_are_refused(make, kind, message):
    with pytest.raises(RunError, match=message):
        check_executed(failing(make, kind))


def test_an_error_that_is_meant_to_be_shown_passes(make):
    error = nbformat.v4.new_output("error", ename="ShapeError", evalue="no", traceback=[])
    check_executed(make.notebook(make.code("x", error, tags=["raises-exception"])))


def test_sources_and_targets_are_checked(make, source, tmp_path):
    with pytest.raises(SettingsError, match=r"_config\.yml"):
        publish([], tmp_path / "nowhere", tmp_path / "out")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("keep")
    with pytest.raises(SettingsError, match="empty folder"):
        publish([], source, tmp_path / "full")
    (source / "provenance.md").write_text("# Mine")
    with pytest.raises(SettingsError, match=r"provenance\.md"):
        publish([], source, tmp_path / "out")


# ------------------------------------------------------------------ cleaning


def test_machine_paths_vanish_from_text_and_figures_but_not_from_data(make):
    top, home = "/srv/ward/project", "/home/radiologist"
    blob = "/srv/ward/project/AAAA"
    cells = [
        make.code(
            f"open('{top}/data/x.csv')",
            nbformat.v4.new_output("stream", name="stdout", text=f"{top}/runs/a {home}/b {top}x\n"),
            make.shown({"image/png": blob, "text/plain": f"PosixPath('{top}')"}),
            make.shown({PLOTLY: {"data": [{"name": f"{home}/c", "x": {"bdata": blob}}]}}),
        )
    ]
    notebook = make.notebook(*cells, input_path=f"{top}/n.ipynb")
    cleaned = clean(notebook, title="T", roots={top: ".", home: "~"})
    text = json.dumps(cleaned)
    code = cleaned.cells[-1]
    assert code.source == "open('data/x.csv')"
    assert code.outputs[0].text == f"runs/a ~/b {top}x\n"  # another folder that begins alike
    assert code.outputs[1].data == {"image/png": blob, "text/plain": "PosixPath('.')"}
    assert code.outputs[2].data[PLOTLY]["data"][0] == {"name": "~/c", "x": {"bdata": blob}}
    assert "n.ipynb" not in text


def test_paths_are_replaced_at_their_borders_only():
    roots = {"/home/a": "~", "/home/a/work": "."}
    for before, after in [
        ("/home/a/work/x", "x"), ("/home/a/work", "."), ("/home/a/other", "~/other"),
        ("/home/ab", "/home/ab"), ("https://x.org/home/a", "https://x.org/home/a"),
        ("file:///home/a/x", "~/x"), ('File "/home/a/x.py"', 'File "~/x.py"'),
        ("/home/a, /home/a.", "~, ~."),
    ]:  # fmt: skip
        assert strip_paths(before, roots) == after, before
    assert strip_paths({"/home/a/k": [1, "/home/a"]}, roots) == {"~/k": [1, "~"]}


def test_default_roots_know_this_machine(tmp_path):
    roots = default_roots(tmp_path)
    assert roots[str(tmp_path)] == "."
    assert roots[str(Path.home())] == "~"
    assert sys.prefix in roots


def test_notes_of_the_execution_are_taken_out_and_parameters_hidden(make):
    notebook = make.notebook(parameters={"seed": 1})
    notebook.metadata["widgets"] = {"state": {}}
    cleaned = clean(notebook, title="T")
    assert set(cleaned.metadata) == {"kernelspec"}
    assert cleaned.metadata.kernelspec.name == "python3"
    tags = [c.metadata.get("tags", []) for c in cleaned.cells if c.cell_type == "code"]
    assert tags == [["parameters", "remove-cell"], ["injected-parameters", "remove-cell"]]
    assert "papermill" not in json.dumps(cleaned)
    nbformat.validate(cleaned)
    assert "widgets" in notebook.metadata  # the given one is left as it is


def test_progress_bars_and_widgets_are_taken_out(make):
    out = nbformat.v4.new_output
    widget = {"application/vnd.jupyter.widget-view+json": {}, "text/plain": "  0%|  | 0/3"}
    cell = make.code(
        "x",
        out("stream", name="stderr", text="\r 33%|#  | 1/3 [00:01, 1.2it/s]\r100%|###| 3/3\n"),
        out("stream", name="stderr", text="UserWarning: few images\n 10%|# | 1/10\n"),
        out("stream", name="stdout", text="Dice 0.91, 10% kept\nold\rnew\n"),
        make.shown(widget),
    )
    outputs = clean(make.notebook(cell), title="T").cells[-1].outputs
    assert [o.text for o in outputs] == ["UserWarning: few images\n", "Dice 0.91, 10% kept\nnew\n"]


def test_glued_numpy_numbers_become_plain_ones(make):
    cell = make.code(
        "x", make.glued("a", "np.float64(0.25)"), make.glued("b", "np.int64(-3)"),
        make.glued("c", "'unet'"), make.glued("d", "np.True_"), make.glued("e", "np.str_('x(1)')"),
        make.shown({"text/plain": "np.float64(1.0)"}),
    )  # fmt: skip
    outputs = clean(make.notebook(cell), title="T").cells[-1].outputs
    texts = [next(iter(o.data.values())) for o in outputs]
    assert texts == ["0.25", "-3", "'unet'", "True", "'x(1)'", "np.float64(1.0)"]


def test_a_title_is_put_first_where_there_is_none(make):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("## Part")])
    cleaned = clean(notebook, title="T", introduction="With.")
    assert [c.source for c in cleaned.cells] == ["# T\n\nWith.", "## Part"]


# ------------------------------------------------------------------ contents


SKELETON = {
    "format": "jb-book", "root": "index",
    "parts": [
        {"caption": "Study", "chapters": [
            {"file": "executed/01_cohort"},
            {"glob": "executed/03_train*", "sections": [{"file": "schedule"}]},
            {"file": "findings", "needs": ["01_cohort", "05_*"]},
            {"file": "executed/05_interrater", "sections": [{"file": "tables"}]},
        ]},
        {"caption": "Fat", "needs": "10_fat", "chapters": [{"file": "fat"}]},
        {"caption": "Words", "chapters": [{"file": "methods"}]},
    ],
}  # fmt: skip


def files_of(entries) -> list:
    return [
        (e["file"], files_of(e["sections"])) if e.get("sections") else e["file"] for e in entries
    ]


def test_contents_take_the_runs_there_are_in_natural_order():
    names = ["03_train-seed10", "03_train-seed2", "01_cohort", "05_interrater", "99_extra"]
    filled = fill_contents(SKELETON, names, generated=["provenance"])
    assert [(p["caption"], files_of(p["chapters"])) for p in filled.toc["parts"]] == [
        ("Study", ["executed/01_cohort", "executed/03_train-seed2",
                   ("executed/03_train-seed10", ["schedule"]), "findings",
                   ("executed/05_interrater", ["tables"])]),
        ("Words", ["methods"]),
        ("Other runs", ["executed/99_extra"]),
        ("How it was made", ["provenance"]),
    ]  # fmt: skip
    assert filled.left_out == ("Fat",)
    assert "needs" not in yaml.safe_dump(filled.toc)
    assert SKELETON["parts"][1]["needs"] == "10_fat"  # the given one is left as it is


def test_contents_without_runs_keep_the_prose_that_needs_none():
    filled = fill_contents(SKELETON, [])
    assert [files_of(p["chapters"]) for p in filled.toc["parts"]] == [
        ["schedule", "tables"],
        ["methods"],
    ]
    assert filled.left_out == (
        "executed/01_cohort", "executed/03_train*", "findings", "executed/05_interrater", "Fat",
    )  # fmt: skip


def test_prose_that_quotes_runs_stands_where_these_are():
    text = "before\n% needs: 11_truth, 12_*\n| a | b |\n\n% end\nafter\n% a comment\n"
    without = "before\nafter\n% a comment\n"
    assert fill_prose(text, ["01_cohort", "11_truth"]) == without
    assert fill_prose(text, []) == without
    filled = fill_prose(text, ["11_truth", "12_noise-a"])
    assert filled == "before\n| a | b |\n\nafter\n% a comment\n"
    for broken in ("% needs: a\nb\n", "b\n% end\n", "% needs: a\n% needs: b\n% end\n"):
        with pytest.raises(SettingsError, match="in pairs"):
            fill_prose(broken, ["a"])


def test_pages_lose_what_quotes_runs_that_are_not_there(make, source, tmp_path):
    page = source / "words.md"
    page.write_text(page.read_text() + "\n% needs: 99_none\nquoted\n% end\nlast\n")
    made = publish([], source, tmp_path / "out")
    text = text_of(made.folder / "words.md")
    assert "quoted" not in text
    assert text.endswith("\nlast\n")


def test_contents_with_chapters_only():
    skeleton = {"format": "jb-book", "root": "index", "chapters": [{"file": "a"}]}
    filled = fill_contents(skeleton, ["x"], generated=["a", "provenance"])
    assert files_of(filled.toc["chapters"]) == ["a", "executed/x", "provenance"]


def test_a_skeleton_that_is_none_is_refused(make, root, tmp_path):
    for number, text in enumerate(["parts: []", "root: [", "- a"]):
        source = make.book(tmp_path / f"s{number}", root, pages=PAGES, toc=text)
        with pytest.raises(SettingsError):
            publish([], source, tmp_path / "out")
    with pytest.raises(SettingsError, match="table of contents"):
        publish([], source, tmp_path / "out", toc="_other.yml")


def test_source_folder_is_copied_without_what_is_generated(make, source, tmp_path):
    for name in ("_build/html/x.html", "executed/old.ipynb", ".hidden/x", "images/map.svg"):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_text("x")
    done = publish([], source, source / "_build" / "quick", title="Cohort B")
    there = {p.relative_to(done.folder).as_posix() for p in done.folder.rglob("*") if p.is_file()}
    assert there == {
        "_config.yml", "_toc.yml", "index.md", "words.md", "references.bib", "provenance.md",
        "images/map.svg", "_static/label-map.svg", "_static/logo.svg",
    }  # fmt: skip
    assert yaml.safe_load(text_of(done.folder / "_config.yml"))["title"] == "Cohort B"
    assert text_of(source / "_toc.yml").count("executed") == 1


def test_provenance_names_revision_inputs_and_what_is_missing(make, source, tmp_path):
    run = make.run(tmp_path / "a", make.notebook(title="Which & <why>?"))
    done = publish([run], source, tmp_path / "out", notes=["One rater."])
    text = text_of(done.folder / "provenance.md")
    assert "Which &amp; &lt;why&gt;?" in text
    assert "ab" * 32 in text
    assert "numpy" in text
    assert "- One rater." in text
    assert str(tmp_path) not in text


# ------------------------------------------------------------------ the mime renderer


class Data:
    def __init__(self, content, mime_type=PLOTLY):
        self.content, self.mime_type = content, mime_type


def test_figures_cannot_end_their_script():
    figure = {
        "data": [{"name": "</script><!-- & ]]>"}],
        "layout": {"title": {"text": 'a "b"<br>c'}},
    }
    text = figure_html(figure)
    inside = text.split('<script type="application/json">')[1].split("</script>")[0]
    assert "<" not in inside
    assert json.loads(inside)["data"] == figure["data"]
    assert 'aria-label="a &quot;b&quot; c"' in text
    assert "height:450px" in text
    assert "height:300px" in figure_html({"layout": {"height": 300}})


def test_renderer_takes_plotly_and_nothing_else():
    (node,) = PlotlyRenderer.handle_mime(None, Data({"data": [], "layout": {}}), False)
    assert node["format"] == "html"
    (same,) = PlotlyRenderer.handle_mime(None, Data('{"data": [], "layout": {}}'), False)
    assert same.astext() == node.astext()
    assert PlotlyRenderer.handle_mime(None, Data("x", "text/html"), False) is None
    assert PlotlyRenderer.handle_mime(None, Data({}), True) is None
