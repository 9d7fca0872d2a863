"""Choosing the kernel."""

from __future__ import annotations

import time

import torch
from torch import Tensor

from lstmdrop.nn.kernel import fastest_kernel, running_on


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


def test_both_kernels_compute_the_same_lstm() -> None:
    lstm = torch.nn.LSTM(5, 7)
    inputs = torch.randn(4, 3, 5)
    with running_on("onednn"):
        one, _ = lstm(inputs)
    with running_on("native"):
        other, _ = lstm(inputs)
    torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)
