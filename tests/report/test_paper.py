from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lstmdrop.metrics.score import Score
from lstmdrop.plugin import find_preset, load_plugin
from lstmdrop.presets import every_setting, resolve
from lstmdrop.report.beside_paper import headline_table
from lstmdrop.report.paper import PAPER_TABLES, TABLE_1, PaperRow, PaperTable
from lstmdrop.report.runs import RunSummary, SplitScore

MEDIUM = RunSummary(Path("m"), "lm", "ptb", "medium", "zaremba", 1, (), dropout=0.5)


def measured(signature: str) -> SplitScore:
    return SplitScore("test", Score("perplexity", 80.0, False, signature))


def matching(run: RunSummary) -> list[str]:
    return [row.label for row in TABLE_1.rows if row.target and row.target.matches(run)]


def test_the_table_is_the_papers() -> None:
    """Table 1 of arXiv 1409.2329."""
    values = [row.values for row in TABLE_1.rows]
    single = [(120.7, 114.5), (86.2, 82.7), (82.2, 78.4)]
    non_regularised = [(100.4, 96.1), (87.9, 84.1), (83.5, 80.0)]
    medium = [(80.6, 77.0), (76.7, 73.3), (75.2, 72.0)]
    large = [(76.9, 73.6), (72.8, 69.5), (71.9, 68.7)]
    assert values == [*single, *non_regularised, *medium, *large]
    assert [row.target.num_models for row in TABLE_1.rows if row.target] == [1, 1, 1, 2, 5, 10, 2, 5, 10, 2, 10, 38]
    assert [(column.split, column.metric) for column in TABLE_1.columns] == [
        ("valid", "perplexity"),
        ("test", "perplexity"),
    ]


def test_a_run_of_the_recipe_matches_its_row_alone() -> None:
    assert matching(MEDIUM) == ["medium regularised LSTM"]
    assert matching(replace(MEDIUM, scores=(measured("tokens:82429|vocabulary:10000|models:1"),))) == matching(MEDIUM)
    assert matching(replace(MEDIUM, num_models=10)) == ["averaging 10 medium regularised LSTMs"]
    assert matching(replace(MEDIUM, size="large", dropout=0.65)) == ["large regularised LSTM"]
    assert matching(replace(MEDIUM, size="small", regularizer="none", dropout=None)) == ["non-regularised LSTM, small"]


@pytest.mark.parametrize(
    "other",
    [
        replace(MEDIUM, data="demo"),
        replace(MEDIUM, data="ptb-characters"),
        replace(MEDIUM, data="/home/me/ptb"),
        replace(MEDIUM, task="mt"),
        replace(MEDIUM, size="large"),
        replace(MEDIUM, regularizer="variational"),
        replace(MEDIUM, regularizer="none", dropout=None),
        replace(MEDIUM, dropout=0.4),
        replace(MEDIUM, num_models=3),
        replace(MEDIUM, num_models=10, dropout=None),  # of members that differ in it
        replace(MEDIUM, settings={"model.hidden_size": 200}),
        replace(MEDIUM, settings={"training.optimizer": "adamw"}),
        replace(MEDIUM, settings={"data.tokens": "bpe"}),
        replace(MEDIUM, settings={"training.average_from": 30}),
        replace(MEDIUM, scores=(measured("tokens:1022|vocabulary:443|stream:single"),)),  # another text of that name
        replace(MEDIUM, scores=(measured("tokens:82429|vocabulary:500|stream:single"),)),
    ],
)
def test_another_dataset_or_recipe_never_stands_in_a_row(other: RunSummary) -> None:
    assert matching(other) == []


@pytest.mark.parametrize("row", [row for paper in PAPER_TABLES for row in paper.rows if row.target])
def test_the_preset_of_its_size_is_the_recipe_of_a_row(row: PaperRow) -> None:
    target = row.target
    assert target is not None
    plugin = load_plugin(target.task)
    config = resolve(plugin.config, [find_preset(plugin, target.size)]).model_dump()
    for key, values in target.settings.items():
        chosen: Any = config
        for name in key.split("."):
            chosen = chosen[name]
        assert chosen in values, key


def test_a_single_run_that_does_not_say_its_p_is_taken_at_its_sizes_word() -> None:
    assert matching(replace(MEDIUM, dropout=None)) == ["medium regularised LSTM"]


def test_every_row_has_a_value_for_every_column() -> None:
    for paper in PAPER_TABLES:
        assert {len(row.values) for row in paper.rows} == {len(paper.columns)}


