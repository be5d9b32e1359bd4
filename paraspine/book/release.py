"""Publish a built book: checked, with what a web server needs, into a folder or branch."""

from __future__ import annotations

import getpass
import html
import platform
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Mapping
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlsplit

import yaml

from paraspine.arrays import RunError, SettingsError

from .notebook import default_roots

__all__ = ["is_branch", "problems", "release"]

#: Files whose text is searched for things of the machine.
TEXTS = (".html", ".ipynb", ".js", ".json", ".md", ".txt", ".css", ".svg", ".xml", ".csv", ".bib")
#: Names that say nothing of anybody.
NOBODY = ("root", "user", "runner", "admin", "ubuntu", "debian", "jovyan", "docker", "localhost")
#: A file that says that a folder is a published book, and may be replaced.
MARK = ".nojekyll"
_PLACES = re.compile(
    r"(?<![\w.~/\\:%-])(?:file://)?(?:/(?:home|Users|root|tmp|private|mnt|srv|work)/[\w.-]+"
    r"|[A-Z]:\\{1,2}Users\\{1,2}\w+)"
)
_NOT_FOUND = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Page not found</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<style>body{{font:1.1rem/1.5 system-ui,sans-serif;max-width:32rem;margin:20vh auto;padding:0 1rem;
color-scheme:light dark}}</style></head>
<body><main><h1>Page not found</h1>
<p>This address is not a page of <em>{title}</em>. It may have moved.</p>
<p><a id="start" href="{start}">To the first page</a></p></main>
<script>
/* The book may lie below any path: its start is the nearest folder above that has an index. */
(async function () {{
  const parts = location.pathname.split("/").slice(0, -1);
  for (; parts.length; parts.pop()) {{
    const place = parts.join("/") + "/";
    const found = await fetch(place + "objects.inv", {{ method: "HEAD" }}).catch(function () {{}});
    if (found && found.ok) {{
      document.getElementById("start").href = place + "index.html"; return;
    }}
  }}
}})();
</script></body></html>
"""


class _Links(HTMLParser):
    """What a page points to, and the names that can be pointed to."""

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.targets: list[str] = []
        self.names: set[str] = set()

    def handle_starttag(self, tag, attrs):
        for key, value in attrs:
            if value is None:
                continue
            if key in ("href", "src"):
                self.targets.append(value)
            elif key == "id" or (tag == "a" and key == "name"):
                self.names.add(value)


def problems(folder: Path | str, *, known: Iterable[str] = ()) -> list[str]:
    """What must not be published: broken links, paths of this machine, names of its user.

    Parameters
    ----------
    folder : path
        A built book.
    known : iterable of str
        Names that may stand in it, though they are this machine's or user's.

    Returns
    -------
    list of str
        One line each; empty for a good book.
    """
    folder = Path(folder).resolve()
    pages = {path: _read(path) for path in sorted(folder.rglob("*.html"))}
    found = [p for path, links in pages.items() for p in _broken(path, links, pages, folder)]
    words = _own_words(known)
    for path in sorted(p for p in folder.rglob("*") if p.suffix in TEXTS and p.is_file()):
        text = path.read_text(encoding="utf-8", errors="replace")
        name = path.relative_to(folder).as_posix()
        if path.parts[-2] == "_static" and path.name == "plotly.min.js":
            continue
        shown = {m[0] for m in _PLACES.finditer(text)}
        shown |= {root for root in default_roots() if root in text}
        found += [f"{name}: names the folder {place} of a machine" for place in sorted(shown)]
        found += [f"{name}: names {word}" for word, rule in words.items() if rule.search(text)]
    return found


def _read(path: Path) -> _Links:
    links = _Links()
    links.feed(path.read_text(encoding="utf-8"))
    return links


def _broken(path: Path, links: _Links, pages: Mapping[Path, _Links], top: Path) -> list[str]:
    found = []
    name = path.relative_to(top).as_posix()
    for target in dict.fromkeys(links.targets):
        parts = urlsplit(target)
        if parts.scheme or target.startswith(("//", "{")) or path.name == "404.html":
            continue
        if target.startswith("/"):
            found.append(f"{name}: the link {target} is not relative")
            continue
        address, anchor = urldefrag(target)
        place = (path.parent / unquote(urlsplit(address).path)).resolve() if address else path
        place = place / "index.html" if place.is_dir() else place
        if not place.is_file() or not place.is_relative_to(top):
            found.append(f"{name}: the link {target} leads nowhere")
        elif anchor and place in pages and unquote(anchor) not in pages[place].names:
            found.append(f"{name}: the link {target} leads to no such part")
    return found


def _own_words(known: Iterable[str]) -> dict[str, re.Pattern]:
    """Names of this user and machine, and how to find them as whole words."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError):
        user = ""
    names = {"the user " + user: user, "the machine " + platform.node(): platform.node()}
    allowed = {*NOBODY, *known}
    return {
        label: re.compile(rf"(?<![\w-]){re.escape(name)}(?![\w-])")
        for label, name in names.items()
        if len(name) > 2 and name.lower() not in allowed
    }


def is_branch(target: str) -> bool:
    """Whether ``TO`` means a branch: a bare name that is no folder here."""
    return "/" not in target and target not in (".", "..") and not Path(target).is_dir()


