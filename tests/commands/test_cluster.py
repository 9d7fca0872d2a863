"""Laws of grids on a cluster: real Ray, whose machines are processes here, one of which is killed."""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psutil
import pytest

from lstmdrop.commands.reproduce import plan_reproduction, reproduce
from lstmdrop.commands.train import train
from lstmdrop.errors import DataError, MissingPartError, UsageError
from lstmdrop.reproduction import node
from lstmdrop.reproduction.node import MOST_BYTES, Order, Outcome, arrive, carry_out, pack, parcels_of
from lstmdrop.reproduction.plan import Planned
from lstmdrop.run import Run

long = pytest.mark.skipif(os.environ.get("LSTMDROP_SCALE") != "long", reason="make scale starts clusters")
needs_ray = pytest.mark.skipif(find_spec("ray") is None, reason="needs ray")
GRID = """[[experiment]]
name = "toy"
task = "lm"
data = {data}
size = "tiny"
set = {settings}
"""


@pytest.fixture
def write_grid(tmp_path: Path, toy_corpus: Path, toy_settings: list[str]) -> Callable[..., Path]:
    def write(*settings: str, more: str = "seeds = 1\n") -> Path:
        rule = "regularizer.rule"
        own = [
            "training.kernel=native",
            *(setting for setting in toy_settings if not setting.startswith(rule)),
            *settings,
        ]
        path = tmp_path / "grid.toml"
        path.write_text(GRID.format(data=json.dumps(str(toy_corpus)), settings=json.dumps(own)) + more)
        return path

    return write


def choices(grid: Path) -> dict[str, Any]:
    return {"grid": grid, "out": grid.parent / "out", "archive": grid.parent / "archive"}


def scores(run: Path) -> Any:
    return json.loads((run / "result.json").read_text())["scores"]


def by_hand(one: Planned, out: Path) -> Path:
    experiment = one.cell.experiment
    return train(
        "lm", size=experiment.size, data=experiment.data, regularizer=one.cell.rule.rule, seed=one.cell.seed,
        overrides=one.overrides, out=out,
    ).directory  # fmt: skip


