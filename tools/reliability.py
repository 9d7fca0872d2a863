"""Write what ``make faults`` noted into the tables of the document.

python tools/reliability.py build/faults --into docs/reliability.md
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from faults.document import UnplacedError, with_tables
from faults.notes import read_notes, share


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the tables; 0 when nothing was lost, 1 when something was, 2 when there is no place for a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("notes", type=Path, help="the folder of notes")
    parser.add_argument("--into", type=Path, required=True, help="the document")
    options = parser.parse_args(arguments)
    faults = read_notes(options.notes)
    try:
        text = with_tables(options.into.read_text(encoding="utf-8"), faults, share())
    except UnplacedError as error:
        print(f"{options.into}: {error}", file=sys.stderr)
        return 2
    options.into.write_text(text, encoding="utf-8")
    lost = sum(len(fault.lost) for fault in faults)
    print(f"{sum(fault.tried for fault in faults):,} tries, {lost} lost")
    return 1 if lost else 0


if __name__ == "__main__":
    raise SystemExit(main())
