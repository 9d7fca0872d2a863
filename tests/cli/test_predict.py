"""Laws of what ``predict`` takes: files, standard input and texts in, as many outputs out, no option without effect."""

from __future__ import annotations

import gzip
import json
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

Command = Callable[..., Any]
Trained = Callable[[str], Path]
Toys = dict[str, tuple[str, list[str]]]

LINES = ["one red house", "", "two dogs", "the cat sees"]
OF_LINES = {"lm": ["--score"], "mt": []}


@pytest.fixture
def pipe_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[bytes], None]]:
    """Makes something standard input."""
    with ExitStack() as stack:

        def pipe(content: bytes) -> None:
            (tmp_path / "piped").write_bytes(content)
            monkeypatch.setattr(sys, "stdin", stack.enter_context((tmp_path / "piped").open(encoding="utf-8")))

        yield pipe


@pytest.fixture(params=["lm", "mt"])
def lines_of(request: pytest.FixtureRequest, lstmdrop: Command, trained: Trained) -> Callable[..., Any]:
    """Runs a task that takes lines."""
    task = request.param
    return lambda *arguments: lstmdrop("predict", task, "--run", trained(task), *OF_LINES[task], *arguments)


NUMBER = re.compile(r"-?\d+\.\d+(?:e-?\d+)?")


def assert_alike(found: str, expected: str) -> None:
    """But for the rounding of numbers: batches of another size add up in another order."""
    assert NUMBER.sub("#", found) == NUMBER.sub("#", expected)
    numbers, others = ([float(number) for number in NUMBER.findall(text)] for text in (found, expected))
    assert numbers == pytest.approx(others, rel=1e-4, abs=2e-4)


def without_files(output: str) -> tuple[str, list[tuple[str | None, int]]]:
    """Outputs without what says where their lines stand, and where that is."""
    found = [json.loads(line) for line in output.splitlines()]
    places = [(one.pop("file", None), one.pop("line")) for one in found]
    return "\n".join(map(json.dumps, found)) + "\n", places


def test_lines_and_files_are_named_where_that_is_asked_for(
    lines_of: Callable[..., Any], lstmdrop: Command, trained: Trained, toys: Toys, tmp_path: Path
) -> None:
    (tmp_path / "a.txt").write_text("the cat\n")
    (tmp_path / "b.txt").write_text("one\ntwo\n")
    files = [tmp_path / "a.txt", tmp_path / "b.txt"]
    named, plain = (lines_of(*files, *option).output.splitlines() for option in (["--names"], []))
    assert [line.partition("\t")[0] for line in named] == [f"{files[0]}:1", f"{files[1]}:1", f"{files[1]}:2"]
    assert_alike("\n".join(line.partition("\t")[2] for line in named), "\n".join(plain))
    refused = lines_of(*files, "--names", "--json")
    assert (refused.code, refused.output) == (2, "")
    images = [Path(toys["caption"][0]).parent / f"test{number}.npy" for number in (0, 1)]
    captions = lstmdrop("predict", "caption", "--run", trained("caption"), "--names", *images).output.splitlines()
    assert [line.partition("\t")[0] for line in captions] == [*map(str, images)]


