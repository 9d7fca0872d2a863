"""Laws of what a language model learns from the text that it is scored on."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lstmdrop.commands.average import average
from lstmdrop.commands.compare import compare
from lstmdrop.commands.evaluate import evaluate, tune
from lstmdrop.commands.report import load_runs
from lstmdrop.errors import ConfigError, UsageError
from lstmdrop.report.paper import Target
from lstmdrop.report.runs import read_summary
from lstmdrop.report.tables import lines_of, run_list
from lstmdrop_tasks.lm.adaptation import (
    Learning,
    NeuralCache,
    Segment,
    adaptation_of,
    measure_gradients,
    mixed,
    read,
    said_as_trained,
    said_while_learning,
)
from lstmdrop_tasks.lm.config import LMScoringConfig
from lstmdrop_tasks.lm.evaluation import evaluate as evaluate_tasks
from lstmdrop_tasks.lm.tuning import tune as tune_tasks

BuildLM = Callable[..., Any]
Trained = Callable[[str], Path]
Command = Callable[..., Any]

CPU = torch.device("cpu")
LOUD = "model.init_bound=1"
"""Weights under which words are far from equally likely."""

DYNAMIC = ("scoring.dynamic=true", "scoring.dynamic_rate=0.01")
CACHE = ("scoring.cache=true", "scoring.cache_size=7", "scoring.cache_weight=0.3")
WAYS = [DYNAMIC, CACHE, (*DYNAMIC, *CACHE), (*DYNAMIC, "scoring.temperature=1.3"), (*CACHE, "scoring.temperature=0.8")]


def weights(task: Any) -> list[torch.Tensor]:
    return [weight.detach().clone() for weight in task.model.parameters()]


def log_probs(task: Any, split: str = "test") -> np.ndarray:
    found: np.ndarray = task.log_probs(split, adaptation_of(task.config.scoring))
    return found


def without(task: Any, split: str = "test") -> np.ndarray:
    found: np.ndarray = task.log_probs(split)
    return found


@pytest.mark.parametrize(
    "nothing",
    [
        ("scoring.dynamic=true", "scoring.dynamic_rate=0"),
        ("scoring.cache=true", "scoring.cache_weight=0"),
        ("scoring.dynamic=true", "scoring.dynamic_rate=0", "scoring.cache=true", "scoring.cache_weight=0"),
    ],
)
def test_a_rate_of_0_and_a_weight_of_0_are_plain_evaluation(build_lm: BuildLM, nothing: tuple[str, ...]) -> None:
    task = build_lm(LOUD, *nothing)
    np.testing.assert_allclose(log_probs(task), without(task), rtol=1e-5, atol=1e-6)
    if "scoring.dynamic=true" not in nothing:
        assert np.array_equal(log_probs(task), without(task))


def test_a_temperature_of_1_is_plain_evaluation_and_says_nothing(build_lm: BuildLM) -> None:
    plain, same = (build_lm(LOUD, *settings) for settings in ((), ("scoring.temperature=1",)))
    assert plain.evaluate("test") == same.evaluate("test")
    (other,) = build_lm(LOUD, "scoring.temperature=1.5").evaluate("test")
    assert "|temperature:1.5|" in other.signature
    assert other.value != plain.evaluate("test")[0].value


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("place", [0, 4, 17, 40])
def test_what_follows_a_token_changes_nothing_about_it(
    build_lm: BuildLM, monkeypatch: pytest.MonkeyPatch, way: tuple[str, ...], place: int
) -> None:
    monkeypatch.setattr("lstmdrop_tasks.lm.adaptation.SCORING_WINDOW", 16)
    task = build_lm(LOUD, *way)
    tokens = np.array(task.store("test").tokens)
    changed = tokens.copy()
    changed[place + 2 :] = np.roll(tokens[place + 2 :], 1)[::-1]
    before, after = (adapted(task, text) for text in (tokens, changed))
    assert np.array_equal(before[: place + 1], after[: place + 1])
    assert not np.allclose(before[place + 1 :], after[place + 1 :])
    last = adapted(task, tokens[: place + 2])  # and the text may end there
    np.testing.assert_allclose(last, before[: place + 1], rtol=1e-5, atol=1e-6)


def adapted(task: Any, tokens: np.ndarray) -> np.ndarray:
    how = adaptation_of(task.config.scoring)
    if how.learning is None:
        segments = said_as_trained(task.model.eval(), tokens, CPU)
    else:
        sizes = task._gradient_sizes(how.learning.num_steps)
        segments = said_while_learning(task.model.eval(), tokens, CPU, how.learning, sizes)
    readings = read(segments, len(tokens) - 1, [how.temperature], [how.theta], how.cache_size, "adapting")
    return mixed(readings.vocabulary[0], readings.cache[0], how.weight) if how.cache_size else readings.vocabulary[0]


@pytest.mark.parametrize("size", [1, 7, 1000])
@pytest.mark.parametrize("window", [1, 5, 512])
def test_the_cache_is_the_papers_word_by_word(
    build_lm: BuildLM, monkeypatch: pytest.MonkeyPatch, size: int, window: int
) -> None:
    monkeypatch.setattr("lstmdrop_tasks.lm.adaptation.SCORING_WINDOW", window)
    theta, weight = 1.7, 0.3
    task = build_lm(
        LOUD, "scoring.cache=true", f"scoring.cache_size={size}", f"scoring.cache_theta={theta}",
        f"scoring.cache_weight={weight}",
    )  # fmt: skip
    tokens = torch.as_tensor(np.array(task.store("test").tokens), dtype=torch.long)
    task.model.eval()
    with torch.no_grad():
        features = task.model.features(tokens[:-1, None])[0][:, 0].double().numpy()
        network = task.model.softmax(torch.as_tensor(features).float()).double().softmax(1).numpy()
    words = tokens[1:].tolist()
    expected = []
    for t, word in enumerate(words):
        mass = np.zeros(network.shape[1])
        for i in range(max(0, t - size), t):
            mass[words[i]] += np.exp(theta * features[t] @ features[i])
        distribution = (1 - weight) * network[t] + weight * mass / mass.sum() if t else network[t]
        assert distribution.sum() == pytest.approx(1)
        expected.append(np.log(distribution[word]))
    np.testing.assert_allclose(log_probs(task), expected, rtol=1e-4, atol=1e-5)


def test_probabilities_of_the_cache_sum_to_one_over_the_vocabulary() -> None:
    generator = torch.Generator().manual_seed(1)
    features, words = torch.randn(9, 4, generator=generator), torch.tensor([3, 1, 3, 0, 2, 2, 3, 1])
    total = torch.zeros(())
    for word in range(5):
        segment = Segment(features, torch.zeros(9, 5), torch.cat([words, torch.tensor([word])]))
        (row,) = NeuralCache(6).log_probs(segment, [0.8])
        total += row[-1].exp()
    assert float(total) == pytest.approx(1)


def test_learning_is_the_papers_update_written_out(build_lm: BuildLM) -> None:
    """Beside a plain loop in float64 over a copy of the model, its gradients from PyTorch's own loss."""
    task = build_lm(LOUD, "regularizer.rule=none")
    rule = Learning(rate=0.02, decay=0.3, epsilon=1e-3, num_steps=4)
    tokens = np.array(task.store("test").tokens)[:39]
    sizes = measure_gradients(task.model.eval(), np.array(task.store("train").tokens), CPU, 4)
    segments = said_while_learning(task.model, tokens, CPU, rule, sizes)
    ours = read(segments, len(tokens) - 1, [1.0], [], 0, "adapting").vocabulary[0]

    model = build_lm(LOUD, "regularizer.rule=none").model.double().eval()
    model.load_state_dict({name: value.double() for name, value in task.model.state_dict().items()})
    trained = {name: weight.detach().clone() for name, weight in model.named_parameters()}
    rms = {name: size.double() for name, size in zip(trained, sizes, strict=True)}
    mean = sum(float(size.mean()) for size in rms.values()) / len(rms)
    text, state, expected = torch.as_tensor(tokens, dtype=torch.long), None, []
    pulled = False
    for start in range(0, len(text) - 1, 4):
        inputs, targets = text[start : min(start + 4, len(text) - 1)], text[start + 1 : start + 5]
        features, state = model.features(inputs[:, None], state)
        state = type(state)(*(part.detach() for part in state))
        losses = torch.nn.functional.cross_entropy(model.softmax(features[:, 0]), targets, reduction="none")
        expected += (-losses).tolist()
        model.zero_grad()
        losses.mean().backward()
        for name, weight in model.named_parameters():
            pull = torch.minimum(rule.decay * rms[name] / mean, torch.ones(()))
            pulled |= bool((pull == 1).any())
            step = rule.rate * weight.grad / (rms[name] + rule.epsilon)
            weight.data = weight.data - step + pull * (trained[name] - weight.data)
    assert pulled  # the bound of the decay acts
    np.testing.assert_allclose(ours, expected, rtol=2e-4, atol=2e-4)
    assert not np.allclose(ours, without(task)[: len(ours)], atol=0.01)


