"""Laws of translating lines."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from threading import Event
from typing import Any

import pytest
import torch
from pydantic import ValidationError

from lstmdrop.decoding.beam import BeamSettings
from lstmdrop.errors import DataError, UsageError
from lstmdrop_tasks.mt.config import MTPrediction
from lstmdrop_tasks.mt.pairs import pad_pairs
from lstmdrop_tasks.mt.predict import predict
from lstmdrop_tasks.mt.translate import LONGEST_WITH_ATTENTION, _batches, require_one_vocabulary, translate

LINES = ["one red house", "", "cat", "two " * 60, "a word that nobody knows", "cat sees house"]
Build = Callable[..., Any]
ARCHITECTURES = pytest.mark.parametrize("architecture", ["attention", "sequence", "stream"])


@ARCHITECTURES
def test_the_result_depends_on_neither_batch_size_nor_order(build_mt: Build, architecture: str) -> None:
    task = build_mt(f"model.architecture={architecture}")
    task.model.double().eval()
    settings = BeamSettings(beam_size=3, num_best=2)
    expected = translate([task], LINES, settings, batch_size=1)
    assert [hypotheses[0].tokens for hypotheses in translate([task], LINES, settings, batch_size=4)] == [
        hypotheses[0].tokens for hypotheses in expected
    ]
    backwards = translate([task], LINES[::-1], settings, batch_size=6)[::-1]
    for one, other in zip(expected, backwards, strict=True):
        assert [hypothesis.tokens for hypothesis in one] == [hypothesis.tokens for hypothesis in other]


@ARCHITECTURES
def test_entries_of_the_n_best_list_score_the_same_by_teacher_forcing(build_mt: Build, architecture: str) -> None:
    task = build_mt(f"model.architecture={architecture}", "training.label_smoothing=0")
    task.model.double().eval()
    with torch.no_grad():
        task.model.decoder.softmax.bias[task.tokenizers.target.eos] += 2.0  # or few random hypotheses would end
    (hypotheses,) = translate([task], ["one red house"], BeamSettings(beam_size=4, num_best=4), batch_size=1)
    source = torch.tensor([*task.tokenizers.source.encode("one red house"), task.tokenizers.source.eos]).numpy()
    finished = [hypothesis for hypothesis in hypotheses if hypothesis.finished]
    assert finished
    for hypothesis in finished:
        target = torch.tensor([*hypothesis.tokens, task.tokenizers.target.eos]).numpy()
        loss = task.objective()(pad_pairs([0], [source], [target], task.device)).total
        assert -float(loss.detach()) == pytest.approx(hypothesis.log_prob, abs=1e-6)


@pytest.mark.slow
def test_a_translation_always_comes_back(build_mt: Build) -> None:
    outputs = list(predict([build_mt()], ["", "word " * 2000, "cat"], MTPrediction(beam_size=2)))
    assert len(outputs) == 3
    assert all(isinstance(output["text"], str) and "\n" not in output["text"] for output in outputs)


def test_output_is_json_with_the_n_best(build_mt: Build) -> None:
    (output,) = predict([build_mt()], ["one red house"], MTPrediction(num_best=3))
    again = json.loads(json.dumps(output))
    assert again["source"] == "one red house"
    assert again["text"] == again["hypotheses"][0]["text"]
    ranks = [(hypothesis["finished"], hypothesis["score"]) for hypothesis in again["hypotheses"]]
    assert len(ranks) == 3
    assert ranks == sorted(ranks, reverse=True)


def test_a_line_is_answered_before_the_next_one_has_come(build_mt: Build) -> None:
    answered = Event()

    def lines() -> Any:
        for _ in range(6):
            yield "cat"
            assert answered.wait(60)
            answered.clear()

    outputs = predict([build_mt()], lines(), MTPrediction(batch_size=32, beam_size=1))
    for _ in range(6):
        next(outputs)
        answered.set()
    assert list(outputs) == []


def test_what_comes_before_a_broken_line_is_translated(build_mt: Build) -> None:
    def lines() -> Any:
        yield "cat"
        raise DataError("line 2 is broken")

    outputs = predict([build_mt()], lines(), MTPrediction(beam_size=1))
    assert next(outputs)["source"] == "cat"
    with pytest.raises(DataError, match="line 2 is broken"):
        next(outputs)


def test_alignments_are_those_of_the_sentence_when_it_is_read_backwards(build_mt: Build) -> None:
    forwards, backwards = build_mt(), build_mt("model.reverse_source=true")
    backwards.model.load_state_dict(forwards.model.state_dict())
    (one,) = predict([forwards], ["one two red house cat"], MTPrediction(beam_size=1))
    (other,) = predict([backwards], ["cat house red two one"], MTPrediction(beam_size=1))
    assert one["text"] == other["text"]
    for row, mirrored in zip(one["hypotheses"][0]["attention"], other["hypotheses"][0]["attention"], strict=True):
        assert row == [*mirrored[-2::-1], mirrored[-1]]  # <eos> stays at the end


@pytest.mark.slow
def test_a_line_too_long_for_attention_is_translated_without_and_costs_no_other_its_own(build_mt: Build) -> None:
    task = build_mt()
    short, long = predict([task], ["cat", "cat " * LONGEST_WITH_ATTENTION], MTPrediction(beam_size=2))
    assert short["hypotheses"][0]["alignment"] is not None
    assert long["hypotheses"][0]["alignment"] is None
    assert long["hypotheses"][0]["tokens"]


def test_lines_that_are_searched_together_have_a_bound_of_tokens() -> None:
    batches = list(_batches([10] * 5 + [600] * 100 + [2000] * 2, batch_size=64))
    assert sorted(number for batch in batches for number in batch) == list(range(107))
    assert [len(batch) for batch in batches] == [1, 1, 27, 27, 27, 24]


@pytest.mark.parametrize("option", ["length_penalty", "coverage_penalty", "temperature"])
def test_infinite_settings_are_refused(option: str) -> None:
    with pytest.raises(ValidationError):
        MTPrediction(**{option: float("inf")})


def test_unknown_words_are_never_written(build_mt: Build) -> None:
    task = build_mt()
    with torch.no_grad():
        task.model.decoder.softmax.bias[task.tokenizers.target.unk] = 50.0
    for options in (MTPrediction(), MTPrediction(beam_size=1), MTPrediction(sample=True)):
        (output,) = predict([task], ["one red house"], options)
        assert "<unk>" not in output["hypotheses"][0]["tokens"]
        assert "unk" not in output["text"]


def test_models_of_different_vocabularies_cannot_translate_as_one(build_mt: Build) -> None:
    with pytest.raises(UsageError, match="different vocabularies"):
        translate([build_mt(), build_mt("data.vocabulary_size=5")], ["cat"], BeamSettings(), 2)


@pytest.mark.parametrize("sample", [False, True])
def test_a_blank_line_gives_a_blank_line(build_mt: Build, sample: bool) -> None:
    outputs = list(predict([build_mt()], ["cat", "", " \t", "house"], MTPrediction(sample=sample, num_best=2)))
    assert [output["source"] for output in outputs] == ["cat", "", " \t", "house"]
    assert [output["text"] for output in outputs[1:3]] == ["", ""]
    assert outputs[1]["hypotheses"][0]["tokens"] == ["<eos>"]
    json.dumps(outputs)


def test_many_cut_translations_are_said_at_the_end(build_mt: Build, caplog: pytest.LogCaptureFixture) -> None:
    task = build_mt()
    with torch.no_grad():
        task.model.decoder.softmax.bias[task.tokenizers.target.eos] = -50.0
    short, long = (
        next(iter(predict([task], ["cat"], MTPrediction(max_length_ratio=ratio))))["hypotheses"][0]["tokens"]
        for ratio in (0, 3)
    )
    assert (len(short), len(long)) == (10, 16)
    list(predict([task], ["cat", "", "house"], MTPrediction()))
    assert "2 of 3 translations were cut at the longest length (--max-length-ratio 2)" in caplog.text


def test_models_of_other_languages_cannot_translate_as_one(build_mt: Build, toy_pairs: Path, tmp_path: Path) -> None:
    there, back = build_mt("data.joint=true"), build_mt("data.joint=true", "data.pair=fr-en")
    with pytest.raises(UsageError, match="these runs translate en-fr and fr-en: they cannot translate as one"):
        next(iter(predict([there, back], ["cat"], MTPrediction())))
    with pytest.raises(UsageError, match="en-fr and fr-en"):
        require_one_vocabulary([there, back])
    for split in ("train", "valid", "test"):
        sides = [(toy_pairs / f"{split}.{code}").read_text().splitlines() for code in ("en", "fr")]
        table = "".join(f"{source}\t{target}\n" for source, target in zip(*sides, strict=True))
        (tmp_path / f"{split}.tsv").write_text(table)
    joint = ("data.joint=true", "data.pair=null")
    nameless = [build_mt(*joint, f"data.columns={columns}", data=tmp_path) for columns in ("1,2", "2,1")]
    with pytest.raises(UsageError, match="in opposite order"):
        require_one_vocabulary(nameless)
    require_one_vocabulary([nameless[0], there])


def test_drawn_translations_depend_on_the_seed_and_not_on_the_batches(build_mt: Build) -> None:
    task = build_mt()

    def draw(**options: Any) -> list[list[str]]:
        found = predict([task], LINES, MTPrediction(sample=True, num_best=2, **options))
        return [[hypothesis["text"] for hypothesis in output["hypotheses"]] for output in found]

    assert draw(seed=4) == draw(seed=4, batch_size=2)
    assert draw(seed=4) != draw(seed=5)
    assert all(len(texts) == 2 for texts in draw())


def test_the_attention_of_one_line_is_drawn(build_mt: Build, tmp_path: Path) -> None:
    picture = tmp_path / "out.svg"
    (output,) = predict([build_mt()], ["one red house"], MTPrediction(attention=picture))
    drawing = picture.read_text(encoding="utf-8")
    assert all(f">{word}</text>" in drawing for word in ("one", "red", "house"))
    best = output["hypotheses"][0]
    assert [max(range(len(row)), key=row.__getitem__) for row in best["attention"]] == best["alignment"]
    assert [sum(row) for row in best["attention"]] == pytest.approx([1.0] * len(best["tokens"]), abs=1e-3)
    assert len(best["alignment"]) == len(best["tokens"])
    assert set(best["alignment"]) <= set(range(len(output["source_tokens"])))


@pytest.mark.parametrize(
    ("settings", "lines"), [((), ["one", "two"]), (("model.architecture=stream",), ["one"]), ((), [" "])]
)
def test_attention_that_cannot_be_drawn_is_an_error(
    build_mt: Build, tmp_path: Path, settings: tuple[str, ...], lines: list[str]
) -> None:
    with pytest.raises(UsageError, match=r"one line; 2 came|no attention|the line is blank"):
        list(predict([build_mt(*settings)], lines, MTPrediction(attention=tmp_path / "out.svg")))


def test_a_picture_under_another_name_than_an_svgs_is_refused() -> None:
    with pytest.raises(ValidationError, match=r"the picture is an SVG: name it out\.svg"):
        MTPrediction(attention=Path("out.png"))


def test_a_line_in_another_unicode_form_than_the_training_text_is_said_once(
    build_mt: Build, toy_pairs: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    data = tmp_path / "accents"
    shutil.copytree(toy_pairs, data)
    for path in data.glob("*.*"):
        path.write_text(path.read_text().replace("house", "caf\u00e9"), encoding="utf-8")
    lines = ["one red caf\u00e9", "one red cafe\u0301", "cafe\u0301"]
    for options in (MTPrediction(), MTPrediction(batch_size=1)):
        caplog.clear()
        list(predict([build_mt(data=data)], lines, options))
        (told,) = [record.getMessage() for record in caplog.records if "code points" in record.getMessage()]
        assert told.startswith("line 2: 'e\u0301' (U+0065 U+0301) is '\u00e9' (U+00E9) in the training text")
