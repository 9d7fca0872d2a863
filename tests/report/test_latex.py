from __future__ import annotations

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from lstmdrop.report.table import HIGHEST_RANK, Column, Note, Table, to_latex

TABLE = Table(
    "What dropout changed, 100% & more",
    (
        Column("rule_name", is_text=True),
        Column("test ±"),
        Column("empty"),
        Column("detail", rank=6),
        Column("signature", is_text=True, for_programs=True),
    ),
    (("none", 114.456789, None, 1, "s"), (r"a|b\{$}#~^", -82.7, None, 2, "s")),
    (Note("lower is better"), Note("how:", "tokens:1|stream_x:<eos>")),
)

GOLDEN = r"""% \usepackage{booktabs}
\begin{table}
  \centering
  \caption{What dropout changed, 100\% \& more}
  \begin{tabular}{lr}
    \toprule
    rule\_name & test $\pm$ \\
    \midrule
    none & 114.46 \\
    a\textbar{}b\textbackslash{}\{\$\}\#\textasciitilde{}\textasciicircum{} & -82.70 \\
    \bottomrule
  \end{tabular}
\end{table}
{\footnotesize\noindent lower is better\par}
{\footnotesize\noindent how: \texttt{tokens:1\textbar{}\allowbreak{}stream\_x:\textless{}eos\textgreater{}}\par}
"""


def test_a_table_is_booktabs_without_the_columns_that_say_nothing() -> None:
    assert to_latex([TABLE]) == GOLDEN


def test_what_a_block_agrees_in_heads_it() -> None:
    columns = (
        Column("task", is_text=True, is_heading=True),
        Column("data", is_text=True, is_heading=True),
        Column("p"),
    )
    text = to_latex([Table("rules", columns, (("lm", "a_b", 1), ("lm", "a_b", 2), ("mt", "c", 3)))])
    assert (
        r"""
    p \\
    \midrule
    \multicolumn{1}{l}{\emph{lm, a\_b}} \\
    1 \\
    2 \\
    \midrule
    \multicolumn{1}{l}{\emph{mt, c}} \\
    3 \\
    \bottomrule
"""
        in text
    )


def test_each_row_has_as_many_cells_as_the_tabular_has_columns() -> None:
    text = to_latex([TABLE, TABLE])
    specs = re.findall(r"begin\{tabular\}\{(\w+)\}", text)
    assert len(specs) == 2
    rows = re.findall(r"^    (.*) \\\\$", text, flags=re.MULTILINE)
    assert {len(re.split(r"(?<!\\)&", row)) for row in rows} == {len(specs[0])}


SPECIAL = re.compile(
    r"\\textbackslash\{\}|\\textasciitilde\{\}|\\textasciicircum\{\}|\\textless\{\}|\\textgreater\{\}|\\textbar\{\}"
    r"|\$\\pm\$|\\[{}&%$#_]"
)


@settings(deadline=None)
@given(st.text("ab {}\\&%$#_~^<>|±é", max_size=12))
def test_whatever_a_text_says_nothing_in_it_is_a_command(text: str) -> None:
    row = (
        to_latex([Table("t", (Column("a", is_text=True),), ((f"x{text}x",),))])
        .split("\\midrule\n")[1]
        .split(" \\\\\n")[0]
    )
    assert not re.search(r"[\\{}&%$#_~^<>|±]", SPECIAL.sub("", row))
    assert len(SPECIAL.findall(row)) == sum(character in "{}\\&%$#_~^<>|±" for character in text)


def test_a_code_may_break_after_its_separators_and_only_there() -> None:
    text = to_latex([Table("t", (Column("a"),), (), (Note("", "a|b/c d"),))])
    assert r"\texttt{a\textbar{}\allowbreak{}b/\allowbreak{}c d}" in text


def test_a_column_above_the_highest_rank_is_left_to_programs() -> None:
    columns = (Column("shown", rank=HIGHEST_RANK), Column("hidden", rank=HIGHEST_RANK + 1))
    text = to_latex([Table("t", columns, ((1, 2),)), Table("none", columns, ())])
    assert "hidden" not in text
    assert text.count("shown") == 2, "a table without rows shows its columns"