@pytest.mark.parametrize("row", TABLE_1.rows, ids=lambda row: str(row.label))
def test_the_command_makes_the_run_that_the_row_wants(row: PaperRow) -> None:
    """The words of the command, against the recipe: size, dataset, rule and number of models."""
    words = row.command.split()
    target = row.target
    assert target is not None
    if target.num_models == 1:
        rule = ["--regularizer", "none"] if target.regularizer == "none" else []
        assert words == ["lstmdrop", "train", "lm", "--data", "ptb", "--size", target.size, *rule]
    else:
        name = f"runs/lm-{target.size}-ptb{'-none' if target.regularizer == 'none' else ''}"
        runs = f"--run={name}-s{{1..{target.num_models}}}"
        assert words == ["lstmdrop", "eval", "lm", runs, "--out", f"{name}-average-{target.num_models}"]


def test_the_runs_that_an_average_needs_have_the_names_that_training_gives_them() -> None:
    """``lstmdrop.settings.default_name`` is what the command's folders rest on."""
    from lstmdrop.settings import default_name

    config = {"task": "lm", "size": "small", "data": {"name": "ptb"}, "regularizer": {"rule": "none"}, "seed": 1}
    row = next(row for row in TABLE_1.rows if row.label == "averaging 2 non-regularised LSTMs")
    assert f"--run=runs/{default_name(config)[:-1]}{{1..2}} " in row.command


def test_tables_2_to_4_are_the_papers() -> None:
    assert [[row.values for row in paper.rows] for paper in PAPER_TABLES[1:]] == [
        [(71.6, 68.9), (69.4, 70.5)],
        [(5.8, 25.9), (5.0, 29.03), (None, 33.30)],
        [(8.47, 23.5), (7.99, 24.3), (7.5, 24.4)],
    ]


def test_the_papers_languages_are_the_defaults_of_its_dataset() -> None:
    """A run that does not say its pair has the dataset's first."""
    row = PAPER_TABLES[2].rows[1]
    assert row.target is not None
    french = RunSummary(Path("m"), "mt", "wmt14", "paper", "zaremba", 1, (), dropout=0.2)
    assert row.target.matches(french)
    assert row.target.matches(replace(french, settings={"data.pair": "en-fr"}))
    assert not row.target.matches(replace(french, settings={"data.pair": "en-de"}))
    assert not row.target.matches(replace(french, data="multi30k"))
    assert not row.target.matches(replace(french, settings={"data.tokens": "bpe"}))
    assert not row.target.matches(replace(french, scores=(measured("unit:word|tokens:90|vocabulary:900"),)))


@pytest.mark.parametrize("paper", PAPER_TABLES[1:], ids=lambda paper: str(paper.title[:7]))
def test_every_row_that_can_be_ours_has_a_command(paper: PaperTable) -> None:
    for row in paper.rows:
        assert bool(row.command) == (row.target is not None)
        if row.target and row.target.num_models == 1:
            assert row.command.startswith(f"lstmdrop train {row.target.task} --data {row.target.data} ")
            assert ("--regularizer none" in row.command) == (row.target.regularizer == "none")


def awd(seed: int, test: float, signature: str = "stream:single", **changes: Any) -> RunSummary:
    plugin = load_plugin("lm")
    settings = every_setting(resolve(plugin.config, [find_preset(plugin, "awd")]))
    scores = (SplitScore("test", Score("perplexity", test, False, signature)),)
    made = RunSummary(Path(f"a{seed}"), "lm", "ptb", "awd", "weight-drop", seed, scores, num_parameters=24_221_600)
    return replace(made, settings=settings, train_seconds=7200.0, **changes)


def test_the_headline_has_the_papers_rows_and_the_presets_below_them() -> None:
    medium = replace(MEDIUM, scores=(measured("tokens:82429|vocabulary:10000"),), train_seconds=3600.0)
    adapted = awd(1, 66.0, "stream:single|dynamic:rate=1e-4|cache:500")
    other = awd(3, 60.0)
    other = replace(other, settings={**other.settings, "model.hidden_size": 99})
    table = headline_table([medium, awd(1, 72.0), awd(2, 74.0), adapted, other])
    assert len(table.rows) == 3 + 2
    assert table.notes[-1].text == "9 averages of the paper have not been run."
    assert table.rows[1] == ("medium regularised LSTM", 82.7, "80.00", 1, 1.0)
    assert table.rows[2] == ("large regularised LSTM", 78.4, "not run", 0, None)
    static, learnt = table.rows[-2:]
    assert static[0] == "awd, 24.2 M parameters"
    assert static[2:] == ("73.00 ± 12.71", 2, 2.0)
    assert str(learnt[0]).endswith("at test time")
    assert learnt[2:4] == ("66.00", 1)
