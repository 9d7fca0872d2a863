"""The kernels of a scan on a GPU, run by Triton's interpreter on a CPU, are the scan's own steps."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

CHECK = """
import itertools
import torch
from lstmdrop.nn import scan, triton_step
from lstmdrop.nn.recurrence import LayerWeights, LSTMState, Noise

TIME, BATCH, FEATURES, SIZE = 3, 2, 4, 5
NAMES = ("hidden", "candidate", "zone_hidden", "zone_cell")
triton_step.BLOCK = 4  # units of one row in two programs

def random(*shape, seed):
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))

def results(networks, noise):
    shapes = [(TIME, BATCH, FEATURES), (BATCH, SIZE), (BATCH, SIZE), (4 * SIZE, FEATURES), (4 * SIZE, SIZE)]
    shapes += [(4 * SIZE,), (4 * SIZE,)]
    leaves = [random(*networks, *shape, seed=n).requires_grad_() for n, shape in enumerate(shapes)]
    inputs, hidden, cell, *weights = leaves
    outputs, final = scan.scan(LayerWeights(*weights), inputs, LSTMState(hidden, cell), noise)
    found = (outputs, *final)
    total = sum((part * random(*part.shape, seed=90 + n)).sum() for n, part in enumerate(found))
    return *found, *torch.autograd.grad(total, leaves)

calls = []
for networks, steps, names in itertools.product([(), (2,)], [1, TIME], [(), *((name,) for name in NAMES), NAMES]):
    masks = {name: random(*networks, steps, BATCH, SIZE, seed=50 + n).abs() for n, name in enumerate(names)}
    if steps == 1 and "zone_cell" in masks:
        masks["zone_cell"] = torch.full((1, 1, 1), 0.3, dtype=torch.float64)
    scan.kernels_for = lambda tensor: None
    expected = results(networks, Noise(**masks))
    scan.kernels_for = lambda tensor: calls.append(1) or triton_step
    found = results(networks, Noise(**masks))
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, atol=1e-12, rtol=0)
assert calls
"""


@pytest.mark.slow
def test_in_the_interpreter_they_give_what_operations_of_pytorch_give() -> None:
    pytest.importorskip("triton", reason="Triton is not installed: it comes with PyTorch for CUDA")
    environment = {**os.environ, "TRITON_INTERPRET": "1"}
    done = subprocess.run([sys.executable, "-c", CHECK], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
