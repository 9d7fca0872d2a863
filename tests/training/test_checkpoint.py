"""Laws of a checkpoint: what is read is what was written, or an error that names the file."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from lstmdrop.errors import DataError
from lstmdrop.training.checkpoint import Checkpoint, read_checkpoint, write_checkpoint

DTYPES = [
    torch.float64,
    torch.float32,
    torch.float16,
    torch.bfloat16,
    torch.int64,
    torch.int32,
    torch.uint8,
    torch.bool,
]


def example() -> Checkpoint:
    tensors = {f"part.{dtype}": torch.arange(6).reshape(2, 3).to(dtype) for dtype in DTYPES}
    tensors |= {"part.scalar": torch.tensor(1 / 3, dtype=torch.float64), "part.empty": torch.zeros(0, 3)}
    tensors |= {"other.turned": torch.arange(6.0).reshape(2, 3).T, "random.cpu": torch.get_rng_state()}
    return Checkpoint(tensors, {"step": 7, "best": None, "name": "né", "seconds": 0.1, "nested": {"list": [1, 2.5]}})


def test_round_trip_keeps_every_bit_shape_and_dtype(tmp_path: Path) -> None:
    written = example()
    write_checkpoint(tmp_path / "a.safetensors", written)
    read = read_checkpoint(tmp_path / "a.safetensors")
    assert read.values == written.values
    assert read.tensors.keys() == written.tensors.keys()
    for name, value in written.tensors.items():
        assert read.tensors[name].dtype == value.dtype
        assert read.tensors[name].shape == value.shape
        assert torch.equal(read.tensors[name], value), name


def test_tensors_are_read_into_memory_aligned_like_any_other(tmp_path: Path) -> None:
    """Products of the same numbers round differently where their alignment differs, and resuming would show."""
    for padding in range(4):  # the header's length moves what follows it
        tensors = {f"{number}": torch.arange(3.0) for number in range(5)}
        write_checkpoint(tmp_path / "a.safetensors", Checkpoint(tensors, {"pad": "x" * 8 * padding}))
        read = read_checkpoint(tmp_path / "a.safetensors")
        assert {value.data_ptr() % 64 for value in read.tensors.values()} == {torch.empty(3).data_ptr() % 64}


def test_values_that_are_not_finite_survive(tmp_path: Path) -> None:
    odd = torch.tensor([float("nan"), float("inf"), -0.0, 1e-45])
    write_checkpoint(tmp_path / "a.safetensors", Checkpoint({"odd": odd}))
    read = read_checkpoint(tmp_path / "a.safetensors").tensors["odd"]
    assert torch.equal(read.view(torch.int32), odd.view(torch.int32))


def test_a_part_is_what_stands_under_its_prefix() -> None:
    tensors = {"model.a": torch.zeros(1), "model.b.c": torch.ones(1), "models.a": torch.ones(1)}
    assert set(Checkpoint(tensors).part("model")) == {"a", "b.c"}


def test_a_file_cut_short_anywhere_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "cut.safetensors"
    write_checkpoint(path, Checkpoint({"a": torch.arange(50.0)}, {"step": 1}))
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(DataError, match=r"cut\.safetensors is damaged"):
            read_checkpoint(path)


def test_one_wrong_bit_anywhere_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "flipped.safetensors"
    written = Checkpoint(
        {"a": torch.arange(20.0), "b": torch.tensor([5], dtype=torch.uint8)}, {"step": 12, "best": "x"}
    )
    write_checkpoint(path, written)
    whole = path.read_bytes()
    undetected = []
    for position in range(len(whole)):
        flipped = bytearray(whole)
        flipped[position] ^= 1 << (position % 8)
        path.write_bytes(flipped)
        try:
            read = read_checkpoint(path)
        except DataError:
            continue
        undetected.append(position)
        assert dict(read.values) == written.values
        assert all(torch.equal(read.tensors[name], value) for name, value in written.tensors.items())
    assert len(undetected) < 100  # only where nothing is read: padding, and names of what is not asked for


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere\.safetensors does not exist"):
        read_checkpoint(tmp_path / "nowhere.safetensors")


def test_what_is_no_checkpoint_at_all_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "text.safetensors"
    path.write_text("this is a text and no checkpoint\n" * 10)
    with pytest.raises(DataError, match=r"text\.safetensors is damaged"):
        read_checkpoint(path)


def test_a_failed_write_leaves_the_old_file_whole_and_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    write_checkpoint(path, Checkpoint({"a": torch.ones(3)}, {"step": 1}))
    before = path.read_bytes()
    with pytest.raises(TypeError):
        write_checkpoint(path, Checkpoint({"a": torch.zeros(3)}, {"step": object()}))
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["a.safetensors"]


def test_a_tensor_with_two_names_comes_back_under_both(tmp_path: Path) -> None:
    shared = torch.arange(6.0)
    write_checkpoint(tmp_path / "tied.safetensors", Checkpoint({"embedding": shared, "softmax": shared}))
    found = read_checkpoint(tmp_path / "tied.safetensors").tensors
    assert torch.equal(found["embedding"], shared)
    assert torch.equal(found["softmax"], shared)
