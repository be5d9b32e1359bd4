"""Write a cohort with its manifest."""

from __future__ import annotations

import dataclasses
import io
import json
from pathlib import Path

import pandas as pd

from paraspine.anatomy import LEVELS
from paraspine.arrays import SettingsError, check_whole
from paraspine.phantom.files import VERSION, check_folder, jobs_of, run
from paraspine.phantom.settings import Protocol, config_from
from paraspine.storage import write_bytes

__all__ = ["make_cohort"]


def make_cohort(
    folder,
    subjects: int = 24,
    seed: int = 0,
    *,
    raters: int = 3,
    size=(256, 256),
    spacing=(0.7, 0.7),
    levels=LEVELS,
    kind: str = "slices",
    slice_spacing: float = 5.0,
    centers: int = 3,
    psoas: bool = False,
    images: str = "data/phantom",
    workers: int = 1,
    progress: bool = False,
    **knobs,
) -> Path:
    """Write a synthetic cohort: images, raters' label maps, manifest.

    The same arguments give the same bytes, for any number of workers; a longer cohort begins with
    the shorter one.

    Parameters
    ----------
    folder : str or Path
        Where ``data_manifest.csv`` and ``data_manifest.json`` go.
    subjects : int
        Number of subjects.
    seed : int
        Everything random follows from it.
    raters : int
        Number of raters, named a, b, c, ...
    size : tuple of 2 int
        Rows and columns of a slice.
    spacing : tuple of 2 float
        Pixel spacing (mm), rows and columns.
    levels : sequence of str
        Which of the six levels are imaged; all are in a volume.
    kind : {"slices", "volumes"}
        One image per level, or one volume from S1 to L1 per subject.
    slice_spacing : float
        Distance (mm) of a volume's slices.
    centers : int
        Number of centres, which differ in noise and coil.
    psoas : bool
        Rate the psoas muscles as well.
    images : str
        Folder of the images, relative to `folder`.
    workers : int
        Number of processes.
    progress : bool
        Show a progress bar.
    **knobs
        Fields of `PhantomConfig`.

    Returns
    -------
    Path
        The manifest. Its column ``fat`` is the true mean fat fraction of the image's muscles.

    Raises
    ------
    SettingsError
        For an unknown or impossible setting.
    """
    protocol = Protocol(
        seed=seed, raters=raters, size=size, spacing=spacing, levels=levels, kind=kind,
        slice_spacing=slice_spacing, centers=centers, psoas=psoas,
    )  # fmt: skip
    config = config_from(knobs)
    check_whole("subjects", subjects, 1, 999)
    check_whole("workers", workers, 1, 1024)
    images = check_folder(images)
    root = Path(folder)
    jobs = jobs_of(subjects, protocol, config)
    if not jobs:
        raise SettingsError("missing_slices: every slice of this cohort is missing; lower it.")
    rows = list(
        run(
            [(*job, None) for job in jobs],
            root,
            images,
            protocol,
            config,
            workers,
            progress,
            "phantom cohort",
        )
    )
    table = pd.DataFrame(rows)
    if kind == "volumes":
        table = table.drop(columns="level")
    generator = {
        "name": "phantom",
        "version": VERSION,
        "subjects": int(subjects),
        "images": images,
    }
    generator |= {k: _plain(v) for k, v in dataclasses.asdict(protocol).items()}
    generator |= dataclasses.asdict(config)
    block = {
        "name": f"synthetic phantom, {subjects} subjects",
        "synthetic": True,
        "source": "synthetic phantom",
        **protocol.classes.to_json(),
        "intensity": {"kind": "MR", "window": None},
        "generator": generator,
    }
    root.mkdir(parents=True, exist_ok=True)
    text = json.dumps(block, indent=2, ensure_ascii=False) + "\n"
    write_bytes(root / "data_manifest.json", text.encode())
    stream = io.StringIO()
    table.to_csv(stream, index=False, lineterminator="\n", float_format="%.4f")
    return write_bytes(root / "data_manifest.csv", stream.getvalue().encode())


def _plain(value):
    return list(value) if isinstance(value, tuple) else value
