"""Executed notebooks → the book: pages with titles, interactive figures, formulas, provenance.

`build` does it all; `publish` writes the source folder alone; `release` checks a built book and
puts it where others can read it. ``mime`` and ``extension`` are
loaded by Sphinx: plotly figures and TeX that need no other host and no npm.
"""

from .build import BuildError, build, build_html
from .publish import Published, publish
from .release import release

__all__ = ["BuildError", "Published", "build", "build_html", "publish", "release"]