def test_the_size_of_a_gradient_is_its_root_mean_square_over_the_training_text(build_lm: BuildLM) -> None:
    task = build_lm(LOUD, "regularizer.dropout=0.5")  # which is off
    tokens = np.arange(13) % 7
    task.model.eval()
    squares, state = [], None
    streams = torch.as_tensor(tokens[:12].reshape(2, 6).T)
    for first, end in ((0, 5),):
        loss, _, state = task.model.loss(streams[first:end], streams[first + 1 : end + 1], state)
        squares.append([g**2 for g in torch.autograd.grad(loss / 10, list(task.model.parameters()))])
    sizes = measure_gradients(task.model, tokens, CPU, 5)
    for size, square in zip(sizes, squares[0], strict=True):
        torch.testing.assert_close(size, square.sqrt())


@pytest.mark.parametrize("rule", ["zaremba", "zoneout", "weight-drop"])
def test_the_model_is_afterwards_as_it_was(build_lm: BuildLM, rule: str) -> None:
    task = build_lm(LOUD, *DYNAMIC, *CACHE, f"regularizer.rule={rule}")
    before = weights(task)
    scores = task.evaluate("test")
    assert all(map(torch.equal, weights(task), before))
    assert all(weight.grad is None for weight in task.model.parameters())
    assert task.evaluate("test") == scores


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_the_model_is_as_it_was_after_an_interruption_too(
    build_lm: BuildLM, monkeypatch: pytest.MonkeyPatch, error: type[BaseException]
) -> None:
    task = build_lm(LOUD, *DYNAMIC, *CACHE)
    before, moved = weights(task), []

    def stop(what: str, done: int, total: int) -> None:
        if what.startswith("adapting") and done > 20:
            moved.append(not all(map(torch.equal, weights(task), before)))
            raise error

    monkeypatch.setattr("lstmdrop_tasks.lm.adaptation.report_work", stop)
    with pytest.raises(error):
        task.evaluate("test")
    assert moved == [True]
    assert all(map(torch.equal, weights(task), before))


