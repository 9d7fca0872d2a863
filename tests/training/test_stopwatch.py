"""Timing rivals by turns."""

from __future__ import annotations

import time

import pytest
import torch

from lstmdrop.training.bench import median_seconds
from lstmdrop.training.limits import matrix_product_rate

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
