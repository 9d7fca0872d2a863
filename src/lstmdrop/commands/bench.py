"""Training speed on this machine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lstmdrop.errors import as_list
from lstmdrop.plugin import load_plugin
from lstmdrop.result import device_name
from lstmdrop.settings import require_taken, resolve_config
from lstmdrop.training.bench import matrix_product_rate
from lstmdrop.training.device import choose_device, require_kernel, set_switches, switches_kept

SETTINGS = (
    "model", "regularizer", "seed", "data.tokens", "data.vocabulary_size", "training.optimizer", "training.precision",
    "training.kernel", "training.replay", "training.accumulate", "training.clip", "training.weight_decay",
    "training.rate",
)  # fmt: skip
"""What a training step of any task depends on: ``bench --set`` takes these, and `TaskPlugin.bench_settings`."""


@dataclass(frozen=True, slots=True)
class BenchRow:
    """The speed of one size."""

    size: str
    device: str
    tokens_per_second: float
    plain_tokens_per_second: float
    """Of the plainest PyTorch loop for the same model."""
    ratio: float
    """Ours over the plain loop's; above 1 is faster."""
    share_of_matrix_rate: float
    """Arithmetic of the training step over what a large matrix product reaches with the same switches, 0 to 1."""


def bench(
    task: str,
    *,
    sizes: Sequence[str] = ("small",),
    seconds: float = 20.0,
    device: str = "auto",
    overrides: Sequence[str] = (),
) -> Iterator[BenchRow]:
    """Measure each size in turn, ours and the plain loop alternately, about ``seconds`` each.

    ``overrides`` are settings of ours, such as the precision; the plain loop runs as PyTorch does by default.

    Raises:
        LstmdropError: a size, a setting or the device does not exist.
    """
    plugin = load_plugin(task)
    require_taken(plugin, "bench", overrides, (*SETTINGS, *plugin.bench_settings))
    chosen = choose_device(device)
    configs = [resolve_config(plugin, size, overrides=overrides) for size in as_list("sizes", sizes)]
    for config in configs:
        require_kernel(config.training, chosen)
    with switches_kept():
        for config in configs:
            set_switches(config.training)
            rate = matrix_product_rate(chosen)
            speed = plugin.bench(config, chosen, seconds)
            yield BenchRow(
                size=config.size,
                device=device_name(chosen),
                tokens_per_second=speed.tokens_per_second,
                plain_tokens_per_second=speed.plain_tokens_per_second,
                ratio=speed.tokens_per_second / speed.plain_tokens_per_second,
                share_of_matrix_rate=speed.tokens_per_second * speed.flops_per_token / rate,
            )
