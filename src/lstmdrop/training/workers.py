"""Workers that train one model together: who they are, and what they tell each other, by PyTorch's collectives."""

from __future__ import annotations

import pickle
import platform
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, NamedTuple, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from lstmdrop.data.batching import WHOLE, Share
from lstmdrop.errors import LstmdropError, UsageError
from lstmdrop.training.device import choose_device
from lstmdrop.training.launch import Launch, launched

ValueT = TypeVar("ValueT")

STEP_TIMEOUT = timedelta(minutes=10)
"""Of the sums of a step: a worker whose machine has gone without a word is missed after it."""

LONGEST_WAIT = timedelta(days=7)
"""While one worker prepares data or scores; one that ends is missed at once, however long it was to be waited for."""

LOOK_EVERY = 0.02
"""Seconds, in such a wait, after which signals are looked at."""


class WorkerLostError(LstmdropError):
    """Another worker has ended."""


class Wish(NamedTuple):
    """What a worker wants all to do after a step."""

    stop: bool = False
    save: bool = False


class Workers:
    """One that is alone: it has all data, waits for nobody, and what it wishes is done."""

    share = WHOLE

    def __init__(self, device: torch.device, restarts: int = 0) -> None:
        self.device = device
        self.restarts = restarts
        """How often all were started again since one was lost."""

    @property
    def count(self) -> int:
        """How many there are."""
        return self.share.num_workers

    @property
    def is_first(self) -> bool:
        """Whether this one has the run's directory and speaks for all."""
        return self.share.worker == 0

    def summed(self, tensors: Sequence[Tensor], numbers: Sequence[int]) -> tuple[list[Tensor], list[int]]:
        """Sums over all workers of tensors of one format, and of whole numbers, exactly; wishes travel along."""
        return list(tensors), list(numbers)

    def decided(self, wish: Wish) -> Wish:
        """What all do after this step; of several workers what any of them had wished before the last sum."""
        return wish

    def from_first(self, value: ValueT) -> ValueT:
        """The first worker's value, on all."""
        return value

    def gathered(self, value: ValueT) -> list[ValueT]:
        """Each worker's value, in their order."""
        return [value]

    def whole(self, parts: Mapping[str, Tensor], axis: int) -> dict[str, Tensor]:
        """Tensors of which each worker has its share along an axis, put together."""
        return dict(parts)

    def own(self, whole: Mapping[str, Tensor], axis: int) -> dict[str, Tensor]:
        """This worker's share of what `whole` put together, whatever the number of workers then."""
        return dict(whole)

    @contextmanager
    def together(self) -> Iterator[None]:
        """A block that ends when it has ended on all workers, with an error where it has failed on any.

        Raises:
            LstmdropError: it has; the first worker knows the reason.
        """
        yield

    def turns(self) -> Iterator[bool]:
        """For what all do and one of each machine does first, such as filling its cache: whether it is one's turn."""
        yield True


