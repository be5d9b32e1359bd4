"""What the prose quotes of runs: glued sentences as Markdown, glued figures as figures."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Mapping

from .mime import PLOTLY, figure_html
from .notebook import EXPLORER

__all__ = ["Quotes", "glued"]

_PREFIX = "application/papermill.record/"
_SENTENCE = re.compile(r"\{glue:md\}`executed/([^`:]+)\.ipynb::([^`:]+)`")
_FIGURE = re.compile(r"^% figure: *(\S+)::(\S+?)(?: *\| *(.*))?$", re.M)


def glued(notebook: Mapping) -> dict[str, dict]:
    """What a notebook glued: name to outputs by mime type."""
    found: dict[str, dict] = {}
    for cell in notebook["cells"]:
        for output in cell.get("outputs", ()):
            if name := output.get("metadata", {}).get("scrapbook", {}).get("name"):
                data = output.get("data", {})
                found[name] = {key.removeprefix(_PREFIX): value for key, value in data.items()}
    return found


class Quotes:
    """Glued values of all pages.

    Parameters
    ----------
    values : mapping of str to dict
        Name of an executed notebook to what `glued` found in it.
    """

    def __init__(self, values: Mapping[str, Mapping[str, Mapping]]):
        self.values = values

    def has(self, name: str, key: str) -> bool:
        """Whether a page glued a value of this name."""
        return key in self.values.get(name, {})

    def text(self, name: str, key: str) -> str:
        """A glued sentence as Markdown; empty where there is none."""
        data = self.values.get(name, {}).get(key, {})
        if "text/markdown" in data:
            return "".join(data["text/markdown"]).strip()
        plain = "".join(data.get("text/plain", ""))
        try:
            value = ast.literal_eval(plain)
        except (SyntaxError, ValueError):
            return plain.strip()
        return value.strip() if isinstance(value, str) else plain.strip()

    def figure(self, name: str, key: str, caption: str = "") -> str:
        """A glued figure as a MyST block; empty where there is none."""
        data = self.values.get(name, {}).get(key, {})
        if PLOTLY in data:
            content = data[PLOTLY]
            figure = json.loads(content) if isinstance(content, str) else dict(content)
            text = figure_html(figure | {"paraspine": {"caption": caption} if caption else {}})
        elif EXPLORER in "".join(data.get("text/html", "")):
            text = "".join(data["text/html"])
        else:
            return ""
        fence = "`" * 6
        return f"{fence}{{raw}} html\n{text}\n{fence}"

    def fill(self, text: str) -> str:
        """Prose with its quotes in place.

        ``{glue:md}`executed/05_interrater.ipynb::answer` `` becomes the sentence, a line
        ``% figure: 05_interrater::overview | Caption`` the figure. What no run has stays, so that
        the build names it, or, for a figure, stays a comment.
        """

        def sentence(found: re.Match) -> str:
            return self.text(found[1], found[2]) or found[0]

        def figure(found: re.Match) -> str:
            return self.figure(found[1], found[2], found[3] or "") or found[0]

        return _FIGURE.sub(figure, _SENTENCE.sub(sentence, text))
