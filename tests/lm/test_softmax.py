"""Language models with a softmax for large vocabularies: trained, stopped, scored, or refused with a way out."""

from __future__ import annotations

import json
import logging
import shutil
import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lstmdrop.commands.evaluate import evaluate
from lstmdrop.commands.predict import predict
from lstmdrop.commands.train import train
from lstmdrop.dry_run import plan
from lstmdrop.errors import ConfigError
from lstmdrop.graphs.onnx_file import write_onnx
from lstmdrop.nn.softmax import AdaptiveSoftmax, SampledSoftmax
from lstmdrop.plugin import load_plugin
from lstmdrop.report.runs import read_summary
from lstmdrop.report.scores import differing_settings
from lstmdrop.settings import resolve_config
from lstmdrop.training.checkpoint import read_checkpoint
from lstmdrop.training.progress import Stepped
from lstmdrop_tasks.lm.adaptation import adaptation_of
from lstmdrop_tasks.lm.config import LMConfig, LMModelConfig, LMTrainingConfig
from lstmdrop_tasks.lm.export import graphs
from lstmdrop_tasks.lm.softmax import softmax_flops

BuildLM = Callable[..., Any]

ADAPTIVE = ("model.softmax=adaptive", "model.softmax_cutoffs=[6, 15]", "model.softmax_reduction=2")
SAMPLED = ("model.softmax=sampled", "model.softmax_samples=9")
KINDS = [ADAPTIVE, SAMPLED]
LOUD = "model.init_bound=1"


def configured(*overrides: str) -> LMConfig:
    return resolve_config(load_plugin("lm"), "tiny", "demo", overrides=overrides)  # type: ignore[return-value]


