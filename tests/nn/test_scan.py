"""Laws of the scan's own backward pass: autograd's gradients, for every noise, alone and side by side."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from lstmdrop.nn.recurrence import SILENT, LayerWeights, LSTMState, Noise
from lstmdrop.nn.scan import _as_written, scan

TIME, BATCH, FEATURES, SIZE = 4, 3, 5, 2
NAMES = ("hidden", "candidate", "zone_hidden", "zone_cell")
NOISES = [(), *((name,) for name in NAMES), NAMES]

Results = tuple[Tensor, ...]


def random(*shape: int, seed: int) -> Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def noise_of(names: tuple[str, ...], steps: int, *networks: int) -> Noise:
    masks = {name: random(*networks, steps, BATCH, SIZE, seed=50 + n).abs() for n, name in enumerate(names)}
    return Noise(**masks) if names else SILENT


def given(*networks: int) -> list[Tensor]:
    shapes = [(TIME, BATCH, FEATURES), (BATCH, SIZE), (BATCH, SIZE), (4 * SIZE, FEATURES), (4 * SIZE, SIZE)]
    shapes += [(4 * SIZE,), (4 * SIZE,)]
    return [random(*networks, *shape, seed=n).requires_grad_() for n, shape in enumerate(shapes)]


def run(leaves: list[Tensor], noise: Noise, *, written: bool = False) -> Results:
    inputs, hidden, cell, *weights = leaves
    layer, state = LayerWeights(*weights), LSTMState(hidden, cell)
    if written:
        outputs, final = _as_written(layer, inputs, state, noise, weights[2] + weights[3])
    else:
        outputs, final = scan(layer, inputs, state, noise)
    return outputs, *final


def gradients(results: Results, leaves: list[Tensor]) -> Results:
    total = sum((part * random(*part.shape, seed=90 + n)).sum() for n, part in enumerate(results))
    assert isinstance(total, Tensor)
    return torch.autograd.grad(total, leaves)


@pytest.mark.parametrize("steps", [1, TIME])
@pytest.mark.parametrize("names", NOISES, ids=lambda names: "+".join(names) or "none")
def test_its_gradients_are_those_of_its_equations(names: tuple[str, ...], steps: int) -> None:
    leaves, noise = given(), noise_of(names, steps)
    found, expected = run(leaves, noise), run(leaves, noise, written=True)
    torch.testing.assert_close(found, expected, atol=1e-12, rtol=0)
    torch.testing.assert_close(gradients(found, leaves), gradients(expected, leaves), atol=1e-12, rtol=0)


@pytest.mark.parametrize("names", NOISES, ids=lambda names: "+".join(names) or "none")
def test_networks_side_by_side_are_each_by_itself(names: tuple[str, ...]) -> None:
    leaves, noise = given(3), noise_of(names, TIME, 3)
    found = run(leaves, noise)
    slopes = gradients(found, leaves)
    for number in range(3):
        own = [leaf[number].detach().requires_grad_() for leaf in leaves]
        masks = Noise(*(None if mask is None else mask[number] for mask in noise._masks()))
        alone = run(own, masks)
        torch.testing.assert_close(tuple(part[number] for part in found), alone, atol=1e-12, rtol=0)
        total = sum((part * random(3, *part.shape, seed=90 + n)[number]).sum() for n, part in enumerate(alone))
        assert isinstance(total, Tensor)
        expected = torch.autograd.grad(total, own)
        torch.testing.assert_close(tuple(slope[number] for slope in slopes), expected, atol=1e-12, rtol=0)


def test_what_needs_no_gradient_gets_none() -> None:
    leaves = given()
    leaves[0].requires_grad_(False)
    outputs, _, memory = run(leaves, noise_of(NAMES, TIME))
    (outputs.sum() + memory.sum()).backward()
    assert leaves[0].grad is None
    assert all(leaf.grad is not None for leaf in leaves[1:])
    with torch.no_grad():
        assert not run(leaves, SILENT)[0].requires_grad


@pytest.mark.parametrize(("rows", "size"), [(64, 100), (20, 370), (1, 30)])
def test_its_bits_do_not_depend_on_the_number_of_threads(rows: int, size: int) -> None:
    """Small matrices, and one that is packed; `lstmdrop.training.threads` relies on it."""
    shapes = [(9, rows, size), (rows, size), (rows, size), (4 * size, size), (4 * size, size), (4 * size,), (4 * size,)]
    leaves = [0.1 * random(*shape, seed=n).float() for n, shape in enumerate(shapes)]
    noise = Noise(hidden=random(9, rows, size, seed=40).float(), zone_cell=random(9, rows, size, seed=41).float())
    found = []
    for number in (1, 2, 4):
        torch.set_num_threads(number)
        fresh = [leaf.clone().requires_grad_() for leaf in leaves]
        results = run(fresh, noise)
        found.append((*results, *gradients(results, fresh)))
    torch.set_num_threads(1)
    for other in found[1:]:
        assert all(torch.equal(one, two) for one, two in zip(found[0], other, strict=True))


def test_under_autocast_products_are_of_low_precision_and_the_state_is_not() -> None:
    leaves = [leaf.detach().float().requires_grad_() for leaf in given()]
    exact = run(leaves, SILENT)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = run(leaves, SILENT)
    assert {part.dtype for part in found} == {torch.float32}
    assert not torch.equal(found[0], exact[0])
    torch.testing.assert_close(found, exact, atol=0.05, rtol=0.05)
    for slope, expected in zip(gradients(found, leaves), gradients(exact, leaves), strict=True):
        assert slope.dtype == torch.float32
        torch.testing.assert_close(slope, expected, atol=0.2, rtol=0.1)
