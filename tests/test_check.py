"""One batch says whether a network is fit to be trained."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from lstmdrop.check import Checked, check_task, undrawn_masks
from lstmdrop.nn.lstm import RegularizedLSTM
from lstmdrop.nn.rules import RULE_NAMES, RuleName, make_regularizer

Toys = dict[str, tuple[str, list[str]]]
BuildLM = Callable[..., Any]


@pytest.mark.parametrize("task", ["lm", "mt", "asr", "caption"])
@pytest.mark.parametrize("rule", ["zaremba", "variational", "weight-drop"])
def test_every_task_is_fine_and_leaves_nothing(
    lstmdrop: Callable[..., Any], toys: Toys, task: str, rule: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    data, overrides = toys[task]
    settings = [*overrides, f"regularizer.rule={rule}"]
    outcome = lstmdrop("train", task, "--data", data, "--size", "tiny", "--check", settings=settings)
    assert outcome.code == 0, outcome.messages
    assert outcome.output.splitlines()[-1].startswith("fine ")
    assert list(tmp_path.iterdir()) == []


def found_in(task: Any) -> Checked:
    return check_task(task, task.config)


def test_labels_out_of_range_are_named_before_a_network_meets_them(build_lm: BuildLM) -> None:
    task = build_lm()
    number = len(task.tokenizer.vocabulary)
    window = next(iter(task.batches("train")))
    window.targets[2, 1], window.targets[3, 0] = number + 4, -1
    task.batches = lambda split, epoch=0: [window]
    (line,) = {*found_in(task).problems} - {problem for problem in found_in(task).problems if "inputs" in problem}
    assert line == (
        f"targets: 2 of {window.targets.numel()} labels are out of range, the first being {number + 4}, "
        f"where 0 to {number - 1} are known"
    )


def test_parameters_without_a_gradient_are_named(build_lm: BuildLM) -> None:
    task = build_lm()
    task.model.unused = nn.Linear(2, 1, bias=False)
    task.model.frozen = nn.Parameter(torch.ones(1), requires_grad=False)
    assert found_in(task).problems == ["unused.weight: no gradient reaches it"]
    with torch.no_grad():
        task.model.softmax.weight.zero_()  # what is below hears nothing
    below = [name for name, _ in task.model.named_parameters() if name.startswith(("embedding", "lstm"))]
    zero = [f"{name}: its gradient is zero everywhere" for name in below]
    assert sorted(found_in(task).problems) == sorted([*zero, "unused.weight: no gradient reaches it"])


def test_a_loss_that_is_no_number_is_said(build_lm: BuildLM) -> None:
    task = build_lm()
    with torch.no_grad():
        task.model.softmax.bias.fill_(torch.nan)
    problems = found_in(task).problems
    assert problems[0] == "the loss is nan"
    assert "softmax.weight: its gradient is not finite" in problems


@pytest.mark.parametrize("rule", RULE_NAMES)
def test_a_mask_that_a_network_passes_by_is_named(rule: RuleName) -> None:
    """One layer after the other by hand, as somebody might who forgets that the rule is a part of the LSTM."""
    model = nn.ModuleDict(
        {"lstm": RegularizedLSTM(3, 4, 2, make_regularizer(rule, 0.5, 0.25)), "drop": nn.Dropout(0.1)}
    )
    lstm, inputs = model["lstm"], torch.ones(5, 2, 3)
    with undrawn_masks(model) as undrawn:
        model["drop"](lstm(inputs)[0])
    assert undrawn == []
    with undrawn_masks(model) as undrawn:
        inputs.mean()
    through_time = {"zaremba": "", "none": "", "weight-drop": "on the recurrent weights"}
    places = ["on the input of layer 1", "on the input of layer 2", "on the top output"] if rule != "none" else []
    places += [place] if (place := through_time.get(rule, "on the path through time")) else []
    expected = [f"lstm: no mask is drawn {place}, where the rule has one" for place in places]
    assert undrawn == [*expected, "drop: no mask is drawn, the module is never called"]
    with undrawn_masks(model) as undrawn:
        model["drop"](lstm.undropped(inputs)[0])
    assert undrawn == [line for line in expected if "top output" in line]
    assert not hasattr(lstm.regularizer, "drawn")


@pytest.mark.parametrize("rule", RULE_NAMES)
def test_a_rate_of_zero_has_no_mask_to_draw(rule: RuleName) -> None:
    model = nn.ModuleDict({"lstm": RegularizedLSTM(3, 4, 2, make_regularizer(rule, 0.0, 0.0)), "drop": nn.Dropout(0.0)})
    with undrawn_masks(model) as undrawn:
        pass
    assert undrawn == []


def test_what_is_found_ends_with_exit_code_1(
    lstmdrop: Callable[..., Any], toy_corpus: Path, toy_settings: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RegularizedLSTM, "drop_output", lambda self, outputs: outputs)
    command = ["train", "lm", "--data", toy_corpus, "--size", "tiny", "--check"]
    outcome = lstmdrop(*command, settings=toy_settings)
    assert outcome.code == 1
    assert "problem               lstm: no mask is drawn on the top output, where the rule has one" in outcome.output
    assert outcome.messages.splitlines()[-1] == "lstmdrop: the check found 1 problem: see above"