def release(book: Path | str, target: str, *, root: Path | str = ".") -> str:
    """Publish a built book: check it, add what servers need, put it into a folder or branch.

    The pages have relative links and work below any path. Added are ``.nojekyll``, a page for
    addresses that do not exist, and, where ``html: baseurl`` of the book's configuration says where
    it will be, a sitemap.

    Parameters
    ----------
    book : path
        Folder that `build` wrote, with ``html`` and ``source``.
    target : str
        A folder (with a slash in it, or that exists), empty or of an earlier release; or the name
        of a git branch of `root`, which gets a commit. Nothing is pushed.
    root : path
        The repository.

    Returns
    -------
    str
        What was done.

    Raises
    ------
    RunError
        If the book is missing, has broken links or names things of this machine, or git fails.
    SettingsError
        If the folder holds something else.
    """
    book = Path(book)
    if not (book / "html" / "index.html").is_file():
        raise RunError(f"{book}: expected a built book; run make book.")
    with tempfile.TemporaryDirectory() as scratch:
        new = Path(scratch) / "book"
        shutil.copytree(book / "html", new)
        config = yaml.safe_load((book / "source" / "_config.yml").read_text(encoding="utf-8"))
        _complete(new, config)
        if found := problems(new):
            shown = "\n  ".join(found[:20])
            more = f"\n  and {len(found) - 20} more" if len(found) > 20 else ""
            raise RunError(f"{book}: not published, {len(found)} problems:\n  {shown}{more}")
        if is_branch(target):
            return _to_branch(new, target, Path(root), str(config.get("title", "the book")))
        return _to_folder(new, Path(target))


def _complete(folder: Path, config: Mapping) -> None:
    """Add what a web server needs."""
    base = str((config.get("html") or {}).get("baseurl") or "").rstrip("/")
    start = f"{base}/index.html" if base else "index.html"
    title = html.escape(str(config.get("title", "the book")))
    (folder / MARK).write_text("", encoding="utf-8")
    (folder / "404.html").write_text(
        _NOT_FOUND.format(title=title, start=html.escape(start)), encoding="utf-8"
    )
    (folder / "build-failed.log").unlink(missing_ok=True)
    if not base:
        return
    pages = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*.html"))
    kept = [p for p in pages if not p.startswith("_") and p not in ("404.html", "search.html")]
    urls = "".join(f"<url><loc>{html.escape(f'{base}/{p}')}</loc></url>\n" for p in kept)
    (folder / "sitemap.xml").write_text(
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">\n{urls}</urlset>\n',
        encoding="utf-8",
    )


def _to_folder(new: Path, target: Path) -> str:
    if target.exists() and any(target.iterdir()) and not (target / MARK).is_file():
        raise SettingsError(f"{target}: expected a new or empty folder, or a published book.")
    target.parent.mkdir(parents=True, exist_ok=True)
    aside = target.with_name(f".{target.name}-aside")
    fresh = target.with_name(f".{target.name}-new")
    for old in (aside, fresh):
        shutil.rmtree(old, ignore_errors=True)
    shutil.copytree(new, fresh)
    if target.exists():
        target.rename(aside)
    fresh.rename(target)
    shutil.rmtree(aside, ignore_errors=True)
    return f"The book is published in {target}"


def _to_branch(new: Path, branch: str, root: Path, title: str) -> str:
    """Commit the book as the whole content of a branch, in a worktree of its own."""

    def git(*words: str, where: Path = root, check: bool = True) -> subprocess.CompletedProcess:
        done = subprocess.run(
            ["git", *words], cwd=where, capture_output=True, text=True, check=False
        )
        if check and done.returncode:
            raise RunError(f"git {' '.join(words[:2])}: {done.stderr.strip() or done.stdout}")
        return done

    git("check-ref-format", "--branch", branch)
    exists = git("rev-parse", "--verify", "--quiet", f"refs/heads/{branch}", check=False)
    if exists.returncode == 0:
        kept = git("ls-tree", "--name-only", branch).stdout.split()
        if kept and MARK not in kept:
            raise SettingsError(
                f"{branch}: this branch holds something else than a published book; name another."
            )
    with tempfile.TemporaryDirectory() as scratch:
        tree = Path(scratch) / "tree"
        if exists.returncode == 0:
            git("worktree", "add", "--quiet", str(tree), branch)
        else:
            git("worktree", "add", "--quiet", "--detach", str(tree))
        try:
            if exists.returncode:
                git("checkout", "--quiet", "--orphan", branch, where=tree)
            git("rm", "-r", "-f", "--quiet", "--ignore-unmatch", ".", where=tree)
            shutil.copytree(new, tree, dirs_exist_ok=True)
            git("add", "--all", "--force", ".", where=tree)
            if not git("status", "--porcelain", where=tree).stdout:
                return f"The branch {branch} has this book already"
            git("commit", "--quiet", "--no-verify", "-m", f"Publish {title}", where=tree)
        finally:
            git("worktree", "remove", "--force", str(tree), check=False)
            git("worktree", "prune", check=False)
    return f"The book is committed to the branch {branch}; git push origin {branch} sends it"
