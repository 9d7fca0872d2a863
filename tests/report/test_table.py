from __future__ import annotations

import json
import math
import statistics
from dataclasses import replace
from pathlib import Path

import pytest

from lstmdrop.commands.report import report
from lstmdrop.metrics.score import Score
from lstmdrop.metrics.student import student_cdf, student_quantile
from lstmdrop.report.beside_paper import NOT_OURS, paper_table, published_table
from lstmdrop.report.paper import PAPER_TABLES, TABLE_1, PaperColumn, PaperRow, PaperTable, Target
from lstmdrop.report.runs import Gap, RunSummary, SplitScore
from lstmdrop.report.table import Cell, Table
from lstmdrop.report.tables import lines_of, rule_table, run_table

VALID, TEST = (f"tokens:{tokens}|vocabulary:10000" for tokens in (73759, 82429))  # of Penn Treebank


def perplexities(valid: float, test: float, signature: str = "stream:single") -> tuple[SplitScore, ...]:
    return (
        SplitScore("valid", Score("perplexity", valid, False, f"{VALID}|{signature}")),
        SplitScore("test", Score("perplexity", test, False, f"{TEST}|{signature}")),
    )


def run(seed: int, valid: float, test: float, **changes: object) -> RunSummary:
    """A medium run of the paper's recipe, but for ``changes``."""
    recipe = RunSummary(
        Path(f"runs/s{seed}"), "lm", "ptb", "medium", "zaremba", seed, perplexities(valid, test), dropout=0.5, epochs=39
    )
    return replace(recipe, **changes)  # type: ignore[arg-type]


def none(seed: int, valid: float, test: float, **changes: object) -> RunSummary:
    return run(seed, valid, test, **({"regularizer": "none", "dropout": None} | changes))


def row_of(table: Table, label: str) -> dict[str, Cell]:
    names = [column.name for column in table.columns]
    (found,) = [dict(zip(names, row, strict=True)) for row in table.rows if label in row]
    return found


def rows_of(table: Table, *wanted: str) -> list[tuple[Cell, ...]]:
    places = [[column.name for column in table.columns].index(name) for name in wanted]
    return [tuple(row[place] for place in places) for row in table.rows]


def columns(table: Table) -> list[str]:
    return [column.name for column in table.columns]


def remarks(table: Table) -> str:
    return "\n".join(f"{note.text} {note.code}" for note in table.notes)


def test_the_papers_row_shows_the_mean_over_seeds_and_their_number() -> None:
    row = row_of(paper_table([run(1, 86.0, 82.0), run(2, 87.0, 84.5)]), "medium regularised LSTM")
    assert (row["valid paper"], row["test paper"]) == (86.2, 82.7)
    assert (row["valid ours"], row["test ours"], row["seeds"]) == (86.5, 83.25, 2)
    assert row["test diff"] == pytest.approx(0.55)
    assert row["valid diff"] == pytest.approx(0.3)


def test_a_row_that_was_not_run_says_so_and_gives_the_command() -> None:
    table = paper_table([run(1, 86.0, 82.0)])
    row = row_of(table, "large regularised LSTM")
    assert (row["test paper"], row["test ours"], row["test diff"], row["seeds"]) == (78.4, "not run", None, 0)
    commands = {note.text: note.code for note in table.notes if "not run" in note.text}
    assert commands["large regularised LSTM, not run:"] == "lstmdrop train lm --data ptb --size large"
    assert len(commands) == len(TABLE_1.rows) - 1
    assert "medium regularised LSTM, not run:" not in commands


def test_a_result_on_another_dataset_is_in_no_row_of_the_paper() -> None:
    table = paper_table([run(1, 30.0, 20.0, data="demo")])
    assert rows_of(table, "seeds") == [(0,)] * len(table.rows)
    assert "demo" not in remarks(table)


def test_a_run_without_the_score_leaves_its_cells_empty() -> None:
    table = paper_table([run(1, 0.0, 0.0, scores=perplexities(86.0, 82.0)[:1])])
    row = row_of(table, "medium regularised LSTM")
    assert (row["valid ours"], row["test ours"], row["test diff"], row["seeds"]) == (86.0, None, None, 1)


