"""Tables as LaTeX, for papers: booktabs, one ``table`` environment each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from lstmdrop.report.formats import cell_text, heading_text
from lstmdrop.report.table import Note, Table

_PREAMBLE = "% \\usepackage{booktabs}\n"
_SPECIAL = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", "±": r"$\pm$",
}  # fmt: skip
HIGHEST_RANK = 5
_BREAKABLE = ("|", "/")


def to_latex(tables: Iterable[Table]) -> str:
    """LaTeX that needs ``booktabs`` alone: the title as caption, notes and signatures as text after the float.

    A page is narrow: what columns of a block agree in heads it, and those of a rank above `HIGHEST_RANK` are left to
    the formats that programs read.
    """
    return _PREAMBLE + "\n".join(_latex(table.for_readers()) for table in tables)


def _latex(table: Table) -> str:
    shown = [index for index in range(len(table.columns)) if _is_shown(table, index)]
    columns = [table.columns[index] for index in shown]
    alignment = "".join("l" if column.is_text else "r" for column in columns)
    lines = [
        r"\begin{table}",
        r"  \centering",
        rf"  \caption{{{_latex_text(table.title)}}}",
        rf"  \begin{{tabular}}{{{alignment}}}",
        r"    \toprule",
        f"    {' & '.join(_latex_text(column.name) for column in columns)} \\\\",
        *_blocks(table, shown),
        r"    \bottomrule",
        r"  \end{tabular}",
        r"\end{table}",
        *(rf"{{\footnotesize\noindent {_latex_note(note)}\par}}" for note in table.notes),
    ]
    return "\n".join(lines) + "\n"


def _blocks(table: Table, shown: Sequence[int]) -> Iterator[str]:
    for heading, rows in groupby(table.rows, key=lambda row: heading_text(row, table.columns)):
        yield r"    \midrule"
        if heading:
            yield rf"    \multicolumn{{{len(shown)}}}{{l}}{{\emph{{{_latex_text(heading)}}}}} \\"
        for row in rows:
            yield f"    {' & '.join(_latex_text(cell_text(row[index], table.columns[index])) for index in shown)} \\\\"


def _is_shown(table: Table, index: int) -> bool:
    column = table.columns[index]
    says_something = not table.rows or any(row[index] is not None for row in table.rows)
    return says_something and not column.is_heading and column.rank <= HIGHEST_RANK


def _latex_note(note: Note) -> str:
    return f"{_latex_text(note.text)} \\texttt{{{_breakable(note.code)}}}" if note.code else _latex_text(note.text)


def _latex_text(text: str) -> str:
    return "".join(_SPECIAL.get(character, character) for character in text)


def _breakable(code: str) -> str:
    """A signature or a command that may break after its separators, else it would run out of the page."""
    escaped = (_latex_text(character) + (r"\allowbreak{}" if character in _BREAKABLE else "") for character in code)
    return "".join(escaped)
