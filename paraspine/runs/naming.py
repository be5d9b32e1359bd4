"""Parameters as JSON, and run names made from them."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from pathlib import PurePath

import numpy as np

from paraspine.arrays import RunError

__all__ = ["run_id", "to_json"]

#: Parameters that make the readable part of a run's name, in this order.
NAMING = ("experiment", "model", "fusion", "method", "loss", "fold", "seed")


def _plain(value):
    """What JSON can hold, for what it cannot."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, PurePath):
        return value.as_posix()
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, set | frozenset):
        return sorted(value)
    raise RunError(f"expected something that JSON can hold, got {type(value).__name__}: {value!r}")


def to_json(value, **options) -> str:
    """JSON text of a value; NumPy values, tuples, sets, paths and dataclasses are taken."""
    return json.dumps(value, default=_plain, ensure_ascii=False, **options)


def run_id(parameters: Mapping) -> str:
    """A short name for a run: a few telling values and a hash over all parameters.

    The same parameters give the same name, in whatever order they stand.

    >>> run_id({"seed": 0, "model": "unet"})
    'unet-seed0-3eacc56c4a'
    """
    words = []
    for key in NAMING:
        value = parameters.get(key)
        if isinstance(value, str) and value:
            words.append(value)
        elif isinstance(value, int) and not isinstance(value, bool):
            words.append(f"{key}{value}")
    slug = re.sub(r"[^a-z0-9]+", "-", "-".join(words).lower()).strip("-")[:48]
    digest = hashlib.sha256(to_json(parameters, sort_keys=True).encode()).hexdigest()[:10]
    return f"{slug}-{digest}" if slug else digest
