"""``python -m paraspine``: the same as the ``paraspine`` command."""

from paraspine.cli import app

app()
