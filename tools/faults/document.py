"""The tables of ``docs/reliability.md``, written between its markers from what was noted."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Sequence

from faults.notes import Fault

_MARKED = re.compile(r"(<!-- faults: (?P<section>[\w-]+) -->\n).*?\n?(<!-- end of (?P=section) -->)", re.DOTALL)


class UnplacedError(Exception):
    """A fault was noted for a table that the document does not have."""


def with_tables(text: str, faults: Sequence[Fault], share: float) -> str:
    """``text`` with a table of faults between ``<!-- faults: NAME -->`` and ``<!-- end of NAME -->``.

    Tables of which nothing was noted stay as they are.

    Raises:
        UnplacedError: the document has no place for one.
    """
    sections: dict[str, list[Fault]] = {}
    for fault in faults:
        sections.setdefault(fault.section, []).append(fault)
    if missing := sections.keys() - {found["section"] for found in _MARKED.finditer(text)}:
        raise UnplacedError(
            f"no '<!-- faults: NAME -->' with its '<!-- end of NAME -->' for {', '.join(sorted(missing))}"
        )

    def replaced(found: re.Match[str]) -> str:
        noted = sections.get(found["section"])
        return f"{found[1]}\n{_table(noted)}\n\n{_said(noted, share)}\n\n{found[3]}" if noted else found[0]

    return _MARKED.sub(replaced, text)


def _table(faults: Sequence[Fault]) -> str:
    rows: dict[str, list[Fault]] = {}
    for fault in faults:
        rows.setdefault(fault.name, []).append(fault)
    lines = ["| fault | what must hold | tried | lost |", "|---|---|---|---|"]
    return "\n".join([*lines, *(_row(name, noted) for name, noted in rows.items())])


def _row(name: str, noted: Sequence[Fault]) -> str:
    holds = "; ".join(dict.fromkeys(fault.holds for fault in noted))
    tried = f"{sum(fault.tried for fault in noted):,}"
    left_out = "; ".join(dict.fromkeys(fault.left_out for fault in noted if fault.left_out))
    lost = [reason for fault in noted for reason in fault.lost]
    said = f"**{len(lost)}**: {lost[0]}" if lost else "nothing" if tried != "0" else ""
    cells = [name, holds, f"{tried} (not here: {left_out})" if left_out else tried, said]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _said(faults: Sequence[Fault], share: float) -> str:
    total, seconds = sum(fault.tried for fault in faults), sum(fault.seconds for fault in faults)
    form = "the short form" if share == 0 else "the long form" if share == 1 else f"{share:g} of the long form"
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    return f"{total:,} tries in {seconds / 60:.1f} minutes of one process, {form}, on {machine}."
