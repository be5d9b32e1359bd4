"""One notebook run of the experiment graph."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from paraspine.evidence.plan import Request
from paraspine.session.parameters import (
    TRAINING,
    check_parameters,
    declared_parameters,
    training_settings,
)

__all__ = ["Job", "make_job"]


@dataclass(frozen=True)
class Job:
    """One notebook run.

    Attributes
    ----------
    name : str
        Unique within the plan, for example ``"train-unet-random-seed0"``.
    notebook : str
        Name without ``.ipynb``.
    folder : str
        Run folder, relative to the top folder.
    parameters : dict
        What differs from the notebook's defaults.
    after : tuple of str
        Names of the jobs that must be done before.
    trains : bool
        Whether the job wants the GPU where there is one.
    """

    name: str
    notebook: str
    folder: str
    parameters: dict
    after: tuple[str, ...] = ()
    trains: bool = False

    def arguments(self) -> list[str]:
        """The words after ``paraspine run`` that execute this job."""
        words = [f"notebooks/{self.notebook}.ipynb"]
        for key, value in (self.parameters | {"run_folder": self.folder}).items():
            words += ["-p", f"{key}={json.dumps(value)}"]
        return words


def make_job(
    request: Request,
    root: Path,
    workspace: str,
    values: Mapping,
    changes: Mapping,
    upstream: Iterable[str],
) -> Job:
    """Make the job of a request.

    Parameters
    ----------
    request : Request
        What a study asks for.
    root : Path
        Top folder of the checkout.
    workspace : str
        Folder below ``runs/``.
    values : mapping
        Parameters of the book; the job gets those that its notebook declares.
    changes : mapping
        Those that are neither the profile's nor the cohort's own. A notebook that only hands them
        on to those before it gets them as ``training``.
    upstream : iterable of str
        Notebooks that run before, directly or not.
    """
    source = root / "notebooks" / f"{request.notebook}.ipynb"
    declared = declared_parameters(source)
    given = dict(values) | request.parameters
    if TRAINING in declared:
        taken = set().union(
            *(declared_parameters(root / "notebooks" / f"{name}.ipynb") for name in upstream)
        )
        known = taken & set(training_settings(source))
        given[TRAINING] = {name: changes[name] for name in changes if name in known}
    given = {name: value for name, value in given.items() if name in declared}
    experiment = request.notebook.split("_", 1)[1]
    folder = f"runs/{workspace}/{experiment}/{request.name.split('-', 1)[-1]}"
    parameters = check_parameters(source, given)
    return Job(request.name, request.notebook, folder, parameters, request.after, request.trains)
