from __future__ import annotations

import re

from lstmdrop.report.latex import to_latex
from lstmdrop.report.table import Column, Note, Table

TABLE = Table(
    "What dropout changed, 100% & more",
    (
        Column("rule_name", is_text=True),
        Column("test ±"),
        Column("empty"),
        Column("signature", is_text=True, for_programs=True),
    ),
    (("none", 114.456789, None, "s"), (r"a|b\{$}#~^", -82.7, None, "s")),
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
  \par\footnotesize lower is better
  \par\footnotesize how: \texttt{tokens:1\textbar{}\allowbreak{}stream\_x:\textless{}eos\textgreater{}}
\end{table}
"""


def test_a_table_is_booktabs_without_the_columns_that_say_nothing() -> None:
    assert to_latex([TABLE]) == GOLDEN


def test_each_row_has_as_many_cells_as_the_tabular_has_columns() -> None:
    text = to_latex([TABLE, TABLE])
    specs = re.findall(r"begin\{tabular\}\{(\w+)\}", text)
    assert len(specs) == 2
    rows = re.findall(r"^    (.*) \\\\$", text, flags=re.MULTILINE)
    assert {len(re.split(r"(?<!\\)&", row)) for row in rows} == {len(specs[0])}