@pytest.mark.parametrize(
    ("on", "said"),
    [("lokal", "did you mean 'local'"), ("ray://host", "ray://HOST:PORT"), ("host:1", "ray://HOST:PORT")],
)
def test_a_place_that_is_none_is_refused(on: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        reproduce(on=on)


def test_without_ray_it_says_what_to_install(write_grid: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingPartError, match=r"pip install 'lstmdrop\[ray\]'"):
        reproduce(**choices(write_grid()), on="ray")


@needs_ray
@pytest.mark.parametrize("on", ["ray://127.0.0.1:{}", "ray"])
def test_an_address_where_nobody_is_is_said_at_once(
    on: str, write_grid: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as taken:  # bound and not listening: nobody else gets it, and nobody answers
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        monkeypatch.setenv("RAY_ADDRESS", f"127.0.0.1:{port}")
        begun = time.monotonic()
        with pytest.raises(DataError, match=rf"no Ray cluster answers at \S*127.0.0.1:{port}: .*refused"):
            reproduce(**choices(write_grid()), on=on.format(port))
        assert time.monotonic() - begun < 10


@needs_ray
def test_one_gpu_among_several_is_not_for_the_user_to_choose(write_grid: Callable[..., Path]) -> None:
    with pytest.raises(UsageError, match="--device cuda"):
        reproduce(**choices(write_grid()), on="ray", device="cuda:1")


def test_a_folder_travels_whole_and_takes_the_place_of_what_was_there(tmp_path: Path) -> None:
    there, here = tmp_path / "there", tmp_path / "here"
    for name in ("config.json", "assets/a/words.txt", "last.safetensors", "previous.safetensors", "result.json"):
        (there / name).parent.mkdir(parents=True, exist_ok=True)
        (there / name).write_text(name)
    here.mkdir()
    (here / "damaged").write_text("")
    arrive(pack(there), here)
    (there / "previous.safetensors").unlink()
    files = [
        {path.relative_to(root): path.read_text() for path in root.rglob("*") if path.is_file()}
        for root in (there, here)
    ]
    assert files[0] == files[1]
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_what_is_too_large_to_travel_is_named_with_a_way_out(tmp_path: Path) -> None:
    with (tmp_path / "best.safetensors").open("wb") as file:
        file.truncate(MOST_BYTES + 1)  # a hole: it takes no room
    (tmp_path / "result.json").write_text("{}")
    with pytest.raises(DataError, match=r"2,147,483,651 bytes.*--out"):
        pack(tmp_path)
    packed, remark = node._packed_to_go(tmp_path)
    arrive(packed, tmp_path / "arrived")
    assert [path.name for path in (tmp_path / "arrived").iterdir()] == ["result.json"]
    assert str(tmp_path) in remark


@pytest.fixture
def order(write_grid: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Order:
    """For a machine that shares no disk: the mark is not there."""
    monkeypatch.setenv("LSTMDROP_CACHE", str(tmp_path / "cache"))
    planned, _ = plan_reproduction(**choices(write_grid("training.epochs=2")))
    return Order(planned, ("x",), 1, "cpu", None, tmp_path, tmp_path / "mark", "elsewhere")


def test_another_version_of_the_toolkit_computes_nothing(order: Order) -> None:
    outcome = carry_out(replace(order, version="0"))
    assert outcome.exit_code
    assert "install the same on all machines" in outcome.message


@pytest.mark.slow
def test_a_machine_that_shares_no_disk_asks_for_what_there_is_and_sends_what_it_made(
    order: Order, tmp_path: Path
) -> None:
    assert carry_out(order) == Outcome(wants_parcels=True)
    outcome = carry_out(order, parcels_of(order.planned))
    assert (outcome.exit_code, outcome.message) == (0, "")
    assert b"epoch  2/2" in outcome.said
    assert not order.planned.directory.exists()
    assert list((tmp_path / "cache/grid").iterdir()) == [], "nothing stays there"
    arrive(outcome.run, order.planned.directory)
    assert scores(order.planned.directory) == scores(by_hand(order.planned, tmp_path / "by hand"))
    again = carry_out(order, parcels_of(order.planned))  # as when the machine is lost before it could answer
    assert (again.exit_code, again.said) == (0, b"")


PARENT = """
import signal, sys, time
from pathlib import Path
from lstmdrop.reproduction.process import CellProcess
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # as Ray's workers do
CellProcess.start(sys.argv[2:], Path(sys.argv[1]), "1")
time.sleep(600)
"""


@pytest.mark.slow
def test_a_cell_whose_parent_is_killed_writes_its_checkpoint_and_leaves_its_folder_free(
    tmp_path: Path, toy_corpus: Path, toy_settings: list[str]
) -> None:
    run = tmp_path / "run"
    settings = [f"--set={setting}" for setting in (*toy_settings, "training.epochs=30000")]
    words = ["train", "lm", "--size=tiny", f"--data={toy_corpus}", f"--out={run}", *settings]
    with subprocess.Popen([sys.executable, "-c", PARENT, str(tmp_path / "log.txt"), *words]) as parent:
        wait_for((run / "last.safetensors").exists)
        (child,) = psutil.Process(parent.pid).children()
        parent.kill()
    assert psutil.wait_procs([child], timeout=60)[1] == []
    assert "interrupted" in (tmp_path / "log.txt").read_text()
    with Run(run).claimed():
        assert Run(run).has_checkpoint()


def wait_for(condition: Callable[[], Any], seconds: float = 240) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.05)


class Head:
    """A Ray cluster of this machine: the head computes nothing, and more machines are processes with one core each."""

    def __init__(self, stack: ExitStack) -> None:
        self.stack = stack
        self.secret = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
        self.port, self.client_port = free_ports(2)
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="ray", ignore_cleanup_errors=True))
        self.start(
            "--head", f"--port={self.port}", f"--ray-client-server-port={self.client_port}", f"--temp-dir={folder}",
            "--include-dashboard=false", "--num-cpus=0",
        )  # fmt: skip
        wait_for(lambda: is_open(self.port) and is_open(self.client_port), 250)

    def start(self, *words: str, without: Path | None = None, **environment: str) -> subprocess.Popen[bytes]:
        ray = [str(Path(sys.executable).with_name("ray")), "start", "--block", "--disable-usage-stats", *words]
        if without:  # in a mount namespace of its own, where something else is in the place of the folder
            ray = ["unshare", "-rm", "sh", "-c", 'mount -t tmpfs none "$0" && exec "$@"', str(without), *ray]
        environment = {**os.environ, **self.secret, **environment}
        process = subprocess.Popen(ray, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)
        self.stack.callback(kill_all, process)
        return process

    def add_machine(self, without: Path | None = None, **environment: str) -> subprocess.Popen[bytes]:
        return self.start(f"--address=127.0.0.1:{self.port}", "--num-cpus=1", without=without, **environment)


