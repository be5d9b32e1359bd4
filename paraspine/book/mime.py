"""Plotly outputs of notebooks as interactive figures that ask no other host for anything."""

from __future__ import annotations

import html
import json
from typing import ClassVar

from docutils import nodes

__all__ = ["PLOTLY", "PlotlyRenderer", "figure_caption", "figure_html"]

#: The mime type that plotly's default renderer stores in a notebook.
PLOTLY = "application/vnd.plotly.v1+json"

#: Height in CSS pixels of a figure that names none, plotly's own default.
DEFAULT_HEIGHT = 450


def figure_html(figure: dict) -> str:
    """Return the HTML of one figure: a place of the right height with the figure's JSON in it.

    The script ``paraspine.js`` draws it when it comes into view.

    Parameters
    ----------
    figure : dict
        ``data`` and ``layout`` as plotly stores them; ``config`` is left to the script. With
        ``paraspine``, its ``number`` and ``caption`` stand below.

    Returns
    -------
    str
        Safe to stand in a page: ``<``, ``>`` and ``&`` inside the JSON are escaped, so that
        neither ``</script>`` nor ``<!--`` in a label can end the script element.
    """
    layout = figure.get("layout") or {}
    height = layout.get("height") or DEFAULT_HEIGHT
    text = json.dumps(
        {"data": figure.get("data") or [], "layout": layout},
        separators=(",", ":"),
        ensure_ascii=False,
    )
    text = text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")
    title = layout.get("title") or {}
    words = title.get("text") if isinstance(title, dict) else str(title)
    label = html.escape(" ".join((words or "interactive figure").replace("<br>", " ").split()))
    own = figure.get("paraspine") or {}
    caption = figure_caption(own.get("number", ""), own.get("caption", ""))
    place = (
        f'<div class="paraspine-figure" role="figure" aria-label="{label}" '
        f'style="height:{float(height):g}px">'
        f'<script type="application/json">{text}</script>'
        "<noscript>This figure needs JavaScript.</noscript></div>"
    )
    return place + (f'<p class="paraspine-caption">{caption}</p>' if caption else "")


def figure_caption(number: str = "", caption: str = "") -> str:
    """HTML of the line below a figure: "Figure 5.1." and the caption, either or none."""
    label = f'<span class="paraspine-number">Figure {number}.</span>' if number else ""
    return f"{label} {html.escape(caption)}".strip()


class PlotlyRenderer:
    """MyST-NB mime renderer: ``application/vnd.plotly.v1+json`` into the page.

    Entry point ``myst_nb.mime_renderers``; MyST-NB wants a class with these two attributes.
    """

    mime_priority_overrides: ClassVar[list[tuple[str, str, int]]] = [("html", PLOTLY, 1)]

    @staticmethod
    def handle_mime(renderer, data, inline):
        """Return the nodes of a plotly output, None for anything else (MyST-NB's protocol)."""
        if inline or data.mime_type != PLOTLY:
            return None
        content = data.content
        figure = json.loads(content) if isinstance(content, str) else content
        return [nodes.raw(text=figure_html(figure), format="html", classes=["output"])]
