from __future__ import annotations

import json
import re
from collections.abc import Callable
from html import escape
from pathlib import Path

import numpy as np
import pytest

from lstmdrop.commands.report import page, report
from lstmdrop.errors import DataError
from lstmdrop.report.page.data import as_script
from lstmdrop.report.page.examples import read_examples
from lstmdrop.report.page.grid import table_html
from lstmdrop.report.table import Column, Note, Table

HOSTILE = "</script><script>alert(1)</script>"


NOT_FINITE = json.dumps(
    {"text": "a", "source_tokens": ["a"], "hypotheses": [{"tokens": ["a"], "attention": [[np.nan]]}]}
)


def test_the_same_runs_give_the_same_bytes(run_folder: Path) -> None:
    assert page(report([run_folder])) == page(report([run_folder]))


def test_the_page_asks_nothing_of_the_network(run_folder: Path) -> None:
    text = page(report([run_folder]))
    assert "default-src 'none'" in text
    assert not re.findall(r"""<(?:script|link|img|iframe)[^>]*(?:src|href)=["'](?!data:)""", text)


def test_names_from_files_are_never_code(make_run: Callable[..., Path], tmp_path: Path) -> None:
    run = make_run(tmp_path / "runs/a", data=HOSTILE)
    (run / "examples.jsonl").write_text(json.dumps({"text": HOSTILE, "source": HOSTILE}) + "\n")
    text = page(report([tmp_path / "runs"]))
    assert HOSTILE not in text
    assert escape(HOSTILE) in text
    assert json.loads(as_script({"a": HOSTILE + "\u2028"})) == {"a": HOSTILE + "\u2028"}


def test_settings_that_are_not_finite_are_shown(make_run: Callable[..., Path], tmp_path: Path) -> None:
    run = make_run(tmp_path / "runs/a")
    config = json.loads((run / "config.json").read_text())
    config["training"]["clip"] = float("inf")
    (run / "config.json").write_text(json.dumps(config))
    assert '"training.clip":"inf"' in page(report([tmp_path / "runs"]))


def test_what_cannot_be_read_is_named_on_the_page(make_run: Callable[..., Path], tmp_path: Path) -> None:
    make_run(tmp_path / "runs/a")
    broken = make_run(tmp_path / "runs/b")
    (broken / "result.json").write_text("{")
    damaged = make_run(tmp_path / "runs/c", seed=2)
    (damaged / "examples.jsonl").write_text("nonsense\n")
    text = page(report([tmp_path / "runs"]))
    assert "b/result.json" in text
    assert "c/examples.jsonl, line 1: not what" in text


def test_without_data_only_the_models_own_words_are_shown(run_folder: Path) -> None:
    made = report([run_folder])
    assert "un chat rouge dort maintenant" in page(made)
    text = page(made, with_data=False)
    assert "un chat rouge voit" in text
    assert "dort" not in text
    assert "sleeps" not in text


def test_predictions_stand_beside_the_references_of_their_data(
    make_run: Callable[..., Path], tmp_path: Path, toy_pairs: Path
) -> None:
    run = make_run(tmp_path / "runs/a", task="mt", data=str(toy_pairs))
    config = {"task": "mt", "data": {"name": str(toy_pairs), "pair": "en-fr"}}
    (run / "config.json").write_text(json.dumps(config))
    references = (toy_pairs / "test.fr").read_text().splitlines()
    sources = (toy_pairs / "test.en").read_text().splitlines()
    (run / "predictions.txt").write_text("".join(f"{line} encore\n" for line in references))
    text = page(report([tmp_path / "runs"]))
    (run / "examples.jsonl").write_text('{"text": "of a run that was copied without its data"}\n')
    assert page(report([tmp_path / "runs"])) == text
    assert f'<span class="source">{sources[0]}</span>' in text
    assert f'{references[0]} <ins title="not in the reference">encore</ins>' in text


def test_pictures_are_inlined(make_run: Callable[..., Path], tmp_path: Path) -> None:
    run = make_run(tmp_path / "runs/a")
    picture = tmp_path / "photo.jpg"
    picture.write_bytes(b"\xff\xd8\xff\xe0picture")
    examples = [
        {"text": "a dog", "image": str(picture), "references": ["a dog", "one dog"]},
        {"text": "b", "image": "no"},
        {"text": "c", "image": str(tmp_path / "features.npy")},
    ]
    np.save(tmp_path / "features.npy", np.ones(3))
    (run / "examples.jsonl").write_text("".join(json.dumps(one) + "\n" for one in examples))
    text = page(report([tmp_path / "runs"]))
    assert 'alt="test image photo.jpg" loading="lazy" src="data:image/jpeg;base64,/9j/4HBpY3R1cmU="' in text
    assert text.count("base64") == 1
    assert '<span class="image">no</span>' in text
    assert '<span class="image">features.npy</span>' in text
    assert "base64" not in page(report([tmp_path / "runs"]), with_data=False)


@pytest.mark.parametrize("line", ["nonsense", "[]", '{"source": "a"}', '{"text": "a", "hypotheses": []}', NOT_FINITE, *(
    f'{{"text": {value}}}' for value in ("5", "null", "true", "[]", "{}")), *(
    f'{{"text": "a", "{key}": {value}}}' for key in ("references", "source_tokens", "hypotheses", "image", "source")
    for value in ("5", '{"a": 1}', "[5]", "true"))])  # fmt: skip
def test_a_line_that_is_no_example_is_named(tmp_path: Path, line: str) -> None:
    (tmp_path / "examples.jsonl").write_text('{"text": "good"}\n' + line + "\n")
    with pytest.raises(DataError, match=r"examples\.jsonl, line 2: not what 'lstmdrop predict --json' prints"):
        read_examples(tmp_path, 8)


def test_a_table_keeps_exact_values_for_sorting_and_its_signatures() -> None:
    columns = (Column("rule", is_text=True), Column("test"), Column("hidden", is_text=True, for_programs=True))
    html = table_html(Table("T & U", columns, (("a<b", 82.678, "x"), ("c", None, "x")), (Note("how:", "tokens:1"),)))
    assert '<td class="number" data-value="82.678">82.68</td>' in html
    assert '<td class="number" data-value="">-</td>' in html
    assert "a&lt;b" in html
    assert "<caption>T &amp; U</caption>" in html
    assert '<th scope="row" class="text" data-value="a&lt;b">a&lt;b</th>' in html, "the column that stays"
    assert "<li>how: <code>tokens:1</code></li>" in html
    assert "hidden" not in html
