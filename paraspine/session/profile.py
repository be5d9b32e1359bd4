"""Profiles: parameters of all notebooks, and what a notebook hands on to those that it needs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import yaml

from paraspine.arrays import SettingsError
from paraspine.session.parameters import TRAINING, check_parameters, declared_parameters
from paraspine.session.workspace import PLACES, read_sidecar

__all__ = ["common_parameters", "load_profile", "upstream_parameters"]


def upstream_parameters(notebook: Path, own: Mapping, chosen: Mapping) -> dict:
    """Parameters of a notebook that another one needs, as far as they differ from its defaults.

    Parameters
    ----------
    notebook : Path
        The upstream notebook.
    own : mapping
        Parameters of the notebook that needs it.
    chosen : mapping
        Values that this one run shall have.

    Returns
    -------
    dict
        Of what the upstream notebook declares, from the weakest to the strongest: the profile, the
        cohort's own parameters (`common_parameters`), what both notebooks declare, the settings in
        ``training``, and `chosen`.

    Raises
    ------
    SettingsError
        If there is no such profile, or for a name or a type that the upstream notebook refuses.
    """
    declared = declared_parameters(notebook)
    given = common_parameters(notebook.parents[1], own) | own
    settings = dict(own.get(TRAINING) or {})
    given |= {name: value for name, value in settings.items() if name in declared}
    given[TRAINING] = {name: value for name, value in settings.items() if name not in declared}
    given = {k: v for k, v in given.items() if k in declared and k not in PLACES}
    return check_parameters(notebook, given) | check_parameters(notebook, chosen)


def common_parameters(root: Path, own: Mapping) -> dict:
    """Parameters of all notebooks: those of the profile, and before them those of the cohort.

    Parameters
    ----------
    root : Path
        Top folder of the checkout.
    own : mapping
        Parameters of a notebook, of which ``profile`` and ``manifest_path`` count.
    """
    manifest = root / (own.get("manifest_path") or "")
    profile = load_profile(root / "profiles" / f"{own['profile']}.yaml")
    return profile | read_sidecar(manifest).get("parameters", {})


def load_profile(path: Path | str) -> dict:
    """Read a profile: a flat YAML block of parameters.

    Raises
    ------
    SettingsError
        If the file is missing, is no YAML, nests, or gives a name twice.
    """
    path = Path(path)
    if not path.is_file():
        there = sorted(p.stem for p in path.parent.glob("*.yaml"))
        raise SettingsError(f"profile '{path.stem}': not found; there are {', '.join(there)}.")
    try:
        block = yaml.load(path.read_text(encoding="utf-8"), Loader=_StrictLoader)
    except yaml.YAMLError as error:
        raise SettingsError(f"{path.name}: not valid YAML: {error}") from error
    if not isinstance(block, dict):
        raise SettingsError(
            f"{path.name}: expected 'name: value' lines, got {type(block).__name__}."
        )
    nested = [str(k) for k, v in block.items() if isinstance(v, dict)]
    if nested:
        raise SettingsError(f"{path.name}: a profile is flat, but {', '.join(nested)} nests.")
    return block


class _StrictLoader(yaml.SafeLoader):
    """YAML that refuses a key given twice instead of keeping the last."""

    def construct_mapping(self, node, deep=False):
        keys = [self.construct_object(k, deep=deep) for k, _ in node.value]
        twice = sorted({str(k) for k in keys if keys.count(k) > 1})
        if twice:
            raise yaml.constructor.ConstructorError(
                None, None, f"given twice: {', '.join(twice)}", node.start_mark
            )
        return super().construct_mapping(node, deep)