def test_in_an_ensemble_each_model_adapts_by_itself(build_lm: BuildLM) -> None:
    members = [build_lm(f"seed={seed}", LOUD, *DYNAMIC, *CACHE) for seed in (1, 2)]
    mean = sum(np.exp(log_probs(member)) for member in members) / 2
    (score,) = evaluate_tasks(iter(members), "test")
    assert score.value == pytest.approx(float(np.exp(-np.log(mean).mean())))
    assert "|models:2|" in score.signature
    assert "|dynamic:rate=0.01,decay=0.002,epsilon=2e-05,steps=5|cache:size=7,theta=1,weight=0.3|" in score.signature


def test_published_settings_grow_with_the_steps() -> None:
    assert adaptation_of(LMScoringConfig(dynamic=True)).learning == Learning(5e-5, 2e-3, 2e-5, 5)
    assert adaptation_of(LMScoringConfig(dynamic=True, dynamic_steps=20)).learning == Learning(2e-4, 8e-3, 2e-5, 20)


@pytest.mark.parametrize(
    "way", [(), ("scoring.cache=true",), ("scoring.dynamic=true",), ("scoring.cache=true", "scoring.dynamic=true")]
)
def test_what_is_tuned_is_the_best_of_what_was_tried(
    build_lm: BuildLM, monkeypatch: pytest.MonkeyPatch, way: tuple[str, ...]
) -> None:
    for name, values in (("TEMPERATURES", (1.0, 1.5)), ("THETAS", (1.0, 0.3)), ("WEIGHTS", (0.1, 0.4))):
        monkeypatch.setattr(f"lstmdrop_tasks.lm.tuning.{name}", values)
    monkeypatch.setattr("lstmdrop_tasks.lm.tuning.RATE_FACTORS", (100.0,))
    members = [build_lm(f"seed={seed}", LOUD, *way) for seed in (1, 2)]
    found = tune_tasks(members, "valid")
    names = {"temperature"}
    names |= {"cache_theta", "cache_weight"} if "scoring.cache=true" in way else set()
    names |= {"dynamic_rate", "dynamic_decay"} if "scoring.dynamic=true" in way else set()
    assert set(found) == {f"scoring.{name}" for name in names}

    def perplexity(**other: float) -> float:
        settings = [f"{key}={value}" for key, value in {**found, **other}.items()]
        again = [build_lm(f"seed={seed}", LOUD, *way, *settings) for seed in (1, 2)]
        return evaluate_tasks(again, "valid")[0].value

    best = perplexity()
    grid = {
        "temperature": (1.0, 1.5), "cache_theta": (1.0, 0.3), "cache_weight": (0.1, 0.4), "dynamic_rate": (5e-5, 5e-3),
        "dynamic_decay": (2e-3, 1e-3, 5e-3),
    }  # fmt: skip
    for name in names:
        for value in grid[name]:
            assert best <= perplexity(**{f"scoring.{name}": value}) * (1 + 1e-6)


