"""A small good cohort to spoil in one place at a time."""

import csv
import json

import numpy as np
import pytest

from paraspine import volumes

CLASSES = {
    "classes": {"0": "background", "1": "right MF", "2": "left MF"},
    "mirror_pairs": [["right MF", "left MF"]],
    "intensity": {"kind": "MR", "window": None},
}


class Study:
    """A manifest folder whose rows, json and files can be changed before they are written."""

    def __init__(self, folder, subjects=4):
        self.folder = folder
        self.path = folder / "cohort.csv"
        self.json = json.loads(json.dumps(CLASSES))
        self.rows = []
        rng = np.random.default_rng(0)
        for s in range(subjects):
            name = f"sub-{s}"
            self.put(f"{name}/t2.nii.gz", rng.integers(0, 500, (2, 6, 7)).astype(np.int16))
            row = {"subject": name, "image": f"{name}/t2.nii.gz", "age": 30 + 5 * s}
            row["sex"] = "FM"[s % 2]
            for r in "AB":
                labels = np.zeros((2, 6, 7), np.uint8)
                labels[:, 2:4, 1:3], labels[:, 2:4, 4:6] = 1, 2
                labels[0, 0, s] = 1 + "AB".index(r)  # everyone a little different
                self.put(f"{name}/{r}.nii.gz", labels)
                row[f"rater_{r}"] = f"{name}/{r}.nii.gz"
            self.rows.append(row)

    def put(self, name, array, spacing=(4, 0.5, 0.5), affine=None):
        return volumes.write(self.folder / name, volumes.from_array(array, spacing, affine))

    def write(self, columns=None):
        columns = columns or list(dict.fromkeys(k for row in self.rows for k in row))
        with self.path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, columns, restval="")
            writer.writeheader()
            writer.writerows(self.rows)
        self.path.with_suffix(".json").write_text(json.dumps(self.json), encoding="utf-8")
        return self.path


@pytest.fixture
def study(tmp_path):
    return Study(tmp_path)
