"""One LSTM layer over a window, step by step, so that noise can reach its path through time, and its backward pass.

Autograd would keep a dozen tensors of every step and launch two dozen operations for it. Here a window has a few
buffers: what a step makes is written where the backward pass reads it, and all that needs no earlier step (the products
with the inputs, the gradients of the weights, the slopes of the gates) is one operation for the whole window.

An axis may stand before those of time and batch, in the weights too: layers of several networks side by side, whose
products are batched ones.
"""

from __future__ import annotations

from functools import cache
from types import ModuleType
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from lstmdrop.nn.linear import SharedFactor, StepFactor, linear
from lstmdrop.nn.recurrence import LayerWeights, LSTMState, Noise, cell, require_fit

TIME = -3


def scan(
    weights: LayerWeights, inputs: Float[Tensor, "*networks time batch features"], state: LSTMState, noise: Noise
) -> tuple[Float[Tensor, "*networks time batch hidden"], LSTMState]:
    """Run a layer step by step (Zaremba et al. 2014, section 3), the input products of all steps at once.

    Raises:
        ValueError: a shape does not fit the weights.
    """
    require_fit(weights, inputs, state, weights.input.shape[:-2])
    bias = weights.input_bias + weights.recurrent_bias
    if torch.compiler.is_exporting():
        return _as_written(weights, inputs, state, noise, bias)
    outputs, *final = _Window.apply(  # type: ignore[no-untyped-call]
        inputs, *state, weights.input, weights.recurrent, bias, noise, _number_format(inputs)
    )
    return outputs, LSTMState(*final)


def _as_written(
    weights: LayerWeights, inputs: Tensor, state: LSTMState, noise: Noise, bias: Tensor
) -> tuple[Tensor, LSTMState]:
    """The equations by themselves, for graphs."""
    recurrent, outputs = SharedFactor(weights.recurrent.mT), []
    products = inputs @ weights.input.mT + bias
    for product, masks in zip(products.unbind(), noise.steps(len(inputs)), strict=True):
        state = cell(product, recurrent, state, masks)
        outputs.append(state.hidden)
    return torch.stack(outputs), state


def _number_format(inputs: Tensor) -> torch.dtype:
    """That of the products: autocast does not reach into a function with a backward pass of its own."""
    kind = inputs.device.type
    return torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else inputs.dtype


class _Window(torch.autograd.Function):
    """All steps of a layer."""

    @staticmethod
    def forward(
        ctx: Any,
        inputs: Tensor,
        hidden: Tensor,
        memory: Tensor,
        input_weight: Tensor,
        recurrent_weight: Tensor,
        bias: Tensor,
        noise: Noise,
        dtype: torch.dtype,
    ) -> tuple[Tensor, Tensor, Tensor]:
        num_steps = inputs.shape[TIME]
        rows = inputs.flatten(TIME, -2).to(dtype)
        gates = _affine(rows, input_weight.to(dtype), bias.to(dtype)).to(memory.dtype)
        gates = gates.view(*inputs.shape[:TIME], num_steps, inputs.shape[-2], -1)
        outputs, memories, bent = (torch.empty_like(gates[..., : memory.shape[-1]]) for _ in range(3))
        factor = StepFactor(recurrent_weight.mT.to(dtype), num_steps)
        old_hidden, old_memory = hidden.contiguous(), memory.contiguous()
        kernels = kernels_for(gates)
        advance = _advance if kernels is None else kernels.advance
        for gate, masks, *new in zip(
            gates.unbind(TIME), noise.steps(num_steps), *(made.unbind(TIME) for made in (outputs, memories, bent)),
            strict=True,
        ):  # fmt: skip
            sums = factor.added_to(gate, _masked(old_hidden, masks.hidden))
            advance(sums, old_hidden, old_memory, masks, gate, *new)
            old_hidden, old_memory, _ = new
        ctx.noise, ctx.dtype = noise, dtype
        ctx.save_for_backward(inputs, hidden, memory, input_weight, recurrent_weight, gates, outputs, memories, bent)
        return outputs, old_hidden.clone(), old_memory.clone()

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        inputs, hidden, memory, input_weight, recurrent_weight, gates, outputs, memories, bent = ctx.saved_tensors
        noise, dtype = ctx.noise, ctx.dtype
        factor, before = StepFactor(recurrent_weight.to(dtype), inputs.shape[TIME]), _before(memory, memories)
        backwards = _backwards if kernels_for(gates) is None else _backwards_by_kernels
        slopes, grad_hidden, grad_memory = backwards(gates, bent, before, factor, noise, *grads)
        read = _masked(_before(hidden, outputs), noise.hidden)
        rows, slope_rows, read_rows = (part.flatten(TIME, -2).to(dtype) for part in (inputs, slopes, read))
        grad_inputs = None
        if ctx.needs_input_grad[0]:
            grad_inputs = _product(slope_rows, input_weight.to(dtype)).to(inputs.dtype).view_as(inputs)
        columns = slope_rows.mT.contiguous()  # once for both
        grad_weights = (_product(columns, factor).to(memory.dtype) for factor in (rows, read_rows))
        return grad_inputs, grad_hidden, grad_memory, *grad_weights, slopes.sum((TIME, -2)), None, None


