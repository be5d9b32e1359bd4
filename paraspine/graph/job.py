"""One notebook run of the experiment graph."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from paraspine.session.parameters import check_parameters, declared_parameters

__all__ = ["Job", "job_maker"]


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


def job_maker(root: Path, workspace: str, values: Mapping) -> Callable[..., Job]:
    """Return what makes a job of a name, a notebook and what the job has of its own.

    Of `values`, each job gets those that its notebook declares.
    """

    def make(
        name: str, notebook: str, after: Iterable[str] = (), trains: bool = False, **own
    ) -> Job:
        source = root / "notebooks" / f"{notebook}.ipynb"
        declared = declared_parameters(source)
        given = {k: v for k, v in (values | own).items() if k in declared}
        folder = f"runs/{workspace}/{notebook.split('_', 1)[1]}/{name.split('-', 1)[-1]}"
        return Job(name, notebook, folder, check_parameters(source, given), tuple(after), trains)

    return make
