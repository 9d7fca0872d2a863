"""Under 200 requests at once none is lost, and each gets the answer that predict gives."""

from __future__ import annotations

import runpy
from collections.abc import Callable
from itertools import product
from pathlib import Path

import pytest

from lstmdrop.commands.predict import predict

pytest.importorskip("uvicorn")

measure = runpy.run_path(str(Path(__file__).parents[2] / "tools" / "measure_serving.py"), run_name="tool")["measure"]

WORDS = ["one", "two", "red", "house", "cat", "sees", "sleeps"]
LINES = [" ".join(words) for length in (1, 2, 3) for words in product(WORDS, repeat=length)][:200]


@pytest.mark.slow
def test_two_hundred_translations_at_once(trained: Callable[[str], Path]) -> None:
    expected = [output["text"] for output in predict("mt", runs=[trained("mt")], inputs=LINES)]
    assert len(set(expected)) > 10
    found, answers = measure(trained("mt"), "translate", [{"text": line} for line in LINES], 32, 200)
    assert [answer["source"] for answer in answers] == LINES
    assert [answer["text"] for answer in answers] == expected
    assert 0 < found.p50 <= found.p95 <= 1000 * found.seconds


@pytest.mark.slow
def test_two_hundred_texts_go_on_at_once(trained: Callable[[str], Path]) -> None:
    prompts = [("the cat", "a dog", "nobody", "")[number % 4] for number in range(200)]
    bodies = [{"text": prompt, "length": 5, "seed": number // 40} for number, prompt in enumerate(prompts)]
    _, answers = measure(trained("lm"), "complete", bodies, 32, 200)
    known = {
        (prompt, seed): next(predict("lm", runs=[trained("lm")], prompt=prompt, length=5, seed=seed))["text"]
        for prompt in set(prompts)
        for seed in range(5)
    }
    assert [answer["text"] for answer in answers] == [known[body["text"], body["seed"]] for body in bodies]
