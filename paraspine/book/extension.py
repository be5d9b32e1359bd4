"""The Sphinx extension of the book: figures, formulas, glued words, links, descriptions."""

from __future__ import annotations

import html
import re
import shutil
from importlib.util import find_spec
from pathlib import Path

from docutils import nodes
from myst_nb.ext.glue.roles import PasteTextRole

from . import citations, mathml

__all__ = ["MATH_RENDERER", "plotly_script", "setup"]

#: Name to write under ``html_math_renderer`` in ``_config.yml``.
MATH_RENDERER = "paraspine_mathml"

STATIC = Path(__file__).with_name("static")


def plotly_script() -> Path:
    """Path of ``plotly.min.js`` in the installed plotly package."""
    package = Path(find_spec("plotly").submodule_search_locations[0])
    return package / "package_data" / "plotly.min.js"


class GlueText(PasteTextRole):
    """``{glue:text}`` that may leave out the format of another page's name.

    MyST-NB takes the last colon of ``page.ipynb::name`` for the one before a format.
    """

    def run(self):
        """Return the nodes of the role (docutils' protocol)."""
        _, page, name = self.text.partition("::")
        if page and ":" not in name:
            self.text += ":s"
        return super().run()


def _add_static(app) -> None:
    app.config.html_static_path.append(str(STATIC))


def _copy_plotly(app, error) -> None:
    if error is None and app.builder.format == "html":
        shutil.copyfile(plotly_script(), Path(app.outdir) / "_static" / "plotly.min.js")


#: Pages without a source of their own in a repository.
GENERATED = ("trainings", "samples", "provenance", "speed", "changelog", "genindex", "search")
#: Longest description of a page, characters.
DESCRIPTION = 160
_EXECUTED = re.compile(r"book(/|%2F)executed(?:/|%2F)(\d+_[a-z_]+)(?:-[^/?&%]*)?\.ipynb")


def _describe(app, pagename, templatename, context, doctree) -> None:
    """Give a page without a description the first sentences of its text."""
    if doctree is None or 'name="description"' in context.get("metatags", ""):
        return
    for paragraph in doctree.findall(nodes.paragraph):
        parent = paragraph.parent
        if isinstance(parent, nodes.section) and len(words := paragraph.astext().split()) > 5:
            text = " ".join(words)
            if len(text) > DESCRIPTION:
                text = text[:DESCRIPTION].rsplit(" ", 1)[0].rstrip(",;:") + " …"
            tag = f'<meta name="description" content="{html.escape(text)}" />'
            context["metatags"] = context.get("metatags", "") + tag
            return


def _link_sources(app, pagename, templatename, context, doctree) -> None:
    """Point links to a page's source at the notebook in the repository, not at the executed one."""
    buttons = context.get("header_buttons") or []
    own = [b for button in buttons for b in (button, *button.get("buttons", ()))]
    for button in own:
        if "url" in button:
            button["url"] = _EXECUTED.sub(r"notebooks\1\2.ipynb", str(button["url"]))
    if pagename in GENERATED:
        labels = ("source-edit-button", "source-file-button")
        for button in buttons:
            if "buttons" in button:
                kept = [b for b in button["buttons"] if b.get("label") not in labels]
                button["buttons"] = kept


def setup(app) -> dict:
    """Register what the book's pages need (Sphinx's extension protocol)."""
    app.add_html_math_renderer(
        MATH_RENDERER, (mathml.visit_math, None), (mathml.visit_displaymath, None)
    )
    app.setup_extension("myst_nb")
    app.add_role_to_domain("glue", "text", GlueText(), override=True)
    citations.register()
    app.connect("builder-inited", _add_static)
    app.connect("html-page-context", _describe, priority=900)
    app.connect("html-page-context", _link_sources, priority=900)
    app.connect("build-finished", _copy_plotly)
    app.add_css_file("paraspine.css")
    app.add_js_file("paraspine.js", loading_method="defer")
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
