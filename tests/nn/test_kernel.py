"""Choosing the kernel."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from torch import Tensor

from lstmdrop.nn.bidirectional import BidirectionalLSTM
from lstmdrop.nn.decoder import AttentionDecoder
from lstmdrop.nn.kernel import Kernel, fastest_kernel, kernels_on, running_on
from lstmdrop.nn.lstm import RegularizedLSTM
from lstmdrop.nn.rules import RULE_NAMES, RuleName, make_regularizer

HIDDEN = os.environ.get("ONEDNN_MAX_CPU_ISA", "")
"""Instructions above these are hidden from oneDNN, as on a processor that lacks them."""


def test_the_kernel_that_takes_less_time_is_chosen() -> None:
    weight = torch.ones(1, requires_grad=True)

    def slow_on_onednn() -> Tensor:
        time.sleep(0.05 if torch._C._get_mkldnn_enabled() else 0.0)
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


def test_both_kernels_compute_the_same_lstm() -> None:
    lstm = torch.nn.LSTM(5, 7)
    inputs = torch.randn(4, 3, 5)
    with running_on("onednn"):
        one, _ = lstm(inputs)
    with running_on("native"):
        other, _ = lstm(inputs)
    torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)


def passes(kernel: Kernel | None, rule: RuleName, dtype: torch.dtype) -> list[Tensor]:
    """In training, its gradient included, and in evaluation; the same masks each time."""
    torch.manual_seed(0)
    regularizer, inputs = make_regularizer(rule, 0.3), torch.randn(4, 3, 5)
    lstm, both = RegularizedLSTM(5, 7, 2, regularizer), BidirectionalLSTM(5, 7, 2, regularizer)
    lstm.kernel = kernel
    found = []
    with torch.autocast("cpu", dtype=dtype, enabled=dtype != torch.float32):
        for network in (lstm, both):
            torch.manual_seed(1)
            outputs, state = network.train()(inputs, lengths=torch.tensor([4, 1, 3]))
            loss = outputs.float().pow(2).sum() + state.cell.float().sum()
            found += [outputs, *state, *torch.autograd.grad(loss, list(network.parameters()))]
            outputs, state = network.eval()(inputs)
            found += [outputs, *state]
        unrolled, state, _ = lstm.train().unrolled(1, 3), lstm.initial_state(3), torch.manual_seed(2)
        found += unrolled.step(0, inputs[0], state)[1]
    return [value.detach().float() for value in found]


@pytest.mark.parametrize("rule", RULE_NAMES)
def test_bfloat16_is_float32_to_rounding_on_every_kernel_and_processor(rule: RuleName) -> None:
    """Also on oneDNN's where it has none for this processor: then the native kernel computes."""
    expected = passes("native", rule, torch.float32)
    kernels: list[Kernel | None] = [None, "native", "onednn", "layers", *(["stack"] if rule == "none" else [])]
    for kernel in kernels:
        found = passes(kernel, rule, torch.bfloat16)
        for value, exact in zip(found, expected, strict=True):
            torch.testing.assert_close(value, exact, atol=0.03, rtol=0.05)


def test_attention_decodes_in_bfloat16() -> None:
    torch.manual_seed(0)
    decoder = AttentionDecoder(9, 4, 6, 2, 5, make_regularizer("zaremba", 0.2), gated=True).train()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        state = decoder.start(decoder.lstm.initial_state(3), decoder.attention.memory(torch.randn(3, 4, 5)))
        decoder.features(torch.zeros(2, 3, dtype=torch.long), state)[0].float().sum().backward()
        log_probs, _, _ = decoder.eval().step(torch.zeros(3, dtype=torch.long), state)
    assert torch.isfinite(log_probs).all()
    assert all(torch.isfinite(parameter.grad).all() for parameter in decoder.lstm.parameters())


def test_a_kernel_that_cannot_run_here_is_left_out() -> None:
    if HIDDEN in ("AVX2", "AVX", "SSE41"):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            assert kernels_on("cpu") == ("native",)
            lstm = RegularizedLSTM(5, 7, 1, make_regularizer("none"))
            assert lstm.usual_kernel("cpu") == "native"
            lstm.kernel = "measured"
            lstm.train()(torch.zeros(4, 3, 5))
            assert lstm.kernel == "native"
    assert kernels_on("cpu") == ("onednn", "native")  # float32 it has for all of them
    with running_on("native"):
        assert kernels_on("cpu") == ("native",)


@pytest.mark.slow
@pytest.mark.skipif(bool(HIDDEN), reason="is such a machine")
def test_the_laws_hold_on_a_processor_without_avx512() -> None:
    """oneDNN can be told to hide instructions, so that such a machine is wherever these tests run."""
    tests = Path(__file__).parents[1]
    chosen = "(bfloat16 and (none or zoneout or step or attention)) or left_out or (refused_in_one_line and bf16)"
    command = [sys.executable, "-m", "pytest", "-q", "-k", chosen, "-p", "no:cacheprovider"]
    files = [tests / "nn" / "test_kernel.py", tests / "training" / "test_precision.py", tests / "test_contract.py"]
    done = subprocess.run(
        [*command, *map(str, files)], env={**os.environ, "ONEDNN_MAX_CPU_ISA": "AVX2"}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
