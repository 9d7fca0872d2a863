"""Tables as LaTeX, for papers: booktabs, one ``table`` environment each."""

from __future__ import annotations

from collections.abc import Iterable

from lstmdrop.report.formats import cell_text
from lstmdrop.report.table import Note, Table

_PREAMBLE = "% \\usepackage{booktabs}\n"
_SPECIAL = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", "±": r"$\pm$",
}  # fmt: skip
_BREAKABLE = ("|", "/")


def to_latex(tables: Iterable[Table]) -> str:
    """LaTeX that needs ``booktabs`` alone: the title as caption, notes and signatures below the table."""
    return _PREAMBLE + "\n".join(_latex(table.for_readers()) for table in tables)


def _latex(table: Table) -> str:
    shown = [index for index in range(len(table.columns)) if _says_something(table, index)]
    columns = [table.columns[index] for index in shown]
    alignment = "".join("l" if column.is_text else "r" for column in columns)
    rows = [" & ".join(_escape(cell_text(row[index], table.columns[index])) for index in shown) for row in table.rows]
    notes = [rf"  \par\footnotesize {_remark(note)}" for note in table.notes]
    lines = [
        r"\begin{table}",
        r"  \centering",
        rf"  \caption{{{_escape(table.title)}}}",
        rf"  \begin{{tabular}}{{{alignment}}}",
        r"    \toprule",
        f"    {' & '.join(_escape(column.name) for column in columns)} \\\\",
        r"    \midrule",
        *(rf"    {row} \\" for row in rows),
        r"    \bottomrule",
        r"  \end{tabular}",
        *notes,
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def _says_something(table: Table, index: int) -> bool:
    return not table.rows or any(row[index] is not None for row in table.rows)


def _remark(note: Note) -> str:
    return f"{_escape(note.text)} \\texttt{{{_breakable(note.code)}}}" if note.code else _escape(note.text)


def _escape(text: str) -> str:
    return "".join(_SPECIAL.get(character, character) for character in text)


def _breakable(code: str) -> str:
    """A signature or a command that may break after its separators, else it would run out of the page."""
    escaped = (_escape(character) + (r"\allowbreak{}" if character in _BREAKABLE else "") for character in code)
    return "".join(escaped)