def test_a_run_of_another_length_than_the_papers_is_remarked() -> None:
    assert "medium regularised LSTM: ours ran 5 epochs, the paper's 39." in remarks(
        paper_table([run(1, 86.0, 82.0, epochs=5)])
    )
    assert "epochs" not in remarks(paper_table([run(1, 86.0, 82.0)]))


def test_a_mean_over_different_recipes_is_remarked() -> None:
    exact, fast = ({"training.precision": precision, "seed": precision} for precision in ("float32", "bf16"))
    table = paper_table([run(1, 86.0, 82.0, settings=exact), run(2, 86.0, 82.0, settings=fast)])
    assert "medium regularised LSTM: the mean is over runs that differ in training.precision." in remarks(table)


def test_another_table_of_the_paper_needs_no_other_code() -> None:
    columns = (PaperColumn("perplexity", "test", "perplexity"), PaperColumn("BLEU", "test", "bleu"))
    target = Target("mt", "wmt14", "paper", "zaremba", dropout=0.2)
    paper = PaperTable("Table 3", columns, (PaperRow("regularised", (5.0, 29.03), target, "lstmdrop train mt"),), ())
    scores = tuple(SplitScore("test", Score(name, 30.0, True, "")) for name in ("bleu", "chrf"))
    found = RunSummary(Path("a"), "mt", "wmt14", "paper", "zaremba", 1, scores, dropout=0.2)
    row = row_of(paper_table([found], paper), "regularised")
    assert (row["BLEU paper"], row["BLEU ours"], row["perplexity ours"]) == (29.03, 30.0, None)
    assert row["BLEU diff"] == pytest.approx(0.97)


def test_a_line_per_rule_with_mean_interval_and_difference() -> None:
    tests = [82.0, 83.0, 87.0]
    runs = [*(run(seed, 86.0, value) for seed, value in enumerate(tests)), none(1, 120.0, 114.0), none(2, 121.0, 116.0)]
    table = rule_table(runs)
    assert [column.name for column in table.columns if column.is_heading] == ["task", "data", "size", "metric"]
    plain, dropped = rows_of(table, "rule", "p", "seeds", "test", "test ±", "test diff", "valid diff")
    assert plain == ("none", None, 2, 115.0, pytest.approx(12.7062047), None, None)  # t(0.975, 1) * sqrt(2) / sqrt(2)
    margin = 4.30265273 * statistics.stdev(tests) / math.sqrt(3)  # t(0.975, 2)
    assert dropped == ("zaremba", 0.5, 3, 84.0, pytest.approx(margin), -31.0, -34.5)
    assert "perplexity: lower is better." in remarks(table)


def test_a_difference_has_the_interval_and_the_p_value_of_welch() -> None:
    """Welch 1947, on numbers worked out by hand: unequal spreads, unequal numbers of seeds."""
    tests = {"none": (110.0, 112.0), "zaremba": (100.0, 101.0, 105.0)}
    runs = [*(run(seed, 86.0, value) for seed, value in enumerate(tests["zaremba"]))]
    runs += [none(seed, 120.0, value) for seed, value in enumerate(tests["none"])]
    (_, dropped) = rows_of(rule_table(runs), "test diff", "test diff ±", "test p-value")
    error = math.sqrt(2.0 / 2 + 7.0 / 3)
    degrees = error**4 / ((2.0 / 2) ** 2 / 1 + (7.0 / 3) ** 2 / 2)
    assert dropped[:2] == (-9.0, pytest.approx(student_quantile(0.975, degrees) * error))
    assert dropped[2] == pytest.approx(2 * student_cdf(-9.0 / error, degrees))
    assert 0.01 < dropped[2] < 0.05  # type: ignore[operator]


