"""Where the time of a training step goes, by the parts of the network and of the step."""

from __future__ import annotations

import functools
import importlib
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple

import torch
from torch import nn
from torch.profiler import ProfilerActivity, profile, record_function

_SCOPE = "lstmdrop part: "
_STEP = f"{_SCOPE}step"
DATA = f"{_SCOPE}data"

SOFTMAX, RECURRENCE, INPUTS, ATTENTION = "softmax and loss", "recurrence", "input products", "attention"
KERNEL = "LSTM kernel (input products and recurrence)"
REST = "the rest (Python between operators)"

PLACES = (
    ("torch.nn:Embedding.forward", "embedding"),
    ("lstmdrop.nn.lstm:RegularizedLSTM._dropped", "dropout"),
    ("lstmdrop.nn.lstm:fused", KERNEL),
    ("lstmdrop.nn.lstm:fused_stack", KERNEL),
    ("lstmdrop.nn.lstm:scan", RECURRENCE),
    ("lstmdrop.nn.scan:_affine", INPUTS),
    ("lstmdrop.nn.recurrence:Unrolled.step", RECURRENCE),
    ("lstmdrop.nn.decoder:AttentionDecoder._run", ATTENTION),
    ("lstmdrop.nn.attention:LuongAttention.memory", ATTENTION),
    ("lstmdrop.nn.cross_entropy:smoothed_cross_entropy", SOFTMAX),
    ("lstmdrop.nn.decoder:smoothed_cross_entropy", SOFTMAX),
    ("lstmdrop.training.trainer:scale_and_clip", "clipping"),
    ("lstmdrop.training.finite:GradientWatch.see", "whether numbers are finite"),
    ("lstmdrop.training.trainer:Trainer._require_finite", "whether numbers are finite"),
)
"""Functions, as ``module:name``, and the part that they are."""

_BY_NAME = (
    (re.compile(r"ctc|softmax|nll|cross_?entropy", re.IGNORECASE), SOFTMAX),
    (re.compile(r"lstm|rnn", re.IGNORECASE), KERNEL),
    (re.compile(r"embedding", re.IGNORECASE), "embedding"),
    (re.compile(r"dropout|bernoulli", re.IGNORECASE), "dropout"),
    (re.compile(r"_foreach_norm"), "clipping"),
    (re.compile(r"^Optimizer\.(step|zero_grad)"), "optimiser"),
)
"""Operators that tell by themselves what they are part of, where no function does."""

_BACKWARD = "autograd::engine::evaluate_function: "


class PartTime(NamedTuple):
    """A part of a step."""

    part: str
    seconds: float
    """Of one step, at the mean."""
    share: float


def profile_step(
    step: Callable[[], object], model: nn.Module | None, device: torch.device, repeats: int = 5
) -> list[PartTime]:
    """The parts of a step, those that take longest first; their seconds add up to the step's.

    On a GPU they are the device's own, and ``the rest`` is when it waits. What the backward pass does is told by the
    operator of the forward pass that it belongs to. Measuring slows small steps.
    """
    step()
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if device.type == "cuda" else [])]
    with ExitStack() as stack:
        for place, part in PLACES:
            stack.enter_context(_scoped(place, part))
        stack.enter_context(_scoped_layers(model))
        recorded = stack.enter_context(profile(activities=activities))
        for _ in range(repeats):
            with record_function(_STEP):
                step()
                if device.type == "cuda":
                    torch.cuda.synchronize(device)
    events = list(recorded.events() or [])
    return _parts(events, repeats, on_device=device.type == "cuda")


@contextmanager
def _scoped(place: str, part: str) -> Iterator[None]:
    """Inside, calls of a function are recorded as a part."""
    module, _, path = place.partition(":")
    *outer, name = path.split(".")
    owner = functools.reduce(getattr, outer, importlib.import_module(module))
    function = getattr(owner, name)

    @functools.wraps(function)
    def recorded(*given: Any, **named: Any) -> Any:
        with record_function(_SCOPE + part):
            return function(*given, **named)

    setattr(owner, name, recorded)
    try:
        yield
    finally:
        setattr(owner, name, function)


