"""What rounds of several steps cost in perplexity on the demo text: measured, and written into docs/scaling.md.

    python -m tests.scaling.measure
"""

from __future__ import annotations

import json
import re
import tempfile
from pathlib import Path

from lstmdrop.run import Run
from tests.scaling.conftest import Crew

DOCS = Path(__file__).parents[2] / "docs"
MEASURED, DOCUMENT = DOCS / "scaling" / "rounds.json", DOCS / "scaling.md"
BETWEEN = re.compile(r"(<!-- rounds: [^\n]*-->\n).*?(<!-- end of rounds -->)", re.DOTALL)
WORKERS, ROUNDS = 4, (1, 4, 16, 64)
SETTINGS = ("training.epochs=5", "training.decay_after=3", "training.kernel=native")


def measure(folder: Path) -> list[dict[str, float]]:
    """Of each length of a round the perplexities of one seed, and what the workers sent each other."""
    crew, rows = Crew(folder, {"lm": ("demo", [])}, longest=3600), []
    for steps in ROUNDS:
        run = Run(crew.train("lm", WORKERS, f"every{steps}", *SETTINGS, f"training.sync_every={steps}"))
        result = run.result()
        values = {score["split"]: score["value"] for score in result["scores"] if score["name"] == "perplexity"}
        rows.append({"steps": steps, **values, "parameters": result["num_parameters"]})
        print(rows[-1], flush=True)
    return rows


def render(rows: list[dict[str, float]]) -> str:
    """A table in Markdown."""
    head = "| `training.sync_every` | sent by a worker, a step | valid perplexity | test perplexity |\n|--:|--:|--:|--:|\n"
    return head + "".join(
        f"| {row['steps']} | {8 * row['parameters'] / row['steps'] / 1e6:.2f} MB | {row['valid']:.1f} | {row['test']:.1f} |\n"
        for row in rows
    )


def write(rows: list[dict[str, float]]) -> None:
    """Into the document, between its marks."""
    text = DOCUMENT.read_text(encoding="utf-8")
    DOCUMENT.write_text(BETWEEN.sub(lambda found: found[1] + render(rows) + found[2], text), encoding="utf-8")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        found = measure(Path(name))
    MEASURED.parent.mkdir(exist_ok=True)
    MEASURED.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    write(found)