def test_a_full_softmax_is_not_noted_in_a_configuration() -> None:
    """Configurations from before, and their hashes, are those of today."""
    for config in (LMConfig(), configured()):
        assert not any(name.startswith("softmax") for name in config.model_dump()["model"])
        assert config.model_dump(mode="json") == json.loads(config.model_dump_json())
    assert LMConfig().sha256() == "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"  # of {}
    chosen = configured(*ADAPTIVE)
    assert chosen.model_dump(mode="json")["model"]["softmax_cutoffs"] == [6, 15]
    assert chosen.sha256() != configured().sha256()
    assert LMConfig.model_validate(chosen.model_dump(mode="json")) == chosen


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ((*ADAPTIVE, "model.tied=true"), "tied = false, or softmax = sampled"),
        (("model.softmax=adaptive", "model.softmax_cutoffs=[6, 6]"), "do not rise"),
        (("model.softmax=adaptive", "model.softmax_cutoffs=[0, 6]"), "do not rise from 1"),
        (("model.softmax_samples=9",), "with model.softmax=sampled"),
        ((*SAMPLED, "model.softmax_cutoffs=[6]"), "with model.softmax=adaptive"),
        ((*SAMPLED, "model.softmax_reduction=2"), "with model.softmax=adaptive"),
    ],
)
def test_what_does_not_fit_is_refused_with_a_way_out(settings: tuple[str, ...], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        configured(*settings)


def test_groups_beyond_the_vocabulary_are_refused(build_lm: BuildLM) -> None:
    with pytest.raises(ConfigError, match=r"500 is not below \d+, the size of the vocabulary; left out, it is \[\d+\]"):
        build_lm("model.softmax=adaptive", "model.softmax_cutoffs=[5, 500]")


def test_a_new_softmax_knows_the_words_of_the_training_text(build_lm: BuildLM) -> None:
    task = build_lm(*SAMPLED)
    tokens = np.asarray(task.store("train").tokens)
    counts = np.bincount(tokens, minlength=len(task.tokenizer.vocabulary))
    assert isinstance(task.model.softmax, SampledSoftmax)
    expected = torch.from_numpy((counts + 1) / (counts + 1).sum()).float()
    torch.testing.assert_close(task.model.softmax.shares, expected)


def test_subwords_which_are_not_sorted_by_their_counts_are_sorted_for_the_groups(
    toy_corpus: Path, toy_settings: list[str], tmp_path: Path
) -> None:
    settings = [setting for setting in toy_settings if not setting.startswith("data.min_count")]
    settings += ["data.tokens=bpe", "data.vocabulary_size=40", "model.softmax=adaptive"]
    plugin = load_plugin("lm")
    config = resolve_config(plugin, "tiny", str(toy_corpus), overrides=settings)
    task: Any = plugin.build(config, tmp_path, torch.device("cpu"), None)
    assert isinstance(task.model.softmax, AdaptiveSoftmax)
    counts = task.store("train").counts(len(task.tokenizer.vocabulary))
    assert not (np.diff(counts) <= 0).all()
    assert (np.diff(counts[task.model.softmax.places.argsort()]) <= 0).all()


@pytest.mark.parametrize("kind", KINDS)
def test_scores_are_of_probabilities_that_sum_to_one(build_lm: BuildLM, kind: tuple[str, ...]) -> None:
    task = build_lm(LOUD, *kind)
    task.model.eval()
    tokens = torch.arange(12)[:, None]
    logits, _ = task.model.next_logits(tokens)
    log_probs = logits.double().log_softmax(-1)[0]
    every = [task.model.log_probs(tokens, torch.cat([tokens[1:], torch.tensor([[word]])]))[0] for word in range(20)]
    np.testing.assert_allclose([float(found[-1, 0]) for found in every], log_probs[:20].tolist(), atol=1e-5)
    assert float(log_probs.exp().sum()) == pytest.approx(1)


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_goes_on_learning_remembers_and_is_tempered(build_lm: BuildLM, kind: tuple[str, ...]) -> None:
    still = ("scoring.dynamic=true", "scoring.dynamic_rate=0", "scoring.cache=true", "scoring.cache_weight=0")
    task = build_lm(LOUD, *kind, *still)
    plain = task.log_probs("test")
    np.testing.assert_allclose(task.log_probs("test", adaptation_of(task.config.scoring)), plain, atol=1e-5)
    tempered = build_lm(LOUD, *kind, "scoring.temperature=1.5")
    state, expected = None, []
    tokens = torch.from_numpy(np.asarray(task.store("test").tokens).astype(np.int64))
    tempered.model.eval()
    for here, after in pairwise(tokens):
        logits, state = tempered.model.next_logits(here.view(1, 1), state)
        expected.append(float((logits / 1.5).log_softmax(-1)[0, after]))
    found = tempered.log_probs("test", adaptation_of(tempered.config.scoring))
    np.testing.assert_allclose(found, expected, atol=1e-4)
    learning = build_lm(LOUD, *kind, "scoring.dynamic=true", "scoring.dynamic_rate=0.01")
    before = [weight.clone() for weight in learning.model.parameters()]
    assert not np.allclose(learning.log_probs("test", adaptation_of(learning.config.scoring)), plain)
    assert all(map(torch.equal, before, learning.model.parameters()))


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_that_was_stopped_ends_as_if_it_had_not_been(
    toy_corpus: Path, toy_settings: list[str], tmp_path: Path, kind: tuple[str, ...]
) -> None:
    class StoppedError(Exception):
        pass

    def stop(event: object) -> None:
        if isinstance(event, Stepped) and event.step == 8:
            raise StoppedError

    settings = [*toy_settings, *kind, "training.save_minutes=0", "training.epochs=1"]
    whole, run = tmp_path / "whole", tmp_path / "run"
    train("lm", size="tiny", data=str(toy_corpus), overrides=settings, out=whole)
    with pytest.raises(StoppedError):
        train("lm", size="tiny", data=str(toy_corpus), overrides=settings, out=run, listener=stop)
    train("lm", size="tiny", data=str(toy_corpus), overrides=settings, out=run, resume=True)
    for name in ("best", "last"):
        found, expected = (read_checkpoint(folder / f"{name}.safetensors").tensors for folder in (run, whole))
        assert found.keys() == expected.keys()
        assert all(torch.equal(found[key], value) for key, value in expected.items())
    scores = {score["split"]: score["value"] for score in json.loads((run / "result.json").read_text())["scores"]}
    assert evaluate("lm", runs=[run])[0].value == pytest.approx(scores["test"], rel=1e-6)
    together = evaluate("lm", runs=[run, whole])[0].value
    assert together == pytest.approx(scores["test"], rel=1e-5)
    (text,) = predict("lm", runs=[run], length=5, prompt="the cat", ban=("<unk>",))
    assert text["text"].startswith("the cat")


@pytest.mark.slow
@pytest.mark.usefixtures("symbolic_sizes")
@pytest.mark.parametrize("kind", KINDS)
def test_a_graph_gives_what_the_network_gives(build_lm: BuildLM, tmp_path: Path, kind: tuple[str, ...]) -> None:
    task = build_lm(LOUD, *kind)
    task.model.eval()
    assert write_onnx(graphs(task)["model"], tmp_path / "model.onnx") < 1e-5


def test_one_that_changes_its_shapes_is_not_recorded(build_lm: BuildLM) -> None:
    found = [build_lm(*kind).objective().is_replayable for kind in ((), ADAPTIVE, SAMPLED)]
    assert found == [True, False, True]


def test_a_costly_softmax_is_mentioned_once(
    build_lm: BuildLM, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("lstmdrop_tasks.lm.softmax.LARGE", 20)
    with caplog.at_level(logging.WARNING, "lstmdrop.lm"):
        build_lm("model.hidden_size=2")
        build_lm("model.hidden_size=2")  # which goes on: there are assets
    (line,) = [record.getMessage() for record in caplog.records if "softmax" in record.getMessage()]
    assert "--set model.softmax=sampled or adaptive" in line


@pytest.mark.parametrize("settings", [("model.hidden_size=200",), ("model.hidden_size=2", *SAMPLED)])
def test_one_that_is_not_costly_is_not_mentioned(
    build_lm: BuildLM, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, settings: tuple[str, ...]
) -> None:
    monkeypatch.setattr("lstmdrop_tasks.lm.softmax.LARGE", 20)
    with caplog.at_level(logging.WARNING, "lstmdrop.lm"):
        build_lm(*settings)
    assert not any("softmax" in record.getMessage() for record in caplog.records)


def test_a_plan_says_what_the_logits_take(toy_corpus: Path, toy_settings: list[str]) -> None:
    def planned(*settings: str) -> dict[str, str]:
        plugin = load_plugin("lm")
        config = resolve_config(plugin, "tiny", str(toy_corpus), overrides=[*toy_settings, *settings])
        return plan(plugin, config, "cpu")

    wide = "training.batch_size=1", "training.num_steps=300"
    full, sampled, adaptive = planned(*wide), planned(*SAMPLED, *wide), planned(*ADAPTIVE, *wide)
    num_words = int(full["vocabulary"].split()[0])
    assert full["  logits"] == f"{4 * 300 * num_words / 2**20:,.1f} MiB for a moment of each step"
    assert sampled["  logits"] == f"{4 * 300 * 9 / 2**20:,.1f} MiB for a moment of each step"
    assert adaptive["  logits"] == f"{4 * 300 * 8 / 2**20:,.1f} MiB for a moment of each step"
    assert sampled["softmax"] == f"trained on 9 of {num_words} words at a time"
    assert adaptive["softmax"] == f"6 words, 8 numbers; 9 words, 4; {num_words - 15} words, 2 each"
    assert "softmax" not in full


def test_a_softmax_that_computes_less_counts_less() -> None:
    network = LMConfig(model=LMModelConfig(hidden_size=8), training=LMTrainingConfig(batch_size=5, num_steps=8))

    def flops(**settings: Any) -> int:
        model = network.model.model_copy(update=settings)
        return softmax_flops(network.model_copy(update={"model": model}), 1000)

    assert flops() == 3 * 2 * 8 * 1000
    whole = 2 * 8 * 1000 * 8 / 40  # of eight rows of the forty, for the loss that is logged
    assert flops(softmax="sampled", softmax_samples=99) == 3 * 2 * 8 * 100 + whole
    rare = sum(1 / rank for rank in range(101, 1001)) / sum(1 / rank for rank in range(1, 1001))
    groups = flops(softmax="adaptive", softmax_cutoffs=(100,))
    assert groups == pytest.approx(3 * 2 * (8 * 101 + rare * (8 * 2 + 2 * 900)), rel=1e-4)


PEAK = """
import sys, torch
from pathlib import Path
from lstmdrop.nn.rules import make_regularizer
from lstmdrop_tasks.lm.config import LMModelConfig
from lstmdrop_tasks.lm.model import LanguageModel

def peak():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024

torch.set_num_threads(1)
config = LMModelConfig(num_layers=1, hidden_size=4, softmax=sys.argv[1])
model = LanguageModel(config, 250_000, make_regularizer("none"), torch.Generator().manual_seed(1))
tokens = (250_000 ** torch.rand(21, 20)).long().clamp(max=249_999)  # about as in language
before = peak()
model.loss(tokens[:-1], tokens[1:])[0].backward()
trained = peak()
model.zero_grad()
model.eval().log_probs(tokens[:-1], tokens[1:])
print(trained - before, peak() - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux says what a process had at most")
def test_a_quarter_of_a_million_words_are_trained_and_scored_in_little_memory() -> None:
    """A step of 400 tokens, the logits of which take 381 MiB; each kind in a process of its own."""
    peaks = {}
    for kind in ("full", "sampled", "adaptive"):
        found = subprocess.run([sys.executable, "-c", PEAK, kind], check=True, capture_output=True, text=True)
        peaks[kind] = [float(number) for number in found.stdout.split()]
    assert peaks["full"][0] > 381
    for kind in ("sampled", "adaptive"):
        trained, scored = peaks[kind]
        assert trained < 381 / 3, peaks
        assert scored < 381 / 1.5, peaks


def test_a_report_tells_runs_with_other_softmaxes_apart(trained: Callable[[str], Path], tmp_path: Path) -> None:
    """Though the full one is not noted in their configurations."""
    full, other = trained("lm"), tmp_path / "other"
    shutil.copytree(full, other)
    config = json.loads((other / "config.json").read_text())
    config["model"]["softmax"] = "adaptive"
    (other / "config.json").write_text(json.dumps(config))
    assert differing_settings(map(read_summary, (full, other))) == ["model.softmax"]
