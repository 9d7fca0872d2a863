"""The container's recipe, step by step, where no container can be built."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent


def steps() -> list[tuple[str, str]]:
    """Instruction and arguments of each step, lines that go on joined."""
    text = re.sub(r"\\\n\s*", "", (ROOT / "Dockerfile").read_text(encoding="utf-8"))
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [(line.split(maxsplit=1)[0], line.split(maxsplit=1)[1]) for line in lines]


def arguments(instruction: str) -> list[str]:
    return [rest for name, rest in steps() if name == instruction]


def test_what_it_copies_is_there_and_is_all_that_the_wheel_is_built_of() -> None:
    copied = {source for rest in arguments("COPY") for source in rest.split()[:-1]}
    assert [source for source in copied if not (ROOT / source).exists()] == []
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
    assert not copied & set(ignored)
    assert {"pyproject.toml", "README.md", "LICENSE", "src", "tasks"} <= copied


def test_it_installs_what_was_tested_and_runs_as_nobody_special() -> None:
    installs = " ".join(arguments("RUN"))
    constraints = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    (torch,) = [line for line in constraints if line.startswith("torch==")]
    assert f"{torch}+cpu" in installs
    assert "-c constraints.txt" in installs
    order = [name for name, _ in steps()]
    assert order[0] == "FROM"
    assert order.index("USER") < order.index("ENTRYPOINT")
    assert arguments("USER") != ["root"]


@pytest.mark.parametrize("given", [[], ["info"]])
def test_its_command_is_the_demo_or_with_arguments_the_command_line(given: list[str], tmp_path: Path) -> None:
    (entry,) = arguments("ENTRYPOINT")
    assert entry == '["/usr/local/bin/lstmdrop-demo"]'
    assert "tools/demo.sh /usr/local/bin/lstmdrop-demo" in arguments("COPY")
    told = tmp_path / "lstmdrop"
    told.write_text('#!/bin/sh\necho "$@"\n')
    told.chmod(0o755)
    done = subprocess.run(
        [ROOT / "tools" / "demo.sh", *given], env={"PATH": f"{tmp_path}:/usr/bin:/bin"}, capture_output=True, check=True
    )
    commands = [shlex.split(line)[0] for line in done.stdout.decode().splitlines()]
    assert commands == (given or ["train", "train", "report", "predict"])


def test_the_citation_names_the_software_and_the_paper() -> None:
    about = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert f'version = "{about["version"]}"' in project
    assert about["license"] == "MIT"
    (paper,) = about["references"]
    assert paper["identifiers"][0]["value"] == "arXiv:1409.2329"
