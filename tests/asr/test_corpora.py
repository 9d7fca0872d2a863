"""Every layout gives the utterances that are in it, on small files as they are published."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from lstmdrop.commands.data import describe_text
from lstmdrop.errors import DataError
from lstmdrop_tasks.asr.audio.extraction import content_of
from lstmdrop_tasks.asr.corpora.find import find_corpus
from lstmdrop_tasks.asr.corpora.kaldi import read_data_folder
from lstmdrop_tasks.asr.corpora.own import read_manifest
from lstmdrop_tasks.asr.corpora.utterances import SpeechCorpus, Utterance, hold_out, oddities
from lstmdrop_tasks.asr.recordings import usable

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


@pytest.mark.parametrize("num_clips", [1, 2])
def test_too_few_clips_to_hold_some_out_are_refused(tmp_path: Path, write_tone: Write, num_clips: int) -> None:
    (tmp_path / "metadata.csv").write_text("".join(f"LJ{n}|one|one\n" for n in range(num_clips)))
    for number in range(num_clips):
        write_tone(f"wavs/LJ{number}.wav", 0.05)
    with pytest.raises(DataError, match=f"{num_clips} clips are too few to hold some out"):
        find_corpus(str(tmp_path))


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
        (
            "wav.scp",
            "a sox a.wav -t wav - |\n",
            r"wav.scp:1: this recording is .* of a command, .*--allow-commands",
        ),
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
        (
            '{"audio": "a.wav", "tekst": "a"}',
            "train.jsonl:2: unknown key 'tekst'; did you mean 'text'.; known are ",
        ),
        ('{"audio": "0.wav"}', "train.jsonl: 1 ids come twice, such as '0' .*train.jsonl:2"),
        ('{"audio": "1.wav", "text": ["a"]}', "train.jsonl:2: 'text' is .*, and needs to be a string"),
        ('{"audio": "1.wav", "text": {"a": 1}}', "train.jsonl:2: 'text' is "),
        ('{"audio": "1.wav", "text": true}', "train.jsonl:2: 'text' is true"),
        (r'{"audio": "1.wav", "text": "\ud800"}', "train.jsonl:2: 'text' is "),
        ('{"audio": 1.5}[', "train.jsonl:2: not JSON"),
        ('{"audio": ["1.wav"]}', "train.jsonl:2: 'audio' is "),
        ('{"audio": ""}', "train.jsonl:2: the line has no 'features'"),
        ('{"audio": "1.wav", "speaker": {}}', "train.jsonl:2: 'speaker' is "),
        ('{"audio": "1.wav", "alignment": 5.5, "id": []}', "train.jsonl:2: 'id' is "),
        (
            '{"audio": "1.wav", "start": "1.5"}',
            "train.jsonl:2: 'start' is \"1.5\", and needs to be a number of seconds",
        ),
        ('{"audio": "1.wav", "end": false}', "train.jsonl:2: 'end' is false"),
        ('{"audio": "1.wav", "duration": "1 s"}', "train.jsonl:2: 'duration' is \"1 s\""),
        ('{"audio": "1.wav", "channel": 0.5}', "train.jsonl:2: 'channel' is 0.5"),
        ('{"audio": "1.wav", "wav": "1.wav"}', "train.jsonl:2: 'audio' and 'wav' are the same"),
        ('{"audio": "1.wav", "split": "tset"}', "train.jsonl:2: 'split' is \"tset\": write train, valid or test"),
        ('{"audio": "1.wav", "split": "dev"}', "train.jsonl:2: the line is of valid, and the file of train"),
        ('{"audio": "1.wav", "text": "a", "text": "b"}', "train.jsonl:2: the key 'text' comes twice"),
        ('["1.wav", "a"]', "train.jsonl:2: a line is an object"),
        ("5", "train.jsonl:2: a line is an object"),
        ("[" * 100_000, "train.jsonl:2: "),
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


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("5", "5"), ("5.10", "5.10"), ("-0", "0"), ('"5"', "5"), ('""', ""), ("null", None), ("NaN", None),
        ("12345678901234567890123", "12345678901234567890123"),
    ],
)  # fmt: skip
def test_a_number_is_a_transcript_and_nothing_is_none(tmp_path: Path, value: str, text: str | None) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(f'{{"audio": "a.wav", "text": {value}}}\n')
    assert read_manifest(path)[0].text == text


@pytest.mark.parametrize("form", ["manifest", "kaldi"])
def test_what_has_no_text_is_said_and_neither_trained_on_nor_scored(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, form: str
) -> None:
    if form == "kaldi":
        folder = tmp_path / "data"
        write_kaldi(folder, "a", 3)
        (folder / "text").write_text("a0-0 HELLO\na0-1 \na1-1 X\na2-0 X\na2-1 X\n")
        where, name = f"{folder / 'wav.scp'}:3", "a1-0"
        corpus = find_corpus(str(folder), scored=["test"])
    else:
        lines = [{"audio": f"{n}.wav", "text": "a"} for n in range(5)]
        lines.insert(2, {"audio": "none.wav"})
        (tmp_path / "a.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        where, name = f"{tmp_path / 'a.jsonl'}:3", "none"
        corpus = find_corpus(str(tmp_path / "a.jsonl"), scored=["test"])
    kept = usable(corpus, "ctc")
    assert len(kept.splits["test"]) == 5
    assert kept.left_out == {"test": {name: f"{where}: {name}: it has no text"}}
    assert f"left out of test: {where}: {name}: it has no text" in caplog.text
    assert "1 of 6 test utterances are left out" in caplog.text
    assert len(usable(corpus, "frames").splits["test"]) == 6  # which needs none
    nothing = SpeechCorpus("a", {"test": tuple(replace(u, text=None) for u in corpus.splits["test"])})
    with pytest.raises(DataError, match="none of 6 test utterances can be used; the first"):
        usable(nothing, "ctc")


TIMES = {
    "ok": (0.2, 0.8, ""),
    "whole": (None, None, ""),
    "rounded": (0.5, 2.02, ""),
    "to the end": (1.9, None, ""),
    "swapped": (0.8, 0.2, "it ends before it starts: from 0.8 s to 0.2 s"),
    "negative": (-0.05, 0.5, "a time is negative: from -0.05 s to 0.5 s"),
    "negative end": (0.5, -1, "a time is negative: from 0.5 s to -1 s"),
    "beyond": (1.5, 2.5, "it reaches beyond the sound: from 1.5 s to 2.5 s"),
    "starts beyond": (5, 6, "it reaches beyond the sound: from 5 s to 6 s"),
    "starts at the end": (2.0, None, "it reaches beyond the sound: from 2 s to the end"),
    "of no length": (0.5, 0.5, "it is of no length: from 0.5 s to 0.5 s"),
    "no number": (float("nan"), 0.5, "a time is not a number: from nan s to 0.5 s"),
    "no number at the end": (0.5, float("nan"), "a time is not a number: from 0.5 s to nan s"),
    "endless": (0.5, float("inf"), "it reaches beyond the sound: from 0.5 s to inf s"),
}


@pytest.mark.parametrize("kind", [kind for kind, (_, _, reason) in TIMES.items() if reason])
@pytest.mark.parametrize("suffix", ["wav", "mp3"])
def test_times_outside_of_the_sound_are_said_in_a_line_and_the_others_used(
    tmp_path: Path, write_tone: Write, caplog: pytest.LogCaptureFixture, kind: str, suffix: str
) -> None:
    sound = write_tone(f"long.{suffix}", 2.0)
    good = {name: times for name, times in TIMES.items() if not times[2]}
    lines = [
        {"id": name, "audio": sound.name, "text": "a", "start": start, "end": end}
        for name, (start, end, _) in {**good, kind: TIMES[kind]}.items()
    ]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    kept = usable(find_corpus(str(tmp_path / "a.jsonl"), scored=["test"]), "ctc")
    assert [utterance.id for utterance in kept.splits["test"]] == list(good)
    expected = f"{tmp_path / 'a.jsonl'}:5: {kind}: {TIMES[kind][2]} of {sound}, which is 2.00 s long"
    assert kept.left_out == {"test": {kind: expected}}
    assert expected in caplog.text


def test_a_segment_may_name_its_channel(tmp_path: Path) -> None:
    write_kaldi(tmp_path / "train", "a", 3)
    lines = ["a0-0 a0-0 0.5 1.5 1", "a0-1 a0-0 0.5 1.5", "a1-0 a0-0 0.5 -1 -1"]
    (tmp_path / "train" / "segments").write_text("\n".join(lines) + "\n")
    (tmp_path / "train" / "text").write_text("a0-0 A\na0-1 B\na1-0 C\n")
    found = read_data_folder(tmp_path / "train", tmp_path)
    assert [(u.start, u.end, u.channel) for u in found] == [(0.5, 1.5, 1), (0.5, 1.5, None), (0.5, None, None)]
    assert len({content_of([replace(found[0], channel=channel)], labelled=False) for channel in (None, 0, 1)}) == 3


@pytest.mark.parametrize("line", ["a0-0 a0-0 0.5 1.5 1 9", "a0-0 a0-0 0.5 1.5 left", "a0-0 a0-0 x 1.5"])
def test_odd_segments_are_named_by_line(tmp_path: Path, line: str) -> None:
    write_kaldi(tmp_path / "train", "a", 1)
    (tmp_path / "train" / "segments").write_text(f"a0-1 a0-0 0 1\n{line}\n")
    with pytest.raises(DataError, match="segments:2: "):
        read_data_folder(tmp_path / "train", tmp_path)


def test_a_recording_in_an_archive_is_refused_with_what_to_do(tmp_path: Path) -> None:
    write_kaldi(tmp_path / "train", "a", 1)
    (tmp_path / "train" / "wav.scp").write_text("a0-0 wavs.ark:5\n")
    with pytest.raises(DataError, match=r"wav.scp:1: this recording is in a Kaldi archive"):
        read_data_folder(tmp_path / "train", tmp_path)


def test_metadata_as_people_have_it(tmp_path: Path, write_tone: Write, caplog: pytest.LogCaptureFixture) -> None:
    lines = ["L0|one|One", 'L1|he said "hi"|', 'L2|"a | b"|"a or b"', "L3|three", "", "L4||", "L5|away|away", " "]
    (tmp_path / "metadata.csv").write_bytes(b"\xef\xbb\xbf" + "\r\n".join(lines).encode())
    for number in range(5):
        write_tone(f"wavs/L{number}.wav", 0.05)
    write_tone("wavs/unlisted.wav", 0.05)
    found = texts(find_corpus(str(tmp_path), scored=["test"]), "test")
    assert found == {"L0": "One", "L1": 'he said "hi"', "L2": "a or b", "L3": "three", "L4": None}
    assert "metadata.csv: of 6 clips, no sound is in wavs/ for 1: left out (the first is L5)" in caplog.text
    assert "no line of metadata.csv is about 1: left out (the first is unlisted)" in caplog.text
    (tmp_path / "metadata.csv").write_text("L0|one\nL0|two\n")
    with pytest.raises(DataError, match=r"metadata.csv:2: 'L0' is in .*metadata.csv:1 already"):
        find_corpus(str(tmp_path), scored=["test"])


def test_librispeech_says_which_sound_has_no_text(
    tmp_path: Path, write_tone: Write, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(3):
        write_tone(f"test-clean/1/2/1-2-{number}.flac", 0.05)
    (tmp_path / "test-clean/1/2/1-2.trans.txt").write_text("1-2-0 ONE\n1-2-1 TWO\n\n")
    assert texts(find_corpus(str(tmp_path), scored=["test"]), "test") == {"1-2-0": "ONE", "1-2-1": "TWO"}
    assert "1-2.trans.txt: no line is about 1: left out (the first is 1-2-2)" in caplog.text


def test_a_clip_that_common_voice_lists_twice_is_refused(tmp_path: Path) -> None:
    rows = "client_id\tpath\tsentence\ns\ta.mp3\tone\n\ns\ta.mp3\ttwo\n"
    (tmp_path / "test.tsv").write_text(rows)
    with pytest.raises(DataError, match=r"test.tsv:4: 'a' is in .*test.tsv:2 already"):
        find_corpus(str(tmp_path), scored=["test"])


NFC, NFD = "\u00e9t\u00e9", "e\u0301te\u0301"


@pytest.mark.parametrize(("listed", "there"), [(NFC, NFD), (NFD, NFC)])
def test_sounds_are_found_under_the_other_spelling_of_their_names(
    tmp_path: Path, write_tone: Write, listed: str, there: str
) -> None:
    sounds = [write_tone(f"sounds/{there}{n}.WAV", 0.05) for n in range(2)]
    entries = [{"audio": f"sounds/{listed}{n}.wav", "text": "one", "id": f"u{n}"} for n in range(2)]
    manifest = tmp_path / "one.jsonl"
    manifest.write_text("".join(f"{json.dumps(entry)}\n" for entry in entries), encoding="utf-8")
    assert [utterance.source for utterance in read_manifest(manifest)] == sounds
    kaldi = tmp_path / "kaldi"
    kaldi.mkdir()
    lines = "".join(f"u{n} sounds/{listed}{n}.wav\n" for n in range(2))
    (kaldi / "wav.scp").write_text(lines, encoding="utf-8")
    assert [utterance.source for utterance in read_data_folder(kaldi, tmp_path)] == sounds


@pytest.mark.parametrize(("listed", "there"), [(NFC, NFD), (NFD, NFC)])
def test_published_layouts_find_sounds_under_the_other_spelling(
    tmp_path: Path, write_tone: Write, listed: str, there: str, caplog: pytest.LogCaptureFixture
) -> None:
    lj, voice, libri = (tmp_path / name for name in ("lj", "voice", "libri"))
    clips = [write_tone(f"lj/wavs/{there}{n}.WAV", 0.05) for n in range(4)]
    (lj / "metadata.csv").write_text("".join(f"{listed}{n}|one\n" for n in range(4)), encoding="utf-8")
    assert [u.source for u in find_corpus(str(lj), scored=["test"]).splits["test"]] == clips
    clip = write_tone(f"voice/clips/{there}.WAV", 0.05)
    (voice / "test.tsv").write_text(f"client_id\tpath\tsentence\ns\t{listed}.wav\tone\n", encoding="utf-8")
    (found,) = find_corpus(str(voice), scored=["test"]).splits["test"]
    assert (found.source, found.id) == (clip, listed)
    chapter = write_tone(f"libri/test-clean/1/2/{there}.FLAC", 0.05)
    (chapter.parent / "1-2.trans.txt").write_text(f"{listed} ONE\n", encoding="utf-8")
    (found,) = find_corpus(str(libri), scored=["test"]).splits["test"]
    assert (found.source, found.id) == (chapter, listed)
    assert caplog.records == []


def test_transcripts_that_write_a_letter_in_two_ways_are_said(tmp_path: Path, write_tone: Write) -> None:
    for split, word in (("train", NFC), ("valid", NFC), ("test", NFD)):
        entries = [{"audio": f"{split}{n}.wav", "text": f"cet {word}"} for n in range(3)]
        lines = "".join(f"{json.dumps(entry)}\n" for entry in entries)
        (tmp_path / f"{split}.jsonl").write_text(lines, encoding="utf-8")
    (told,) = [line for line in describe_text(tmp_path) if "U+0301" in line]
    assert told.startswith(f"{tmp_path / 'test.jsonl'}:1: ")
    assert f"in {tmp_path / 'train.jsonl'}:1: " in told
    assert "data.normalisation=spoken makes them one" in told
    assert oddities(find_corpus(str(tmp_path)), frozenset({"\u00e9"}))
    assert not oddities(find_corpus(str(tmp_path), scored=["valid"]), frozenset({"\u00e9"}))
