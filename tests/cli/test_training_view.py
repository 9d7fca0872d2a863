"""What training shows: lines in a pipe, a bar on a terminal, results on standard output."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console
from rich.progress import Progress, TextColumn

from lstmdrop.cli.views import QUIET_SECONDS, TrainingView
from lstmdrop.commands.train import Finished, Started
from lstmdrop.metrics.score import Score
from lstmdrop.plugin import load_plugin
from lstmdrop.settings import resolve_config
from lstmdrop.training.progress import Evaluated, Logged, Stepped, Validating


def started(step: int = 0, rule: str = "zaremba") -> Started:
    settings = ["training.epochs=3", "regularizer.dropout=0.25"]
    config = resolve_config(load_plugin("lm"), "tiny", regularizer=rule, seed=7, overrides=settings)
    return Started(config, Path("runs/a"), {"data": "some words"}, 1234567, 10, step, ["a note [of mine]"])


def logged(step: int, seconds: float = 1.0) -> Logged:
    return Logged(
        step=step, epoch=2, loss=2.34567, rate=0.5, gradient_norm=1.0, tokens_per_second=4321.6, seconds=seconds
    )


def evaluated(*scores: Score, is_best: bool = False) -> Evaluated:
    return Evaluated(step=20, epoch=2, split="valid", training_loss=2.0, scores=list(scores), is_best=is_best)


def shown(capsys: pytest.CaptureFixture[str], *events: Any) -> tuple[str, list[str]]:
    with TrainingView() as view:
        for event in events:
            view.show(event)
    captured = capsys.readouterr()
    return captured.out, captured.err.splitlines()


def test_a_run_says_what_it_is_when_it_starts(capsys: pytest.CaptureFixture[str]) -> None:
    _, lines = shown(capsys, started())
    assert lines == [
        "a note [of mine]",
        "data        some words",
        "model       1,234,567 parameters, tiny, zaremba dropout 0.25, seed 7",
        "run         runs/a",
    ]
    _, lines = shown(capsys, started(step=5, rule="none"))
    assert lines[2].endswith("tiny, no dropout, seed 7")
    assert lines[3] == "run         runs/a, resumed at step 5"


def test_an_epochs_training_value_is_of_the_kind_of_its_score(capsys: pytest.CaptureFixture[str]) -> None:
    perplexity, wer = Score("perplexity", 8.126, False, ""), Score("wer", 50.0, False, "")
    _, lines = shown(capsys, started(), evaluated(perplexity, wer, is_best=True), evaluated(wer, perplexity))
    assert lines[-2:] == [
        "epoch  2/3: training perplexity 7.39, valid perplexity 8.13, best so far",
        "epoch  2/3: training loss 2.00, valid wer 50.00",
    ]


def test_a_loss_that_no_perplexity_holds_stops_no_training(capsys: pytest.CaptureFixture[str]) -> None:
    diverged = replace(evaluated(Score("perplexity", 8.126, False, "")), training_loss=1000.0)
    _, lines = shown(capsys, started(), diverged)
    assert lines[-1] == "epoch  2/3: training perplexity inf, valid perplexity 8.13"


def test_results_alone_are_on_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [{"split": "valid", "name": "bleu", "value": 1.23456}, {"split": "test", "name": "bleu", "value": 2.0}]
    out, lines = shown(capsys, Finished(Path("runs/a"), {"scores": rows}))
    assert out == "valid bleu 1.2346\ntest bleu 2.0000\n"
    assert lines == ["the run is in runs/a"]


def test_in_a_pipe_progress_is_a_line_now_and_then(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = iter([100.0, 100.0 + QUIET_SECONDS - 0.1, 100.0 + QUIET_SECONDS, 101.0 + QUIET_SECONDS])
    clock = SimpleNamespace(monotonic=lambda: next(now))
    monkeypatch.setitem(TrainingView.show.__globals__, "time", clock)
    _, lines = shown(capsys, *(logged(step) for step in (1, 2, 3, 4)))
    assert lines == [f"epoch 2 step {step}: loss 2.3457, 4,322/s" for step in (1, 3)]


def test_on_a_terminal_the_bar_follows_the_steps_and_no_line_is_printed() -> None:
    view, screen = TrainingView(), StringIO()
    view.console = Console(file=screen, force_terminal=True, width=100, soft_wrap=True)
    view.progress = Progress(TextColumn("{task.description}"), console=view.console, transient=True)
    with view:
        view.show(started(step=4))
        (bar,) = view.progress.tasks
        assert (bar.completed, bar.total, view.has_begun) == (4, 30, False)
        view.show(Stepped(step=5, epoch=1))
        assert (bar.completed, view.has_begun) == (5, True)
        view.show(logged(6))
        assert (bar.description, bar.fields["speed"]) == ("epoch 2/3, loss 2.346", "4,322/s")
        view.show(Validating(step=6, epoch=2))
        assert bar.description == "epoch 2/3, validating"
    assert "step 6" not in screen.getvalue()


def test_events_before_a_start_draw_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with TrainingView() as view:
        view.show(Stepped(step=1, epoch=1))
        view.show(Validating(step=6, epoch=1))
        assert view.progress.tasks == []
