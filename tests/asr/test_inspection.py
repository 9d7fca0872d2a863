"""What `data info` says of speech, and which size fits it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from lstmdrop.commands.data import describe_text
from lstmdrop.errors import ConfigError, DataError
from lstmdrop.plugin import load_plugin
from lstmdrop.settings import resolve_config
from lstmdrop_tasks.asr import inspection

Write = Callable[..., Path]


@pytest.fixture
def corpus(tmp_path: Path, write_tone: Write) -> Path:
    """Each thing that can look wrong, once."""
    entries = []
    for number in range(6):
        split = ("train", "train", "train", "valid", "test", "test")[number]
        write_tone(f"{number}.wav", 0.5, seed=number)
        entries.append({"audio": f"{number}.wav", "text": f"word {number}", "speaker": f"s{number}", "split": split})
    soundfile.write(tmp_path / "silent.wav", np.zeros(8000), 16000)
    soundfile.write(tmp_path / "clipped.wav", np.sign(np.sin(np.arange(8000) / 9)), 16000, subtype="FLOAT")
    write_tone("low.wav", 0.5, rate=8000, seed=7)
    (tmp_path / "again.wav").write_bytes((tmp_path / "0.wav").read_bytes())
    (tmp_path / "torn.wav").write_bytes(b"RIFF")
    more = [
        ("silent", "quiet", "train"), ("clipped", "loud", "train"), ("low", "a telephone", "train"),
        ("torn", "torn", "train"), ("again", "word 0", "test"), ("1.wav", "\u00df", "test"),
    ]  # fmt: skip
    entries += [
        {"audio": f"{name.removesuffix('.wav')}.wav", "id": f"{name}-{split}", "text": text, "split": split}
        for name, text, split in more
    ]
    entries.append({"audio": "2.wav", "id": "dense", "text": "more than can be said " * 3, "split": "train"})
    path = tmp_path / "all.jsonl"
    path.write_text("".join(f"{json.dumps(entry)}\n" for entry in entries), encoding="utf-8")
    return path


def test_each_thing_that_looks_wrong_has_a_line(corpus: Path) -> None:
    told = list(describe_text(corpus))
    assert told[0] == (
        "train: 8 utterances, 0.00 h, 3 speakers; 0.50 to 0.50 s long, half of them over 0.50; 26 words, 14 different"
    )
    rest = told[3:]
    for expected in (
        f"cannot be read: 1, such as {corpus}:10",
        "sample rates are mixed: 8000 Hz (1), 16000 Hz (11); the lowest is for all: --set features.sample_rate=8000",
        f"silent (nothing above -60 dB), of 12 that were looked at: 1, such as {corpus}:7",
        f"clipped (at full scale), of 12 that were looked at: 1, such as {corpus}:8",
        f"too much text for the sound (a step of 30 ms a letter is needed): 1, such as {corpus}:13",
        "train: the same sound as another: 1, such as dense and 2",
        "test: the same sound as in train: 2, such as again-test and 0",
        "test: 1 (25%) have a text that train has too, such as 'word 0'",
    ):
        assert expected in rest
    assert any(
        line.startswith("test: ") and "unknown to training, such as" in line and "'\u00df'" in line for line in rest
    )


def test_clean_speech_has_nothing_to_remark_on(tmp_path: Path, write_tone: Write) -> None:
    for split, number in (("train", 0), ("valid", 1), ("test", 2)):
        write_tone(f"{number}.wav", 1.0, seed=number)
        entry = {"audio": f"{number}.wav", "text": ("seven one", "one seven", "even so no")[number], "speaker": number}
        (tmp_path / f"{split}.jsonl").write_text(json.dumps(entry))
    told = list(describe_text(tmp_path))
    assert [line.split(":")[0] for line in told] == ["train", "valid", "test"]


def test_tables_of_other_tasks_are_not_taken_for_speech(tmp_path: Path) -> None:
    (tmp_path / "train.tsv").write_text("one\tun\ntwo\tdeux\n")
    assert next(iter(describe_text(tmp_path))).startswith(f"{tmp_path / 'train.tsv'}: 2 lines, 4 words")
    assert not inspection.is_speech(tmp_path / "train.tsv")


def test_damaged_speech_is_an_error_and_no_text(tmp_path: Path) -> None:
    (tmp_path / "train.jsonl").write_text('{"audio": "a.wav"}\n{"audio": "b.wav", "tekst": 1}\n')
    with pytest.raises(DataError, match=r"train.jsonl:2: unknown key 'tekst'"):
        list(describe_text(tmp_path))


@pytest.mark.parametrize(
    ("text", "objective", "many", "size"),
    [
        ("yes", "ctc", 1, "words"), ("yes", "ctc", 0, "words"), ("yes", "frames", 1, "small"),
        ("yes", "frames", 1e-4, "medium"), ("no {}", "ctc", 1, "small"),
    ],
)  # fmt: skip
def test_the_size_auto_follows_words_and_hours(
    tmp_path: Path, write_tone: Write, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture,
    text: str, objective: str, many: float, size: str,
) -> None:  # fmt: skip
    monkeypatch.setattr(inspection, "MANY_HOURS", many)
    write_tone("a.wav")
    lines = [json.dumps({"audio": "a.wav", "id": str(n), "text": text.format(n)}) + "\n" for n in range(40)]
    (tmp_path / "mine.jsonl").write_text("".join(lines))
    plugin, chosen = load_plugin("asr"), ["training.epochs=3", f"objective={objective}"]
    config = resolve_config(plugin, "auto", tmp_path / "mine.jsonl", overrides=chosen)
    assert config == resolve_config(plugin, size, tmp_path / "mine.jsonl", overrides=chosen)
    assert f"--size auto is {size}: " in caplog.text
    assert resolve_config(plugin, "auto", tmp_path / "mine.jsonl", stored=config.model_dump()) == config


def test_ready_made_features_are_not_played_at_other_speeds(toy_speech: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inspection, "OFTEN", 0)
    assert resolve_config(load_plugin("asr"), "auto", toy_speech).size == "small"


def test_a_task_without_a_rule_has_no_size_auto() -> None:
    with pytest.raises(ConfigError, match=r"lm has no size 'auto'; sizes: "):
        resolve_config(load_plugin("lm"), "auto", "demo")
