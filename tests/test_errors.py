"""Laws of parts that are missing or broken: one line, exit code 5."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from lstmdrop.errors import LstmdropError, MissingPartError, loading


def require_timm() -> None:
    from lstmdrop_tasks.caption.config import ImageConfig
    from lstmdrop_tasks.caption.images.encoder import load_encoder

    load_encoder(ImageConfig(encoder="timm:resnet18"), torch.device("cpu"))


def require_lite0() -> None:
    from lstmdrop_tasks.caption.config import ImageConfig
    from lstmdrop_tasks.caption.images.encoder import load_encoder

    load_encoder(ImageConfig(), torch.device("cpu"))


def require_onnx() -> None:
    from lstmdrop.graphs.onnx_file import require_onnx

    require_onnx()


def require_matplotlib() -> None:
    from lstmdrop.report.plots import require_matplotlib

    require_matplotlib()


def require_tensorboard() -> None:
    from lstmdrop.training.tensorboard import TensorBoardLog

    TensorBoardLog()


def imports(module: str) -> Callable[[], Any]:
    return lambda: importlib.import_module(module)


PARTS: dict[str, tuple[Callable[[], Any], list[str]]] = {
    "timm": (require_timm, []),
    "efficientnet_lite_pytorch": (require_lite0, []),
    "onnx": (require_onnx, []),
    "onnxscript": (require_onnx, []),
    "onnxruntime": (require_onnx, []),
    "matplotlib": (require_matplotlib, ["matplotlib.figure"]),
    "tensorboard": (require_tensorboard, ["torch.utils.tensorboard"]),
    "soundfile": (imports("lstmdrop_tasks.asr.audio.reading"), ["lstmdrop_tasks.asr.audio.reading"]),
    "sentencepiece": (
        imports("lstmdrop.data.tokenizers.subwords"), ["lstmdrop.data.tokenizers.subwords"]
    ),
}  # fmt: skip
"""By package: what needs it, and which modules it is imported by."""

FAILURES = [
    'RuntimeError("operator torchvision::nms does not exist\\nmore")',
    'OSError("sndfile library not found using ctypes.util.find_library")',
    'ImportError("libGL.so.1: cannot open shared object file")',
    'AttributeError("_ARRAY_API not found")',
    'TypeError("Descriptors cannot be created directly.")',
]


@pytest.fixture
def broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Puts a package that fails when it is imported before the real one."""

    def place(package: str, failure: str) -> None:
        (tmp_path / f"{package}.py").write_text(f"raise {failure}\n", encoding="utf-8")
        monkeypatch.syspath_prepend(tmp_path)
        known = [package, *(name for name in sys.modules if name.startswith(f"{package}."))]
        for module in [*known, *PARTS[package][1]]:
            monkeypatch.delitem(sys.modules, module, raising=False)

    return place


@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize("package", PARTS)
def test_a_part_that_does_not_load_is_one_plain_refusal(
    package: str, failure: str, broken: Callable[[str, str], None]
) -> None:
    broken(package, failure)
    with pytest.raises(MissingPartError, match=r"which is here but does not load \(\w+Error: [^\n]*\)\npip install"):
        PARTS[package][0]()


@pytest.mark.parametrize("package", PARTS)
def test_a_part_that_is_missing_is_named_with_the_line_that_installs_it(
    package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in PARTS[package][1]:
        monkeypatch.delitem(sys.modules, module, raising=False)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingPartError, match=r"need[^\n]*: pip install \S") as caught:
        PARTS[package][0]()
    assert caught.value.exit_code == 5


def test_what_is_raised_for_the_user_stays_what_it_is() -> None:
    with pytest.raises(LstmdropError, match=r"^plain$"), loading("a", "b"):
        raise LstmdropError("plain")
