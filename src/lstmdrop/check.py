"""One batch through a network, before it is trained: are parameters reached, masks drawn, labels in range?"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from lstmdrop.config import TaskConfig
from lstmdrop.nn.kernel import Kernel, kernels_on
from lstmdrop.nn.lstm import RegularizedLSTM
from lstmdrop.nn.recurrence import SILENT, Noise
from lstmdrop.nn.rules import Regularizer
from lstmdrop.plugin import TaskPlugin
from lstmdrop.start import build_new, start_summary
from lstmdrop.task import HasLabels, Task
from lstmdrop.training.device import autocast, choose_device, require_kernel
from lstmdrop.training.finite import batch_tensors

MANY = 4096
"""So many ones under a mask of a rate above 0 never stay as they are: what is kept grows."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What one batch showed."""

    rows: Mapping[str, str]
    """What was looked at, by name."""
    problems: Sequence[str]
    """A line about each thing that is not as it should be."""


def check(plugin: TaskPlugin, config: TaskConfig, device: str = "auto", data_dir: Path | None = None) -> Checked:
    """The first batch of training forward and backward; nothing is trained or kept.

    Raises:
        LstmdropError: the configuration, the data or the device is wrong.
    """
    chosen = choose_device(device)
    require_kernel(config.training, chosen)
    with tempfile.TemporaryDirectory() as assets:
        built = build_new(plugin, config, Path(assets), chosen, data_dir)
        found = check_task(built, config)
        return replace(found, rows={**start_summary(built, config), **built.summary(), **found.rows})


def check_task(task: Task[Any], config: TaskConfig) -> Checked:
    """As `check`, of a task that is built; its model is left with the gradients of the batch."""
    batches = list(islice(iter(task.batches("train", epoch=1)), config.training.accumulate))
    rows = {"batch": ", ".join(shape for batch in batches for shape in _shapes(batch))}
    if wrong := [line for batch in batches for line in wrong_labels(task, batch)]:
        return Checked(rows, wrong)  # a network is not asked about what it has no row for
    model = task.model
    torch.manual_seed(config.seed)
    model.train()
    model.zero_grad()
    objective, device = task.objective(), next(model.parameters()).device
    total, num_items = 0.0, 0
    with undrawn_masks(model) as undrawn:
        for batch in batches:
            with autocast(config.training, device):
                loss = objective(batch)
            loss.total.backward()  # type: ignore[no-untyped-call]
            total, num_items = total + float(loss.total.detach()), num_items + loss.count
    trained = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
    rows["parameters"] = f"{len(trained):,} with {sum(weight.numel() for weight in trained.values()):,} numbers"
    rows["loss"] = f"{total / max(1, num_items):.4f} an item"
    problems = [line for name, weight in trained.items() if (line := _wrong_gradient(name, weight.grad))]
    if not math.isfinite(total):
        problems.insert(0, f"the loss is {total}")
    return Checked(rows, [*problems, *undrawn])


def wrong_labels(task: Task[Any], batch: Any) -> Iterator[str]:
    """A line about each field of a batch with labels that the task does not have."""
    for field, known in task.labels.items() if isinstance(task, HasLabels) else ():
        found = getattr(batch, field).flatten()
        is_known = (found >= 0) & (found < known.number)
        for value in known.none:
            is_known |= found == value
        if not bool(is_known.all()):
            others = found[~is_known]
            yield (
                f"{field}: {len(others)} of {len(found)} labels are out of range, the first being {int(others[0])}, "
                f"where 0 to {known.number - 1} are known"
            )


