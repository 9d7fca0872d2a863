"""Laws of caption scores; the outside oracle is pycocoevalcap's own pipeline, from raw captions to scores."""

from __future__ import annotations

import gc
import importlib.util
import math
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pycocoevalcap.bleu.bleu import Bleu
from pycocoevalcap.cider.cider import Cider
from pycocoevalcap.rouge.rouge import Rouge

from lstmdrop.errors import MissingPartError
from lstmdrop.metrics.captions import FEW_IMAGES, caption_scores, caption_segments, require_parts
from lstmdrop.metrics.java import JavaError, evaluation_folder, find_java
from lstmdrop.metrics.java_scores import MODELS, meteor_score

java = pytest.mark.skipif(find_java() is None, reason="no Java here: pycocoevalcap's own pipeline cannot run")

JAVAS_THAT_DO_NOT_RUN = {
    "echo Unable to locate a Java Runtime. >&2; exit 1": "Unable to locate a Java Runtime",
    "echo Picked up JAVA_TOOL_OPTIONS: x >&2; echo UnsupportedClassVersionError >&2; exit 1": "UnsupportedClassVersion",
    "sleep 30": "no answer within ",
    "echo something else": "",
    "kill -9 $$": "",
}
"""What a program of that name does, and what is said of it."""

NAMES = ["cider", "bleu4", "bleu1", "bleu2", "bleu3", "rouge_l"]
Corpus = tuple[list[str], list[list[str]]]


def make_corpus(num_images: int, seed: int = 0) -> Corpus:
    """Captions with what a tokeniser has to do; the hypotheses are some of the references' words."""
    choose = random.Random(seed)
    who = ["A dog", "Two men", "the dog's owner", 'A "red" car', "Mr. B.", "A man (or boy)", "Nobody"]
    does = ["runs", "isn't running", "jumps over a well-known wall", "cannot see", "plays, laughs;", "& waits"]
    where = ["in the snow.", "on the U.S. flag .", "at 5 p.m.", "by a café!", "in 1/2 a house", "...", "near letter B."]

    def line() -> str:
        return " ".join(map(choose.choice, (who, does, where)))

    references = [[line() for _ in range(choose.randint(1, 5))] for _ in range(num_images)]
    hypotheses = [choose.choice(some) if choose.random() < 0.3 else line().lower() for some in references]
    hypotheses[1] = ""
    return hypotheses, references


def values(hypotheses: list[str], references: list[list[str]], **options: bool) -> dict[str, float]:
    return {score.name: score.value for score in caption_scores(hypotheses, references, {}, **options)}


@pytest.fixture
def pycocoevalcaps(tmp_path: Path) -> Callable[[list[str], list[list[str]]], dict[str, float]]:
    """Its own pipeline; its tokeniser writes beside itself, and so it works in a copy."""
    folder = tmp_path / "tokenizer"
    shutil.copytree(evaluation_folder("tokenizer"), folder)
    spec = importlib.util.spec_from_file_location("copied_ptbtokenizer", folder / "ptbtokenizer.py")
    assert spec is not None
    assert spec.loader is not None
    module: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    def scores(hypotheses: list[str], references: list[list[str]]) -> dict[str, float]:
        sides = ([[line] for line in hypotheses], references)
        res, gts = (
            module.PTBTokenizer().tokenize({n: [{"caption": line} for line in some] for n, some in enumerate(side)})
            for side in sides
        )
        bleu, _ = Bleu(4).compute_score(gts, res, verbose=0)
        by_name = {f"bleu{order}": 100 * value for order, value in enumerate(bleu, start=1)}
        return by_name | {
            "cider": Cider().compute_score(gts, res)[0],
            "rouge_l": 100 * Rouge().compute_score(gts, res)[0],
        }

    return scores


