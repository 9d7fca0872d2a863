"""A picture of where each written token looked, drawn with the optional matplotlib."""

from __future__ import annotations

import io
from collections.abc import Sequence

from lstmdrop.report.plots import require_matplotlib


def attention_figure(source: Sequence[str], target: Sequence[str], weights: Sequence[Sequence[float]]) -> str:
    """The weights, one row a target token and one column a source token, as SVG; darker is more.

    Raises:
        MissingPartError: matplotlib is not installed.
    """
    require_matplotlib()
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context({"svg.hashsalt": "lstmdrop", "svg.fonttype": "none", "font.size": 9}):
        size = (1.6 + 0.28 * len(source), 1.2 + 0.24 * len(target))
        figure = Figure(figsize=size, layout="constrained", facecolor="white")
        axes = figure.add_subplot()
        axes.imshow(weights, cmap="Blues", vmin=0, vmax=1, aspect="auto")
        axes.xaxis.tick_top()
        axes.set_xticks(range(len(source)), [_plain(token) for token in source], rotation=60, ha="left")
        axes.set_yticks(range(len(target)), [_plain(token) for token in target])
        axes.tick_params(length=0)
        text = io.StringIO()
        figure.savefig(text, format="svg", metadata={"Date": None, "Creator": "lstmdrop"})
    return text.getvalue()


def _plain(token: str) -> str:
    """Without what matplotlib would take for a formula."""
    return token.replace("$", r"\$")
