"""Make a manifest from the two public data sets of lemay2022, in the layout of their downloads."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

from paraspine import volumes
from paraspine.anatomy import ClassTable
from paraspine.arrays import ManifestError, ParaspineError, SettingsError
from paraspine.manifest.problem import Problem, error
from paraspine.manifest.writing import destination, row, save

__all__ = ["CONTRASTS", "from_msseg", "from_scgm"]

_NIFTI = r"\.nii(\.gz)?"
#: Contrasts of MSSEG-2016 and what its files call them.
CONTRASTS = {
    "FLAIR": ("FLAIR",),
    "T1": ("T1",),
    "T2": ("T2",),
    "GADO": ("GADO", "T1GADO"),
    "DP": ("DP", "PD"),
}
#: Where label maps go that were read from text, beside the manifest.
FROM_TEXT = "masks-from-text"
#: Folders of a patient that hold images and label maps, in some versions of the download.
_PARTS = ("masks", "raw_data", "preprocessed_data")


def from_scgm(folder, output=None) -> Path:
    """Write a manifest for the spinal cord grey matter challenge (Prados 2017).

    Images are ``site{N}-sc{NN}-image.nii.gz``, raters' label maps
    ``site{N}-sc{NN}-mask-r{M}.nii.gz`` with 1 for grey and 2 for white matter, anywhere below the
    folder. A label map may also be text, ``site{N}-sc{NN}-mask-r{M}.txt``, as
    `volumes.read_text_labels` reads it; it is written as NIfTI into ``masks-from-text`` beside the
    manifest. Where there are both, NIfTI is taken. The site becomes the column ``center``. Other
    text files, such as ``*-levels.txt``, are passed over. Images without a label map, as in the
    challenge's test set, are left out, and the JSON file says how many.

    Parameters
    ----------
    folder : str or Path
        Where the download was unpacked.
    output : str or Path, optional
        The manifest to write, in `folder` or above it; ``data_manifest.csv`` in `folder` if left
        out. The JSON file beside it asks for the settings of lemay2022, Table 5: 128 x 128
        pixels of 0.25 mm, depth 3, learning rate 0.001, 40 splits.

    Returns
    -------
    Path
        The manifest.

    Raises
    ------
    ManifestError
        If there are no images or label maps, names do not fit together, or a text is no label map
        of its image.
    SettingsError
        If the folder is missing or the manifest would lie where it cannot reach the images.
    """
    folder = Path(folder)
    output = destination(folder, output, "folder with site*-sc*-image.nii.gz")
    found: list[Problem] = []
    images, labels, texts = {}, {}, {}
    matched = [
        (path, match)
        for path in _below(folder)
        if path.parent.name != FROM_TEXT
        and (
            match := re.fullmatch(
                rf"(site\d+-sc\d+)-(image|mask-r(\d+))({_NIFTI}|\.txt)", path.name
            )
        )
    ]
    for path, match in sorted(matched, key=lambda one: one[0].suffix == ".txt"):  # NIfTI first
        subject, what, rater = match[1], match[2], match[3]
        key = (subject, rater) if rater else subject
        if path.suffix != ".txt":
            _only(labels if rater else images, key, path, f"{subject}-{what}", folder, found)
        elif rater and key not in labels:
            _only(texts, key, path, f"{subject}-{what}", folder, found)
    if not images:
        raise ManifestError(
            f"{folder}: found no image site<N>-sc<NN>-image.nii.gz. Name the folder that the "
            "challenge's training data was unpacked in."
        )
    for (subject, _), path in (labels | texts).items():
        if subject not in images:
            why, remedy = f"there is no image {subject}-image.nii.gz", "Put it there as well."
            found.append(Problem(None, None, str(path.relative_to(folder)), why, remedy))
    read = _read_texts(texts, labels, images, folder, found)
    if found:
        raise error(folder, found)
    for key, volume in read.items():
        name = texts[key].with_suffix(".nii.gz").name
        labels[key] = volumes.write(output.parent / FROM_TEXT / name, volume)
    if not labels:
        raise ManifestError(
            f"{folder}: found {len(images)} images but no label map "
            "site<N>-sc<NN>-mask-r<M>.nii.gz. Only the challenge's training data has label maps."
        )
    raters = sorted({r for _, r in labels}, key=int)
    rated = sorted({s for s, _ in labels}, key=_numbers)
    rows = [
        row(s, images[s], {r: labels.get((s, r)) for r in raters}, output, center=s.split("-")[0])
        for s in rated
    ]
    return save(
        output,
        rows,
        ClassTable(("background", "grey matter", "white matter")),
        "Spinal cord grey matter challenge",
        grid={"size": [128, 128], "spacing": [0.25, 0.25]},
        parameters={
            "fusion_max_size": 128,
            "fusion_depth": 3,
            "fusion_learning_rate": 0.001,
            "fusion_splits": 40,
        },
        **_left_out(set(images) - set(rated)),
    )


def from_msseg(
    folder, output=None, *, contrast: str = "FLAIR", images: str = "preprocessed"
) -> Path:
    """Write a manifest for the multiple sclerosis lesions of MSSEG-2016 (Commowick 2021).

    A patient's folder holds ``ManualSegmentation_1.nii.gz`` to ``_7`` and the images, all
    together or in ``Masks``, ``Raw_Data`` and ``Preprocessed_Data``; preprocessed images may also
    lie in a folder of the same name elsewhere below `folder`. ``Consensus`` is passed over: it is
    no rater. The centre is read from a folder such as ``Center_01``, or from the first two digits
    of the patient's folder (``01016SACH``). Patients without label maps are left out, and the
    JSON file says how many.

    Parameters
    ----------
    folder : str or Path
        Where the download was unpacked.
    output : str or Path, optional
        The manifest to write, in `folder` or above it; ``data_manifest.csv`` in `folder` if left
        out. The JSON file beside it asks for the settings of lemay2022, Table 5: 160 x 128
        pixels of 1 mm (124 there; sides are multiples of 16), depth 4, rate 0.00005, 20 splits.
    contrast : {"FLAIR", "T1", "T2", "GADO", "DP"}
        Which image of each patient. The lesions were outlined on FLAIR.
    images : {"preprocessed", "raw"}
        Those of the challenge's preprocessing (denoised, registered to FLAIR, brain alone, bias
        corrected), all on FLAIR's grid, or as they were acquired; of the latter only FLAIR shares
        the label maps' grid for certain.

    Returns
    -------
    Path
        The manifest.

    Raises
    ------
    ManifestError
        If there are no label maps or images, or they do not fit together.
    SettingsError
        If an option is unknown, the folder is missing or the manifest would lie where it cannot
        reach the images.
    """
    if contrast.upper() not in CONTRASTS:
        raise SettingsError(f"contrast: expected one of {', '.join(CONTRASTS)}, got {contrast!r}.")
    if images not in ("preprocessed", "raw"):
        raise SettingsError(f"images: expected 'preprocessed' or 'raw', got {images!r}.")
    folder = Path(folder)
    output = destination(folder, output, "folder with the patients of MSSEG-2016")
    found: list[Problem] = []
    pictures: dict[Path, list[Path]] = defaultdict(list)
    labels: dict[tuple[Path, str], Path] = {}
    names = "|".join(CONTRASTS[contrast.upper()])
    ending = "_preprocessed" if images == "preprocessed" else ""
    for path in _below(folder):
        patient = path.parent.parent if path.parent.name.lower() in _PARTS else path.parent
        if match := re.fullmatch(rf"ManualSegmentation_(\d+){_NIFTI}", path.name, re.I):
            words = f"ManualSegmentation_{match[1]}"
            _only(labels, (patient, match[1]), path, words, folder, found)
        elif re.fullmatch(rf"(3D)?({names}){ending}{_NIFTI}", path.name, re.I):
            pictures[patient].append(path)
    if not labels:
        raise ManifestError(
            f"{folder}: found no label map ManualSegmentation_<number>.nii.gz below it. Name the "
            "folder that the challenge's data was unpacked in."
        )
    rated = list(dict.fromkeys(patient for patient, _ in labels))
    chosen = {p: _picture(p, rated, pictures, contrast, images, folder, found) for p in rated}
    if found:
        raise error(folder, found)
    raters = sorted({r for _, r in labels}, key=int)
    subjects = _subjects(rated, folder)
    rows = [
        row(
            subjects[p], chosen[p], {r: labels.get((p, r)) for r in raters}, output,
            center=_centre(p, folder),
        )
        for p in sorted(rated)
    ]  # fmt: skip
    others = {p for p, paths in pictures.items() if set(chosen.values()).isdisjoint(paths)}
    return save(
        output,
        rows,
        ClassTable(("background", "lesion")),
        f"MSSEG-2016, {images} {contrast.upper()}",
        grid={"size": [160, 128], "spacing": [1.0, 1.0]},
        parameters={
            "fusion_max_size": 160,
            "fusion_depth": 4,
            "fusion_learning_rate": 0.00005,
            "fusion_splits": 20,
        },
        **_left_out(others),
    )


def _read_texts(texts, labels, images, folder: Path, found: list[Problem]) -> dict:
    """Label maps of text files, by subject and rater; what is wrong goes to `found`."""
    read: dict[tuple[str, str], volumes.Volume] = {}
    for key, path in texts.items():
        image = images.get(key[0])
        if image is None:
            continue
        other = next((p for (subject, _), p in labels.items() if subject == key[0]), None)
        try:
            read[key] = volumes.read_text_labels(path, image, other)
        except ParaspineError as problem:
            shown, why = str(path.relative_to(folder)), str(problem).rstrip(".")
            remedy = f"Or put {path.stem}.nii.gz from the challenge's training data there."
            found.append(Problem(None, None, shown, why, remedy))
    return read


def _below(folder: Path) -> list[Path]:
    return sorted(p for p in folder.rglob("*") if not p.is_dir())


def _numbers(name: str) -> list[int]:
    return [int(n) for n in re.findall(r"\d+", name)]


def _only(files: dict, key, path: Path, what: str, folder: Path, found: list[Problem]) -> None:
    """Take a file, or say that there is another one for the same."""
    before = files.setdefault(key, path)
    if before != path:
        why = f"there is another {what}, {before.relative_to(folder)}"
        remedy = "Keep one of them below this folder."
        found.append(Problem(None, None, str(path.relative_to(folder)), why, remedy))


def _left_out(others) -> dict[str, str]:
    if not others:
        return {}
    count = "1 image has" if len(others) == 1 else f"{len(others)} images have"
    return {"note": f"{count} no label map below this folder and no row here."}


def _picture(patient: Path, rated, pictures, contrast: str, images: str, folder, found):
    """The image of a patient: in its folder, else in another one of that name."""
    paths = pictures.get(patient, [])
    if not paths and sum(p.name == patient.name for p in rated) == 1:
        paths = [f for p, files in pictures.items() if p.name == patient.name for f in files]
    if len(paths) == 1:
        return paths[0]
    shown = str(patient.relative_to(folder))
    if paths:
        names = ", ".join(str(p.relative_to(folder)) for p in paths)
        why, remedy = f"several {images} {contrast} images: {names}", "Keep one of them."
    else:
        other = "raw" if images == "preprocessed" else "preprocessed"
        why = f"no {images} {contrast} image"
        remedy = f"Unpack it below {folder}, or take the {other} ones (--images {other})."
    found.append(Problem(None, None, shown, why, remedy))
    return None


def _subjects(patients: list[Path], folder: Path) -> dict[Path, str]:
    """A name for each patient: its folder's, with those above it where several share it."""
    parts = {p: p.relative_to(folder).parts or (folder.resolve().name,) for p in patients}
    names = {}
    for patient, own in parts.items():
        size = 1
        while size < len(own) and any(
            other[-size:] == own[-size:] for p, other in parts.items() if p != patient
        ):
            size += 1
        names[patient] = "-".join(own[-size:])
    return names


def _centre(patient: Path, folder: Path) -> str:
    for part in reversed(patient.relative_to(folder).parts):
        if match := re.fullmatch(r"cent(?:er|re)[ _-]?(\w+)", part, re.I):
            return match[1]
    match = re.match(r"(\d{2})\d{3}[A-Za-z]{2,}", patient.name)
    return match[1] if match else ""
