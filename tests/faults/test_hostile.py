"""Files that a stranger hands over to have code run: in every place where a file is read, watched for what it does.

Python tells of what is run, loaded and opened (`sys.addaudithook`). A process of its own listens, and reads every
payload in every place; whatever a parser of ours starts, unpickles, connects to or writes elsewhere is told.
"""

from __future__ import annotations

import io
import json
import os
import pickle
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from lxml import html

from faults.notes import FaultMaker, share
from fuzz_targets import TARGETS
from lstmdrop.commands.report import page, report

MIB = 1 << 20


class Touch:
    """Makes the file of this name where it is unpickled."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (f"touch {self.name}",)


def zip_of(**members: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(name.replace("__", "/").replace("_", "."), content)
    return buffer.getvalue()


def with_objects(name: str) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.array([Touch(name)], object), allow_pickle=True)
    return buffer.getvalue()


def payloads(evil: str) -> dict[str, bytes]:
    """Files that make the file ``evil`` as soon as somebody runs what is in them."""
    pickled, shell = pickle.dumps(Touch(evil)), f"touch {evil}"
    postscript = (
        f"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n({evil}) (w) file closefile showpage\n"
    )
    entity = f'<!DOCTYPE t [<!ENTITY e SYSTEM "file://{evil}">]><tmx><tu><tuv lang="en"><seg>&e;</seg></tuv></tu></tmx>'
    return {
        "a pickle": pickled,
        "a pickle of protocol 0": pickle.dumps(Touch(evil), 0),
        "PyTorch's file": zip_of(archive__data_pkl=pickled, archive__version=b"3\n"),
        "PyTorch's old file": pickle.dumps(0x1950A86A20F9469CFC6C) + pickle.dumps(1001) + pickled,
        "NumPy's objects": with_objects(evil),
        "NumPy's objects in an archive": zip_of(**{name + "_npy": with_objects(evil) for name in ("a", "log-probs")}),
        "PostScript": postscript.encode(),
        "a shell script": f"#!/bin/sh\n{shell}\n".encode(),
        "commands of Kaldi": f"a {shell} |\nb {shell}|\n| {shell}\n".encode(),
        "names that are commands": f"| {shell}|\ttext\n$({shell})\t`{shell}`\n".encode(),
        "a manifest of commands": (json.dumps({"audio": f"{shell} |", "text": "x"}) + "\n").encode(),
        "Python": f"__import__('os').system({shell!r})\n".encode(),
        "YAML's objects": f"!!python/object/apply:os.system ['{shell}']\n".encode(),
        "JSON that names classes": json.dumps(
            {"__reduce__": shell, "_target_": "os.system", "task": "../evil"}
        ).encode(),
        "TOML that names files": f'task = "../evil"\n[data]\nname = "| {shell}"\n'.encode(),
        "an entity of another file": entity.encode(),
        "SVG with a script": f'<svg xmlns="http://www.w3.org/2000/svg"><script>{shell}</script></svg>'.encode(),
    }


WATCHER = """
import logging, sys, tempfile, json, os
from pathlib import Path
logging.disable(logging.CRITICAL)
import fuzz, fuzz_targets
folder, payloads = Path(sys.argv[1]), Path(sys.argv[2])
STARTED = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork", "pty.spawn", "os.startfile")
LOADED = ("pickle.find_class", "marshal.loads", "socket.connect", "socket.getaddrinfo", "ctypes.dlopen")
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
now, told, own = [""], [], str(Path.cwd())
def listen(event, arguments):
    if not now[0]:
        return
    if event in STARTED or event in LOADED:
        told.append((now[0], f"{event} {arguments!r}"[:200]))
    if event == "open" and isinstance(arguments[0], str) and arguments[2] & WRITING:
        if not os.path.abspath(arguments[0]).startswith((str(folder), os.environ["LSTMDROP_CACHE"], "/dev/null")):
            told.append((now[0], f"writes {arguments[0]}"[:200]))
def read(name, content, place):
    try:
        fuzz.held(name, content, place)
    except Exception:
        pass
for name in fuzz_targets.TARGETS:  # what is imported late is imported before anybody listens
    for number, content in enumerate(fuzz_targets.seeds(name, fuzz.SEEDS)):
        read(name, content, folder / f"{name}-before")
sys.addaudithook(listen)
tried = 0
for name in fuzz_targets.TARGETS:
    for payload in sorted(payloads.iterdir()):
        now[0] = f"{payload.name} as {name}"
        read(name, payload.read_bytes(), folder / name)
        now[0] = ""
        tried += 1
