"""The bench measures the same network twice."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch

from lstmdrop_tasks.lm.bench import VOCABULARY_SIZE, PlainLanguageModel, _task_on_random_words, bench
from lstmdrop_tasks.lm.config import LMConfig, LMModelConfig, LMRegularizerConfig, LMTrainingConfig

CONFIG = LMConfig(
    model=LMModelConfig(hidden_size=4, num_layers=2), training=LMTrainingConfig(batch_size=2, num_steps=3)
)


def test_both_loops_train_and_are_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lstmdrop.training.bench.BLOCK_SECONDS", 0.0)
    seen: list[PlainLanguageModel] = []
    start = PlainLanguageModel.__init__
    monkeypatch.setattr(PlainLanguageModel, "__init__", lambda self, task: (start(self, task), seen.append(self))[0])
    speed = bench(CONFIG, torch.device("cpu"), 0.01)
    assert speed.tokens_per_second > 0
    assert speed.plain_tokens_per_second > 0
    (plain,) = seen
    assert plain.states[0] is not None  # it has stepped


@pytest.mark.parametrize(
    ("network", "place"),
    [
        ({}, r"0.\2\1"),
        ({"embedding_size": 3}, r"0.\2\1"),
        ({"tied": True}, r"0.\2\1"),
        ({"tied": True, "embedding_size": 3}, r"\1.\g<2>0"),  # a layer each, since the top one is narrower
    ],
)
def test_the_plain_loop_has_the_same_weights_and_loss(tmp_path: Path, network: dict[str, Any], place: str) -> None:
    model = CONFIG.model.model_copy(update=network)
    config = CONFIG.model_copy(update={"regularizer": LMRegularizerConfig(rule="none"), "model": model})
    task = _task_on_random_words(config, tmp_path, torch.device("cpu"))
    plain = PlainLanguageModel(task)
    own, others = dict(task.model.named_parameters()), dict(plain.named_parameters())
    assert sum(p.numel() for p in own.values()) == sum(p.numel() for p in others.values())
    with torch.no_grad():
        for name, parameter in own.items():
            others[re.sub(r"layers\.(\d)\.(\w+)0", place, name)].copy_(parameter)
        objective = task.objective()
        for window in list(task.batches("train"))[:2]:  # the second one starts from the state of the first
            assert float(objective(window).total) == pytest.approx(float(plain(window)) * CONFIG.training.batch_size)


def test_the_arithmetic_is_that_of_the_matrix_products() -> None:
    speed = bench(CONFIG, torch.device("cpu"), 0.01)
    layer, softmax = 8 * 4 * 4, 4 * VOCABULARY_SIZE
    assert speed.flops_per_token == 3 * 2 * (2 * layer + softmax)
