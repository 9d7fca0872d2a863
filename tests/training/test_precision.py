"""The switches of floating-point products follow the configuration, in training and in scoring."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from lstmdrop.commands.evaluate import evaluate
from lstmdrop.commands.train import train


@pytest.fixture(autouse=True)
def switches() -> Iterator[None]:
    before = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    yield
    torch.set_float32_matmul_precision(before[0])
    torch.backends.cudnn.allow_tf32 = before[1]


@pytest.mark.parametrize(("precision", "products"), [("float32", "highest"), ("tf32", "high"), ("bf16", "highest")])
def test_a_run_is_trained_and_scored_in_its_precision(
    toy_corpus: Path, toy_settings: list[str], tmp_path: Path, precision: str, products: str
) -> None:
    run = tmp_path / "run"
    train(
        "lm", size="tiny", data=str(toy_corpus), overrides=[*toy_settings, f"training.precision={precision}"], out=run
    )
    for use in ("trained", "scored"):
        assert torch.get_float32_matmul_precision() == products, use
        assert torch.backends.cudnn.allow_tf32 is (precision == "tf32"), use
        torch.set_float32_matmul_precision("medium")
        torch.backends.cudnn.allow_tf32 = precision != "tf32"
        evaluate("lm", runs=[run], split="valid")
