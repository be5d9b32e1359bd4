"""The Sphinx extension of the book: figures and formulas that need no other host, glued words."""

from __future__ import annotations

import shutil
from importlib.util import find_spec
from pathlib import Path

from myst_nb.ext.glue.roles import PasteTextRole

from . import mathml

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


def setup(app) -> dict:
    """Register the math renderer and the static files (Sphinx's extension protocol)."""
    app.add_html_math_renderer(
        MATH_RENDERER, (mathml.visit_math, None), (mathml.visit_displaymath, None)
    )
    app.setup_extension("myst_nb")
    app.add_role_to_domain("glue", "text", GlueText(), override=True)
    app.connect("builder-inited", _add_static)
    app.connect("build-finished", _copy_plotly)
    app.add_css_file("paraspine.css")
    app.add_js_file("paraspine.js", loading_method="defer")
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