def test_the_gap_is_the_mean_over_seeds_and_says_how_it_was_measured() -> None:
    gaps = (Gap("perplexity", 60.0, 86.0, True), Gap("perplexity", 58.0, 86.0, True))
    table = rule_table(run(seed, 86.0, 82.0, gap=gap) for seed, gap in enumerate(gaps))
    assert rows_of(table, "gap", "gap metric") == [(-27.0, "perplexity")]
    assert "training minus validation perplexity of the weights that were kept (training, dropout on" in remarks(table)


def test_every_line_of_the_data_formats_carries_its_signature() -> None:
    table = rule_table([run(1, 86.0, 82.0), run(2, 86.0, 82.0, scores=perplexities(86.0, 82.0, "stream:striped"))])
    assert rows_of(table, "test signature") == [(f"{TEST}|stream:single or {TEST}|stream:striped",)]
    assert rows_of(table, "valid signature") == [(f"{VALID}|stream:single or {VALID}|stream:striped",)]
    assert "signature" not in columns(table.for_readers())
    made = f"{VALID}|stream:single; {TEST}|stream:single"
    command = "lstmdrop train lm --data ptb --size medium"
    assert rows_of(paper_table([run(1, 86.0, 82.0)]), "signature", "command")[1] == (made, command)


def test_the_five_published_numbers_stand_beside_ours() -> None:
    table = published_table([run(1, 86.0, 82.0)])
    assert rows_of(table, "paper") == [(29.03,), (78.4,), (82.2,), (82.7,), (86.2,)]
    assert rows_of(table, "ours") == [("not run",), ("not run",), ("not run",), (82.0,), (86.0,)]
    commands = {note.code for note in table.notes if "not run" in note.text}
    assert commands == {"lstmdrop train mt --data wmt14 --size paper", "lstmdrop train lm --data ptb --size large"}


def test_another_system_is_no_run_of_ours() -> None:
    table = paper_table([], PAPER_TABLES[2])
    assert row_of(table, "phrase-based LIUM system")["BLEU ours"] == NOT_OURS
    assert "LIUM" not in remarks(table)


def test_each_p_has_its_line_and_one_seed_has_no_interval() -> None:
    table = rule_table([run(1, 90.0, 88.0, dropout=0.2), run(1, 86.0, 82.0)])
    assert rows_of(table, "p", "test", "test ±", "test diff") == [(0.2, 88.0, None, None), (0.5, 82.0, None, None)]


def test_a_seed_that_was_run_twice_counts_once() -> None:
    """A copy of a run must not look like a second seed."""
    table = rule_table([run(1, 86.0, 82.0), run(1, 86.0, 82.0), run(2, 86.0, 85.0)])
    assert rows_of(table, "seeds", "test", "test ±") == [(2, 83.5, pytest.approx(12.7062047 * 1.5))]


def test_a_rule_is_compared_with_none_of_its_own_group_only() -> None:
    runs = [run(1, 86.0, 82.0), none(1, 50.0, 40.0, data="demo"), none(1, 50.0, 40.0, size="small", num_parameters=1)]
    table = rule_table([*runs, none(1, 96.0, 92.0, num_models=2)])
    assert rows_of(table, "data", "size", "rule", "models", "test diff") == [
        ("demo", "medium", "none", 1, None),
        ("ptb", "medium", "zaremba", 1, None),
        ("ptb", "medium", "none", 2, None),
        ("ptb", "small", "none", 1, None),
    ]


def test_sizes_are_in_the_order_of_their_parameters() -> None:
    sizes = {"large": 66_000_000, "medium": 19_780_000, "small": 4_650_000}
    table = rule_table(run(1, 86.0, 82.0, size=size, num_parameters=count) for size, count in sizes.items())
    assert rows_of(table, "size") == [("small",), ("medium",), ("large",)]


