"""The papers' tables, read from package data: what this project's numbers stand beside.

One row per published number. Values are as printed, in the printed unit; `plain` is the same in
units of 1 (a Brier score of 1.324 e-3 is 0.001324, a Dice of 94.36 % is 0.9436).
"""

from .checks import aleatoric_repeats, exchanged_rows, inconsistencies
from .tables import COLUMNS, table, value

__all__ = [
    "COLUMNS",
    "aleatoric_repeats",
    "exchanged_rows",
    "inconsistencies",
    "table",
    "value",
]
