"""Run folders: parameters, results and provenance of one execution, written atomically.

A run folder holds ``parameters.json``, the results, ``provenance.json`` and, written last,
``complete.json`` with the SHA-256 of every file. A folder without it does not count as a result.
Every file is written under a temporary name in the same folder, flushed to the disk and renamed,
so that it is either whole or not there, whenever the process is killed.
"""

from paraspine.runs.folder import Run, read, start
from paraspine.runs.naming import run_id
from paraspine.runs.origin import provenance
from paraspine.storage import atomic, sha256

__all__ = ["Run", "atomic", "provenance", "read", "run_id", "sha256", "start"]
