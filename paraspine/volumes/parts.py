"""Files that an image consists of: a header and the voxels beside it, or a series' slices."""

from __future__ import annotations

import re
from pathlib import Path

from paraspine.arrays import ImageError

__all__ = ["parts", "refuse_elsewhere"]

_HEADERS = (".mhd", ".mha", ".nhdr", ".nrrd")
_PAIRS = {".hdr": ".img", ".img": ".hdr"}
_NAMES = re.compile(
    rb"^[ \t]*(?:elementdatafile[ \t]*[=:]|data ?file[ \t]*:)[ \t]*(.*)$",
    re.IGNORECASE | re.MULTILINE,
)


def parts(path: Path) -> list[Path]:
    """Files that an image consists of and that are there, in order, the named one first.

    All files below a folder; of a MetaImage or NRRD header the voxel files that it names, where
    they lie in its folder or below; of an Analyze or NIfTI pair both.
    """
    if path.is_dir():
        return sorted(p for p in path.rglob("*") if p.is_file())
    if not path.is_file():
        return []
    named = [name for name in _named(path) if _stays(name)]
    return [path, *(p for name in named if (p := path.parent / name).is_file())]


def refuse_elsewhere(path: Path) -> None:
    """`ImageError` where a header names voxels outside its folder, or files by a pattern."""
    for name in _named(path):
        if not _stays(name) or "%" in name:
            raise ImageError(
                f"{path}: the header names the voxel file '{name}'; expected a file in the "
                "header's own folder or below. Put the voxels there and correct the header, or "
                "write the image as one file (NIfTI, .mha, .nrrd)."
            )


def _named(path: Path) -> list[str]:
    """Names of voxel files as a header gives them."""
    name = path.name.lower()
    for suffix, other in _PAIRS.items():
        if name.endswith((suffix, f"{suffix}.gz")):
            place = name.rindex(suffix)
            ends = {other, other.upper()} if not name.endswith(".gz") else {f"{other}.gz"}
            return [path.name[:place] + end for end in sorted(ends)]
    if not name.endswith(_HEADERS):
        return []
    with path.open("rb") as file:
        head = file.read(1 << 20).replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    if name.endswith((".nhdr", ".nrrd")):
        head = head.split(b"\n\n")[0]
    if not (found := _NAMES.search(head)):
        return []
    first = found[1].decode("utf-8", "replace").strip()
    words = first.split()
    if first.upper() == "LOCAL":
        return []
    if words and words[0].upper() == "LIST":
        more = head[found.end() :].decode("utf-8", "replace").splitlines()
        return [line.strip() for line in more if line.strip()]
    return [first]


def _stays(name: str) -> bool:
    place = Path(name.replace("\\", "/"))
    return not (place.is_absolute() or ".." in place.parts or name[1:2] == ":")