@contextmanager
def undrawn_masks(model: nn.Module) -> Iterator[list[str]]:
    """A list that holds, when the block ends, a line about each mask of a rate above 0 that was not drawn in it."""
    lines: list[str] = []
    lstms = {name: part for name, part in model.named_modules() if isinstance(part, RegularizedLSTM)}
    rules = {name: lstm.regularizer for name, lstm in lstms.items()}
    kernels: dict[str, Kernel | Literal["measured"] | None] = {name: lstm.kernel for name, lstm in lstms.items()}
    watched = {name: _watching(lstm.regularizer) for name, lstm in lstms.items()}
    drawn: set[str] = set()
    modules = {name: part for name, part in model.named_modules() if isinstance(part, nn.Dropout) and part.p > 0}
    hooks = [part.register_forward_hook(_noting(drawn, name)) for name, part in modules.items()]
    for name, lstm in lstms.items():
        lstm.regularizer = watched[name]
        lstm.kernel = kernels_on(next(lstm.parameters()).device.type)[0]  # a library draws its masks unseen
    try:
        yield lines
    finally:
        for name, lstm in lstms.items():
            lstm.regularizer, lstm.kernel = rules[name], kernels[name]
        for hook in hooks:
            hook.remove()
    for name, lstm in lstms.items():
        rule = rules[name]
        missing = [place for place in _places(rule, lstm) if place not in watched[name].drawn]
        lines += [f"{name}: no mask is drawn {place}, where the rule has one" for place in missing]
    lines += [f"{name}: no mask is drawn, the module is never called" for name in modules if name not in drawn]


class _Watching(Regularizer):
    """A rule that notes where it acts."""

    drawn: set[str]

    def at(self, place: int, num_layers: int) -> Callable[[Tensor], Tensor]:
        act = super().at(place, num_layers)

        def noted(inputs: Tensor) -> Tensor:
            self.drawn.add(_between(place, num_layers))
            return act(inputs)

        return noted


def _watching(rule: Regularizer) -> _Watching:
    drawn: set[str] = set()

    def noise(shape: tuple[int, int, int], like: Tensor) -> Noise:
        drawn.add(THROUGH_TIME)
        return rule.noise(shape, like)

    def weight(weights: Tensor) -> Tensor:
        drawn.add(ON_WEIGHTS)
        return rule.weight(weights)

    values = {field.name: getattr(rule, field.name) for field in fields(rule)}
    found = _Watching(**{**values, "noise": noise, "weight": weight})
    object.__setattr__(found, "drawn", drawn)  # it is frozen
    return found


THROUGH_TIME, ON_WEIGHTS = "on the path through time", "on the recurrent weights"


def _between(place: int, num_layers: int) -> str:
    return "on the top output" if place == num_layers else f"on the input of layer {place + 1}"


def _places(rule: Regularizer, lstm: RegularizedLSTM) -> list[str]:
    """Where the rule has a mask of a rate above 0."""
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        ones, number = torch.ones(1, 1, MANY), len(lstm.layers)
        found = [_between(place, number) for place in range(number + 1) if _changes(rule.at(place, number)(ones), 1)]
        noise = rule.noise((1, 1, MANY), ones)
        if noise is not SILENT:
            masks = [(noise.hidden, 1), (noise.candidate, 1), (noise.zone_hidden, 0), (noise.zone_cell, 0)]
            found += [THROUGH_TIME] * any(_changes(mask, plain) for mask, plain in masks)
        return found + [ON_WEIGHTS] * _changes(rule.weight(ones), 1)


def _changes(mask: Tensor | None, plain: float) -> bool:
    return mask is not None and bool((mask != plain).any())


def _noting(drawn: set[str], name: str) -> Callable[..., None]:
    return lambda *_: drawn.add(name)


def _wrong_gradient(name: str, gradient: Tensor | None) -> str:
    if gradient is None:
        return f"{name}: no gradient reaches it"
    if not bool(gradient.isfinite().all()):
        return f"{name}: its gradient is not finite"
    return "" if bool(gradient.any()) else f"{name}: its gradient is zero everywhere"


def _shapes(batch: Any) -> list[str]:
    tensors = batch_tensors([batch]).items()
    return [f"{name.partition('.')[2]} {' x '.join(map(str, value.shape))}" for name, value in tensors]
