"""What a model may learn from the text that it is scored on, chosen by perplexity on held-out data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from typing import NamedTuple

from lstmdrop.config import Split
from lstmdrop.errors import UsageError
from lstmdrop.metrics.perplexity import mixture_log_probs, perplexity
from lstmdrop_tasks.lm.adaptation import adaptation_of, mixed
from lstmdrop_tasks.lm.config import LMScoringConfig
from lstmdrop_tasks.lm.task import LanguageModelling

TEMPERATURES = (1.0, 0.85, 0.9, 0.95, 1.05, 1.1, 1.2, 1.35, 1.5)
THETAS = (1.0, 0.1, 0.2, 0.3, 0.5, 0.7, 1.5)
WEIGHTS = (0.1, 0.0, 0.02, 0.05, 0.15, 0.2, 0.3)
RATE_FACTORS = (0.5, 2.0, 4.0, 8.0)
DECAY_FACTORS = (0.5, 2.5)
"""Times what was published, which is tried first."""

TUNED_TOKENS = 20_000
"""Of the split, where every choice of dynamic evaluation is a pass of its own."""

Settings = Mapping[str, float]


class Choice(NamedTuple):
    """Settings of `LMScoringConfig` by name, and the perplexity under them."""

    perplexity: float
    settings: Settings


def tune(tasks: Sequence[LanguageModelling], split: Split) -> Mapping[str, float]:
    """Of what is switched on, the settings without a value that give the least perplexity; the first of equal ones.

    For dynamic evaluation first the rate, then the decay, on the first `TUNED_TOKENS` of the split; all others in the
    same passes. The temperature is always among what is chosen.

    Raises:
        UsageError: every setting has a value, or the models have different vocabularies.
    """
    if len({task.tokenizer.fingerprint for task in tasks}) > 1:
        raise UsageError("these runs have different vocabularies: their probabilities cannot be averaged")
    scoring = tasks[0].config.scoring
    published = adaptation_of(scoring).learning
    if published is None:
        return _named(_best_mixture(tasks, split, scoring, {}))
    rate, decay = {"dynamic_rate": published.rate}, {"dynamic_decay": published.decay}
    start = {**(rate if scoring.dynamic_rate is None else {}), **(decay if scoring.dynamic_decay is None else {})}
    best = _best_mixture(tasks, split, scoring, start)
    for values, factors in ((rate, RATE_FACTORS), (decay, DECAY_FACTORS)):
        for (name, value), factor in product(values.items() & start.items(), factors):
            tried = {**{key: best.settings[key] for key in start}, name: factor * value}
            best = min(best, _best_mixture(tasks, split, scoring, tried), key=lambda choice: choice.perplexity)
    return _named(best)


def _named(best: Choice) -> Mapping[str, float]:
    if not best.settings:
        raise UsageError("--tune-on has nothing to choose: every setting has a value already")
    return {f"scoring.{name}": value for name, value in best.settings.items()}


def _best_mixture(
    tasks: Sequence[LanguageModelling], split: Split, scoring: LMScoringConfig, learning: Settings
) -> Choice:
    """The best temperature, θ and weight of the cache beside ``learning``, from one pass of each model."""
    adaptation = adaptation_of(scoring.model_copy(update=dict(learning)))
    temperatures = TEMPERATURES if scoring.temperature is None else (scoring.temperature,)
    thetas = THETAS if scoring.cache_theta is None else (scoring.cache_theta,)
    weights = WEIGHTS if scoring.cache_weight is None else (scoring.cache_weight,)
    num_tokens = None if adaptation.learning is None else TUNED_TOKENS
    members = [task.readings(split, adaptation, temperatures, thetas, num_tokens) for task in tasks]
    best: Choice | None = None
    for (row, temperature), (column, theta), weight in product(
        enumerate(temperatures), enumerate(thetas if scoring.cache else (0.0,)), weights if scoring.cache else (0.0,)
    ):
        log_probs, _ = mixture_log_probs(
            mixed(member.vocabulary[row], member.cache[column], weight) if scoring.cache else member.vocabulary[row]
            for member in members
        )
        value = perplexity(log_probs)
        if best is None or value < best.perplexity:
            found = {"temperature": temperature, "cache_theta": theta, "cache_weight": weight}
            best = Choice(value, {**learning, **_left_open(scoring, found)})
    assert best is not None
    return best


def _left_open(scoring: LMScoringConfig, found: Settings) -> Settings:
    """Those of ``found`` that act and have no value in the settings."""
    open_names = [name for name in found if getattr(scoring, name) is None]
    return {name: found[name] for name in open_names if scoring.cache or not name.startswith("cache_")}
