"""How time and memory grow with one size at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch

from lstmdrop.commands.alone import measure_alone
from lstmdrop.commands.bench import SETTINGS
from lstmdrop.contest import Axis
from lstmdrop.errors import UsageError, did_you_mean
from lstmdrop.plugin import TaskPlugin, load_plugin
from lstmdrop.report.power import Points, fitted_power
from lstmdrop.result import device_name
from lstmdrop.settings import require_taken, resolve_config
from lstmdrop.training.device import choose_device


@dataclass(frozen=True, slots=True)
class GrowthRow:
    """A training step at one value of one size; of a corpus, its preparation and one reading."""

    task: str
    size: str
    device: str
    axis: str
    value: int
    seconds: float
    """The median step."""
    spread: float
    """Seconds between the quartiles."""
    memory_bytes: int
    """That the work took beyond what the process had when it had imported all."""
    operations: float
    """Of the matrix products of a step, or the words of the corpus: what the time is expected to follow."""
    held_bytes: float
    """Weights, gradients, outputs and states: what the memory is expected to follow; 0 for a corpus."""


@dataclass(frozen=True, slots=True)
class GrowthFit:
    """The exponent of a power law through the rows of an axis, on logarithmic scales."""

    axis: str
    quantity: str
    """``time`` or ``memory``."""
    exponent: float
    standard_error: float
    expected: float
    """That of the same fit to what was counted."""


def grow(
    task: str,
    *,
    size: str = "small",
    axes: Sequence[str] | None = None,
    seconds: float = 2.0,
    device: str = "auto",
    overrides: Sequence[str] = (),
    limit: int | None = None,
) -> Iterator[GrowthRow]:
    """Time and memory of each value of each of the task's sizes, each in a process of its own.

    ``axes`` are some of them by name; ``limit`` leaves out values above it.

    Raises:
        LstmdropError: there is no such axis, size, setting or device.
    """
    plugin = load_plugin(task)
    require_taken(plugin, "bench", overrides, (*SETTINGS, *plugin.bench_settings))
    chosen = choose_device(device)
    for axis in _named(plugin, axes):
        for value in axis.values:
            if limit is None or value <= limit:
                yield _row(plugin, size, axis, value, seconds, chosen, overrides)


def growth_fits(rows: Sequence[GrowthRow]) -> list[GrowthFit]:
    """Two of each axis that has values enough."""
    fits = []
    for axis in dict.fromkeys(row.axis for row in rows):
        own = [row for row in rows if row.axis == axis]
        if len(own) < 3:
            continue
        values = [float(row.value) for row in own]
        for quantity, measured, counted in (
            ("time", [row.seconds for row in own], [row.operations for row in own]),
            ("memory", [float(row.memory_bytes) for row in own], [row.held_bytes for row in own]),
        ):
            exponent, error = fitted_power(Points(values, measured))
            expected, _ = fitted_power(Points(values, counted)) if all(counted) else (0.0, 0.0)
            fits.append(GrowthFit(axis, quantity, exponent, error, expected))
    return fits


def _named(plugin: TaskPlugin, names: Sequence[str] | None) -> Sequence[Axis]:
    known = {axis.name: axis for axis in plugin.growth}
    if not known:
        raise UsageError(f"--grow: the task {plugin.name} does not say which of its sizes may grow")
    for name in names or ():
        if name not in known:
            raise UsageError(f"--grow {name}{did_you_mean(name, known)}: {plugin.name} has {', '.join(known)}")
    return [known[name] for name in (known if names is None else names)]


def _row(
    plugin: TaskPlugin,
    size: str,
    axis: Axis,
    value: int,
    seconds: float,
    device: torch.device,
    overrides: Sequence[str],
) -> GrowthRow:
    grown = [] if axis.setting is None else [f"{axis.setting}={value}"]
    config = resolve_config(plugin, size, overrides=[*axis.settings, *overrides, *grown])
    found = measure_alone(
        config, str(device), 0, "ours", seconds, torch.get_num_threads(), value if axis.setting is None else None
    )
    return GrowthRow(
        plugin.name, size, device_name(device), axis.name, value, found.seconds, found.spread, found.taken_bytes,
        found.operations, found.held_bytes,
    )  # fmt: skip
