"""The arithmetic of docs/scaling.md, its text, and the dealing of items to workers that fail."""

from __future__ import annotations

import importlib
import json
import math
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs/results/scaling"


@pytest.fixture(scope="module")
def tools() -> Iterator[Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "tools"))
        names = ("arithmetic", "dealing", "text")
        yield SimpleNamespace(
            **{name: importlib.import_module(f"scale.{name}") for name in names},
            main=importlib.import_module("scaling"),
        )


HAS_MEASURED = (FOLDER / "measured.json").exists()


@pytest.mark.skipif(not HAS_MEASURED, reason="nothing was measured yet: python tools/scaling.py measure")
def test_the_text_is_what_the_code_makes_of_what_was_measured(tools: Any) -> None:
    tables = tools.text.tables(tools.main.read(FOLDER))
    text = (ROOT / "docs/scaling.md").read_text(encoding="utf-8")
    assert tools.text.written(text, tables) == text, "python tools/scaling.py render"
    computed = json.loads((FOLDER / "computed.json").read_text(encoding="utf-8"))
    assert computed == json.loads(json.dumps({name: table.rows for name, table in tables.items()}))


def round_numbers() -> dict[str, Any]:
    """As `scale.measure.measured` gives it, for a machine of a million operations a second."""
    names = (("lm", "small"), ("lm", "medium"), ("lm", "large"), ("mt", "small"), ("mt", "medium"), ("mt", "paper"))
    network = {
        "vocabulary": 10, "parameters": 1e6, "flops_per_token": 1e6, "tokens_per_step": 100, "optimizer": "sgd",
        "save_minutes": 2.0,
    }  # fmt: skip
    speed = {"tokens_per_second": 1.0, "share_of_matrix_rate": 0.5, "load": 0.0}
    text = {"bytes": 5e6, "words": 1e6, "tokens": 1e6, "bytes_per_token_on_disk": 2, "seconds": 1.0, "load": 0.0}
    return {
        "machine": {"processor": "p", "capability": "c", "torch": "t", "when": "now", "cores": 2},
        "networks": [{"task": task, "size": size, **network} for task, size in names],
        "training": [{"task": task, "size": size, **speed} for task, size in names[:4]],
        "preparation": [{"tokens_are": kind, **text} for kind in ("word", "bpe")],
        "checkpoints": [{"bytes": n, "write_seconds": n / 1e8, "read_seconds": n / 1e9} for n in (1e6, 1e7, 1e8)],
        "sums": [
            {"processes": n, "bytes": 4**power, "seconds": 1e-4 + 4**power / 1e9, "load": 0.0}
            for n in (2, 4)
            for power in range(5, 14)
        ],
        "start_seconds": 1.0,
    }


@pytest.fixture
def found(tools: Any) -> dict[str, Any]:
    constants, dealing = (
        json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8")) for name in ("constants", "dealing")
    )
    return {"measured": round_numbers(), "constants": constants, "dealing": dealing}


def test_every_table_has_its_place_in_the_text(tools: Any, found: dict[str, Any]) -> None:
    tables = tools.text.tables(found)
    once = tools.text.written((ROOT / "docs/scaling.md").read_text(encoding="utf-8"), tables)
    assert tools.text.written(once, tables) == once
    assert all(len(row) == len(table.columns) for table in tables.values() for row in table.rows)


def test_over_a_link_that_takes_no_time_eight_workers_are_eight_times_as_fast(
    tools: Any, found: dict[str, Any]
) -> None:
    for name in ("nvlink", "infiniband", "ethernet"):
        found["constants"][f"{name}_bytes"]["value"] = 1e30
        found["constants"][f"{name}_seconds"]["value"] = 0.0
    one, eight, *_ = tools.text.tables(found)["translation"].rows
    assert (one[1], eight[1]) == (1, 8)
    assert one[-1] == pytest.approx(8 * eight[-1])


def test_what_is_prepared_and_lost_follows_from_the_rates(tools: Any, found: dict[str, Any]) -> None:
    tables = tools.text.tables(found)
    billions = tables["preparation"].rows[-1]
    assert billions[2:5] == pytest.approx((500.0, 200.0, 100_000 / 3600))  # 5 bytes and 2 bytes a token, 5 MB a second
    for row in tables["failures"].rows:
        assert row[8] <= row[6]


def test_a_mark_without_a_table_and_a_table_without_a_mark_are_errors(tools: Any, found: dict[str, Any]) -> None:
    tables = tools.text.tables(found)
    with pytest.raises(KeyError, match="sums"):
        tools.text.written("no marks", tables)
    with pytest.raises(KeyError, match="rain"):
        tools.text.written("<!-- scaling: rain -->\n<!-- end of scaling -->", tables)


