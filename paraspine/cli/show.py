"""What ``paraspine check`` and the commands that write a manifest print: tables of a cohort."""

from __future__ import annotations

from pathlib import Path

__all__ = ["show_cohort", "show_problems"]

_SHOWN = 30  # problems in the table unless all are asked for


def _console():
    from rich.console import Console

    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=120)


def show_problems(manifest: Path, problems, everything: bool) -> None:
    """The problems as a table, one row each."""
    from rich.table import Table
    from rich.text import Text

    from paraspine.text import count

    shown = problems if everything else problems[:_SHOWN]
    console = _console()
    title = Text(f"{manifest}: {count(len(problems), 'problem')}", style="bold")
    table = Table(title=title, show_lines=True)
    table.add_column("row", justify="right", no_wrap=True)
    for name, share in (("column", 2), ("value", 4), ("problem", 5), ("what to do", 5)):
        table.add_column(name, ratio=share, overflow="fold")
    for p in shown:
        cells = ("" if p.row is None else str(p.row), p.column or "", p.value or "")
        table.add_row(*(Text(c) for c in (*cells, p.problem, p.remedy)))
    console.print(table)
    if len(shown) < len(problems):
        rest = len(problems) - len(shown)
        console.print(f"... and {rest} more; --all shows every problem.", markup=False)


def show_cohort(cohort, files: bool) -> None:
    """What is in a good cohort."""
    from rich.table import Table
    from rich.text import Text

    from paraspine.text import count

    rated = cohort.rated()
    raters = ", ".join(f"{r} ({count(int(rated[r].sum()), 'image')})" for r in cohort.raters)
    classes = ", ".join(f"{i} {n}" for i, n in enumerate(cohort.classes.names))
    pairs = ", ".join(f"{a} / {b}" for a, b in cohort.classes.pairs) or "none"
    words = {
        "source": cohort.source + (" (synthetic)" if cohort.synthetic else ""),
        "subjects": str(len(cohort.subjects)),
        "images": str(len(cohort)),
        "raters": raters or "none",
        "classes": classes,
        "mirror pairs": pairs,
        "intensities": cohort.intensity["kind"],
        "columns": ", ".join(map(str, cohort.table.columns)),
    }
    if not files:
        words["files"] = "not opened"
    table = Table(title=Text(str(cohort.path), style="bold"), show_header=False)
    for name, text in words.items():
        table.add_row(Text(name), Text(text))
    console = _console()
    console.print(table)
    for note in cohort.notes:
        console.print(Text(f"Note: {note}"))
    console.print("No problems." if files else "No problems in the manifest's text.")