def test_the_run_that_was_taken_unasked_is_named(
    lstmdrop: Command,
    trained: Trained,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    run = trained("lm")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").symlink_to(run.parent)
    arguments = ("predict", "lm", "--length", 3)
    unasked = lstmdrop(*arguments)
    assert unasked.output == lstmdrop(*arguments, "--run", run).output
    assert caplog.messages == [f"runs/{run.name}: the newest finished run of lm; --run names another"]


def test_lines_come_alike_from_files_standard_input_and_texts(
    lines_of: Callable[..., Any], pipe_in: Callable[[bytes], None], tmp_path: Path
) -> None:
    text = "".join(f"{line}\n" for line in LINES)
    pipe_in(text.encode())
    piped = lines_of("--json")
    assert (piped.code, len(piped.output.splitlines())) == (0, len(LINES))
    expected, (stdin, *_) = without_files(piped.output)
    assert stdin == ("-", 1)
    whole, odd = tmp_path / "a.txt", tmp_path / "with blanks.en"
    whole.write_text(text)
    odd.write_bytes(b"\xef\xbb\xbf" + "\r\n".join(LINES).encode())  # a mark, other line ends, and none at the end
    packed = tmp_path / "a.txt.gz"
    packed.write_bytes(gzip.compress(text.encode()))
    for arguments in ([whole], [odd], [packed], [part for line in LINES for part in ("--text", line)]):
        assert without_files(lines_of(*arguments, "--json").output)[0] == expected
    pipe_in(text.encode())
    (tmp_path / "none.txt").write_bytes(b"")
    both, places = without_files(lines_of(whole, "-", tmp_path / "none.txt", odd, "--json").output)
    assert_alike(both, 3 * expected)
    names = [str(whole), "-", str(odd)]
    assert places == [(name, number) for name in names for number in range(1, len(LINES) + 1)]
    (tmp_path / "empty.txt").write_bytes(b"")
    assert lines_of(tmp_path / "empty.txt")[:2] == (0, "")


def test_a_blank_line_gives_a_blank_line(lstmdrop: Command, trained: Trained, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("the cat\n\n \nthe cat")
    score = ("predict", "lm", "--run", trained("lm"), "--score", tmp_path / "a.txt")
    first, blank, spaces, last = lstmdrop(*score).output.split("\n")[:4]
    assert first == last != blank == spaces == ""
    found = [json.loads(line)["tokens"] for line in lstmdrop(*score, "--json").output.splitlines()]
    assert found == [["the", "cat", "<eos>"], ["<eos>"], ["<eos>"], ["the", "cat", "<eos>"]]


@pytest.mark.parametrize("name", ["nosuch.txt", "./nosuch", "no such file.en", "word", "folder/a b", ""])
def test_what_looks_like_a_file_and_is_none_is_refused(name: str, lines_of: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("the cat\n")
    refused = lines_of(tmp_path / "a.txt", name)
    assert (refused.code, refused.output) == (4, "")
    assert "no such file\nif it is a text in itself: lstmdrop predict " in refused.messages
    assert " --text " in refused.messages


def test_folders_twice_standard_input_and_two_ways_at_once_are_refused(
    lines_of: Callable[..., Any], tmp_path: Path
) -> None:
    assert lines_of(tmp_path).code == 4
    assert lines_of("-", "-").code == 2
    assert lines_of("-", "--text", "a").code == 2


def test_a_sentence_in_place_of_a_name_is_a_line(lstmdrop: Command, trained: Trained) -> None:
    run = trained("mt")
    named = lstmdrop("predict", "mt", "--run", run, "one red house.")
    assert (named.code, named.output) == (0, lstmdrop("predict", "mt", "--run", run, "--text", "one red house.").output)


def test_an_image_comes_on_standard_input(
    lstmdrop: Command, trained: Trained, toys: Toys, pipe_in: Callable[[bytes], None]
) -> None:
    image = Path(toys["caption"][0]).parent / "test0.npy"
    named = json.loads(lstmdrop("predict", "caption", "--run", trained("caption"), "--json", image).output)
    pipe_in(image.read_bytes())
    piped = lstmdrop("predict", "caption", "--run", trained("caption"), "--json", "-")
    assert json.loads(piped.output) == {**named, "image": "-"}


WITHOUT_EFFECT = [
    ("lm", "--score --temperature 0.5", "--temperature"), ("lm", "--score --length 3", "--length"),
    ("lm", "--score --prompt a", "--prompt"), ("lm", "--score --top-k 2", "--top-k"),
    ("lm", "--score --top-p 0.5", "--top-p"), ("lm", "--score --ban a", "--ban"), ("lm", "--score --seed 2", "--seed"),
    ("lm", "--score --num-samples 2", "--num-samples"), ("lm", "a.txt", "--score"), ("lm", "--text a", "--score"),
    ("mt", "--temperature 0.5", "--temperature"), ("mt", "--top-k 2", "--top-k"), ("mt", "--top-p 0.5", "--top-p"),
    ("mt", "--seed 2", "--seed"), ("mt", "--sample --beam-size 3", "--beam-size"),
    ("mt", "--sample --length-penalty 1", "--length-penalty"), ("mt", "--num-best 2", "--json"),
    ("mt", "--sample --coverage-penalty 1", "--coverage-penalty"),
    ("mt", "--json --num-best 8 --beam-size 3", "make it 8"),
    ("mt", "--beam-size 1 --length-penalty 0.5", "--length-penalty"),
    ("caption", "--temperature 0.5", "--temperature"), ("caption", "--top-k 2", "--top-k"),
    ("caption", "--seed 2", "--seed"),
    ("caption", "--sample --beam-size 3", "--beam-size"), ("caption", "--num-best 2", "--json"),
    ("caption", "--json --num-best 8 --beam-size 3", "make it 8"),
    ("caption", "--beam-size 1 --length-penalty 0.5", "--length-penalty"),
    ("asr", "--chunk 0.5", "--chunk"), ("asr", "--lm-weight 0.5", "--lm-weight"), ("asr", "--num-best 2", "--json"),
    ("asr", "--json --num-best 8 --beam-size 3", "make it 8"), ("asr", "--raw-rate 8000 a.wav", "--raw-rate"),
    ("asr", "--hot-word-weight 2", "--hot-word-weight"), ("asr", "--arpa-weight 1", "--arpa-weight"),
    ("asr", "--line-length 30", "--line-length"), ("asr", "--json --num-best 2 --pause 1", "--num-best"),
    ("asr", "--streaming --by-channel", "--by-channel"), ("asr", "--streaming --out a", "--out"),
]  # fmt: skip


@pytest.mark.parametrize(("task", "options", "said"), WITHOUT_EFFECT)
def test_an_option_without_effect_is_refused(
    task: str, options: str, said: str, lstmdrop: Command, trained: Trained, pipe_in: Callable[[bytes], None]
) -> None:
    pipe_in(b"")
    refused = lstmdrop("predict", task, "--run", trained(task), *options.split())
    assert (refused.code, refused.output) == (2, ""), refused
    assert said in refused.messages
    assert len(refused.messages.splitlines()) == 1


def test_a_beam_that_nobody_chose_grows_for_the_n_best_and_that_is_said(
    lstmdrop: Command, trained: Trained, caplog: pytest.LogCaptureFixture
) -> None:
    found = lstmdrop("predict", "mt", "--run", trained("mt"), "--json", "--num-best", 4, "--text", "one house")
    assert len(json.loads(found.output)["hypotheses"]) == 4
    assert [message for message in caplog.messages if "the beam is 4 for --num-best" in message] != []