def test_every_constant_says_where_it_is_from(found: dict[str, Any]) -> None:
    for name, constant in found["constants"].items():
        assert constant["source"], name
        assert constant["value"] > 0


def test_the_wait_for_a_lost_machine_is_that_of_the_workers() -> None:
    workers = pytest.importorskip("lstmdrop.training.workers")
    constant = json.loads((FOLDER / "constants.json").read_text(encoding="utf-8"))["notice_seconds"]
    assert workers.STEP_TIMEOUT.total_seconds() == constant["value"]


@given(st.integers(1, 10**9), st.integers(2, 2000), st.floats(1e6, 1e12), st.floats(0, 1e-3))
def test_a_ring_sends_nearly_two_buffers_whatever_the_number_of_workers(
    tools: Any, size: int, workers: int, rate: float, latency: float
) -> None:
    link = tools.arithmetic.Link("", rate, latency)
    seconds = tools.arithmetic.ring_seconds(size, workers, link)
    assert size / rate <= (seconds - 2 * (workers - 1) * latency) * (1 + 1e-6) + 1e-9
    assert seconds <= 2 * size / rate + 2 * workers * latency
    assert tools.arithmetic.ring_seconds(size, 1, link) == 0


def test_a_link_is_found_again_from_what_it_would_take(tools: Any) -> None:
    link = tools.arithmetic.Link("", 3e8, 2e-4)
    rows = [(n, size, tools.arithmetic.ring_seconds(size, n, link)) for n in (2, 4) for size in (1, 1 << 20, 1 << 26)]
    found = tools.arithmetic.fitted_link("", rows)
    assert found[1:] == pytest.approx(link[1:], rel=0.02)


def test_a_line_is_found_again_from_its_points(tools: Any) -> None:
    assert tools.arithmetic.fitted_line([(x, 0.5 + 3 * x) for x in (1, 2, 10)]) == pytest.approx((0.5, 3))


@given(st.floats(0.01, 100), st.floats(1e3, 1e8), st.floats(0.1, 10))
def test_nothing_loses_less_than_the_best_interval(tools: Any, pause: float, between: float, factor: float) -> None:
    best = tools.arithmetic.best_interval(pause, between)
    least = tools.arithmetic.lost_share(best, pause, between, 0.0)
    assert least <= tools.arithmetic.lost_share(best * factor, pause, between, 0.0) * (1 + 1e-12)
    assert least == pytest.approx(math.sqrt(2 * pause / between))


def failing(tools: Any, **changes: Any) -> Any:
    few = {
        "num_items": 500,
        "num_workers": 12,
        "workers_per_machine": 2,
        "tokens_per_worker": 12,
        "failures_per_step": 0.2,
    }
    return tools.dealing.Failing(**{**few, "back_per_step": 0.1, "steps_between_checkpoints": 3, **changes})


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32), st.integers(1, 6), st.integers(2, 40))
def test_every_item_counts_once_an_epoch_whoever_fails(tools: Any, seed: int, every: int, workers: int) -> None:
    how = failing(tools, seed=seed, steps_between_checkpoints=every, num_workers=workers)
    chance = np.random.default_rng(seed)
    lengths = chance.integers(1, 30, how.num_items)
    for epoch in range(2):
        history = tools.dealing.run_epoch(how, lengths, epoch, chance)
        assert (history.times == 1).all()
        assert history.widest <= 1


@pytest.mark.parametrize("shift", [-1, 1])
def test_a_restart_at_the_wrong_batch_is_noticed(tools: Any, shift: int) -> None:
    how, chance = failing(tools), np.random.default_rng(3)
    lengths = chance.integers(1, 30, how.num_items)
    history = tools.dealing.run_epoch(how, lengths, 0, chance, restart=lambda saved: max(0, saved + shift))
    assert history.failures
    assert not (history.times == 1).all()


def test_the_written_simulation_is_balanced_and_complete(tools: Any) -> None:
    rows = json.loads((FOLDER / "dealing.json").read_text(encoding="utf-8"))
    how = tools.dealing.Failing()
    assert [row["workers"] for row in rows] == [how.num_workers] * how.epochs
    assert all(row["failures"] and row["fewest_workers"] < row["workers"] for row in rows)
    assert all((row["fewest_times"], row["most_times"]) == (1, 1) for row in rows)
    assert all(row["widest_difference_in_items"] <= 1 for row in rows)
