"""Class tables: numbers, names, sides, mirror pairs and colours of structures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

__all__ = ["COLOURS", "LEVELS", "PARASPINAL", "ClassTable"]

#: The six axial levels of the Genodisc images (roshanzamir2023), cranial to caudal.
LEVELS = ("L3-L4", "upper L4", "L4-L5", "upper L5", "L5-S1", "S1")

#: Okabe and Ito's palette, told apart with any common colour vision deficiency.
COLOURS = (
    "#E69F00",
    "#56B4E9",
    "#009E73",
    "#CC79A7",
    "#0072B2",
    "#D55E00",
    "#F0E442",
    "#999999",
)


@dataclass(frozen=True)
class ClassTable:
    """Names, mirror pairs and colours of the classes of a cohort.

    Parameters
    ----------
    names : tuple of str
        ``names[0]`` is background; a class's number is its place.
    pairs : tuple of (str, str)
        Names of structures that trade places in a left-right mirrored image.
    colours : tuple of str
        One hexadecimal colour per class without background; filled from `COLOURS` if left out.

    Raises
    ------
    ValueError
        If names repeat, fewer than two are given, or a pair names no class or a class twice.
    """

    names: tuple[str, ...]
    pairs: tuple[tuple[str, str], ...] = ()
    colours: tuple[str, ...] = ()

    def __post_init__(self):
        names = tuple(str(n) for n in self.names)
        pairs = tuple((str(a), str(b)) for a, b in self.pairs)
        if len(names) < 2:
            raise ValueError(f"classes: expected background and at least one more, got {names}.")
        if len(set(names)) != len(names):
            raise ValueError(f"classes: expected different names, got {names}.")
        paired = [n for pair in pairs for n in pair]
        if unknown := [n for n in paired if n not in names[1:]]:
            raise ValueError(f"mirror pairs: {unknown} not among the classes {names[1:]}.")
        if len(set(paired)) != len(paired):
            raise ValueError(f"mirror pairs: a class stands in two pairs: {pairs}.")
        colours = tuple(self.colours) or tuple(
            COLOURS[i % len(COLOURS)] for i in range(len(names) - 1)
        )
        if len(colours) != len(names) - 1:
            raise ValueError(
                f"colours: expected {len(names) - 1}, one per class without background, "
                f"got {len(colours)}."
            )
        object.__setattr__(self, "names", names)
        object.__setattr__(self, "pairs", pairs)
        object.__setattr__(self, "colours", colours)

    @property
    def num_classes(self) -> int:
        """Number of classes including background."""
        return len(self.names)

    @property
    def foreground(self) -> tuple[str, ...]:
        """Names without background."""
        return self.names[1:]

    @property
    def mirror(self) -> tuple[int, ...] | None:
        """Class numbers after a left-right mirroring: ``mirror[old] = new``.

        None where a name says a side and stands in no pair: who mirrors would then teach left
        structures as right ones.
        """
        swap = dict(self.pairs) | {b: a for a, b in self.pairs}
        if any(self.side(name) and name not in swap for name in self.foreground):
            return None
        return tuple(self.names.index(swap.get(n, n)) for n in self.names)

    def side(self, name: str) -> str | None:
        """``'left'`` or ``'right'`` where the name says so, else None."""
        words = name.lower().replace("_", " ").replace("-", " ").split()
        return next((s for s in ("left", "right") if s in words), None)

    def to_json(self) -> dict:
        """The table as the block that stands in ``data_manifest.json``."""
        return {
            "classes": {str(i): n for i, n in enumerate(self.names)},
            "mirror_pairs": [list(p) for p in self.pairs],
            "colours": dict(zip(self.foreground, self.colours, strict=True)),
        }

    @classmethod
    def from_json(cls, block: Mapping) -> ClassTable:
        """Read the block that `to_json` writes; colours and pairs may be left out."""
        classes = block.get("classes")
        if isinstance(classes, Mapping):
            try:
                numbered = {int(k): str(v) for k, v in classes.items()}
            except ValueError as error:
                raise ValueError(
                    f"classes: expected class numbers as keys, got {list(classes)}."
                ) from error
            if sorted(numbered) != list(range(len(numbered))):
                raise ValueError(
                    f"classes: expected the numbers 0 to {len(numbered) - 1} without a gap, "
                    f"got {sorted(numbered)}."
                )
            names: tuple[str, ...] = tuple(numbered[i] for i in range(len(numbered)))
        elif isinstance(classes, Sequence) and not isinstance(classes, str):
            names = tuple(str(n) for n in classes)
        else:
            raise ValueError(
                'classes: expected an object such as {"0": "background", "1": "nodule"}, '
                f"got {classes!r}."
            )
        colours = block.get("colours") or {}
        given = ()
        if colours:
            if missing := [n for n in names[1:] if n not in colours]:
                raise ValueError(f"colours: expected one for every class, missing {missing}.")
            given = tuple(colours[n] for n in names[1:])
        return cls(names, tuple(tuple(p) for p in block.get("mirror_pairs", ())), given)


#: Left and right multifidus and erector spinae, in the order of roshanzamir2023's tables.
PARASPINAL = ClassTable(
    ("background", "right MF", "left MF", "right ES", "left ES"),
    (("right MF", "left MF"), ("right ES", "left ES")),
    ("#E69F00", "#56B4E9", "#D55E00", "#0072B2"),
)
