"""Speed and memory on this machine, beside the plainest loops, and where a step's time goes."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import torch

from lstmdrop.commands.alone import Alone, measure_alone, spread
from lstmdrop.config import TaskConfig
from lstmdrop.contest import WORKS, Contest, Work
from lstmdrop.errors import UsageError, as_list, did_you_mean
from lstmdrop.plugin import TaskPlugin, load_plugin
from lstmdrop.result import device_name
from lstmdrop.settings import require_taken, resolve_config
from lstmdrop.training.bench import durations, median_seconds
from lstmdrop.training.device import choose_device, require_kernel, set_switches, switches_kept
from lstmdrop.training.limits import Limits, measured_limits
from lstmdrop.training.profile import profile_step

SETTINGS = (
    "model", "regularizer", "seed", "data.tokens", "data.vocabulary_size", "training.optimizer", "training.precision",
    "training.kernel", "training.replay", "training.accumulate", "training.clip", "training.weight_decay",
    "training.rate",
)  # fmt: skip
"""What a training step of any task depends on: ``bench --set`` takes these, and `TaskPlugin.bench_settings`."""


@dataclass(frozen=True, slots=True)
class BenchRow:
    """The speed of one size at one kind of work."""

    size: str
    device: str
    tokens_per_second: float
    """Items a second, whatever ``unit`` says that they are; at the median step."""
    plain_tokens_per_second: float
    """Of the plainest loop for the same network."""
    ratio: float
    """Ours over the plain loop's; above 1 is faster."""
    share_of_matrix_rate: float
    """Arithmetic of the work over what a large matrix product reaches with the same switches, 0 to 1."""
    task: str
    work: Work
    beam: int | None
    """Of a search; 1 is greedy."""
    unit: str
    """What is counted: tokens, frames, sentences, utterances, captions."""
    spread: float
    """Items a second between the quartiles of the steps."""
    plain_spread: float
    num_steps: int
    """Of ours that were timed."""
    share_of_bandwidth: float
    """Bytes of weights that the work must read over what a large copy moves; above 1 they stay in the caches."""
    matrix_rate: float
    """Operations a second of a large product, measured just before."""
    bandwidth: float
    """Bytes a second of a large copy, measured just before."""
    peak_bytes: int | None
    """The most memory of a process that does this alone, resident or given out on a GPU; None: not measured."""
    plain_peak_bytes: int | None
    load: float | None
    """Processes that ran or waited in the last minute, this one included."""


@dataclass(frozen=True, slots=True)
class ProfileRow:
    """A part of a training step."""

    task: str
    size: str
    device: str
    part: str
    seconds: float
    """Of a step while it is measured; all parts add up to it."""
    share: float
    step_seconds: float
    """Of a step when nothing is measured but the whole."""


def bench(
    task: str,
    *,
    sizes: Sequence[str] = ("small",),
    seconds: float = 20.0,
    device: str = "auto",
    overrides: Sequence[str] = (),
    work: Sequence[str] = WORKS,
    memory: bool = False,
) -> Iterator[BenchRow]:
    """Measure each size in turn, ours and the plain loop alternately, about ``seconds`` each for each kind of work.

    ``overrides`` are settings of ours, such as the precision; the plain loop runs as PyTorch does by default. With
    ``memory`` each is run once more in a process of its own.

    Raises:
        LstmdropError: a size, a setting, a kind of work or the device does not exist.
    """
    plugin, configs, chosen = _resolved(task, sizes, device, overrides)
    works = require_works(work)
    with switches_kept():
        for config in configs:
            contests = plugin.bench(config, chosen)
            for number, contest in enumerate(contests):
                if contest.work in works:
                    set_switches(config.training)
                    limits = measured_limits(config.training, chosen)
                    peaks = _peaks(config, chosen, number) if memory else None
                    yield _row(config, contest, limits, seconds, chosen, peaks)


def profile_training(
    task: str, *, sizes: Sequence[str] = ("small",), device: str = "auto", overrides: Sequence[str] = ()
) -> Iterator[ProfileRow]:
    """Where a training step's time goes, the parts of each size in turn, those that take longest first.

    Raises:
        LstmdropError: as `bench`.
    """
    plugin, configs, chosen = _resolved(task, sizes, device, overrides)
    with switches_kept():
        for config in configs:
            contest = next(one for one in plugin.bench(config, chosen) if one.work == "train")
            step: Any = contest.ours.make()
            (usual,) = median_seconds([step], 1.0, chosen)
            for part, seconds, share in profile_step(step, getattr(step, "model", None), chosen):
                yield ProfileRow(config.task, config.size, device_name(chosen), part, seconds, share, usual)


def _resolved(
    task: str, sizes: Sequence[str], device: str, overrides: Sequence[str]
) -> tuple[TaskPlugin, list[TaskConfig], torch.device]:
    plugin = load_plugin(task)
    require_taken(plugin, "bench", overrides, (*SETTINGS, *plugin.bench_settings))
    chosen = choose_device(device)
    configs = [resolve_config(plugin, size, overrides=overrides) for size in as_list("sizes", sizes)]
    for config in configs:
        require_kernel(config.training, chosen)
    return plugin, configs, chosen


def require_works(work: Sequence[str]) -> Sequence[str]:
    """Kinds of work that there are.

    Raises:
        UsageError: one is none.
    """
    for kind in as_list("work", work):
        if kind not in WORKS:
            raise UsageError(f"--work {kind}{did_you_mean(kind, WORKS)}: it is one or more of {', '.join(WORKS)}")
    return work


def _row(
    config: TaskConfig,
    contest: Contest,
    limits: Limits,
    seconds: float,
    device: torch.device,
    peaks: tuple[Alone, Alone] | None,
) -> BenchRow:
    ours, plain = contest.ours, contest.plain
    own, other = durations([ours.make(), plain.make()], seconds, device)
    rate, plain_rate = ours.num_items / median(own), plain.num_items / median(other)
    return BenchRow(
        size=config.size,
        device=device_name(device),
        tokens_per_second=rate,
        plain_tokens_per_second=plain_rate,
        ratio=rate / plain_rate,
        share_of_matrix_rate=rate * contest.flops / limits.flops,
        task=config.task,
        work=contest.work,
        beam=contest.beam,
        unit=contest.unit,
        spread=spread([ours.num_items / taken for taken in own]),
        plain_spread=spread([plain.num_items / taken for taken in other]),
        num_steps=len(own),
        share_of_bandwidth=contest.step_bytes / median(own) / limits.bandwidth,
        matrix_rate=limits.flops,
        bandwidth=limits.bandwidth,
        peak_bytes=peaks[0].peak_bytes if peaks else None,
        plain_peak_bytes=peaks[1].peak_bytes if peaks else None,
        load=os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
    )


def _peaks(config: TaskConfig, device: torch.device, number: int) -> tuple[Alone, Alone]:
    ours, plain = (
        measure_alone(config, str(device), number, rival, 1e-9, torch.get_num_threads()) for rival in ("ours", "plain")
    )
    return ours, plain