def _advance(
    sums: Tensor,
    hidden: Tensor,
    memory: Tensor,
    noise: Noise,
    gates: Tensor,
    new_hidden: Tensor,
    new_memory: Tensor,
    bent: Tensor,
) -> None:
    """One step of all rows, each result into its place: from ``sums`` the gates; ``bent`` is tanh of the new cell."""
    sums.chunk(4, -1)[2].mul_(2)
    i, f, g, o = torch.sigmoid(sums, out=gates).chunk(4, -1)
    _to_tanh(g)
    torch.mul(f, memory, out=new_memory).addcmul_(i, _masked(g, noise.candidate))
    torch.mul(o, _to_tanh(torch.sigmoid(2 * new_memory, out=bent)), out=new_hidden)
    for new, old, zone in ((new_hidden, hidden, noise.zone_hidden), (new_memory, memory, noise.zone_cell)):
        if zone is not None:
            new.lerp_(old, zone.to(new.dtype))


def _to_tanh(sigmoid: Tensor) -> Tensor:
    """From sigmoid(2x), which takes a third of the time of tanh(x) on a CPU and is as exact beside 1."""
    return sigmoid.mul_(2).sub_(1)


def _slopes(gates: Tensor, bent: Tensor, before: Tensor, noise: Noise) -> tuple[Tensor, Tensor]:
    """What the gradient of each step is multiplied by: by the new cell's for i, f and g, by the output's for o and the
    new cell itself.
    """
    i, f, g, o = gates.chunk(4, -1)
    slopes, through = torch.empty_like(gates), torch.empty_like(bent)
    to_i, to_f, to_g, to_o = slopes.chunk(4, -1)
    sigmoid, tanh = torch.ops.aten.sigmoid_backward.grad_input, torch.ops.aten.tanh_backward.grad_input
    sigmoid(_masked(g, noise.candidate), i, grad_input=to_i)
    sigmoid(before, f, grad_input=to_f)
    tanh(_masked(i, noise.candidate), g, grad_input=to_g)
    sigmoid(bent, o, grad_input=to_o)
    tanh(o, bent, grad_input=through)
    if noise.zone_hidden is not None:
        for part in (to_o, through):
            part.mul_(1 - noise.zone_hidden)
    return slopes, through


def _backwards(
    gates: Tensor, bent: Tensor, before: Tensor, factor: StepFactor, noise: Noise, *grads: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """From the last step to the first: the gradients of what the gates are made of, and of the state before."""
    slopes, through = _slopes(gates, bent, before, noise)
    num_steps, size = bent.shape[TIME], bent.shape[-1]
    cell_slopes = slopes.view(*bent.shape[:-1], 4, size)[..., :3, :].unbind(TIME - 1)
    output_slopes, forget = slopes[..., 3 * size :].unbind(TIME), gates[..., size : 2 * size].unbind(TIME)
    steps, masks = slopes.unbind(TIME), noise.steps(num_steps)
    arriving, grad_hidden, grad_memory = _arriving(*grads)
    for t in reversed(range(num_steps)):
        kept = _masked(grad_memory, masks[t].zone_cell)
        new = grad_memory if masks[t].zone_cell is None else grad_memory - kept
        new = torch.addcmul(new, grad_hidden, through.select(TIME, t))
        cell_slopes[t].mul_(new.unsqueeze(-2))
        output_slopes[t].mul_(grad_hidden)
        grad_memory = new.mul_(forget[t]) if masks[t].zone_cell is None else torch.addcmul(kept, new, forget[t])
        base, zone = arriving[t], masks[t].zone_hidden
        if zone is not None:
            base = torch.addcmul(base, grad_hidden, zone)
        grad_hidden = factor.added_to(base, steps[t], masks[t].hidden)
    return slopes, grad_hidden, grad_memory


def _arriving(grad_outputs: Tensor, grad_hidden: Tensor, grad_memory: Tensor) -> tuple[list[Tensor], Tensor, Tensor]:
    """What arrives at the output before each step, and at the last state."""
    outputs = grad_outputs.contiguous().unbind(TIME)
    return [torch.zeros_like(outputs[0]), *outputs[:-1]], grad_hidden + outputs[-1], grad_memory


def _backwards_by_kernels(
    gates: Tensor, bent: Tensor, before: Tensor, factor: StepFactor, noise: Noise, *grads: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    kernels, slopes = kernels_for(gates), torch.empty_like(gates)
    assert kernels is not None
    arriving, *state = _arriving(*grads)
    grad_hidden, grad_memory = (part.clone(memory_format=torch.contiguous_format) for part in state)
    steps = zip(*(part.unbind(TIME) for part in (gates, before, bent, slopes)), strict=True)
    for step, masks, add in reversed(list(zip(steps, noise.steps(bent.shape[TIME]), arriving, strict=True))):
        gate, memory, tanh, slope = step
        kernels.retreat(gate, memory, tanh, masks, grad_hidden, grad_memory, add, slope)
        grad_hidden = factor.added_to(grad_hidden, slope, masks.hidden)
    return slopes, grad_hidden, grad_memory


@cache
def _kernels() -> ModuleType | None:
    try:
        from lstmdrop.nn import triton_step
    except ImportError:
        return None
    return triton_step


def kernels_for(tensor: Tensor) -> ModuleType | None:
    """Those of `lstmdrop.nn.triton_step`, on a CUDA GPU where Triton is installed."""
    return _kernels() if tensor.device.type == "cuda" and torch.version.hip is None else None


def _before(first: Tensor, made: Tensor) -> Tensor:
    """What each step began with."""
    return torch.cat([first.unsqueeze(TIME), made.narrow(TIME, 0, made.shape[TIME] - 1)], TIME)


def _masked(value: Tensor, mask: Tensor | None) -> Tensor:
    return value if mask is None else value * mask


def _affine(rows: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return linear(rows, weight, bias) if rows.dim() == 2 else torch.baddbmm(bias.unsqueeze(-2), rows, weight.mT)


def _product(left: Tensor, right: Tensor) -> Tensor:
    return linear(left, right.mT) if left.dim() == 2 else left @ right