def test_what_has_a_value_is_not_tuned(build_lm: BuildLM) -> None:
    task = build_lm("scoring.cache=true", "scoring.temperature=1.2", "scoring.cache_theta=0.2")
    assert set(tune_tasks([task], "valid")) == {"scoring.cache_weight"}
    with pytest.raises(UsageError, match="nothing to choose"):
        tune_tasks([build_lm("scoring.temperature=1.2")], "valid")


def test_options_of_eval_tune_and_tell(lstmdrop: Command, trained: Trained) -> None:
    run = trained("lm")
    before = {path.name: path.read_bytes() for path in run.iterdir() if path.is_file()}
    (plain,) = json.loads(lstmdrop("eval", "lm", "--run", run, "--json").output)
    assert not any(part in plain["signature"] for part in ("dynamic", "cache", "temperature"))
    done = lstmdrop("eval", "lm", "--run", run, "--dynamic", "--temperature", "1.1", "--json")
    assert done.code == 0, done.messages
    (row,) = json.loads(done.output)
    parts = row["signature"].split("|")
    assert {"dynamic:rate=5e-05,decay=0.002,epsilon=2e-05,steps=5", "temperature:1.1"} <= {*parts}
    done = lstmdrop("eval", "lm", "--run", run, "--cache", "--tune-on", "valid", "--json")
    assert done.code == 0, done.messages
    assert "chosen on valid: scoring.cache=true scoring.temperature=" in done.messages
    (row,) = json.loads(done.output)
    assert any(part.startswith("cache:size=500,theta=") for part in row["signature"].split("|"))
    assert row["signature"].endswith("|tuned:valid")
    assert before == {path.name: path.read_bytes() for path in run.iterdir() if path.is_file()}


