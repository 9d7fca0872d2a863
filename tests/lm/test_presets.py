"""The presets below the paper's."""

from __future__ import annotations

import math

import torch

from lstmdrop.nn.rules import make_regularizer
from lstmdrop.plugin import load_plugin
from lstmdrop.settings import resolve_config
from lstmdrop_tasks.lm.config import LMConfig
from lstmdrop_tasks.lm.model import LanguageModel

PENN_TREEBANK = 10_000


def network(size: str) -> tuple[LMConfig, LanguageModel]:
    config = resolve_config(load_plugin("lm"), size, "ptb")
    assert isinstance(config, LMConfig)
    with torch.device("meta"):
        return config, LanguageModel(config.model, PENN_TREEBANK, make_regularizer("none"), torch.Generator())


def test_awd_is_the_published_network_and_takes_the_published_steps() -> None:
    """Merity et al. 2018 and the code that its authors published: 24,221,600 weights on Penn Treebank."""
    config, model = network("awd")
    assert sum(weight.numel() for weight in model.parameters()) == 24_221_600
    training = config.training
    assert training.rate * training.num_steps == 30  # theirs is a mean over the steps
    assert training.clip / training.num_steps == 0.25
    assert math.isclose(training.rate * training.weight_decay, 30 * 1.2e-6)
