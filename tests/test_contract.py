"""Every installed task keeps one set of laws, on its demo data or a toy text."""

from __future__ import annotations

import copy
import math
import pickle
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from lstmdrop.commands.train import train
from lstmdrop.config import SPLITS, Section, TaskConfig
from lstmdrop.graphs.onnx_file import write_onnx
from lstmdrop.nn.lstm import RegularizedLSTM
from lstmdrop.plugin import TaskPlugin, installed_tasks, load_plugin, sizes
from lstmdrop.presets import read_preset, resolve
from lstmdrop.report.page.examples import read_examples
from lstmdrop.report.rescore import rescore, scorable
from lstmdrop.report.runs import read_summary
from lstmdrop.run import Run
from lstmdrop.settings import resolve_config
from lstmdrop.task import Loss, Stateful
from lstmdrop.training.trainer import Trainer

CPU = torch.device("cpu")


@pytest.fixture(params=installed_tasks())
def plugin(request: pytest.FixtureRequest) -> TaskPlugin:
    return load_plugin(request.param)


@pytest.fixture
def build(plugin: TaskPlugin, tmp_path: Path, toys: dict[str, tuple[str, list[str]]]) -> Callable[[], Any]:
    """Builds the task; the assets are the same each time."""
    data, overrides = toys.get(plugin.name, ("demo", []))
    config = resolve_config(plugin, "tiny", data, overrides=overrides)
    assets = tmp_path / "assets"
    assets.mkdir()
    return lambda: plugin.build(config, assets, CPU, None)


def flattened(batch: Any) -> list[Any]:
    """Tensors and plain values of a batch, whatever it is made of."""
    if isinstance(batch, Tensor | int | float | str) or batch is None:
        return [batch]
    parts = batch if isinstance(batch, list | tuple) else vars(batch).values()
    return [value for part in parts for value in flattened(part)]


def are_equal(first: Any, second: Any) -> bool:
    return torch.equal(first, second) if isinstance(first, Tensor) else bool(first == second)


def weights(task: Any) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in task.model.state_dict().items()}


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.slow
@pytest.mark.usefixtures("symbolic_sizes")
def test_exported_graphs_compute_what_the_network_does(
    plugin: TaskPlugin, build: Callable[[], Any], tmp_path: Path
) -> None:
    if plugin.graphs is None:
        pytest.skip("this task exports nothing")
    task = build()
    task.model.eval()
    for name, graph in plugin.graphs(task).items():
        assert write_onnx(graph, tmp_path / f"{name}.onnx") < 1e-5


def test_plugin_describes_itself(plugin: TaskPlugin) -> None:
    assert plugin.name in installed_tasks()
    assert plugin.summary
    assert issubclass(plugin.config, TaskConfig)
    assert issubclass(plugin.prediction, Section)
    assert plugin.config().task == plugin.name
    names = [dataset.name for dataset in plugin.datasets]
    assert "demo" in names
    assert len(set(names)) == len(names)
    assert {dataset.task for dataset in plugin.datasets} == {plugin.name}
    plugin.prediction()  # every option has a default
    assert all(field.description for field in plugin.prediction.model_fields.values())


def test_every_preset_is_a_valid_configuration_of_its_own_name(plugin: TaskPlugin) -> None:
    assert {"tiny", "small"} <= set(sizes(plugin))
    for size in sizes(plugin):
        config = resolve_config(plugin, size)
        assert isinstance(config, plugin.config)
        assert config.size == size
        settings = read_preset(plugin.presets / f"{size}.toml")
        assert resolve(plugin.config, [config.model_dump(mode="json"), settings]) == config


def test_config_json_is_itself_a_preset(plugin: TaskPlugin, tmp_path: Path) -> None:
    config = resolve_config(plugin, "small", "demo", "variational", 7, overrides=["training.rate=0.3"])
    run = Run.create(tmp_path / "run", config.model_dump(mode="json"))
    assert resolve_config(plugin, preset=run.directory / "config.json") == config
    again = resolve_config(plugin, preset=run.directory / "config.json", seed=8)
    assert (again.seed, again.training.rate) == (8, 0.3)


def test_built_again_from_its_assets_it_is_the_same_task(build: Callable[[], Any], tmp_path: Path) -> None:
    first = build()
    assets = files(tmp_path / "assets")
    assert assets
    second = build()
    assert files(tmp_path / "assets") == assets
    assert first.summary() == second.summary()
    assert first.data_sha256() == second.data_sha256()
    other = weights(second)
    assert weights(first).keys() == other.keys()
    assert all(torch.equal(value, other[name]) for name, value in weights(first).items())


def test_batches_of_a_pass_follow_from_its_epoch_alone(build: Callable[[], Any]) -> None:
    task = build()
    list(islice(task.batches("train", epoch=2), 2))  # an earlier pass, left half-way
    torch.rand(3)
    for epoch in (1, 2):
        first = [flattened(batch) for batch in task.batches("train", epoch=epoch)]
        second = [flattened(batch) for batch in build().batches("train", epoch=epoch)]
        assert len(first) == len(second) == task.num_batches("train") > 0
        for one, other in zip(first, second, strict=True):
            assert all(are_equal(a, b) for a, b in zip(one, other, strict=True))


