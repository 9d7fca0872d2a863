"""Laws of asking Java programs; a shell script stands in for Java."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from lstmdrop.errors import MissingPartError
from lstmdrop.metrics.java import (
    JavaError,
    evaluation_folder,
    find_java,
    java_problem,
    java_tokens,
    require_java,
    run_java,
    running_java,
)
from lstmdrop.metrics.java_scores import meteor_score, spice_score

Place = Callable[[str], Path]


def test_a_program_gets_its_arguments_and_text_and_its_output_comes_back(fake_java: Place, tmp_path: Path) -> None:
    fake_java('echo "$@"; pwd; cat')
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    assert run_java(["-a", folder], "é\ud83d\n", 10, folder) == f"-a {folder}\n{folder}\né\n"


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("exit 3", "exit code 3"),
        ("echo > /dev/null; exit 1", "exit code 1"),
        ("echo >&2; echo '  no memory  ' >&2; echo more >&2; exit 1", "no memory"),
        ("echo Picked up OPTIONS >&2; echo broken >&2; exit 1", "broken"),
        ("printf '%0400d' 0 >&2; exit 1", "0" * 300),
        ("printf '\\377\\377'", "'utf-8' codec can't decode"),
        ("sleep 20", "no answer within 0 seconds"),
    ],
)
def test_a_program_that_fails_says_why_in_one_line(fake_java: Place, script: str, said: str) -> None:
    fake_java(script)
    limit = 0.2 if "sleep" in script else 10
    begin = time.monotonic()
    with pytest.raises(JavaError) as raised:
        run_java([], "", limit)
    assert str(raised.value).startswith(said)
    assert len(str(raised.value)) <= 300
    assert time.monotonic() - begin < 10


def test_without_a_program_of_that_name_there_is_no_java(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_java() is None
    with pytest.raises(JavaError, match="No such file"):
        run_java([], "", 1)
    with pytest.raises(MissingPartError, match="the page needs Java, and no program named java is found: install"):
        require_java("the page", lambda limit: None)


def test_a_java_is_asked_once_a_process_and_its_path_comes_back(fake_java: Place) -> None:
    path, limits = fake_java("exit 0"), []
    assert require_java("the page", limits.append) == require_java("the page", limits.append) == str(path)
    assert len(limits) == 1 < limits[0]
    assert java_problem(str(path), limits.append) is None

    def fails(limit: float) -> None:
        raise JavaError("too old")

    with pytest.raises(
        MissingPartError, match=rf"the page needs Java, and {path} does not run it \(too old\): install"
    ):
        require_java("the page", fails)


def test_the_programs_are_where_pycocoevalcap_has_them() -> None:
    assert (evaluation_folder("meteor") / "meteor-1.5.jar").is_file()


def test_another_number_of_lines_than_captions_is_refused(fake_java: Place) -> None:
    fake_java("cat")
    assert java_tokens(["a b", "", "c"]) == ["a b", "", "c"]
    fake_java("cat; echo one more")
    with pytest.raises(JavaError, match="it made 3 lines of 2 captions"):
        java_tokens(["a", "b"])


METEOR = """\
while read -r line; do
  echo "$line" >> "$0.asked"
  case "$line" in SCORE*) echo " 1.0 2.0 ";; EVAL*) echo 0.1; echo 0.2; echo 0.5;; esac
done"""


def test_meteor_is_the_last_answer_after_one_for_each_image(fake_java: Place) -> None:
    """Its protocol: a line of references and caption each, then what came back of them all at once."""
    path = fake_java(METEOR)
    assert meteor_score(["a  dog", "a ||| cat"], [["one dog", "dogs"], ["cats ||| too"]]) == 0.5
    *_, first, second, evaluated = Path(f"{path}.asked").read_text(encoding="utf-8").splitlines()
    assert first == "SCORE ||| one dog ||| dogs ||| a dog"
    assert second == "SCORE ||| cats  too ||| a cat"
    assert evaluated == "EVAL ||| 1.0 2.0 ||| 1.0 2.0"


SPICE_ANSWER = '[{"scores": {"All": {"f": 0.25}}}, {"scores": {"All": {"f": 1.0}}}]'
SPICE = f"""cp "$4" "$0.asked"; echo '{SPICE_ANSWER}' > "$6" """


def test_spice_is_the_mean_over_images(fake_java: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    path = fake_java(SPICE)
    monkeypatch.setitem(spice_score.__globals__, "require_spice", lambda: "java")  # its models are seldom here
    assert spice_score(["a dog", "a cat"], [["one dog"], ["cats", "a cat"]]) == 0.625
    assert Path(f"{path}.asked").read_text(encoding="utf-8") == (
        '[{"image_id": 0, "test": "a dog", "refs": ["one dog"]}, '
        '{"image_id": 1, "test": "a cat", "refs": ["cats", "a cat"]}]'
    )
    with pytest.raises(JavaError, match=r"SPICE gave no score: 2 scores of 1\n.*--resume"):
        spice_score(["a dog"], [["one dog"]])
    fake_java("exit 0")
    with pytest.raises(JavaError, match="SPICE gave no score: 0 scores of 1"):
        spice_score(["a dog"], [["one dog"]])


def test_a_program_that_would_go_on_is_ended_with_the_block_and_nothing_waits_for_it(fake_java: Place) -> None:
    fake_java("echo ready; sleep 60")
    before, begin = set(threading.enumerate()), time.monotonic()
    with running_java([], 40) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
    assert process.returncode is not None
    while set(threading.enumerate()) - before and time.monotonic() - begin < 20:
        time.sleep(0.01)
    assert time.monotonic() - begin < 20


def test_an_error_that_is_not_about_the_program_stays_what_it_is(fake_java: Place) -> None:
    fake_java("echo no matter >&2; sleep 60")
    with pytest.raises(LookupError, match="mine"), running_java([], 40):
        raise LookupError("mine")
