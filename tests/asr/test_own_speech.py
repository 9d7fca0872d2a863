"""Speech as other toolkits and people have it: read as it is meant, or refused with the line to write."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from lstmdrop.errors import DataError
from lstmdrop_tasks.asr.audio.extraction import extract
from lstmdrop_tasks.asr.audio.reading import heading_of, read_audio
from lstmdrop_tasks.asr.config import ASRDataConfig, FeatureConfig
from lstmdrop_tasks.asr.corpora.alignment import read_alignment
from lstmdrop_tasks.asr.corpora.entries import SYNONYMS
from lstmdrop_tasks.asr.corpora.find import find_corpus
from lstmdrop_tasks.asr.corpora.own import read_manifest
from lstmdrop_tasks.asr.corpora.utterances import SpeechCorpus, Utterance

Write = Callable[..., Path]


def write_lines(path: Path, entries: list[dict[str, object]]) -> Path:
    path.write_text("".join(f"{json.dumps(entry)}\n" for entry in entries), encoding="utf-8")
    return path


def voices(corpus: SpeechCorpus) -> dict[str, set[str | None]]:
    return {split: {utterance.speaker for utterance in own} for split, own in corpus.splits.items()}


def ids(corpus: SpeechCorpus) -> dict[str, list[str]]:
    return {split: [utterance.id for utterance in own] for split, own in corpus.splits.items()}


def test_offset_and_duration_cut_the_sound(tmp_path: Path, write_tone: Write) -> None:
    sound = write_tone("long.wav", 2.0)
    entry = {"audio_filepath": str(sound), "offset": 0.5, "duration": 0.25, "text": "hi", "lang": "en"}
    (found,) = read_manifest(write_lines(tmp_path / "train_manifest.json", [entry]))
    assert (found.source, found.text, found.start, found.end) == (sound, "hi", 0.5, 0.75)
    told = extract(found, FeatureConfig(), labelled=False, speed=1.0)
    assert told.seconds == pytest.approx(0.25)
    whole = read_audio(sound, 16000)
    assert np.array_equal(read_audio(sound, 16000, start=0.5, end=0.75), whole[8000:12000])


def test_a_duration_says_nothing_of_features(tmp_path: Path) -> None:
    (found,) = read_manifest(write_lines(tmp_path / "a.jsonl", [{"features": "a.npy", "duration": 3.5}]))
    assert (found.start, found.end) == (None, None)


@pytest.mark.parametrize("key", SYNONYMS)
def test_every_other_name_of_a_key_means_the_same(tmp_path: Path, key: str) -> None:
    own = SYNONYMS[key]
    plain = {"audio": "a.wav", "id": "u", "text": "hi", "speaker": "me", "start": 0.5, "duration": 2, "split": "test"}
    other = {(key.upper() if name == own else name): value for name, value in plain.items()}
    written = [write_lines(tmp_path / "a.jsonl", [entry]) for entry in (plain,)]
    (expected,) = read_manifest(written[0])
    assert read_manifest(write_lines(tmp_path / "a.jsonl", [other])) == (expected,)


def test_tables_and_objects_by_name_are_manifests_too(tmp_path: Path) -> None:
    lines = [{"id": "u", "duration": 1.5, "wav": "a.wav", "spk_id": "7", "wrd": "one, two"}]
    (expected,) = read_manifest(write_lines(tmp_path / "a.jsonl", lines))
    csv = tmp_path / "a.csv"
    csv.write_text('ID,duration,wav,spk_id,wrd\nu,1.5,a.wav,7,"one, two"\n')
    tsv = tmp_path / "a.tsv"
    tsv.write_text("id\tduration\twav\tspk_id\twrd\nu\t1.5\ta.wav\t7\tone, two\n")
    by_name = tmp_path / "a.json"
    by_name.write_text('{\n "u": {"wav": "a.wav", "length": 1.5, "words": "one, two", "spkID": 7}\n}\n')
    for path in (csv, tsv, by_name):
        (found,) = read_manifest(path)
        assert (found.id, found.source, found.text, found.speaker, found.end) == (
            expected.id, expected.source, expected.text, expected.speaker, expected.end
        ), path  # fmt: skip
    csv.write_text("ID,wav\nu\n")
    with pytest.raises(DataError, match=r"a.csv:2: the row has not the 2 cells"):
        read_manifest(csv)


def test_a_cut_of_lhotse_is_an_utterance(tmp_path: Path) -> None:
    recording = {"id": "r", "sources": [{"type": "file", "channels": [0], "source": "long.wav"}], "duration": 9.5}
    said = {"id": "s", "recording_id": "r", "start": 0.0, "duration": 1.5, "text": "yes no", "speaker": "ann"}
    cut = {"id": "c", "start": 2.0, "duration": 1.5, "channel": 0, "type": "MonoCut", "supervisions": [said]}
    (found,) = read_manifest(write_lines(tmp_path / "cuts.jsonl", [{**cut, "recording": recording}]))
    assert (found.id, found.source.name, found.text, found.speaker) == ("c", "long.wav", "yes no", "ann")
    assert (found.start, found.end, found.channel) == (2.0, 3.5, 0)
    with pytest.raises(DataError, match=r"cuts.jsonl:1: not a cut of one recording"):
        read_manifest(write_lines(tmp_path / "cuts.jsonl", [cut]))


def test_an_audio_folder_of_hugging_face_is_a_manifest(tmp_path: Path) -> None:
    rows = "".join(f"{n}.wav,word {n}\n" for n in range(20))
    (tmp_path / "metadata.csv").write_text(f"file_name,transcription\n{rows}")
    corpus = find_corpus(str(tmp_path))
    assert {split: len(own) for split, own in corpus.splits.items()} == {"train": 16, "test": 2, "valid": 2}
    assert {u.text for own in corpus.splits.values() for u in own} == {f"word {n}" for n in range(20)}


@pytest.mark.parametrize("called", ["valid", "val", "dev", "validation", "Dev"])
def test_one_manifest_may_say_the_split_of_each_line(tmp_path: Path, called: str) -> None:
    entries = [{"audio": f"{split}.wav", "text": "a", "split": split} for split in ("train", called, "test")]
    corpus = find_corpus(str(write_lines(tmp_path / "all.jsonl", entries)))
    assert ids(corpus) == {"train": ["train"], "test": ["test"], "valid": [called]}
    assert corpus.held_out == ""
    assert ids(find_corpus(str(tmp_path / "all.jsonl"), scored=["test"])) == {"test": ["test"]}
    write_lines(tmp_path / "all.jsonl", [*entries, {"audio": "b.wav"}])
    with pytest.raises(DataError, match=r"all.jsonl:4: the line has no 'split', and others have"):
        find_corpus(str(tmp_path / "all.jsonl"))


@pytest.mark.parametrize("called", ["valid", "val", "dev", "validation"])
@pytest.mark.parametrize("form", ["{}.jsonl", "{}_manifest.json"])
def test_a_folder_may_call_its_manifests_otherwise(tmp_path: Path, called: str, form: str) -> None:
    for name in ("train", called, "test"):
        write_lines(tmp_path / form.format(name), [{"audio": f"{name}.wav", "text": "a"}])
    assert ids(find_corpus(str(tmp_path))) == {"train": ["train"], "test": ["test"], "valid": [called]}


def test_other_tables_beside_a_corpus_are_none_of_it(tmp_path: Path) -> None:
    for name in ("train", "test"):
        write_lines(tmp_path / f"{name}.jsonl", [{"audio": f"{name}{n}.wav", "text": "a"} for n in range(9)])
    (tmp_path / "dev_stats.csv").write_text("hours,words\n1,2\n")
    (tmp_path / "test_results.json").write_text("{}\n")
    assert find_corpus(str(tmp_path)).held_out == "valid by utterance; data.split_seed = 0"
    kaldi = tmp_path / "kaldi"
    kaldi_of(kaldi, "true")
    (kaldi / "test_results.json").write_text("{}\n")
    with pytest.raises(DataError, match="allow-commands"):
        find_corpus(str(kaldi))


def of_speakers(folder: Path, num_speakers: int, num_utterances: int = 30) -> str:
    entries: list[dict[str, object]] = [
        {"audio": f"{n}.wav", "text": "a", "speaker": f"s{n % num_speakers}"} for n in range(num_utterances)
    ]
    return str(write_lines(folder / "mine.jsonl", entries))


def test_two_speakers_are_refused_with_the_line_to_type_and_then_shared(tmp_path: Path) -> None:
    path = of_speakers(tmp_path, 2)
    with pytest.raises(DataError, match=r"such as 's\d', of 2 in all\n.*--set data.speakers=shared"):
        find_corpus(path)
    corpus = find_corpus(path, settings=ASRDataConfig(speakers="shared"))
    assert {split: len(own) for split, own in corpus.splits.items()} == {"train": 24, "test": 3, "valid": 3}
    assert voices(corpus)["train"] == {"s0", "s1"}
    assert corpus.held_out == "test by utterance, valid by utterance; data.split_seed = 0"
    apart = find_corpus(of_speakers(tmp_path, 10))
    assert apart.held_out == "test by speaker, valid by speaker; data.split_seed = 0"
    assert not voices(apart)["train"] & voices(apart)["test"]


def test_splits_that_are_given_may_share_speakers_if_asked(tmp_path: Path) -> None:
    entry = {"text": "a", "speaker": "me"}
    for split in ("train", "valid", "test"):
        write_lines(
            tmp_path / f"{split}.jsonl", [{**entry, "audio": f"{split}{n}.wav", "speaker": n} for n in range(3)]
        )
    with pytest.raises(DataError, match=r"train and valid share speakers, such as '0'\n.*data.speakers=shared"):
        find_corpus(str(tmp_path))
    assert len(find_corpus(str(tmp_path), settings=ASRDataConfig(speakers="shared")).splits["test"]) == 3


def test_another_seed_holds_out_others_and_the_same_seed_the_same(tmp_path: Path) -> None:
    path = of_speakers(tmp_path, 10)
    drawn = [find_corpus(path, settings=ASRDataConfig(split_seed=seed)) for seed in (0, 0, 1, 2, 3)]
    assert drawn[0] == drawn[1]
    assert len({frozenset(voices(corpus)["test"]) for corpus in drawn}) > 1
    assert drawn[2].held_out.endswith("data.split_seed = 1")


def librispeech(root: Path, write_tone: Write, *parts: str) -> None:
    for number, part in enumerate(parts):
        sound = write_tone(f"{root.name}/{part}/{number}/1/{number}-1-0000.flac", 0.05)
        (sound.parent / f"{number}-1.trans.txt").write_text(f"{number}-1-0000 {part}\n")


def test_librispeech_has_parts_to_choose(tmp_path: Path, write_tone: Write) -> None:
    root = tmp_path / "LibriSpeech"
    librispeech(
        root, write_tone, "train-clean-5", "train-other-500", "dev-clean", "dev-other", "test-clean", "test-other"
    )

    def parts(*named: str) -> dict[str, set[str | None]]:
        found = find_corpus(str(tmp_path), settings=ASRDataConfig(parts=named))
        return {split: {utterance.text for utterance in own} for split, own in found.splits.items()}

    usual = {"train": {"train-clean-5", "train-other-500"}, "valid": {"dev-clean"}, "test": {"test-clean"}}
    assert parts() == usual
    named = ("train-clean-5", "dev-other", "test-clean", "test-other")
    assert parts(*named) == {"train": {named[0]}, "valid": {named[1]}, "test": set(named[2:])}
    with pytest.raises(DataError, match=r"data.parts: there is no 'test-othr'; did you mean 'test-other'"):
        parts("train-clean-5", "test-othr")
    (one,) = find_corpus(str(root / "test-other"), scored=["test"]).splits["test"]
    assert one.text == "test-other"


def test_what_has_no_parts_says_so(tmp_path: Path) -> None:
    (tmp_path / "train.tsv").write_text("client_id\tpath\tsentence\na\tb.mp3\tc\n")
    with pytest.raises(DataError, match=r"data.parts is for LibriSpeech, Kaldi"):
        find_corpus(str(tmp_path), settings=ASRDataConfig(parts=("train",)))


TIMIT = ("0 3200 h#\n3200 4800 ax-h\n4800 8000 h#\n", "0 8000 She had.\n")


@pytest.mark.parametrize("upper", [True, False])
@pytest.mark.parametrize("words", ["txt", "wrd"])
def test_timit_in_either_case(tmp_path: Path, upper: bool, words: str) -> None:
    case = str.upper if upper else str.lower
    for part, speakers in (("train", ("fcjf0", "mdab0")), ("test", ("mwbt0",))):
        for speaker in speakers:
            folder = tmp_path / case("timit") / case(part) / case("dr1") / case(speaker)
            folder.mkdir(parents=True)
            for name in ("sa1", "sx37", "si648"):
                samples = np.linspace(-0.5, 0.5, 8000)
                soundfile.write(folder / case(f"{name}.wav"), samples, 16000, format="NIST", subtype="PCM_16")
                (folder / case(f"{name}.phn")).write_text(TIMIT[0])
                said = TIMIT[1] if words == "txt" else "0 4000 she\n4000 8000 had\n"
                (folder / case(f"{name}.{words}")).write_text(said)
    corpus = find_corpus(str(tmp_path))
    assert ids(corpus)["test"] == ["mwbt0-si648", "mwbt0-sx37"]  # sa1 is the same for all speakers
    assert voices(corpus)["test"] == {"mwbt0"}
    first = corpus.splits["test"][0]
    assert (first.text or "").lower().rstrip(".") == "she had"
    told = extract(first, FeatureConfig(), labelled=True, speed=1.0)
    assert (told.seconds, told.problem, told.mismatch) == (0.5, "", "")
    assert list(dict.fromkeys(told.labels)) == ["h#", "ax-h"]
    assert told.labels.count("ax-h") == 10  # 0.1 s


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("0 9 h#\n5 12 sh\n", r":2: sh from 5 to 12 does not follow"),
        ("0 x h#\n", r":1: not 'first-sample last-sample phone'"),
        ("\n", "there is no phone in it"),
    ],
)
def test_damaged_phones_are_named_by_line(tmp_path: Path, write_tone: Write, content: str, reason: str) -> None:
    (tmp_path / "a.PHN").write_text(content)
    with pytest.raises(DataError, match=reason):
        read_alignment(Utterance("a", write_tone("a.wav"), alignment=tmp_path / "a.PHN"), heading_of)


def kaldi_of(folder: Path, command: str) -> str:
    folder.mkdir()
    (folder / "wav.scp").write_text(f"a {command} |\n")
    (folder / "text").write_text("a HELLO\n")
    return str(folder)


ALLOWED = ASRDataConfig(allow_commands=True)
PYTHON = shlex.quote(sys.executable)


@pytest.mark.slow
def test_commands_run_where_they_are_allowed_and_again_when_their_file_changes(
    tmp_path: Path, write_tone: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LSTMDROP_CACHE", str(tmp_path / "cache"))
    sound = write_tone("a.wav")
    data = kaldi_of(tmp_path / "test", f"cat a.wav | tee {shlex.quote(str(tmp_path / 'ran'))}")
    with pytest.raises(DataError, match=r"wav.scp:1: this recording is the output of a command.*--allow-commands"):
        find_corpus(data, scored=["test"])
    assert not (tmp_path / "ran").exists()
    for seed in (0, 1):
        write_tone("a.wav", 0.3 + seed, seed=seed)
        for again in (False, True):
            (found,) = find_corpus(data, scored=["test"], settings=ALLOWED).splits["test"]
            assert found.source.read_bytes() == sound.read_bytes()
            assert (tmp_path / "ran").exists() is not again
            (tmp_path / "ran").unlink(missing_ok=True)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ("echo no such tool >&2; exit 3", "failed with exit code 3: no such tool"),
        ("true", "wrote no sound"),
        ("echo 'a", "cannot be read: No closing quotation"),
        ("sleep 60", r"took more than 0.1 s and was stopped"),
        ("yes", r"writes more than"),
    ],
)
def test_a_command_that_fails_is_named_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, reason: str
) -> None:
    import lstmdrop_tasks.asr.corpora.commands as commands

    monkeypatch.setenv("LSTMDROP_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(commands, "POLL", 0.05)
    monkeypatch.setattr(commands, "SECONDS", 0.1 if "sleep" in command else 20)
    monkeypatch.setattr(commands, "MOST_BYTES", 1 << 20)
    with pytest.raises(DataError, match=f"wav.scp:1: the command .*{reason}"):
        find_corpus(kaldi_of(tmp_path / "test", command), scored=["test"], settings=ALLOWED)
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]


def test_sound_of_a_lower_rate_is_refused_with_the_setting(write_tone: Write) -> None:
    with pytest.raises(DataError, match=r"recorded at 8000 Hz.*--set features.sample_rate=8000"):
        read_audio(write_tone("a.wav", rate=8000), 16000)


@pytest.mark.parametrize(
    ("name", "content", "line"),
    [
        ("my talk.m4a", b"\0\0\0 ftypM4A ", "ffmpeg -i 'my talk.m4a' -ac 1 'my talk.wav'"),
        ("a.wav", b"\0\0\0 ftypM4A ", "ffmpeg -i a.wav -ac 1 a.16k.wav"),
        ("a.mp3", b"no sound", "ffmpeg -i a.mp3 -ac 1 a.wav"),
        ("a.sph", b"NIST_1A\n   1024\nsample_coding -s26 pcm,embedded-shorten-v2.00\n", "sph2pipe -f wav a.sph a.wav"),
    ],
)
def test_sound_that_cannot_be_read_is_refused_with_what_converts_it(
    tmp_path: Path, name: str, content: bytes, line: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError) as told:
        read_audio(tmp_path / name, 16000)
    assert str(told.value).endswith(f"; convert it: {line}")


def test_damage_that_no_converter_mends_names_none(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"RIFFtorn")
    with pytest.raises(DataError) as told:
        read_audio(tmp_path / "a.wav", 16000)
    assert "convert it" not in str(told.value)


@pytest.mark.slow
def test_a_run_that_may_run_commands_runs_none_of_other_data_unasked(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    lstmdrop: Callable[..., Any],
    toys: dict[str, tuple[str, list[str]]],
) -> None:
    monkeypatch.setenv("LSTMDROP_CACHE", str(tmp_path / "cache"))
    rng = np.random.default_rng(0)
    for name in ("mine", "theirs"):
        folder = tmp_path / name
        folder.mkdir()
        for number in range(4):
            soundfile.write(folder / f"{number}.wav", 0.1 * rng.standard_normal(8000), 16000)
        (folder / "wav.scp").write_text("".join(f"{n} cat {n}.wav |\n" for n in range(4)))
        (folder / "text").write_text("".join(f"{n} ab\n" for n in range(4)))
    run, theirs = str(tmp_path / "run"), str(tmp_path / "theirs")
    refused = lstmdrop("train", "asr", "--data", str(tmp_path / "mine"), "--size", "tiny", "--out", run)
    assert (refused.code, "--allow-commands" in refused.messages) == (4, True)
    mine = ["--data", str(tmp_path / "mine"), "--allow-commands", "--size", "tiny"]
    assert lstmdrop("train", "asr", *mine, "--out", run, settings=toys["asr"][1]).code == 0
    assert lstmdrop("eval", "asr", "--run", run).code == 0
    others = lstmdrop("eval", "asr", "--run", run, "--data", theirs)
    assert (others.code, "--allow-commands" in others.messages) == (4, True)
    assert lstmdrop("eval", "asr", "--run", run, "--data", theirs, "--allow-commands").code == 0
    spoken = lstmdrop("predict", "asr", "--run", run, theirs)
    assert (spoken.code, "--allow-commands" in spoken.messages) == (4, True)
    assert len(lstmdrop("predict", "asr", "--run", run, "--allow-commands", theirs).output.splitlines()) == 4
