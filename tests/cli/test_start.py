"""What a use of a trained model imports: a shell waits for every module."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

NEVER = {
    "torch._dynamo", "torch._inductor", "sympy", "matplotlib", "onnx", "onnxruntime", "sacrebleu", "jiwer",
    "pycocoevalcap", "fastapi", "uvicorn", "plotext", "rich", "requests", "tensorboard", "loky", "pyarrow", "fsspec",
}  # fmt: skip
"""Of training, scoring, serving and drawing."""

CODE = """
import json, sys
from lstmdrop.cli import main
try:
    main(json.loads(sys.argv[1]))
except SystemExit as end:
    assert not end.code, end.code
print(json.dumps(sorted(sys.modules)), file=sys.stderr)
"""


@pytest.mark.slow
@pytest.mark.parametrize("task", ["lm", "mt", "asr", "caption"])
def test_a_model_is_used_without_what_only_others_need(
    task: str, trained: Callable[[str], Path], tmp_path: Path
) -> None:
    np.save(tmp_path / "features.npy", np.random.default_rng(0).standard_normal((40, 6)).astype(np.float32))
    np.save(tmp_path / "maps.npy", np.random.default_rng(0).standard_normal((4, 7)).astype(np.float32))
    given = {
        "lm": ["--length", "3"], "mt": ["--text", "one red house"], "asr": [str(tmp_path / "features.npy")],
        "caption": [str(tmp_path / "maps.npy")],
    }  # fmt: skip
    arguments = ["predict", task, "--run", str(trained(task)), *given[task]]
    ended = subprocess.run([sys.executable, "-c", CODE, json.dumps(arguments)], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr[-2000:]
    assert ended.stdout.endswith("\n")
    loaded = set(json.loads(ended.stderr.splitlines()[-1]))
    assert "torch" in loaded
    assert sorted(NEVER & loaded) == []