@contextmanager
def _scoped_layers(model: nn.Module | None) -> Iterator[None]:
    """Inside, each linear layer is a part by its name, the softmax's that of the loss."""
    hooks, entered = [], []

    def begin(part: str) -> None:
        entered.append(record_function(_SCOPE + part))
        entered[-1].__enter__()  # type: ignore[no-untyped-call]

    for name, layer in model.named_modules() if model is not None else ():
        if isinstance(layer, nn.Linear):
            own = name.rpartition(".")[2]
            part = SOFTMAX if own == "softmax" else ATTENTION if "attention" in name else f"layer {own!r}"
            hooks.append(layer.register_forward_pre_hook(lambda *_, part=part: begin(part)))
            hooks.append(layer.register_forward_hook(lambda *_: entered.pop().__exit__(None, None, None)))
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _parts(events: Sequence[Any], repeats: int, *, on_device: bool) -> list[PartTime]:
    steps = [event for event in events if event.name == _STEP and str(event.device_type).endswith("CPU")]
    total = sum(_span(event) for event in steps)
    # Operators that need no gradient bear the number of the next one that does: the last one of each made the node.
    in_order = sorted(events, key=lambda event: event.time_range.start)
    forward = {event.sequence_nr: event for event in in_order if event.sequence_nr >= 0 and not _is_backward(event)}
    taken: dict[str, float] = defaultdict(float)
    roots = [*steps, *(event for event in events if event.cpu_parent is None and event.name.startswith(_BACKWARD))]
    for root in roots:
        _walk(root, None, forward, taken, on_device=on_device)
    unnamed = total - sum(taken.values())
    if unnamed > 0:
        taken[REST] += unnamed
    whole = sum(taken.values()) or 1.0
    found = [PartTime(part, seconds / repeats / 1e6, seconds / whole) for part, seconds in taken.items()]
    return sorted(found, key=lambda one: -one.seconds)


def _walk(event: Any, part: str | None, forward: dict[int, Any], taken: dict[str, float], *, on_device: bool) -> None:
    """Give an event's own time, without its children's, to the innermost part that it is in."""
    pending = [(event, part)]
    while pending:
        one, inherited = pending.pop()
        own = _part(one, inherited, forward)
        seconds = one.self_device_time_total if on_device else one.self_cpu_time_total
        if own is not None and seconds > 0:
            taken[own] += seconds
        pending += [(child, own) for child in one.cpu_children]


def _part(event: Any, inherited: str | None, forward: dict[int, Any]) -> str | None:
    name = event.name
    if name == _STEP:
        return None
    if name.startswith(_SCOPE):
        return str(name[len(_SCOPE) :])
    if name.startswith(_BACKWARD):
        return _backward_part(event, forward)
    if inherited == RECURRENCE and name == "aten::linear":  # of all steps at once, before the first
        return INPUTS
    return inherited or _by_name(name)


def _backward_part(event: Any, forward: dict[int, Any]) -> str:
    name = event.name[len(_BACKWARD) :]
    if name.endswith("AccumulateGrad"):
        return "gradients added up"
    of = None
    source = forward.get(event.sequence_nr)
    chain = []
    while source is not None and source.name != _STEP:
        chain.append(source)
        source = source.cpu_parent
    for one in reversed(chain):
        of = _part(one, of, forward)
    of = of or _by_name(name)
    return f"backward: {of}" if of else "backward: operators between the parts"


def _by_name(name: str) -> str | None:
    return next((part for pattern, part in _BY_NAME if pattern.search(name)), None)


def _is_backward(event: Any) -> bool:
    """Whether an event belongs to the backward pass: one of its parents, or itself, runs a node of the graph."""
    while event is not None:
        if event.name.startswith(_BACKWARD):
            return True
        event = event.cpu_parent
    return False


def _span(event: Any) -> float:
    return float(event.time_range.elapsed_us())
