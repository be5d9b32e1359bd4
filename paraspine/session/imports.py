"""Libraries that every notebook's processes import, in less time."""

from __future__ import annotations

import importlib
import sys

__all__ = ["import_nbformat"]

#: jsonschema's optional check of internationalised addresses: its grammars take longer to compile
#: than everything else takes to import, and no notebook's schema has such an address.
SLOW = "rfc3987_syntax"


def import_nbformat():
    """Import nbformat, for which papermill and plotly ask, without jsonschema's slow extra.

    jsonschema does without it where it is not installed; that is what it is told, and only while
    it is imported. Whoever imported it before keeps the check.

    Returns
    -------
    module
    """
    if "jsonschema" in sys.modules or SLOW in sys.modules:
        return importlib.import_module("nbformat")
    sys.modules[SLOW] = None  # "not to be found", as Python's import system has it
    try:
        return importlib.import_module("nbformat")
    finally:
        del sys.modules[SLOW]
