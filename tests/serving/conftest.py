from __future__ import annotations

import io
import json
import shutil
import wave
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("fastapi")

from starlette.testclient import TestClient

from lstmdrop.commands.serve import Serving, application


@pytest.fixture
def client(trained: Callable[[str], Path]) -> Iterator[Callable[..., TestClient]]:
    """A client of a server of the toy run of a task; settings are those of `Serving`."""
    with ExitStack() as stack:

        def make(*tasks: str, headers: dict[str, str] | None = None, **settings: Any) -> TestClient:
            app = application([trained(task) for task in tasks], replace(Serving(), **settings), device="cpu")
            found = TestClient(app, base_url="http://127.0.0.1:8000", headers=headers)
            return stack.enter_context(found)

        yield make


def sound_of(samples: np.ndarray[Any, Any], rate: int) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setparams((1, 2, rate, 0, "NONE", ""))
        sound.writeframes(samples.tobytes())
    return file.getvalue()


@pytest.fixture(scope="session")
def listener(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that reads sound in one direction, and has learnt nothing: so it writes something."""
    from tests.conftest import TOY_ASR

    from lstmdrop.commands.train import train

    folder = tmp_path_factory.mktemp("listener")
    rng = np.random.default_rng(0)
    for split in ("train", "valid", "test"):
        (folder / f"{split}.wav").write_bytes(sound_of((rng.standard_normal(8000) * 3000).astype("<i2"), 16000))
        line = json.dumps({"audio": f"{split}.wav", "text": "ab cd"})
        (folder / f"{split}.jsonl").write_text(line + "\n", encoding="utf-8")
    few = [*TOY_ASR, "training.epochs=1", "training.rate=1e-9", "model.bidirectional=false", "model.init_bound=2"]
    return train("asr", size="tiny", data=folder, overrides=[*few, "objective=ctc"], out=folder / "asr").directory


@pytest.fixture(scope="module")
def listening_browser() -> Iterator[Any]:
    """Headless Chromium as the system has it, with a microphone that beeps."""
    from tests.report.page.conftest import BROWSERS

    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    binary = next(filter(None, map(shutil.which, BROWSERS)), None)
    if binary is None:
        pytest.skip("there is no Chromium here (Debian: apt-get install chromium): the page is not tried")
    speaks = ["--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"]
    with sync_api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=binary, args=["--no-sandbox", *speaks])
        yield opened
        opened.close()