def test_runs_of_other_settings_have_lines_and_a_none_of_their_own() -> None:
    def settings(epochs: int, seed: int) -> dict[str, object]:
        return {"training.epochs": epochs, "training.rate": 1.0, "seed": seed, "regularizer.dropout": seed / 10}

    runs = [
        run(1, 90.0, 90.0, settings=settings(2, 1)),
        run(2, 80.0, 80.0, settings=settings(39, 2)),
        none(3, 100.0, 100.0, settings=settings(39, 3)),
    ]
    assert rows_of(rule_table(runs), "rule", "other settings", "test", "test diff") == [
        ("zaremba", "epochs=2", 90.0, None),
        ("none", "epochs=39", 100.0, None),
        ("zaremba", "epochs=39", 80.0, -20.0),
    ]
    assert rows_of(rule_table(runs[1:]), "other settings") == [(None,), (None,)]


def test_lines_are_told_apart_by_as_few_settings_as_do() -> None:
    """An architecture that comes with a rate and a schedule of its own is enough."""
    attend = {"model.architecture": "attend", "training.rate": 0.1, "training.decay": 1.5}
    plain = {"model.architecture": "show-tell", "training.rate": 0.2, "training.decay": 1.5}
    runs = [run(1, 90.0, 90.0, settings=attend), run(1, 80.0, 80.0, settings=plain)]
    assert [line.settings for line in lines_of(runs)] == ["architecture=attend", "architecture=show-tell"]
    other = run(2, 85.0, 85.0, settings={**plain, "training.decay": 2.0})
    assert {line.settings for line in lines_of([*runs, other])} == {
        "architecture=attend decay=1.5", "architecture=show-tell decay=1.5", "architecture=show-tell decay=2.0"
    }  # fmt: skip


def test_runs_that_start_from_runs_of_their_own_seed_differ_from_those_that_start_from_none_alone() -> None:
    second_stage = [run(seed, 90.0, 90.0, settings={"start_from": f"runs/first-s{seed}"}) for seed in (1, 2)]
    assert rows_of(rule_table(second_stage), "other settings", "seeds") == [(None, 2)]
    first_stage = run(1, 95.0, 95.0, settings={"start_from": None})
    assert rows_of(rule_table([first_stage, *second_stage]), "other settings", "seeds") == [
        ("start_from=None", 1),
        ("start_from=RUN", 2),
    ]


def test_signatures_are_in_the_notes_once_each() -> None:
    ensemble = run(1, 80.0, 77.0, num_models=2, scores=perplexities(80.0, 77.0, "stream:single|models:2"))
    one = run(1, 86.0, 82.0, scores=perplexities(86.0, 82.0, "stream:single|models:1"))
    codes = [note.code for note in rule_table([one, ensemble]).notes if note.code]
    assert codes == [f"{VALID}|stream:single", f"{TEST}|stream:single"]


def test_numbers_that_were_made_in_two_ways_are_told_apart() -> None:
    stripes = run(2, 86.0, 82.0, scores=perplexities(86.0, 82.0, "stream:striped"))
    text = remarks(rule_table([run(1, 86.0, 82.0), stripes]))
    assert f"lm ptb test perplexity, way 1 of 2 (s1): {TEST}|stream:single" in text
    assert f"lm ptb test perplexity, way 2 of 2 (s2): {TEST}|stream:striped" in text


def test_scores_of_other_words_have_lines_of_their_own() -> None:
    def translated(seed: int, tokenizer: str, rule: str = "zaremba") -> RunSummary:
        score = SplitScore("test", Score("bleu", 30.0 + seed, True, f"nrefs:1|case:mixed|tok:{tokenizer}|beam:5"))
        return RunSummary(Path(f"{rule}{seed}{tokenizer}"), "mt", "own", "small", rule, seed, (score,))

    table = rule_table([translated(1, "13a", "none"), translated(1, "zh"), translated(2, "zh"), translated(1, "13a")])
    assert rows_of(table, "rule", "other settings", "test", "test diff") == [
        ("none", "tok=13a", 31.0, None), ("zaremba", "tok=13a", 31.0, 0.0), ("zaremba", "tok=zh", 31.5, None),
    ]  # fmt: skip


def test_the_first_score_is_the_metric_and_its_direction_is_told() -> None:
    scores = tuple(SplitScore("valid", Score(name, 70.5, True, "")) for name in ("frame_accuracy", "other"))
    table = rule_table([RunSummary(Path("a"), "asr", "an4", "small", "zaremba", 1, scores)])
    assert rows_of(table, "metric", "valid") == [("frame_accuracy", 70.5)]
    assert "frame_accuracy: higher is better." in remarks(table)