def kill_all(process: subprocess.Popen[bytes]) -> None:
    """As when a machine loses its power; but what a run itself starts has to notice it."""
    with process:
        family = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
        process.kill()
        for one in family:
            with suppress(psutil.NoSuchProcess):
                if "lstmdrop.reproduction.bound" not in one.cmdline():
                    one.kill()
        psutil.wait_procs(family, timeout=60)


def free_ports(number: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(number)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def is_open(port: int) -> bool:
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(scope="module")
def head() -> Iterator[Head]:
    with ExitStack() as stack:
        yield Head(stack)


@contextmanager
def reproducing(grid: Path, on: str, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    words = [sys.executable, "-m", "lstmdrop", "reproduce", "--grid", str(grid), "--out", str(grid.parent / "out")]
    with subprocess.Popen(
        [*words, "--on", on], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=grid.parent,
        env={**os.environ, **environment},
    ) as process:  # fmt: skip
        try:
            yield process
        finally:
            process.kill()


@long
@needs_ray
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_cell_whose_machine_is_killed_goes_on_where_it_was_on_another(
    head: Head, write_grid: Callable[..., Path], tmp_path: Path
) -> None:
    grid = write_grid("training.epochs=300", more="seeds = 1\nrules = [{ rule = 'zaremba' }]\n")
    (one,) = plan_reproduction(**choices(grid))
    lost = head.add_machine()
    with reproducing(grid, "ray", RAY_ADDRESS=f"127.0.0.1:{head.port}", **head.secret) as process:
        wait_for((one.directory / "last.safetensors").exists)
        kill_all(lost)
        other = head.add_machine()
        out, said = process.communicate(timeout=400)
    assert (process.returncode, out.splitlines()[-1]) == (0, b"1 of 1 runs are done"), said
    log = one.directory.with_name(f"{one.directory.name}.txt").read_text()
    assert "resumed at step" in log
    assert scores(one.directory) == scores(by_hand(one, tmp_path / "by hand"))
    kill_all(other)


def can_unshare() -> bool:
    words = ["unshare", "-rm", "mount", "-t", "tmpfs", "none", "/mnt"]
    return sys.platform == "linux" and subprocess.run(words, capture_output=True).returncode == 0


@long
@needs_ray
@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.skipif(
    not can_unshare(), reason="needs mount namespaces, so that a machine of the test has a disk of its own"
)
def test_from_a_machine_with_a_disk_of_its_own_stopped_runs_come_home_and_go_on_there(
    head: Head, write_grid: Callable[..., Path], tmp_path: Path
) -> None:
    grid = write_grid("training.epochs=300", more="seeds = 2\naverage = [2]\nrules = [{ rule = 'zaremba' }]\n")
    (tmp_path / "out").mkdir()
    cache = tmp_path / "cache"
    away = head.add_machine(without=tmp_path / "out", LSTMDROP_CACHE=str(cache))
    address = f"ray://127.0.0.1:{head.client_port}"
    with reproducing(grid, address, **head.secret) as process:
        wait_for(lambda: list(cache.glob("grid/*/zaremba-s?/last.safetensors")))
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=200)
    assert process.returncode == 130, said
    planned = plan_reproduction(**choices(grid))
    assert [one.state for one in planned] == ["resume", "missing", "waiting"]
    with reproducing(grid, address, **head.secret) as process:
        out, said = process.communicate(timeout=400)
    assert (process.returncode, out.splitlines()[-1]) == (0, b"3 of 3 runs are done"), said
    one, _, average = plan_reproduction(**choices(grid))
    assert scores(one.directory) == scores(by_hand(one, tmp_path / "by hand"))
    assert json.loads((average.directory / "result.json").read_text())["num_models"] == 2
    assert [path for path in (tmp_path / "out").iterdir() if path.name.startswith(".")] == []
    kill_all(away)
