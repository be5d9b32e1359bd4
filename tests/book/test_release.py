"""Publishing a built book: what is refused, and what arrives in a folder or a branch."""

import subprocess

import pytest

from paraspine.arrays import RunError
from paraspine.book import release
from paraspine.book.release import problems

PAGE = '<html><body><h1 id="top">One</h1><a href="{link}">next</a>{more}</body></html>'


def book(folder, link="sub/two.html#part", more=""):
    """A built book of two pages."""
    html = folder / "_build" / "quick" / "html"
    (html / "sub").mkdir(parents=True)
    (html / "index.html").write_text(PAGE.format(link=link, more=more))
    (html / "sub" / "two.html").write_text('<p id="part">Two <a href="../index.html">back</a></p>')
    source = folder / "_build" / "quick" / "source"
    source.mkdir()
    (source / "_config.yml").write_text("title: A book\n")
    return html.parent


@pytest.mark.parametrize(
    ("link", "said"),
    [
        ("sub/three.html", "leads nowhere"),
        ("sub/two.html#other", "leads to no such part"),
        ("/sub/two.html", "is not relative"),
        ("../outside.html", "leads nowhere"),
    ],
)
def test_broken_links_are_named(tmp_path, link, said):
    (found,) = problems(book(tmp_path, link) / "html")
    assert found.startswith("index.html: the link ")
    assert found.endswith(said)


def test_good_pages_and_links_to_other_hosts_have_no_problem(tmp_path):
    assert problems(book(tmp_path) / "html") == []
    more = '<a href="https://doi.org/10.1000/1">paper</a>'
    assert problems(book(tmp_path / "other", more=more) / "html") == []


def test_a_path_of_a_machine_is_refused_and_nothing_is_written(tmp_path):
    built = book(tmp_path, more="<p>/home/somebody/cohort/a.nii.gz</p>")
    with pytest.raises(RunError, match=r"index\.html: names the folder /home/somebody"):
        release(built, f"{tmp_path}/site", root=tmp_path)
    assert not (tmp_path / "site").exists()


def test_a_folder_gets_the_pages_and_what_a_server_needs(tmp_path):
    release(book(tmp_path), f"{tmp_path}/site", root=tmp_path)
    there = {p.relative_to(tmp_path / "site").as_posix() for p in (tmp_path / "site").rglob("*")}
    assert there >= {"index.html", "sub/two.html", "404.html", ".nojekyll"}
    assert "Page not found" in (tmp_path / "site" / "404.html").read_text()


def test_a_branch_gets_a_commit_and_the_checkout_stays(tmp_path):
    def git(*words):
        own = ["-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false"]
        done = subprocess.run(
            ["git", *own, *words], cwd=tmp_path, capture_output=True, text=True, check=True
        )
        return done.stdout

    git("init", "-q", "-b", "main")
    git("config", "user.name", "a")
    git("config", "user.email", "a@b.c")
    (tmp_path / ".gitignore").write_text("_build\n")
    git("add", ".")
    git("commit", "-q", "-m", "start")
    release(book(tmp_path), "pages", root=tmp_path)
    assert set(git("ls-tree", "-r", "--name-only", "pages").split()) >= {"index.html", "404.html"}
    assert git("branch", "--show-current").strip() == "main"
    assert git("status", "--short") == ""