def test_a_diverged_seed_spoils_the_mean_visibly() -> None:
    table = rule_table([run(1, 86.0, 82.0), run(2, math.inf, math.inf)])
    assert rows_of(table, "test", "test ±") == [(math.inf, None)]


def test_one_run_in_full() -> None:
    table = run_table(run(7, 86.5, 82.25, provenance={"torch": "2.6.0"}, train_seconds=10.5))
    assert table.rows[0] == ("valid perplexity", 86.5, "lower", f"{VALID}|stream:single")
    assert table.rows[1] == ("test perplexity", 82.25, "lower", f"{TEST}|stream:single")
    facts = {row[0]: row[1] for row in table.rows[2:]}
    assert facts == {
        "task": "lm", "data": "ptb", "size": "medium", "regularizer": "zaremba", "dropout": 0.5, "seed": 7,
        "num_models": 1, "epochs": 39, "train_seconds": 10.5,
    }  # fmt: skip
    assert remarks(table) == "torch: 2.6.0"


def write_run(directory: Path, name: str = "perplexity", num_models: int = 1) -> None:
    directory.mkdir(parents=True)
    scores = [{"split": "valid", "name": name, "value": 86.0, "higher_is_better": False, "signature": VALID}]
    result = {"task": "lm", "data": "ptb", "size": "medium", "regularizer": "zaremba", "seed": 1, "scores": scores}
    (directory / "result.json").write_text(json.dumps(result | {"num_models": num_models}))
    event = {"event": "evaluated", "epoch": 1, "split": "valid", "scores": scores, "training_loss": 4.0}
    (directory / "log.jsonl").write_text(json.dumps(event) + "\n")


def test_a_report_reads_runs_from_the_default_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_run(Path("runs/a"))
    write_run(Path("runs/speech"), name="wer")
    write_run(Path("runs/average"), num_models=2)
    Path("runs/average/log.jsonl").unlink()  # an average is not trained
    (tmp_path / "runs/b").mkdir()
    (tmp_path / "runs/b/config.json").write_text("{}")
    made = report()
    papers = ["The paper's five published results", *(paper.title for paper in PAPER_TABLES)]
    assert [table.title for table in made.tables] == ["What dropout changed", *papers]
    assert row_of(made.papers[1], "medium regularised LSTM")["valid ours"] == 86.0
    assert made.problems == ("runs/b: not finished, it has no result.json",)
    assert [curves.name for curves in made.curves] == ["a"]


def test_the_log_of_another_run_is_told_apart_and_its_curves_left_out(tmp_path: Path) -> None:
    write_run(tmp_path / "a")
    log = tmp_path / "a" / "log.jsonl"
    best = json.loads(log.read_text()) | {"is_best": True}
    for value, is_own in ((86.1, True), (95.0, False)):
        best["scores"][0]["value"] = value
        log.write_text(json.dumps(best) + "\n")
        made = report([tmp_path / "a"])
        assert len(made.curves) == is_own
        assert ("one of them is of another run" in str(made.problems)) != is_own


def test_a_report_of_one_run_shows_it_in_full_and_names_a_damaged_log(tmp_path: Path) -> None:
    write_run(tmp_path / "a")
    (tmp_path / "a" / "log.jsonl").unlink()
    made = report([tmp_path / "a"])
    assert made.own[-1].title == f"Run {tmp_path / 'a'}"
    assert made.curves == ()
    assert "log.jsonl cannot be read" in made.problems[0]


def test_a_report_without_runs_is_the_papers_table_to_do(tmp_path: Path) -> None:
    made = report([tmp_path])
    assert len(made.tables) == 1 + len(PAPER_TABLES)
    assert {row[columns(table).index("seeds")] for table in made.tables for row in table.rows} == {0}
    assert made.problems == (f"{tmp_path}: no run in it",)
