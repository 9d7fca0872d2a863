"""Timing rivals by turns."""

from __future__ import annotations

import time

import pytest
import torch

from lstmdrop.training.bench import median_seconds
from lstmdrop.training.limits import (
    forget_peak,
    machine,
    matrix_product_rate,
    memory_bandwidth,
    peak_bytes,
    resident_bytes,
)

CPU = torch.device("cpu")


def test_the_slower_rival_takes_longer_by_about_what_it_sleeps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lstmdrop.training.bench.BLOCK_SECONDS", 0.01)
    fast, slow = median_seconds([lambda: time.sleep(0.001), lambda: time.sleep(0.004)], 0.05, CPU)
    assert 0.001 <= fast < slow
    assert slow >= 0.004


def test_rivals_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lstmdrop.training.bench.BLOCK_SECONDS", 0.0)
    order: list[str] = []
    median_seconds([lambda: order.append("a"), lambda: order.append("b")], 1e-9, CPU)
    assert order == ["a", "a", "b", "b", "a", "b"]


def test_a_larger_product_is_not_slower_an_operation_by_orders_of_magnitude() -> None:
    assert 1e8 < matrix_product_rate(CPU, size=128) < 1e14


def test_a_process_that_takes_memory_has_its_peak_counted_from_where_it_says() -> None:
    for size in (1 << 26, 1 << 24):  # the larger one first: it is forgotten
        forget_peak(CPU)
        before = resident_bytes(CPU)
        taken = torch.ones(size)
        assert peak_bytes(CPU) - before == pytest.approx(4 * size, rel=0.2, abs=2e7)
        del taken


def test_a_copy_moves_bytes_and_a_machine_is_described() -> None:
    assert 1e7 < memory_bandwidth(CPU, 1 << 22) < 1e13
    found = machine()
    assert isinstance(found["cores"], int)
    assert found["cores"] >= 1
    assert found["torch"] == torch.__version__
