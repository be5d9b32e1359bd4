"""nbformat without the grammars that jsonschema's optional extra compiles."""

import subprocess
import sys

CODE = """
import sys
from paraspine.session.imports import SLOW, import_nbformat
{before}
nbformat = import_nbformat()
print(SLOW in sys.modules, SLOW.split("_")[0])
notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1")])
nbformat.validate(notebook)
import jsonschema
print("iri" in jsonschema.FormatChecker().checkers)
import rfc3987_syntax
print(rfc3987_syntax.is_valid_syntax("iri", "https://example.org"))
"""


def said(before=""):
    code = [sys.executable, "-c", CODE.format(before=before)]
    return subprocess.run(code, capture_output=True, text=True, check=True).stdout.split()


def test_it_is_left_out_and_can_still_be_had():
    assert said() == ["False", "rfc3987", "False", "True"]


def test_who_had_it_keeps_it():
    assert said("import jsonschema") == ["True", "rfc3987", "True", "True"]
