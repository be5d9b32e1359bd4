"""How to cite: this software, and a bibliography whose labels are those of the text."""

from __future__ import annotations

import re
from pathlib import Path

import yaml
from pybtex.plugin import register_plugin
from pybtex.style.formatting.plain import Style as Plain
from pybtex.style.labels import BaseLabelStyle

__all__ = ["STYLE", "cite_box", "register"]

#: Name to write under ``bibtex_default_style``.
STYLE = "paraspine"


class Labels(BaseLabelStyle):
    """Labels such as "Warfield et al., 2004", as ``author_year`` references read."""

    def format_labels(self, sorted_entries):
        """Yield the label of each entry (pybtex's protocol)."""
        for entry in sorted_entries:
            people = entry.persons.get("author") or entry.persons.get("editor") or []
            names = [" ".join([*p.prelast_names, *p.last_names]).strip("{}") for p in people]
            who = " and ".join(names) if len(names) <= 2 else f"{names[0]} et al."
            yield f"{who}, {entry.fields.get('year', 'undated')}"


class Style(Plain):
    """Entries by author and year with their DOI as a link."""

    default_label_style = Labels
    default_sorting_style = "author_year_title"


def register() -> None:
    """Make the style known to pybtex."""
    register_plugin("pybtex.style.formatting", STYLE, Style)


def cite_box(path: Path | str) -> str:
    """MyST markdown that cites the software of a ``CITATION.cff``; empty where there is none."""
    path = Path(path)
    if not path.is_file():
        return ""
    noted = yaml.safe_load(path.read_text(encoding="utf-8"))
    people = [
        a.get("name") or f"{a.get('family-names', '')}, {a.get('given-names', '')}"
        for a in noted.get("authors", ())
    ]
    fields = {
        "title": f"{{{noted['title']}: {noted['abstract'].rstrip('.')}}}",
        "author": " and ".join(f"{{{p}}}" if "," not in p else p for p in people),
        "version": str(noted.get("version", "")),
        "license": str(noted.get("license", "")),
        "year": (re.findall(r"\d{4}", str(noted.get("date-released", ""))) or [""])[0],
        "doi": str(noted.get("doi", "")),
        "url": str(noted.get("url", noted.get("repository-code", ""))),
    }
    lines = ",\n".join(f"  {k} = {{{v.strip('{}')}}}" for k, v in fields.items() if v)
    return f"```bibtex\n@software{{{noted['title']},\n{lines}\n}}\n```\n"