@java
@pytest.mark.parametrize("seed", range(3))
def test_scores_are_pycocoevalcaps(pycocoevalcaps: Callable[..., dict[str, float]], seed: int) -> None:
    corpus = make_corpus(40, seed)
    ours = values(*corpus)
    assert list(ours) == NAMES
    assert ours == pytest.approx(pycocoevalcaps(*corpus), abs=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_segments_add_up_to_the_scores(name: str) -> None:
    hypotheses, references = make_corpus(30)
    segments = caption_segments()[name](hypotheses, references)
    assert len(segments.statistics) == 30
    assert segments.value == pytest.approx(values(hypotheses, references)[name], abs=1e-9)


def test_bleu_by_hand() -> None:
    scores = values(["a red dog cat", "two cats sit"], [["a red dog runs fast", "a b c d e f g"], ["two cats sit"]])
    penalty = math.exp(1 - 8 / 7)  # 7 words; the closest references have 5 and 3
    assert scores["bleu1"] == pytest.approx(100 * penalty * 6 / 7, rel=1e-6)
    assert scores["bleu2"] == pytest.approx(100 * penalty * (6 / 7 * 4 / 5) ** (1 / 2), rel=1e-6)
    assert scores["bleu3"] == pytest.approx(100 * penalty * (6 / 7 * 4 / 5 * 2 / 3) ** (1 / 3), rel=1e-6)


def test_a_reference_word_for_word_is_perfect() -> None:
    lines = ["A brown dog runs fast.", "Two cats sit still!", "Nobody is here today"]
    scores = values(lines, [[line.lower(), "something else"] for line in lines])
    assert scores["cider"] == pytest.approx(5)  # the mean over two references, one of them unlike
    for name in NAMES[1:]:
        assert scores[name] == pytest.approx(100)


def test_empty_captions_count_in_full() -> None:
    references = [["a dog runs fast"], ["two cats sit still"]]
    assert values(["", ""], references) == pytest.approx(dict.fromkeys(NAMES, 0), abs=1e-6)
    half = values(["a dog runs fast", ""], references)
    assert half["rouge_l"] == pytest.approx(50)
    assert half["cider"] == pytest.approx(5)


def test_the_signature_says_how_it_was_made(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    score = caption_scores(["a", "b"], [["a c"], ["b c", "b"]], {"split": "test", "beam": "5"})[0]
    assert score.signature.startswith("tokenizer:python|images:2|refs:1-2|split:test|beam:5|pycocoevalcap:")
    assert "|version:" in score.signature
    assert score.higher_is_better


def test_nothing_is_printed(capfd: pytest.CaptureFixture[str]) -> None:
    values(*make_corpus(FEW_IMAGES))
    assert capfd.readouterr() == ("", "")


def test_few_images_are_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    values(*make_corpus(FEW_IMAGES))
    assert caplog.messages == []
    values(*make_corpus(FEW_IMAGES - 1))
    assert caplog.messages == ["CIDEr of 99 images says little: score at least 100"]


@pytest.mark.parametrize(
    ("hypotheses", "references", "message"),
    [
        (["a dog"], [["a dog"]], "a single image"),
        ([], [], "0 captions"),
        (["a", "b"], [["a"]], "2 captions cannot be scored against the references of 1 images"),
        (["a", "b"], [["a"], []], "image 2 has no list of reference captions"),
        (["a", "b"], ["a dog", "b"], "image 1 has no list of reference captions"),
        (["a", "b"], [["."], [""]], "no words"),
    ],
)
def test_what_cannot_be_scored_is_refused(hypotheses: list[str], references: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        caption_scores(hypotheses, references, {})


@pytest.mark.parametrize("part", ["meteor", "spice"])
def test_without_java_optional_scores_say_what_is_missing(
    part: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingPartError, match=f"{part.upper()} needs Java"):
        values(*make_corpus(3), **{part: True})


@java
def test_stanfords_models_are_asked_for_and_never_downloaded() -> None:
    library = evaluation_folder("spice") / "lib"
    if all((library / model).is_file() for model in MODELS):
        pytest.skip("Stanford's models are here")
    before = sorted(library.iterdir())
    with pytest.raises(MissingPartError, match="SPICE needs stanford-corenlp"):
        require_parts(meteor=False, spice=True)
    assert sorted(library.iterdir()) == before


@pytest.mark.slow
@java
def test_meteor_is_pycocoevalcaps() -> None:
    """Its own class gives 0.22096764411220843 (each run reads 60 MB of paraphrases: one is enough)."""
    hypotheses = ["a dog runs on grass", "", "two men | play ball", "a child"]
    references = [
        ["a dog is running in the grass", "the brown dog"],
        ["a cat", "one cat"],
        ["men play football", "two people"],
        ["kids", "a small child sits"],
    ]
    assert values(hypotheses, references, meteor=True)["meteor"] == pytest.approx(22.096764411220843, abs=1e-6)


def test_a_meteor_that_stops_is_an_error_and_leaves_no_process(
    monkeypatch: pytest.MonkeyPatch, fake_java: Callable[[str], Path]
) -> None:
    fake_java("echo out of memory >&2")
    monkeypatch.setattr(
        "lstmdrop.metrics.java_scores.require_meteor", lambda: "java"
    )  # as if it had run when training began
    with pytest.raises(JavaError, match=r"METEOR gave no score: out of memory\n.*--resume"):
        meteor_score(["a dog"] * 50, [["a dog"]] * 50)
    gc.collect()  # a process that nobody waited for would be warned of here, and warnings are errors


@pytest.mark.parametrize(("program", "reason"), JAVAS_THAT_DO_NOT_RUN.items())
def test_a_java_that_does_not_run_is_a_missing_part_of_meteor(
    program: str, reason: str, fake_java: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lstmdrop.metrics.java.FIRST_ANSWER", 0.3)
    path = fake_java(program)
    with pytest.raises(MissingPartError, match=rf"METEOR needs Java, and {path} does not run it \(.*{reason}.*install"):
        require_parts(meteor=True, spice=False)


@pytest.mark.parametrize("references", [["", "a"], ["😀"], ["一只狗在跑"], ["एक कुत्ता"], ["...", "a dog"]])
@pytest.mark.parametrize("hypothesis", ["", "a", "😀", "一只狗", "!!!", "a dog runs"])
def test_unusual_captions_are_scored_as_they_are(hypothesis: str, references: list[str]) -> None:
    """Beside an image of two right words, so that something has words."""
    for name, value in values([hypothesis, "red ball"], [references, ["red ball"]]).items():
        assert math.isfinite(value), name
        assert 0 <= value <= (20 if name == "cider" else 100.01)