class LaunchedWorkers(Workers):
    """Those that a launcher has started: sums by NCCL between GPUs, else by gloo; all else by gloo."""

    def __init__(self, launch: Launch, device: torch.device) -> None:
        super().__init__(device, launch.restarts)
        self.share = Share(launch.rank, launch.world_size)
        self._launch = launch
        self._wish = self._decided = Wish()
        with _naming_a_loss():
            found, rank, size = next(dist.rendezvous("env://", timeout=STEP_TIMEOUT))  # type: ignore[attr-defined]
            # torchrun keeps one store for all its starts, where the addresses of workers that are gone are found too.
            prefix = f"lstmdrop/{launch.restarts}/{launch.world_size}"
            store = dist.PrefixStore(prefix, found)  # type: ignore[attr-defined]
            dist.init_process_group(
                "nccl" if device.type == "cuda" else "gloo",
                store=store, rank=rank, world_size=size, timeout=STEP_TIMEOUT,
            )  # fmt: skip
            self._talk: Any = dist.new_group(backend="gloo", timeout=LONGEST_WAIT)

    def summed(self, tensors: Sequence[Tensor], numbers: Sequence[int]) -> tuple[list[Tensor], list[int]]:
        """By one message of all tensors, and another of all numbers and wishes."""
        flat = torch.cat([tensor.reshape(-1) for tensor in tensors]) if tensors else torch.zeros(1, device=self.device)
        counts = torch.tensor([*numbers, *map(int, self._wish)])
        with _naming_a_loss():  # both on their way at once: a slow link is waited for once
            sums: list[Any] = [dist.all_reduce(flat, async_op=True)] if tensors else []
            sums.append(dist.all_reduce(counts, group=self._talk, async_op=True))
            for work in sums:
                work.wait()
        *totals, stop, save = counts.tolist()
        self._decided = Wish(bool(stop), bool(save))
        sizes = [tensor.numel() for tensor in tensors]
        parts = torch.split(flat, sizes) if tensors else ()
        return [part.view_as(tensor) for part, tensor in zip(parts, tensors, strict=True)], totals

    def decided(self, wish: Wish) -> Wish:
        """What the last sum brought, once; this wish goes with the next."""
        decided, self._decided = self._decided, Wish()
        self._wish = Wish(wish.stop, wish.save and not decided.save)
        return decided

    def from_first(self, value: ValueT) -> ValueT:
        """The others wait, however long it takes."""
        data = _bytes_of(value if self.is_first else None)
        size = torch.tensor([len(data)])
        self._wait(dist.broadcast(size, 0, group=self._talk, async_op=True))
        data = data if self.is_first else torch.empty(int(size), dtype=torch.uint8)
        self._wait(dist.broadcast(data, 0, group=self._talk, async_op=True))
        return value if self.is_first else _value_of(data)

    def gathered(self, value: ValueT) -> list[ValueT]:
        """All wait for the last."""
        data = _bytes_of(value)
        sizes = [torch.zeros(1, dtype=torch.int64) for _ in range(self.count)]
        self._wait(dist.all_gather(sizes, torch.tensor([len(data)]), group=self._talk, async_op=True))
        longest = max(int(size) for size in sizes)
        parts = [torch.empty(longest, dtype=torch.uint8) for _ in sizes]
        padded = torch.cat([data, data.new_zeros(longest - len(data))])
        self._wait(dist.all_gather(parts, padded, group=self._talk, async_op=True))
        return [_value_of(part[: int(size)]) for part, size in zip(parts, sizes, strict=True)]

    def whole(self, parts: Mapping[str, Tensor], axis: int) -> dict[str, Tensor]:
        """On the CPU, and on all workers."""
        gathered = self.gathered({name: part.cpu() for name, part in parts.items()})
        return {name: torch.cat([part[name] for part in gathered], axis) for name in parts}

    def own(self, whole: Mapping[str, Tensor], axis: int) -> dict[str, Tensor]:
        """Copies, in memory of their own."""
        return {name: self._own(value, axis) for name, value in whole.items()}

    def _own(self, value: Tensor, axis: int) -> Tensor:
        place = self.share.of(value.shape[axis])
        part = value.narrow(axis, place.start, place.stop - place.start)
        return part.clone(memory_format=torch.contiguous_format)

    @contextmanager
    def together(self) -> Iterator[None]:
        """The first worker has the reason, the others a `WorkerLostError`."""
        problem: tuple[str, int] | None = None
        try:
            yield
        except LstmdropError as error:
            where = "" if self.is_first else f"worker {self.share.worker} on {platform.node()}: "
            problem = f"{where}{error}", error.exit_code
        for found in self.gathered(problem):
            if found is not None and not self.is_first:
                raise WorkerLostError("the first worker tells what is wrong")
            if found is not None:
                told = LstmdropError(found[0])
                told.exit_code = found[1]
                raise told

    def turns(self) -> Iterator[bool]:
        """Of each machine its first worker, then its others."""
        for leads in (True, False):
            yield (self._launch.local_rank == 0) == leads

    def _wait(self, work: dist.Work | None) -> None:
        """As `Work.wait`, but a signal is not kept waiting."""
        with _naming_a_loss():
            while work is not None and not work.is_completed():
                time.sleep(LOOK_EVERY)
            if work is not None:
                work.wait()


@contextmanager
def joined(device: str) -> Iterator[Workers]:
    """The workers that this process is one of, and the device that is its own.

    Raises:
        UsageError: there is no such device, or not one for each worker of this machine.
    """
    launch = launched()
    if launch is None:
        yield Workers(choose_device(device))
        return
    own = _own_device(device, launch)
    if launch.world_size == 1:
        yield Workers(own, launch.restarts)
        return
    yield LaunchedWorkers(launch, own)
    dist.destroy_process_group()


def _own_device(name: str, launch: Launch) -> torch.device:
    device = choose_device(name)
    if device.type != "cuda":
        return device
    if device.index is not None and launch.world_size > 1:
        raise UsageError(f"--device {name}: each worker takes a GPU of its own; say --device cuda")
    number = launch.local_rank if device.index is None else device.index
    if number >= torch.cuda.device_count():
        raise UsageError(
            f"worker {launch.rank} has no GPU: {platform.node()} has {torch.cuda.device_count()}; start no more "
            "workers than that on it (--nproc-per-node), or compute on its CPU (--device cpu)"
        )
    torch.cuda.set_device(number)
    return torch.device("cuda", number)


@contextmanager
def _naming_a_loss() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        first_line = next(iter(str(error).splitlines()), "")
        reason = first_line.rpartition(".cc:")[2].partition("] ")[2].partition(". ")[0] or first_line
        raise WorkerLostError(
            f"a worker has ended, or cannot be reached ({reason})\ntraining goes on from its last checkpoint: by "
            "itself under torchrun --max-restarts, else with --resume"
        ) from error


def _bytes_of(value: object) -> Tensor:
    return torch.frombuffer(bytearray(pickle.dumps(value)), dtype=torch.uint8)


def _value_of(data: Tensor) -> Any:
    return pickle.loads(data.numpy().tobytes())
