"""A recorded step is the eager one, whatever the rule: on a stand-in for a CUDA graph that the CPU can run.

Like a graph it takes down operations and the memory that they read and write, and runs no Python when it repeats them:
a number that the host works out anew for each step stays as it was when the step was recorded.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from lstmdrop.training.progress import Evaluated, Logged
from lstmdrop.training.replay import Record
from lstmdrop.training.trainer import Trainer

BuildLM = Callable[..., Any]
READS_ON_THE_HOST = torch.ops.aten._local_scalar_dense.default


class Tape(TorchDispatchMode):
    """Takes down what is done inside, and what the memory was that it wrote to."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[Any, Any, Any, Any]] = []
        self.before: dict[int, tuple[Tensor, Tensor]] = {}

    def __torch_dispatch__(self, op: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        assert op is not READS_ON_THE_HOST, "the host waits for the device: no graph can be made of it"
        kwargs = kwargs or {}
        for tensor in _written(op, args, kwargs):
            self.before.setdefault(tensor.untyped_storage().data_ptr(), (tensor.detach(), tensor.detach().clone()))
        result = op(*args, **kwargs)
        self.calls.append((op, args, kwargs, result))
        return result

    @torch.no_grad()
    def undo(self) -> None:
        """As if nothing had been done: recording does nothing."""
        for tensor, value in self.before.values():
            tensor.copy_(value)

    @torch.no_grad()
    def repeat(self) -> None:
        """Do it all again on the same memory."""
        for op, args, kwargs, result in self.calls:
            if op._schema.is_mutable:
                op(*args, **kwargs)
                continue
            inputs = {_place(leaf) for leaf in _tensors((args, kwargs))}
            if all(_place(output) in inputs for output in _tensors(result)):
                continue  # a view: it shows what lies there now
            for output, again in zip(_tensors(result), _tensors(op(*args, **kwargs)), strict=True):
                output.detach().copy_(again)


def _tensors(tree: Any) -> list[Tensor]:
    return [leaf for leaf in tree_leaves(tree) if isinstance(leaf, Tensor)]


def _place(tensor: Tensor) -> int:
    return tensor.untyped_storage().data_ptr()


def _written(op: Any, args: Any, kwargs: Any) -> list[Tensor]:
    arguments = op._schema.arguments
    given = {argument.name: value for argument, value in zip(arguments, args, strict=False)} | kwargs
    is_written = {a.name: a.alias_info is not None and a.alias_info.is_write for a in arguments}
    return _tensors([value for name, value in given.items() if is_written[name]])


def taken_down(counts: list[int]) -> Record:
    def record(run: Callable[[], None]) -> Callable[[], None]:
        random, tape = torch.get_rng_state(), Tape()
        with tape:
            run()
        tape.undo()
        torch.set_rng_state(random)
        counts.append(len(tape.calls))
        return tape.repeat

    return record


@pytest.fixture(autouse=True)
def _as_on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the trainer does not look at a loss in each step."""
    monkeypatch.setattr(Trainer, "_require_finite", lambda self, *, weights=False: None)


def trained(trainer: Trainer[Any]) -> tuple[dict[str, Tensor], list[Any]]:
    events = []
    for event in trainer.run():
        if isinstance(event, Logged):
            events.append(replace(event, seconds=0.0, tokens_per_second=0.0))
        elif isinstance(event, Evaluated):
            events.append(event.scores)
    return trainer.state_dict().tensors, events


@pytest.mark.parametrize(
    "settings",
    [
        *([f"regularizer.rule={rule}"] for rule in ("none", "zaremba", "naive", "variational", "recurrent", "zoneout")),
        ["regularizer.rule=weight-drop"],
        ["training.accumulate=2"],
        ["training.precision=bf16"],
    ],
    ids=" ".join,
)
def test_a_recorded_step_is_the_eager_one(build_lm: BuildLM, settings: list[str]) -> None:
    falling = ["training.epochs=3", "training.decay_after=1", "training.decay=2", "training.clip=0.5"]
    results, recordings = [], list[int]()
    for record in (None, taken_down(recordings)):
        task = build_lm("training.kernel=native", *falling, *settings)
        trainer = Trainer(task, task.config)
        trainer.record = record
        trainer._start_pass()
        results.append(trained(trainer))
    (eager, logged), (recorded, logged_again) = results
    assert len(recordings) == 3  # one an epoch, since a recording keeps its rate
    assert min(recordings) > 50
    assert logged == logged_again
    assert all(torch.equal(value, recorded[name]) for name, value in eager.items())


def test_the_stand_in_shows_a_rate_that_a_recording_has_kept(
    build_lm: BuildLM, monkeypatch: pytest.MonkeyPatch
) -> None:
    results = []
    for record in (None, taken_down([])):
        task = build_lm("regularizer.rule=none", "training.kernel=native", "training.epochs=1")
        trainer = Trainer(task, task.config)
        trainer.record = record
        trainer._start_pass()
        step = trainer.step

        def with_a_falling_rate(batches: Any, trainer: Trainer[Any] = trainer, step: Any = step) -> None:
            for group in trainer.optimizer.param_groups:
                group["lr"] *= 0.5
            step(batches)

        monkeypatch.setattr(trainer, "step", with_a_falling_rate)
        results.append(trained(trainer)[0])
    assert not torch.equal(results[0]["model.softmax.weight"], results[1]["model.softmax.weight"])


def test_a_step_in_which_the_host_looks_cannot_be_recorded() -> None:
    with pytest.raises(AssertionError, match="the host waits"):
        taken_down([])(lambda: print(float(torch.ones(2).sum())))