def test_settings_without_effect_are_refused(trained: Trained) -> None:
    with pytest.raises(ConfigError, match=r"has an effect only with scoring\.dynamic=true"):
        evaluate("lm", runs=[trained("lm")], overrides=["scoring.dynamic_rate=0.1"])
    with pytest.raises(ConfigError, match=r"has an effect only with scoring\.cache=true"):
        evaluate("lm", runs=[trained("lm")], overrides=["scoring.cache_theta=0.1"])


def test_a_training_takes_no_settings_of_eval(lstmdrop: Command, toy_corpus: Path, tmp_path: Path) -> None:
    told = "train", "lm", "--data", toy_corpus, "--size", "tiny"
    for more in ((), ("--dry-run",)):
        refused = lstmdrop(
            *told, *more, *(() if more else ("--out", tmp_path / "run")), settings=["scoring.cache=true"]
        )
        assert refused.code == 3
        assert "lstmdrop eval lm --set scoring.cache=True" in refused.messages
    assert not (tmp_path / "run").exists()
    assert lstmdrop(*told, "--dynamic").code == 2
    assert "--dynamic" not in lstmdrop("train", "lm", "--help").output


def test_own_text_is_learnt_from_by_the_measure_of_what_was_trained_on(
    trained: Trained, toys: dict[str, tuple[str, list[str]]], tmp_path: Path
) -> None:
    own = Path(shutil.copy(Path(toys["lm"][0]) / "test.txt", tmp_path / "own.txt"))
    settings = ["scoring.dynamic=true", "scoring.dynamic_rate=0.01", "scoring.cache=true"]
    expected = evaluate("lm", runs=[trained("lm")], overrides=settings)
    found = evaluate("lm", runs=[trained("lm")], data=own, overrides=settings)
    assert found[0].value == pytest.approx(expected[0].value)
    assert found[0].value != pytest.approx(evaluate("lm", runs=[trained("lm")])[0].value, rel=1e-4)


def test_an_adapted_score_never_stands_in_a_row_with_a_plain_one(trained: Trained, tmp_path: Path) -> None:
    run = trained("lm")
    outs = {name: tmp_path / name for name in ("cache", "weight", "dynamic")}
    average("lm", outs["cache"], runs=[run], overrides=["scoring.cache=true"])
    average("lm", outs["weight"], runs=[run], overrides=["scoring.cache=true", "scoring.cache_weight=0.2"])
    average("lm", outs["dynamic"], runs=[run], overrides=["scoring.dynamic=true"], tuned_on="valid")
    summaries = [read_summary(folder) for folder in (run, *outs.values())]
    assert len(lines_of(summaries)) == 4
    assert len(lines_of(summaries[:2])) == 2
    listed = run_list(summaries)
    names = {row[[column.name for column in listed.columns].index("metric")] for row in listed.rows}
    assert names == {"perplexity", "perplexity (cache)", "perplexity (dynamic)"}
    plain, cached = summaries[:2]
    target = Target("lm", plain.data, plain.size, plain.regularizer)
    assert target.matches(plain)
    assert not target.matches(cached)
    assert cached.score("test", "perplexity") == evaluate("lm", runs=[run], overrides=["scoring.cache=true"])[0]
    assert all(entry.score.signature.endswith("|tuned:valid") for entry in summaries[3].scores)
    compared = compare(run, outs["cache"], num_resamples=10, num_shuffles=10)  # the same tokens, in two ways
    assert "|cache:size=500," in compared.scores[0].second.signature
    assert len(load_runs(tmp_path)) == 3


def test_tuning_takes_runs(trained: Trained) -> None:
    found = tune("lm", runs=[trained("lm")], overrides=["scoring.temperature=1.1", "scoring.cache=true"])
    assert [line.partition("=")[0] for line in found] == ["scoring.cache_theta", "scoring.cache_weight"]
