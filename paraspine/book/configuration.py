"""The book's ``_config.yml`` as Sphinx gets it: title, footer, links to a repository."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import yaml

from paraspine.book.notebook import inert

__all__ = ["configure"]

#: Where the notebooks can be opened, once they lie in a public repository.
LAUNCHERS = {
    "binderhub_url": "https://mybinder.org",
    "colab_url": "https://colab.research.google.com",
}


def configure(
    folder: Path,
    toc: dict,
    *,
    title: str | None = None,
    footer: str = "",
    keep: Iterable[str] = (),
) -> dict:
    """Complete a published book's configuration, in place.

    ``repository: {url: ...}`` is the one place that turns links to source, issues, editing and
    launching on; without it there is none. Pages that neither the contents nor `keep` name are
    not built.

    Parameters
    ----------
    folder : Path
        Published source folder with its ``_config.yml`` and all pages.
    toc : dict
        Filled contents.
    title : str, optional
        Instead of the configuration's.
    footer : str
        HTML for the foot of every page.
    keep : iterable of str
        Pages outside of the contents, without suffix.

    Returns
    -------
    dict
        What was written.
    """
    path = folder / "_config.yml"
    config = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    if title is not None:
        config["title"] = inert(title)  # the theme takes it as HTML
    html = config.setdefault("html", {})
    if footer:
        html["extra_footer"] = f'<p class="paraspine-footer">{footer}</p>'
    public = bool((config.get("repository") or {}).get("url"))
    for button in ("use_edit_page_button", "use_repository_button", "use_issues_button"):
        html[button] = public
    if public:
        config["launch_buttons"] = {"notebook_interface": "jupyterlab"} | LAUNCHERS
        options = config.setdefault("sphinx", {}).setdefault("config", {})
        options.setdefault("html_theme_options", {})["use_source_button"] = True
    named = set(_files(toc)) | set(keep)
    pages = [p.relative_to(folder) for p in folder.rglob("*") if p.suffix in (".md", ".ipynb")]
    config["only_build_toc_files"] = False
    config["exclude_patterns"] = sorted(
        p.as_posix() for p in pages if p.with_suffix("").as_posix() not in named
    )
    path.write_text(yaml.safe_dump(config, sort_keys=False, allow_unicode=True), encoding="utf-8")
    return config


def _files(value) -> list[str]:
    """Every page that a table of contents names."""
    if isinstance(value, list):
        return [name for item in value for name in _files(item)]
    if not isinstance(value, dict):
        return []
    own = [value[key].removesuffix(".md") for key in ("file", "root") if key in value]
    return own + [n for v in value.values() for n in _files(v)]
