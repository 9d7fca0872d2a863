"""The page in a real browser: each kind of service is tried, the microphone with a beep of the browser."""

from __future__ import annotations

import json
import runpy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lstmdrop.commands.predict import predict
from lstmdrop.commands.serve import Serving

pytestmark = pytest.mark.slow

running = runpy.run_path(str(Path(__file__).parents[2] / "tools" / "measure_serving.py"), run_name="tool")["running"]
TOKEN = "a-token-of-this-test"
SECONDS = 60_000
"""Milliseconds until a page must have shown something, on a machine that also does something else."""


@pytest.fixture
def opened(listening_browser: Any) -> Iterator[Callable[[str], Any]]:
    """Opens a page; whatever it complains of, or asks of others than its server, fails the test."""
    complaints: list[str] = []

    def open_one(address: str) -> Any:
        page = listening_browser.new_page(viewport={"width": 900, "height": 1300})
        page.on(
            "console", lambda message: None if "Failed to load" in message.text else complaints.append(message.text)
        )
        page.on("pageerror", lambda error: complaints.append(str(error)))
        own = (address, "blob:")
        page.on("request", lambda asked: None if asked.url.startswith(own) else complaints.append(asked.url))
        page.goto(address + "/")
        return page

    yield open_one
    assert complaints == []


def answered(panel: Any) -> dict[str, Any]:
    """What a panel was answered, once it was."""
    panel.locator("details").wait_for(state="visible", timeout=SECONDS)
    return dict(json.loads(panel.locator("pre").text_content()))


def test_texts_are_tried_with_a_token_and_word_by_word(trained: Callable[[str], Path], opened: Any) -> None:
    with running(trained("lm"), Serving(token=TOKEN)) as address:
        page = opened(address)
        page.get_by_label("Token").fill(TOKEN)
        page.get_by_role("button", name="Use it").click()
        panel = page.locator("#lm-complete")
        panel.get_by_label("Text", exact=True).fill("the cat")
        panel.get_by_label("length").fill("4")
        panel.get_by_role("button", name="complete, word by word").click()
        panel.get_by_role("button", name="complete", exact=True).click(timeout=SECONDS)
        (expected,) = predict("lm", runs=[trained("lm")], prompt="the cat", length=4)
        assert answered(panel)["text"] == expected["text"]
        panel.get_by_label("length").fill("0")
        panel.get_by_role("button", name="complete", exact=True).click()
        page.locator("#lm-complete output.wrong").wait_for(timeout=SECONDS)
        assert panel.locator("output").text_content().startswith("422: length: ")


def test_a_file_is_tried(trained: Callable[[str], Path], opened: Any, toy_captions: Path) -> None:
    image = toy_captions.parent / "test0.npy"
    with running(trained("caption"), Serving()) as address:
        panel = opened(address).locator("#caption-caption")
        panel.get_by_label("Image", exact=True).set_input_files(image)
        panel.get_by_role("button", name="caption", exact=True).click()
        (expected,) = predict("caption", runs=[trained("caption")], inputs=[image])
        assert answered(panel)["text"] == expected["text"]


def test_who_speaks_into_the_page_sees_what_is_understood(listener: Path, opened: Any) -> None:
    with running(listener, Serving()) as address:
        panel = opened(address).locator("#asr-transcribe")
        panel.get_by_role("button", name="speak").click()
        first = answered(panel)
        panel.get_by_role("button", name="stop").click(timeout=SECONDS)
        panel.get_by_role("button", name="speak").wait_for(timeout=SECONDS)
        last = answered(panel)
    assert (first["final"], last["final"]) == (False, True)
    assert last["seconds"] >= first["seconds"] > 0
