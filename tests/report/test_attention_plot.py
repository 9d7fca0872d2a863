"""A figure of where each token looked."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from lstmdrop.report.plots import attention_figure

pytest.importorskip("matplotlib")


def texts(svg: str) -> list[str]:
    return [element.text or "" for element in ElementTree.fromstring(svg).iter() if element.tag.endswith("text")]


def test_every_token_is_written_and_none_is_a_formula() -> None:
    figure = attention_figure(["costs", "$5$", "<eos>"], ["kostet", "_x^2"], [[0.1, 0.8, 0.1], [1.0, 0.0, 0.0]])
    assert texts(figure) == ["costs", "$5$", "<eos>", "kostet", "_x^2"]


def test_the_same_weights_give_the_same_bytes() -> None:
    first, again = (attention_figure(["a"], ["b"], [[0.5]]) for _ in range(2))
    assert first == again
    assert first != attention_figure(["a"], ["b"], [[0.6]]), "the shade is that of the weight, not of its share"


def test_more_tokens_have_more_room() -> None:
    def size(num_source: int, num_target: int) -> list[float]:
        figure = attention_figure(["a"] * num_source, ["b"] * num_target, [[0.5] * num_source] * num_target)
        found = re.search(r'width="([\d.]+)pt" height="([\d.]+)pt"', figure)
        assert found is not None
        return [float(side) for side in found.groups()]

    few, wide, high = size(2, 2), size(12, 2), size(2, 12)
    assert wide[0] - few[0] == pytest.approx(10 * 0.28 * 72, abs=0.1)
    assert high[1] - few[1] == pytest.approx(10 * 0.24 * 72, abs=0.1)
    assert wide[1] == few[1]
