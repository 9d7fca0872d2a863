"""Every layout gives the utterances that are in it, on small files as they are published."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from lstmdrop.errors import DataError
from lstmdrop_tasks.asr.corpora.find import find_corpus
from lstmdrop_tasks.asr.corpora.splitting import hold_out
from lstmdrop_tasks.asr.corpora.utterance import SpeechCorpus, Utterance

Write = Callable[..., Path]


def texts(corpus: SpeechCorpus, split: str) -> dict[str, str | None]:
    return {utterance.id: utterance.text for utterance in corpus.splits[split]}  # type: ignore[index]


def speakers(corpus: SpeechCorpus, split: str) -> set[str | None]:
    return {utterance.speaker for utterance in corpus.splits[split]}  # type: ignore[index]


def write_kaldi(folder: Path, prefix: str, num_speakers: int) -> None:
    folder.mkdir(parents=True)
    names = [(f"{prefix}{s}-{n}", f"{prefix}{s}") for s in range(num_speakers) for n in range(2)]
    (folder / "wav.scp").write_text("".join(f"{name}\tWAVE/{name}.wav\n" for name, _ in names))
    (folder / "text").write_text("".join(f"{name}\tHELLO {name}\n" for name, _ in names))
    (folder / "utt2spk").write_text("".join(f"{name} {speaker}\n" for name, speaker in names))


def test_kaldi_folders(tmp_path: Path, write_tone: Write) -> None:
    root = tmp_path / "corpus"
    write_kaldi(root / "train", "a", 10)
    write_kaldi(root / "test", "b", 2)
    sound = write_tone("corpus/WAVE/a0-0.wav")
    corpus = find_corpus(str(root))
    assert texts(corpus, "test") == {f"b{s}-{n}": f"HELLO b{s}-{n}" for s in range(2) for n in range(2)}
    assert len(corpus.splits["train"]) + len(corpus.splits["valid"]) == 20
    assert speakers(corpus, "valid")
    assert not speakers(corpus, "train") & speakers(corpus, "valid")
    (found,) = [u for split in ("train", "valid") for u in corpus.splits[split] if u.id == "a0-0"]  # type: ignore[index]
    assert found.source == sound


def test_what_is_only_scored_needs_no_other_split(tmp_path: Path, write_tone: Write) -> None:
    write_kaldi(tmp_path / "test", "b", 20)
    sound = write_tone("WAVE/b0-0.wav")
    for folder, split in ((tmp_path, "test"), (tmp_path / "test", "test"), (tmp_path / "test", "valid")):
        corpus = find_corpus(str(folder), scored=[split])  # type: ignore[list-item]
        assert {split: len(own) for split, own in corpus.splits.items()} == {split: 40}
        assert [u.source for u in corpus.splits[split] if u.id == "b0-0"] == [sound]  # type: ignore[index]
    with pytest.raises(DataError, match="there is no valid utterance; there are test"):
        find_corpus(str(tmp_path), scored=["valid"])
    with pytest.raises(DataError, match="there is no training utterance; there are test"):
        find_corpus(str(tmp_path))


def test_ljspeech_is_scored_whole(tmp_path: Path, write_tone: Write) -> None:
    (tmp_path / "metadata.csv").write_text("".join(f"LJ{n:03}|Dr. {n}|Doctor {n}\n" for n in range(12)))
    for number in range(12):
        write_tone(f"wavs/LJ{number:03}.ogg", 0.05)
    assert len(find_corpus(str(tmp_path), scored=["test"]).splits["test"]) == 12


def test_kaldi_segments_and_ctm(tmp_path: Path) -> None:
    write_kaldi(tmp_path / "train", "a", 4)
    (tmp_path / "train" / "segments").write_text("".join(f"a{n}-0 a{n}-1 1.5 {n + 2}\n" for n in range(4)))
    (tmp_path / "train" / "text").write_text("a0-0 FIRST\n")
    (tmp_path / "train" / "ctm").write_text("")
    corpus = find_corpus(str(tmp_path))
    found = {u.id: u for split in corpus.splits.values() for u in split}
    assert found.keys() == {f"a{n}-0" for n in range(4)}
    first = found["a0-0"]
    assert (first.source.name, first.start, first.end, first.text) == ("a0-1.wav", 1.5, 2.0, "FIRST")
    assert first.alignment == tmp_path / "train" / "ctm"


@pytest.mark.parametrize(
    ("file", "content", "reason"),
    [
        ("wav.scp", "a sox a.wav -t wav - |\n", r"wav.scp:1: this recording is a command"),
        ("wav.scp", "a a.wav\na b.wav\n", r"wav.scp:2: a comes twice"),
        ("wav.scp", "a\n", r"wav.scp:1: nothing follows a"),
        ("text", "z HELLO\n", r"text: z is in no other file"),
        ("segments", "a0-0 a0-1 0\n", r"segments:1: "),
        ("segments", "a0-0 nowhere 0 1\n", r"segments: nowhere is not in wav.scp"),
    ],
)
def test_damaged_kaldi_folders_are_named_by_file_and_line(tmp_path: Path, file: str, content: str, reason: str) -> None:
    write_kaldi(tmp_path / "train", "a", 3)
    if file == "segments":
        (tmp_path / "train" / "text").write_text("a0-0 HELLO\n")
    (tmp_path / "train" / file).write_text(content)
    with pytest.raises(DataError, match=reason):
        find_corpus(str(tmp_path))


def test_librispeech(tmp_path: Path, write_tone: Write) -> None:
    for part, speaker in (("train-clean-100", 19), ("train-other-500", 20), ("dev-clean", 84), ("test-clean", 61)):
        name = f"{speaker}-198"
        write_tone(f"LibriSpeech/{part}/{speaker}/198/{name}-0000.flac")
        transcripts = tmp_path / "LibriSpeech" / part / str(speaker) / "198" / f"{name}.trans.txt"
        transcripts.write_text(f"{name}-0000 NORTHANGER ABBEY\n")
    corpus = find_corpus(str(tmp_path))
    assert texts(corpus, "train") == {"19-198-0000": "NORTHANGER ABBEY", "20-198-0000": "NORTHANGER ABBEY"}
    assert (speakers(corpus, "valid"), speakers(corpus, "test")) == ({"84"}, {"61"})
    transcripts.write_text("61-198-0001 LOST\n")
    with pytest.raises(DataError, match=r"61-198.trans.txt:1: there is no 61-198-0001.flac"):
        find_corpus(str(tmp_path))


def test_common_voice(tmp_path: Path) -> None:
    for name in ("train", "dev", "test"):
        rows = f'client_id\tpath\tsentence\tup_votes\n{name}1\t{name}.mp3\tHe said "hi".\t2\n'
        (tmp_path / f"{name}.tsv").write_text(rows)
    corpus = find_corpus(str(tmp_path))
    assert texts(corpus, "valid") == {"dev": 'He said "hi".'}
    assert corpus.splits["test"][0].source == tmp_path / "clips" / "test.mp3"
    (tmp_path / "train.tsv").write_text("client_id\tsentence\n")
    with pytest.raises(DataError, match=r"train.tsv:1: no column 'path'"):
        find_corpus(str(tmp_path))


def test_ljspeech_keeps_the_clips_that_are_there(tmp_path: Path, write_tone: Write) -> None:
    lines = [f"LJ{n:03}|Dr. {n}|Doctor {n}\n" for n in range(30)]
    (tmp_path / "metadata.csv").write_text("".join(lines))
    for number in range(20):
        write_tone(f"wavs/LJ{number:03}.ogg", 0.05)
    (tmp_path / "TextGrid").mkdir()
    (tmp_path / "TextGrid" / "LJ000.TextGrid").write_text("")
    corpus = find_corpus(str(tmp_path))
    together = {u.id: u for split in corpus.splits.values() for u in split}
    assert {split: len(own) for split, own in corpus.splits.items()} == {"train": 16, "valid": 2, "test": 2}
    assert together.keys() == {f"LJ{n:03}" for n in range(20)}
    assert together["LJ007"].text == "Doctor 7"
    assert [u.id for u in together.values() if u.alignment] == ["LJ000"]
    assert corpus.splits == find_corpus(str(tmp_path)).splits


def test_manifests_alone_are_dealt_out_by_speaker(tmp_path: Path) -> None:
    manifest = tmp_path / "all.jsonl"
    lines = [{"audio": f"{n}.wav", "text": "hi", "speaker": n % 12} for n in range(60)]
    manifest.write_text("".join(json.dumps(line) + "\n" for line in lines))
    corpus = find_corpus(str(manifest))
    sets = [speakers(corpus, split) for split in ("train", "valid", "test")]
    assert [len(own) for own in sets] == [10, 1, 1]
    assert len(set().union(*sets)) == 12
    assert corpus.splits["train"][0].source.parent == tmp_path


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{", "train.jsonl:2: "),
        ('{"text": "a"}', "train.jsonl:2: the line has no 'features'"),
        ('{"audio": "a.wav", "txt": "a"}', "train.jsonl:2: unknown key 'txt'"),
        ('{"audio": "0.wav"}', "train.jsonl: 1 ids come twice"),
    ],
)
def test_damaged_manifests_are_named_by_line(tmp_path: Path, line: str, reason: str) -> None:
    (tmp_path / "train.jsonl").write_text(f'{{"audio": "0.wav", "text": "a"}}\n{line}\n')
    with pytest.raises(DataError, match=reason):
        find_corpus(str(tmp_path))


def test_splits_that_share_a_speaker_are_refused(tmp_path: Path) -> None:
    for split in ("train", "test"):
        lines = [json.dumps({"audio": f"{split}{n}.wav", "text": "a", "speaker": f"s{n}"}) + "\n" for n in range(3)]
        (tmp_path / f"{split}.jsonl").write_text("".join(lines))
    with pytest.raises(DataError, match="train and test share speakers"):
        find_corpus(str(tmp_path))


def test_who_is_held_out_does_not_depend_on_who_else_is_not() -> None:
    utterances = [Utterance(f"u{n}", Path("a.wav"), speaker=f"s{n}") for n in range(100)]
    train, held_out = hold_out(utterances)
    assert len(held_out) == 10
    assert hold_out(list(reversed(utterances)))[1] == tuple(reversed(held_out))
    assert set(train) | set(held_out) == set(utterances)


def test_what_is_no_data_says_what_would_be(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"did you mean 'librispeech'"):
        find_corpus("librispech")
    with pytest.raises(DataError, match=r"no known layout is in this folder"):
        find_corpus(str(tmp_path))
