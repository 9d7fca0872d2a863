"""The switches of floating-point products follow the configuration, in training and in scoring."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
import torch

from lstmdrop.commands.bench import bench
from lstmdrop.commands.evaluate import evaluate
from lstmdrop.commands.predict import predict
from lstmdrop.commands.train import Finished, Started, train
from lstmdrop.config import TrainingConfig
from lstmdrop.errors import ConfigError
from lstmdrop.nn.kernel import Kernel
from lstmdrop.training.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from lstmdrop.training.device import reset_switches, set_switches, usable_kernels
from lstmdrop.training.progress import Event, Stepped


@pytest.fixture(autouse=True)
def switches() -> Iterator[None]:
    before = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    yield
    torch.set_float32_matmul_precision(before[0])
    torch.backends.cudnn.allow_tf32 = before[1]


@pytest.mark.parametrize(("precision", "products"), [("float32", "highest"), ("tf32", "high"), ("bf16", "highest")])
def test_a_run_is_trained_and_scored_in_its_precision(
    toy_corpus: Path,
    toy_settings: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    precision: str,
    products: str,
) -> None:
    found: list[tuple[str, bool]] = []

    def look(*_: object) -> None:
        found.append((torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32))

    torch.set_float32_matmul_precision("medium")
    torch.backends.cudnn.allow_tf32 = precision != "tf32"
    settings = [*toy_settings, f"training.precision={precision}"]
    run = train("lm", size="tiny", data=str(toy_corpus), overrides=settings, out=tmp_path / "run", listener=look)
    monkeypatch.setattr("lstmdrop_tasks.lm.evaluation.warn_of_unknown", look)
    evaluate("lm", runs=[run.directory], split="valid")
    assert len(found) > 10
    assert {*found[1:]} == {(products, precision == "tf32")}


@pytest.mark.parametrize("precision", ["float32", "bf16"])
@pytest.mark.parametrize("kernel", [kernel for kernel in get_args(Kernel) if kernel != "stacked"])
def test_a_kernel_by_name_trains_or_is_refused_in_one_line(
    build_lm: Callable[..., Any], toy_corpus: Path, toy_settings: list[str], tmp_path: Path, precision: str, kernel: str
) -> None:
    """Whatever this machine has: on another one other kernels are refused."""
    overrides = [f"training.kernel={kernel}", f"training.precision={precision}"]
    task = build_lm(*overrides)
    if kernel in usable_kernels(task.config.training, torch.device("cpu")):
        with pytest.raises(Reached):
            train("lm", size="tiny", data=str(toy_corpus), overrides=[*toy_settings, *overrides], out=tmp_path / "run",
                  device="cpu", listener=stop_after(1))  # fmt: skip
        return
    way_out = r"\A[^\n]*training.kernel = '" + kernel + r"' cannot run[^\n]* --set training.kernel=auto or [^\n]*\Z"
    with pytest.raises(ConfigError, match=way_out):
        train("lm", size="tiny", overrides=overrides, out=tmp_path / "run", device="cpu")
    assert not (tmp_path / "run").exists()
    with pytest.raises(ConfigError, match=way_out):
        next(bench("lm", sizes=["tiny"], overrides=overrides, device="cpu"))


def test_a_run_whose_kernel_cannot_run_here_goes_on_with_another_and_says_so_once(
    toy_corpus: Path, toy_settings: list[str], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    last = tmp_path / "run" / "last.safetensors"

    def go_on(step: int, save_minutes: int = 60, *, resume: bool = True) -> dict[str, Any]:
        with pytest.raises(Reached):
            train("lm", size="tiny", data=str(toy_corpus), out=tmp_path / "run", device="cpu", resume=resume,
                  overrides=[*toy_settings, f"training.save_minutes={save_minutes}"],
                  listener=stop_after(step))  # fmt: skip
        return dict(read_checkpoint(last).values)

    values = go_on(1, resume=False)
    elsewhere = dict.fromkeys(values["kernels"], "stack")  # as on a GPU
    write_checkpoint(last, Checkpoint(read_checkpoint(last).tensors, {**values, "kernels": elsewhere}))
    values = go_on(3, save_minutes=0)
    assert set(values["kernels"].values()) <= {"onednn", "native"}
    go_on(4)
    (said,) = [record.getMessage() for record in caplog.records if "kernel" in record.getMessage()]
    assert "the kernel stack, which cannot run on this machine: it goes on with another" in said


class Reached(Exception):  # noqa: N818 (no error)
    pass


def stop_after(step: int) -> Callable[[Event | Started | Finished], None]:
    def listen(event: Event | Started | Finished) -> None:
        if isinstance(event, Stepped) and event.step > step:
            raise Reached

    return listen


def test_training_flushes_denormals_which_slow_a_saturated_network() -> None:
    def smallest() -> float:
        return float(torch.tensor([1e-39]) * 1)

    reset_switches()
    assert smallest() > 0
    if not torch.set_flush_denormal(True):
        pytest.skip("this processor cannot flush denormals")
    reset_switches()
    set_switches(TrainingConfig())
    assert smallest() == 0
    reset_switches()
    assert smallest() > 0


@pytest.mark.parametrize("flushed", [True, False])
def test_a_process_has_its_switches_again_after_training_scoring_and_predicting(
    flushed: bool, trained: Callable[[str], Path], toys: dict[str, tuple[str, list[str]]], tmp_path: Path
) -> None:
    if not torch.set_flush_denormal(flushed) and flushed:
        pytest.skip("this processor cannot flush denormals")
    torch.set_float32_matmul_precision("high")
    run, (data, overrides) = trained("lm"), toys["lm"]

    def are_kept() -> bool:
        is_flushed = float(torch.tensor([1e-39]) * 1) == 0
        return is_flushed == flushed and torch.get_float32_matmul_precision() == "high"

    evaluate("lm", runs=[run])
    assert are_kept()
    assert len(list(predict("lm", runs=[run], length=2))) == 1
    assert are_kept()
    train("lm", size="tiny", data=data, overrides=[*overrides, "training.epochs=1"], out=tmp_path / "run")
    assert are_kept()
    with pytest.raises(ConfigError):
        train("lm", size="tiny", data=data, overrides=["training.rate=fast"], out=tmp_path / "other")
    assert are_kept()
