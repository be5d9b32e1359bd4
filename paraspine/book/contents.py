"""The book's table of contents: the prose pages of the skeleton and the runs that exist."""

from __future__ import annotations

import copy
import fnmatch
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from paraspine.arrays import SettingsError

__all__ = ["Contents", "fill_contents", "fill_prose", "read_contents"]

#: Caption of the part that takes the executed notebooks which the skeleton doesn't name.
OTHER_RUNS = "Other runs"
_BLOCK = re.compile(
    r"^% needs:(?P<needs>[^\n]*)\n(?P<text>(?:(?!% needs:|% end)[^\n]*\n)*?)% end *$\n?", re.M
)
_MARK = re.compile(r"^% (?:needs:.*|end *)$", re.M)


@dataclass(frozen=True)
class Contents:
    """A filled table of contents.

    Attributes
    ----------
    toc : dict
        What to write to ``_toc.yml``.
    left_out : tuple of str
        Pages of the skeleton that stand for runs which this book doesn't have.
    """

    toc: dict
    left_out: tuple[str, ...]


def read_contents(path: Path | str) -> dict:
    """Read a ``_toc.yml`` skeleton.

    Raises
    ------
    SettingsError
        If it is missing, no YAML, or names no ``root`` page.
    """
    path = Path(path)
    try:
        toc = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise SettingsError(f"{path}: expected the book's table of contents.") from error
    except yaml.YAMLError as error:
        raise SettingsError(f"{path}: not valid YAML: {error}") from error
    if not isinstance(toc, dict) or "root" not in toc:
        raise SettingsError(f"{path}: expected a 'root' page and 'parts' or 'chapters'.")
    return toc


def _has(names: Iterable[str], patterns: Iterable[str]) -> bool:
    wanted = [p.removeprefix("executed/") for p in patterns]
    return all(any(fnmatch.fnmatchcase(n, p) for n in names) for p in wanted)


def fill_prose(text: str, executed: Iterable[str], quotes: Iterable[str] = ()) -> str:
    """Leave out of a page what quotes runs that this book does not have.

    The lines from ``% needs: 11_truth, 12_noise`` to the next ``% end`` stand only where there are
    all of these runs (patterns are allowed), or, as ``05_interrater::answer``, values that a run
    glued. The two lines themselves, comments in MyST, go.

    Parameters
    ----------
    text : str
        A page of prose.
    executed : iterable of str
        Names of the executed notebooks, without folder and suffix.
    quotes : iterable of str
        Glued values, ``"05_interrater::answer"``.

    Raises
    ------
    SettingsError
        If a block has no end, or an end no beginning.
    """
    names = [*executed, *quotes]

    def block(found: re.Match) -> str:
        patterns = [p.strip() for p in found["needs"].split(",")]
        return found["text"] if _has(names, patterns) else ""

    filled = _BLOCK.sub(block, text)
    if left := _MARK.search(filled):
        raise SettingsError(
            f"{left[0]!r}: expected '% needs: ...' and '% end' on lines of their own, in pairs."
        )
    return filled


def _natural(name: str) -> list:
    return [int(w) if w.isdigit() else w for w in re.split(r"(\d+)", name)]


def fill_contents(
    skeleton: dict,
    executed: Iterable[str],
    *,
    generated: Sequence[str] = (),
    absent: Sequence[str] = (),
    aside: Sequence[str] = (),
) -> Contents:
    """Fill a skeleton with the executed notebooks that there are.

    In the skeleton, ``- file: executed/05_interrater`` stands for one page and
    ``- glob: executed/03_train*`` for all that match, in natural order; both vanish where the book
    has no such run, and pages below a vanished one move up. An entry (or part) with
    ``needs: [05_interrater, ...]`` stands only in a book that has all of these runs (patterns are
    allowed), for prose that quotes them.

    Parameters
    ----------
    skeleton : dict
        As `read_contents` returns it; left as it is.
    executed : iterable of str
        Names of the executed notebooks, without folder and suffix.
    generated : sequence of str
        Other generated pages; appended at the end where the skeleton doesn't name them.
    absent : sequence of str
        Pages that could be generated and are not part of this book.
    aside : sequence of str
        Executed notebooks that get no entry unless the skeleton names them.

    Returns
    -------
    Contents
    """
    toc = copy.deepcopy(skeleton)
    names = sorted(set(executed), key=_natural)
    listed: set[str] = set()
    left_out: list[str] = []

    def has(patterns) -> bool:
        return _has(names, [patterns] if isinstance(patterns, str) else patterns)

    def entries(items: list[dict]) -> list[dict]:
        result: list[dict] = []
        for entry in items:
            below = {
                k: entries(entry[k]) for k in ("sections", "chapters", "entries") if k in entry
            }
            own = {k: v for k, v in entry.items() if k not in below and k != "needs"}
            if not has(entry.get("needs", ())):
                left_out.append(str(entry.get("file") or entry.get("glob") or entry.get("caption")))
                continue
            pattern = own.get("glob") or own.get("file", "")
            if pattern in absent:
                left_out.append(pattern)
                result += [e for lower in below.values() for e in lower]
            elif pattern.startswith("executed/"):
                wanted = pattern.removeprefix("executed/")
                found = [n for n in names if fnmatch.fnmatchcase(n, wanted) and n not in listed]
                listed.update(found)
                rest = {k: v for k, v in own.items() if k not in ("glob", "file")}
                made = [{"file": f"executed/{n}"} | rest for n in found]
                if not made:
                    left_out.append(pattern)
                    made = [e for lower in below.values() for e in lower]
                elif any(below.values()):
                    made[-1] |= {k: v for k, v in below.items() if v}
                result += made
            else:
                result.append(own | {k: v for k, v in below.items() if v})
        return result

    if "parts" in toc:
        parts = []
        for part in toc["parts"]:
            if not has(part.get("needs", ())):
                left_out.append(str(part.get("caption", "a part")))
                continue
            part = {k: v for k, v in part.items() if k != "needs"}
            part["chapters"] = entries(part.get("chapters") or [])
            if part["chapters"]:
                parts.append(part)
        toc["parts"] = parts
    else:
        toc["chapters"] = entries(toc.get("chapters") or [])

    text = yaml.safe_dump(toc)
    rest = [{"file": f"executed/{n}"} for n in names if n not in listed and n not in aside]
    more = [{"file": g} for g in generated if not re.search(rf"file: {re.escape(g)}$", text, re.M)]
    if "parts" in toc:
        toc["parts"] += [{"caption": OTHER_RUNS, "chapters": rest}] if rest else []
        toc["parts"] += [{"caption": "How it was made", "chapters": more}] if more else []
    else:
        toc["chapters"] += rest + more
    return Contents({k: v for k, v in toc.items() if v != []}, tuple(left_out))
