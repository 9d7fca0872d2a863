"""The Python interface: what can be found in it, and what it takes."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import lstmdrop
from lstmdrop.commands.data import describe_text, list_datasets, prepare_dataset, verify_dataset
from lstmdrop.commands.reproduce import plan_reproduction
from lstmdrop.errors import ConfigError, UsageError
from lstmdrop.metrics.bleu import translation_scores
from lstmdrop.metrics.captions import tokenize_pairs
from lstmdrop.metrics.word_error_rate import transcript_scores
from lstmdrop.plugin import load_plugin
from lstmdrop.settings import resolve_config
from lstmdrop.training.device import choose_device


def test_every_command_is_listed_and_stays_a_function() -> None:
    """Though the folder ``report`` bears a command's name, and importing it would take the command's place."""
    import lstmdrop.report.table

    assert set(lstmdrop.__all__) <= set(dir(lstmdrop))
    assert {"__doc__", "__all__", "__path__"} <= set(dir(lstmdrop))
    for name in lstmdrop.__all__ * 2:
        assert inspect.isfunction(getattr(lstmdrop, name)), name
        assert getattr(lstmdrop, name).__doc__
    with pytest.raises(AttributeError, match="nonsense"):
        _ = lstmdrop.nonsense
    assert lstmdrop.report.__name__ == "report"


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory, toy_corpus: Path, toy_settings: list[str]) -> list[str]:
    """Two seeds of a language model, trained into strings."""
    folder = tmp_path_factory.mktemp("runs")
    choices: dict[str, Any] = {"size": "tiny", "data": toy_corpus, "overrides": [*toy_settings, "training.epochs=1"]}
    return [
        str(lstmdrop.train("lm", **choices, seed=seed, out=str(folder / f"{seed}"), data_dir=str(folder)).directory)
        for seed in (1, 2)
    ]


def test_a_path_may_be_a_string(runs: list[str], tmp_path: Path) -> None:
    one, both = runs[0], [Path(run) for run in runs]
    assert lstmdrop.evaluate("lm", runs=[one], split="valid") == lstmdrop.evaluate("lm", runs=both[:1], split="valid")
    assert lstmdrop.evaluate("lm", runs=one, split="valid") == lstmdrop.evaluate("lm", runs=[one], split="valid")
    assert lstmdrop.average("lm", str(tmp_path / "average"), runs=runs)
    assert list(lstmdrop.predict("lm", runs=one, length=2, prompt="the"))
    assert len(list(lstmdrop.predict("lm", runs=runs, inputs=["the cat", "a dog"], score=True))) == 2
    assert lstmdrop.compare(*runs, num_resamples=100, num_shuffles=100) == lstmdrop.compare(
        *both, num_resamples=100, num_shuffles=100
    )
    assert lstmdrop.report(one).runs == lstmdrop.report([one]).runs == lstmdrop.report(both[:1]).runs
    assert len(lstmdrop.load_runs(*runs)) == 2
    preset = f"{one}/config.json"
    assert resolve_config(load_plugin("lm"), preset=preset) == resolve_config(load_plugin("lm"), preset=Path(preset))
    assert plan_reproduction(["lm-demo"], out=str(tmp_path / "out"), archive=str(tmp_path), keep_in=str(tmp_path))


def test_a_text_and_the_place_of_datasets_may_be_strings(toy_corpus: Path, tmp_path: Path) -> None:
    assert list(describe_text(str(toy_corpus))) == list(describe_text(toy_corpus))
    assert list_datasets(str(tmp_path)) == list_datasets(tmp_path)  # type: ignore[arg-type]
    assert prepare_dataset("demo", str(tmp_path), str(tmp_path)) is None  # type: ignore[arg-type]
    assert verify_dataset("demo", str(tmp_path)) == []  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "call",
    [
        lambda runs: lstmdrop.train("lm", overrides="training.epochs=1"),
        lambda runs: lstmdrop.evaluate("lm", overrides="training.epochs=1", runs=runs),
        lambda runs: list(lstmdrop.predict("mt", inputs="a sentence")),
        lambda runs: list(lstmdrop.predict("asr", inputs="sound.wav")),
        lambda runs: list(lstmdrop.bench("lm", sizes="tiny")),
        lambda runs: lstmdrop.compare(*runs, metrics="bleu"),
        lambda runs: lstmdrop.reproduce("lm-demo"),
        lambda runs: translation_scores("abc", "abd"),
        lambda runs: translation_scores("a", ["a"]),
        lambda runs: transcript_scores("abc", "abd", {}),
        lambda runs: tokenize_pairs("ab", [["a"], ["b"]]),
    ],
)
def test_one_string_is_no_list_of_letters(call: Callable[[list[str]], object], runs: list[str]) -> None:
    """It would be scored, or worked on, letter by letter."""
    with pytest.raises(UsageError, match=r"is one string where a list of them is meant: write \['"):
        call(runs)


@pytest.mark.parametrize("seed", [-1, 2**32, 2**32 + 1, 2**63, 2**64])
@pytest.mark.parametrize("task", ["lm", "mt", "asr", "caption"])
def test_a_seed_that_would_repeat_another_is_refused_with_the_range(task: str, seed: int) -> None:
    plugin = load_plugin(task)
    with pytest.raises(ConfigError, match=rf"seed: {seed} is no seed: they go from 0 to 4294967295"):
        resolve_config(plugin, "tiny", seed=seed)
    if "seed" in plugin.prediction.model_fields:
        with pytest.raises(ConfigError, match=f"seed: {seed} is no seed"):
            list(lstmdrop.predict(task, seed=seed))
    assert resolve_config(plugin, "tiny", seed=2**32 - 1).seed == 2**32 - 1


def test_the_first_and_the_last_seed_give_numbers_of_their_own(build_lm: Callable[..., Any]) -> None:
    seeds = (0, 1, 2**31, 2**32 - 1)
    drawn = {float(build_lm(f"seed={seed}").model.softmax.weight.detach().sum()) for seed in seeds}
    assert len(drawn) == len(seeds)


@pytest.mark.parametrize(
    "name",
    ["meta", "xpu", "cuda:99", "mps", "hpu", "mkldnn", "foo", "", "cpu:1", "cpu:-1", "cpu:", "0", "CPU", 0, None],
)
def test_a_device_that_cannot_compute_here_is_refused_in_one_line(name: Any) -> None:
    with pytest.raises(UsageError, match=rf"\A--device {name}: this machine has cpu[^\n]*\Z"):
        choose_device(name)


@pytest.mark.parametrize("name", ["cpu", "cpu:0", torch.device("cpu")])
def test_there_is_one_cpu(name: Any) -> None:
    assert choose_device(name).type == "cpu"
