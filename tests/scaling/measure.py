"""What docs/scaling.md shows of many workers: two that are killed and come back, and what rounds of steps cost.

python -m tests.scaling.measure [transcript] [rounds]
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
import time
from pathlib import Path

from tests.scaling.conftest import Crew
from tests.scaling.launcher import torchrun

from lstmdrop.run import Run

DOCS = Path(__file__).parents[2] / "docs"
DOCUMENT, MEASURED, TRANSCRIPT = DOCS / "scaling.md", DOCS / "scaling" / "rounds.json", DOCS / "scaling" / "killed.txt"
WORKERS, ROUNDS = 4, (1, 4, 16, 64)
SETTINGS = ("training.epochs=5", "training.decay_after=3", "training.kernel=native")
KILLED = ("training.epochs=2", "training.save_minutes=0.05", "training.log_every=10")
NOISE = re.compile(
    r"^\[?[WEI]\d{4}|^\[W|^\[/|^\*+$|^=+$|^-+$|^\s|^$|Traceback|^torch\.|^Root Cause|^Failures|^\[rank|<NO_OTHER"
)


def rounds(folder: Path) -> None:
    """Of each length of a round the perplexities of one seed, and what the workers sent each other."""
    crew, rows = Crew(folder, {"lm": ("demo", [])}, longest=3600), []
    for steps in ROUNDS:
        run = Run(crew.train("lm", WORKERS, f"every{steps}", *SETTINGS, f"training.sync_every={steps}"))
        result = run.result()
        values = {score["split"]: score["value"] for score in result["scores"] if score["name"] == "perplexity"}
        rows.append({"steps": steps, **values, "parameters": result["num_parameters"]})
    MEASURED.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


def transcript(folder: Path) -> None:
    """What is printed while one worker and then the other is killed."""
    overrides = [part for setting in KILLED for part in ("--set", setting)]
    options, begin = ("--standalone", "--nproc-per-node", "2", "--max-restarts", "2"), time.monotonic()
    with torchrun(options, ["lm", "--data", "demo", "--size", "tiny", *overrides], folder / "killed") as launched:
        for rank in (1, 0):
            launched.kill(rank, after=launched.num_logged() + 6)
            with launched.printed.open("a", encoding="utf-8") as printed:
                step = json.loads((launched.out / "log.jsonl").read_text(encoding="utf-8").splitlines()[-1])["step"]
                seconds = time.monotonic() - begin
                printed.write(f">>> after {seconds:.0f} s, at step {step} or a few more: kill -9 of worker {rank}\n")
            launched.until(lambda: launched.pid(0) is not None and launched.pid(1) is not None)
        code, text = launched.finish()
    lines = [line for line in text.splitlines() if not NOISE.search(line)]
    plain = "\n".join(lines).replace(str(folder / "killed"), "runs/killed")
    TRANSCRIPT.write_text(f"{plain}\n>>> torchrun ended with {code}\n", encoding="utf-8")


def render() -> None:
    """Both into the document, between their marks."""
    text = DOCUMENT.read_text(encoding="utf-8")
    head = (
        "| `training.sync_every` | sent by a worker, a step | valid perplexity | test perplexity |\n|--:|--:|--:|--:|\n"
    )
    table = head + "".join(
        f"| {row['steps']} | {8 * row['parameters'] / row['steps'] / 1e6:.2f} MB | {row['valid']:.1f} "
        f"| {row['test']:.1f} |\n"
        for row in json.loads(MEASURED.read_text(encoding="utf-8"))
    )
    shown = f"```\n{TRANSCRIPT.read_text(encoding='utf-8')}```\n"
    for name, content in (("rounds", table), ("transcript", shown)):
        between = re.compile(rf"(<!-- {name}: [^\n]*-->\n).*?(<!-- end of {name} -->)", re.DOTALL)
        text = between.sub(lambda found, content=content: found[1] + content + found[2], text)
    DOCUMENT.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    MEASURED.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        for measure in (transcript, rounds):
            if measure.__name__ in (sys.argv[1:] or ("transcript", "rounds")):
                measure(Path(name))
    render()