def test_a_loss_is_a_sum_over_its_count(build: Callable[[], Any]) -> None:
    task = build()
    task.model.eval()
    objective = task.objective()
    losses = [objective(batch) for batch in task.batches("train")]
    for loss in losses:
        assert isinstance(loss, Loss)
        assert loss.total.shape == ()
        assert loss.total.requires_grad
        assert loss.count >= loss.divisor >= 1
    total, count = sum(float(loss.total.detach()) for loss in losses), sum(loss.count for loss in losses)
    assert 0 < total / count < 50


def test_a_fresh_objective_starts_over_and_a_restored_one_goes_on(build: Callable[[], Any]) -> None:
    task = build()
    task.model.eval()
    batches = list(islice(task.batches("train"), 3))
    objective = task.objective()
    losses = [float(objective(batch).total.detach()) for batch in batches[:2]]
    if isinstance(objective, Stateful):
        state = copy.deepcopy(objective.state_dict())
        losses.append(float(objective(batches[2]).total.detach()))
        restored = task.objective()
        restored.load_state_dict(state)
        assert float(restored(batches[2]).total.detach()) == losses[2]
    fresh = task.objective()
    assert [float(fresh(batch).total.detach()) for batch in batches[: len(losses)]] == losses


@pytest.mark.parametrize("split", SPLITS)
def test_evaluation_changes_nothing_and_repeats_itself(build: Callable[[], Any], split: Any) -> None:
    task = build()
    before, random_state = weights(task), torch.get_rng_state()
    scores = task.evaluate(split)
    assert torch.equal(torch.get_rng_state(), random_state)
    assert all(torch.equal(value, before[name]) for name, value in weights(task).items())
    assert all(parameter.grad is None for parameter in task.model.parameters())
    assert list(task.evaluate(split)) == list(scores)
    assert scores
    for score in scores:
        assert math.isfinite(score.value)
        assert "|" in score.signature


def test_the_plugins_score_of_one_model_is_the_tasks_own(plugin: TaskPlugin, build: Callable[[], Any]) -> None:
    task = build()
    assert list(plugin.evaluate([task], "valid")) == list(task.evaluate("valid"))


def test_evaluation_in_the_middle_of_an_epoch_leaves_training_alone(build: Callable[[], Any]) -> None:
    trained = []
    for interfere in (False, True):
        task = build()
        for module in task.model.modules():
            if isinstance(module, RegularizedLSTM):
                module.kernel = "native"  # not the faster one of the day
        trainer = Trainer(task, task.config)
        task.model.train()
        for batch in islice(task.batches("train", epoch=1), 4):
            trainer.step([batch])
            if interfere:
                task.evaluate("valid")
                task.model.train()
        trained.append(weights(task))
    assert all(torch.equal(value, trained[1][name]) for name, value in trained[0].items())


def test_a_model_can_be_copied_and_pickled(build: Callable[[], Any]) -> None:
    model = build().model
    for again in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert again.state_dict().keys() == model.state_dict().keys()
        assert all(torch.equal(value, model.state_dict()[name]) for name, value in again.state_dict().items())


def test_a_step_in_bfloat16_is_one_in_float32_to_rounding(build: Callable[[], Any]) -> None:
    """On every processor: `tests/nn/test_kernel.py` runs it again where oneDNN has no AVX-512."""
    norms = []
    for precision in ("float32", "bf16"):
        task = build()
        training = task.config.training.model_copy(update={"precision": precision})
        trainer = Trainer(task, task.config.model_copy(update={"training": training}))
        task.model.train()
        trainer.step(list(islice(task.batches("train", epoch=1), 1)))
        norms.append([float(trainer.epoch_loss), float(trainer.gradient_norm)])
    assert norms[1] == pytest.approx(norms[0], rel=0.02)


def test_what_a_run_keeps_gives_its_test_scores_again(
    plugin: TaskPlugin, tmp_path: Path, toys: dict[str, tuple[str, list[str]]]
) -> None:
    """So that ``compare`` works on it, and that a committed result can be checked."""
    data, overrides = toys.get(plugin.name, ("demo", []))
    few = [*overrides, "training.epochs=1"]
    run = train(plugin.name, size="tiny", data=data, overrides=few, out=tmp_path / "run")
    if (run.directory / "predictions.txt").exists() and plugin.references is None:
        pytest.skip(f"{plugin.name} keeps predictions and says no references: compare cannot read them")
    summary = read_summary(run.directory)
    names = scorable(summary)
    assert names
    for name in names:
        assert math.isfinite(rescore(summary, name).value)  # it raises where the number is another than the run's
    if plugin.examples is not None:
        assert read_examples(run.directory, 100)
