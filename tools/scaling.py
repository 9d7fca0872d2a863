"""The arithmetic of docs/scaling.md: measured here, computed from that and from cited constants, written into the text.

    python tools/scaling.py measure            # a few minutes; rates of this machine, with its load beside them
    python tools/scaling.py deal               # items dealt to 1,000 workers of which some fail
    python tools/scaling.py render             # computes, and puts the tables between the marks of docs/scaling.md

They write measured.json, dealing.json and computed.json into docs/results/scaling. No number of the text is typed.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "docs/results/scaling"
NAMES = ("measured", "dealing", "constants")
DOCUMENT = ROOT / "docs/scaling.md"


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, or compute and write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("what", choices=["measure", "deal", "render"])
    options = parser.parse_args(arguments)
    if options.what == "measure":
        os.environ["OMP_NUM_THREADS"] = "1"
        from scale.measure import measured

        write_json(FOLDER / "measured.json", measured())
        return
    if options.what == "deal":
        from scale.dealing import Failing, dealt_out

        write_json(FOLDER / "dealing.json", dealt_out(Failing()))
        return
    from scale.text import tables, written

    found = tables(read(FOLDER))
    write_json(FOLDER / "computed.json", {name: part.rows for name, part in found.items()})
    DOCUMENT.write_text(written(DOCUMENT.read_text(encoding="utf-8"), found), encoding="utf-8")


def read(folder: Path) -> dict[str, Any]:
    """What was measured, what was simulated, and what is cited."""
    return {name: json.loads((folder / f"{name}.json").read_text(encoding="utf-8")) for name in NAMES}


def write_json(path: Path, value: object) -> None:
    """One line a leaf, so that a new measurement is a small difference."""
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