print(json.dumps([tried, told]))
"""


@pytest.mark.slow
def test_nothing_that_is_read_runs_code(tmp_path: Path, fault: FaultMaker) -> None:
    """Among the places are images, for which a program may be there that would be started: it would tell."""
    evil, programs, files, work = (tmp_path / name for name in ("evil", "programs", "files", "work"))
    for folder in (programs, files, work):
        folder.mkdir()
    for name in ("gs", "convert", "magick", "ffmpeg", "sox", "sh", "bash", "dvips", "djpeg", "xdg-open", "java"):
        (programs / name).write_text(f"#!/bin/sh\n: > {evil}\n")
        (programs / name).chmod(0o755)
    for name, content in payloads(str(evil)).items():
        (files / name).write_bytes(content)
    environment = {
        **os.environ, "PATH": f"{programs}:{os.environ['PATH']}", "LSTMDROP_CACHE": str(work / "cache"),
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path), "OMP_NUM_THREADS": "1",
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", WATCHER, str(work), str(files)],
        env=environment, capture_output=True, check=True, cwd=work, timeout=250,
    )  # fmt: skip
    tried, told = json.loads(done.stdout.decode().splitlines()[-1])
    assert tried == len(TARGETS) * len(payloads(""))
    note = fault(
        "hostile", "code in a file, in every place where one is read", "nothing is run, loaded, reached or written"
    )
    for place in [f"{payload} as {name}" for name in TARGETS for payload in payloads("")]:
        with note.one(place):
            assert [what for where, what in told if where == place] == []
    assert not evil.exists()


@pytest.mark.slow
def test_the_watcher_sees_what_would_be_run(tmp_path: Path) -> None:
    """The control: a reader that unpickles, and one that starts a program, are told."""
    ends = WATCHER.index("tried = 0")
    script = (
        WATCHER[:ends]
        .replace("import fuzz, fuzz_targets\n", "")
        .replace("for name in fuzz_targets.TARGETS:", "for name in ():")
    )
    script = script.replace("fuzz.SEEDS", "None") + (
        "import pickle, subprocess\n"
        "now[0] = 'a pickle'\npickle.loads((payloads / 'a pickle').read_bytes())\n"
        "now[0] = 'a program'\nsubprocess.run(['true'])\n"
        "now[0] = 'a file'\nopen(sys.argv[3], 'w')\n"
        "now[0] = ''\nprint(json.dumps(told))\n"
    )
    (tmp_path / "a pickle").write_bytes(payloads(str(tmp_path / "evil"))["a pickle"])
    arguments = [sys.executable, "-c", script, str(tmp_path / "work"), str(tmp_path), str(tmp_path / "elsewhere")]
    environment = {**os.environ, "LSTMDROP_CACHE": str(tmp_path / "cache")}
    done = subprocess.run(arguments, capture_output=True, check=True, env=environment)
    assert {where for where, _ in json.loads(done.stdout)} == {"a pickle", "a program", "a file"}
    assert (tmp_path / "evil").exists()


# Documents that are large or deep.

LARGE = {
    "one long text": lambda size: b'{"a": "' + b"x" * size + b'"}',
    "empty objects": lambda size: b"[" + b"{}," * (size // 3) + b"0]",
    "small texts": lambda size: b"[" + b'"ab",' * (size // 5) + b"0]",
    "many keys": lambda size: b"{" + b",".join(b'"%d":1' % number for number in range(size // 10)) + b"}",
    "lists in lists": lambda size: b"[" * size,
    "objects in objects": lambda size: b'{"a":' * (size // 5),
    "tables in tables": lambda size: b"a" + b".a" * (size // 2) + b" = 1",
    "a long number": lambda size: b'{"task": ' + b"1" * size + b"}",
}
DOCUMENTS = [name for name in TARGETS if TARGETS[name].file.endswith((".json", ".toml"))] + ["override", "checkpoint"]
LISTS = ["rows-jsonl", "manifest-jsonl", "captions", "pairs-jsonl", "log", "examples", "tries"]
MEASURED = """
import json, logging, resource, sys, time
from pathlib import Path
logging.disable(logging.CRITICAL)
import fuzz, fuzz_targets
folder, file, size = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
for name in sys.argv[4:]:
    content = file.read_bytes()
    if name == "checkpoint":
        content = len(content).to_bytes(8, "little") + content
    start = time.process_time()
    try:
        said = fuzz.held(name, content, folder / name)
    except AssertionError as error:
        said = "result" if "it took" in str(error) else repr(error)
    except Exception as error:
        said = repr(error)
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    print(json.dumps([name, said[:200], time.process_time() - start, used]), flush=True)
"""


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("kind", LARGE)
def test_a_document_of_any_size_and_depth_takes_bounded_time_and_memory(
    tmp_path: Path, fault: FaultMaker, kind: str
) -> None:
    size = 100_000_000 if share() == 1 else 9_000_000
    (tmp_path / "large").write_bytes(LARGE[kind](size))
    note = fault(
        "hostile", f"{size // 1_000_000} MB of {kind} in place of a document", f"under {SECONDS} s and {GIB} GiB"
    )
    names = [*DOCUMENTS, *LISTS]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        "OMP_NUM_THREADS": "1",
    }
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, str(tmp_path), str(tmp_path / "large"), str(size), *names],
        env=environment, capture_output=True, timeout=1700, check=False,
    )  # fmt: skip
    found = {name: measured for name, *measured in map(json.loads, done.stdout.splitlines())}
    for name in names:
        with note.one(name):
            assert name in found, done.stderr[-300:]
            said, took, used = found[name]
            assert said in ("result", "error")
            assert took < SECONDS
            assert used < GIB << 30


SECONDS, GIB = 60, 3


# A page of a run folder that somebody else has made.

SCRIPTS = [
    "<script>evil()</script>", "</script><script>evil()</script>", '"><img src=x onerror=evil()>',
    "' onmouseover='evil()", "javascript:evil()", "<!--", "</style><script>evil()</script>",
    "</textarea></title><script>evil()</script>",
    "\u2028evil()//", "{{evil()}}", "${evil()}",
]  # fmt: skip


def write_hostile(folder: Path, text: str) -> None:
    """A run whose every text is this one."""
    folder.mkdir(parents=True)
    score = {"split": "test", "name": text, "value": 9.5, "higher_is_better": False, "signature": f"data:{text}|{text}"}
    scores = [score, {**score, "split": "valid"}, {**score, "split": text}]
    words = ("data", "size", "regularizer", "version", "git", "torch", "device", "config_sha256", "data_sha256")
    result = {"task": text, "seed": 1, "scores": scores, **dict.fromkeys(words, text), "settings": {text: text}}
    config = {"task": text, "start": {"name": text}, "data": {"name": text}, text: text, "changes": text}
    example = {
        "text": f"{text} a", "source": text, "prompt": text, "references": [f"{text} b"], "image": f"{text}.png",
        "source_tokens": [text, text], "hypotheses": [{"tokens": [text], "attention": [[0.5, 0.5]]}],
    }  # fmt: skip
    log = {
        "event": "evaluated",
        "epoch": 1,
        "split": "valid",
        "scores": [scores[1]],
        "training_loss": 1.0,
        "is_best": True,
    }
    for name, content in {
        "result.json": result,
        "config.json": config,
        "examples.jsonl": example,
        "log.jsonl": log,
    }.items():
        (folder / name).write_text(json.dumps(content) + "\n", encoding="utf-8")


def parts(text: str) -> Iterator[tuple[str, str]]:
    """What a browser would do something for: scripts and what would be one, elements, attributes that are code."""
    for element in html.document_fromstring(text).iter():
        if isinstance(element.tag, str):
            attributes = " ".join(sorted(element.attrib))
            code = (element.text or "") if element.tag in ("script", "style") and element.get("type") is None else ""
            links = "".join(value for name, value in element.attrib.items() if name in ("href", "src", "action"))
            yield f"{element.tag} {attributes}", code + ("javascript:" if "javascript:" in links.lower() else "")


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_page_of_hostile_runs_is_the_page_of_honest_ones(tmp_path: Path, fault: FaultMaker, script: str) -> None:
    note = fault(
        "hostile",
        "scripts in the texts of a run folder",
        "the page has the elements and the scripts that it has without",
    )
    for name, text in {"honest": "words", "hostile": script}.items():
        write_hostile(tmp_path / name / "runs" / ("x" if name == "honest" else script.replace("/", "_")[:100]), text)
    with note.one(script):
        honest, hostile = (list(parts(page(report([tmp_path / name])))) for name in ("honest", "hostile"))
        assert hostile == honest
        assert not any("evil" in code for _, code in hostile)
