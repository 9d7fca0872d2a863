"""Both rivals train, score and continue texts with the same network."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch

from lstmdrop_tasks.lm.bench import DRAWN, VOCABULARY_SIZE, bench, random_windows, task_on_random_words, text
from lstmdrop_tasks.lm.config import LMConfig, LMDataConfig, LMModelConfig, LMRegularizerConfig, LMTrainingConfig
from lstmdrop_tasks.lm.rivals import PlainLanguageModel

CPU = torch.device("cpu")
CONFIG = LMConfig(
    model=LMModelConfig(hidden_size=4, num_layers=2, init_bound=1.0),
    training=LMTrainingConfig(batch_size=2, num_steps=3),
    regularizer=LMRegularizerConfig(rule="none"),
    data=LMDataConfig(vocabulary_size=50),
)
NETWORKS: list[dict[str, Any]] = [
    {},
    {"embedding_size": 3},
    {"tied": True},
    {"tied": True, "embedding_size": 3},  # a layer each, since the top one is narrower
]


@pytest.mark.parametrize("network", NETWORKS)
def test_the_plain_loop_has_the_same_weights_loss_and_text(network: dict[str, Any]) -> None:
    task = task_on_random_words(CONFIG.model_copy(update={"model": CONFIG.model.model_copy(update=network)}), CPU)
    plain = PlainLanguageModel(task).take_weights(task)
    assert sum(p.numel() for p in task.model.parameters()) == sum(p.numel() for p in plain.parameters())
    objective = task.objective()
    with torch.no_grad():
        for window in itertools.islice(random_windows(task, 2, 3), 2):  # the second goes on from the first one's state
            assert float(objective(window).total) == pytest.approx(float(plain(window)) * CONFIG.training.batch_size)
        first = torch.arange(5)
        assert torch.equal(text(task, first), plain.text(first, DRAWN))


def test_both_score_alike_window_after_window() -> None:
    _, score, _ = bench(CONFIG, CPU)
    ours, plain = score.ours.make(), score.plain.make()
    for _ in range(3):
        torch.testing.assert_close(ours(), plain(), atol=1e-5, rtol=1e-5)


def test_the_arithmetic_is_that_of_the_matrix_products() -> None:
    train, score, decode = bench(CONFIG.model_copy(update={"data": LMDataConfig()}), CPU)
    layer, softmax = 8 * 4 * 4, 4 * VOCABULARY_SIZE
    assert train.flops == 3 * 2 * (2 * layer + softmax)
    assert score.flops == decode.flops == 2 * (2 * layer + softmax)
    weights = 2 * (layer + 32) + softmax + VOCABULARY_SIZE
    assert (train.step_bytes, score.step_bytes, decode.step_bytes) == (20 * weights, 4 * weights, DRAWN * 4 * weights)


def test_a_step_has_as_many_tokens_as_it_is_said_to_have() -> None:
    training = LMTrainingConfig(batch_size=4, num_steps=3, accumulate=2)
    train, *_ = bench(CONFIG.model_copy(update={"training": training}), CPU)
    task = task_on_random_words(CONFIG.model_copy(update={"training": training}), CPU)
    window = next(random_windows(task, 4, 3, 2))
    assert train.ours.num_items == train.plain.num_items == window.targets.numel()
    for rival in (train.ours, train.plain):
        step = rival.make()
        step()
        step()
