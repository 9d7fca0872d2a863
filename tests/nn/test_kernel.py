"""Choosing the kernel."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import get_args

import pytest
import torch
from torch import Tensor

from lstmdrop.nn.kernel import Kernel, can_run, fastest_kernel, running_on
from lstmdrop.nn.lstm import RegularizedLSTM
from lstmdrop.nn.rules import RULE_NAMES, RuleName, make_regularizer


def test_the_kernel_that_takes_less_time_is_chosen() -> None:
    weight = torch.ones(1, requires_grad=True)

    def slow_on_onednn() -> Tensor:
        time.sleep(0.01 if torch._C._get_mkldnn_enabled() else 0.0)
        return weight * 2

    assert fastest_kernel({"onednn": slow_on_onednn, "native": slow_on_onednn}) == "native"


def test_the_switch_is_put_back_also_after_an_error() -> None:
    before = torch._C._get_mkldnn_enabled()
    try:
        with running_on("native"):
            assert not torch._C._get_mkldnn_enabled()
            raise KeyboardInterrupt
    except KeyboardInterrupt:
        pass
    assert torch._C._get_mkldnn_enabled() == before


@pytest.mark.parametrize("hidden", ["", "AVX2", "SSE41"])
def test_bfloat16_trains_and_scores_whatever_the_processor(hidden: str) -> None:
    """oneDNN is told to hide instructions before it looks, so this asks for a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", _BFLOAT16_ON_THIS_PROCESSOR],
        env={**os.environ, **({"ONEDNN_MAX_CPU_ISA": hidden} if hidden else {})},
        capture_output=True, encoding="utf-8", check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    can_run_onednn, chosen, trained, scored, again = done.stdout.split()
    assert can_run_onednn == "True" or chosen == "native"
    if hidden:
        assert can_run_onednn == "False"
    assert float(trained) == pytest.approx(float(scored), rel=0.02)
    assert scored == again


_BFLOAT16_ON_THIS_PROCESSOR = """
import torch
from lstmdrop.nn.kernel import can_run
from lstmdrop.nn.lstm import RegularizedLSTM
from lstmdrop.nn.rules import make_regularizer

torch.manual_seed(0)
lstm = RegularizedLSTM(6, 8, 2, make_regularizer("none"))
inputs = torch.randn(5, 3, 6)
with torch.autocast("cpu", torch.bfloat16):
    outputs, _ = lstm(inputs)
    outputs.float().square().sum().backward()
    lstm.eval()
    scores = [float(lstm(inputs)[0].float().square().sum()) for _ in range(2)]
assert all(parameter.grad.isfinite().all() for parameter in lstm.parameters())
print(can_run("onednn", torch.bfloat16), lstm.kernel, float(outputs.float().square().sum()), *scores)
"""


def test_every_kernel_runs_without_autocast() -> None:
    assert all(can_run(kernel, torch.float32) for kernel in get_args(Kernel))
    assert can_run("native", torch.bfloat16)


@pytest.mark.parametrize("mode", [torch.inference_mode, torch.no_grad])
@pytest.mark.parametrize("rule", RULE_NAMES)
def test_a_kernel_is_measured_also_where_no_gradient_is_wanted(
    mode: type[torch.inference_mode] | type[torch.no_grad], rule: RuleName
) -> None:
    lstm = RegularizedLSTM(3, 4, 2, make_regularizer(rule, 0.5)).requires_grad_(False)
    with mode():
        outputs, _ = lstm(torch.randn(5, 2, 3))
    assert not outputs.requires_grad
    lstm.requires_grad_()(torch.randn(5, 2, 3))[0].sum().backward()
    assert all(parameter.grad is not None for parameter in lstm.parameters())


def test_both_kernels_compute_the_same_lstm() -> None:
    lstm = torch.nn.LSTM(5, 7)
    inputs = torch.randn(4, 3, 5)
    with running_on("onednn"):
        one, _ = lstm(inputs)
    with running_on("native"):
        other, _ = lstm(inputs)
    torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)
