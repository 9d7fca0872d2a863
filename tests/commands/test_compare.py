from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from lstmdrop.commands.compare import ComparedScore, Comparison, compare, comparison_table
from lstmdrop.errors import DataError, UsageError
from lstmdrop.metrics.bleu import translation_scores
from lstmdrop.metrics.bleu_tokenizer import TokenizerName
from lstmdrop.metrics.perplexity import perplexity
from lstmdrop.metrics.score import Score
from lstmdrop.metrics.significance import Bootstrap
from lstmdrop.report.rescore import rescore
from lstmdrop.report.runs import read_summary

RESULTS = Path(__file__).parents[2] / "docs/results"


def write_run(directory: Path, scores: Sequence[Score], config: dict[str, object], **fields: object) -> Path:
    directory.mkdir(parents=True)
    rows = [
        {"split": "test", "name": s.name, "value": s.value, "higher_is_better": s.higher_is_better,
         "signature": s.signature}
        for s in scores
    ]  # fmt: skip
    result = {"task": "lm", "data": "demo", "size": "tiny", "regularizer": "none", "seed": 1, "scores": rows}
    (directory / "result.json").write_text(json.dumps(result | fields))
    (directory / "config.json").write_text(json.dumps(config))
    return directory


def language_run(directory: Path, shift: float, signature: str = "tokens:600|vocabulary:9|data:aaa") -> Path:
    log_probs = (np.random.default_rng(0).normal(-4, 1, 600) + shift).astype(np.float32)
    score = Score("perplexity", perplexity(log_probs), False, signature)
    write_run(directory, [score], {"task": "lm"})
    np.savez_compressed(directory / "log_probs.npz", log_probs=log_probs)
    return directory


def translation_run(directory: Path, pairs: Path, lines: list[str], tokenize: TokenizerName = "13a") -> Path:
    references = (pairs / "test.fr").read_text(encoding="utf-8").splitlines()
    config = {"task": "mt", "data": {"name": str(pairs), "pair": "en-fr"}}
    scores = translation_scores(lines, references, {"data": "bbb"}, tokenize=tokenize)
    write_run(directory, scores, config, task="mt", data=str(pairs))
    (directory / "predictions.txt").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return directory


def test_perplexities_are_compared_on_the_log_probabilities(tmp_path: Path) -> None:
    made = compare(language_run(tmp_path / "a", 0.0), language_run(tmp_path / "b", 0.5), num_shuffles=200)
    (score,) = made.scores
    assert score.difference == pytest.approx(score.first.value * (np.exp(-0.5) - 1), rel=1e-5)
    assert score.bootstrap.low < score.difference < score.bootstrap.high < 0
    assert score.is_significant
    table = comparison_table(made)
    for column, cell in zip(table.columns, table.rows[0], strict=True):
        assert column.is_text == isinstance(cell, str)
    assert table.rows[0][0] == "perplexity"
    assert table.rows[0][8] == "B"
    assert {note.code for note in table.notes} >= {str(tmp_path / "a"), "tokens:600|vocabulary:9|data:aaa"}


def test_translations_are_compared_with_the_references_of_their_data(tmp_path: Path, toy_pairs: Path) -> None:
    right = (toy_pairs / "test.fr").read_text(encoding="utf-8").splitlines()
    wrong = ["maison"] * len(right)
    runs = translation_run(tmp_path / "a", toy_pairs, wrong), translation_run(tmp_path / "b", toy_pairs, right)
    made = compare(*runs, num_shuffles=100, num_resamples=100)
    assert [score.first.name for score in made.scores] == ["bleu", "chrf"]
    assert [score.second.value for score in made.scores] == pytest.approx([100.0, 100.0])
    (only,) = compare(*runs, metrics=["chrf"], num_shuffles=100, num_resamples=100).scores
    assert only.first.name == "chrf"


@pytest.mark.parametrize(
    ("signature", "said"),
    [
        ("tokens:600|vocabulary:9|data:ccc", "not tested on the same data: perplexity over data aaa and ccc"),
        ("tokens:600|vocabulary:8|data:aaa", "perplexity over vocabulary 9 and 8"),
    ],
)
def test_other_test_data_are_refused(tmp_path: Path, signature: str, said: str) -> None:
    with pytest.raises(DataError, match=said):
        compare(language_run(tmp_path / "a", 0.0), language_run(tmp_path / "b", 0.5, signature))


def test_a_score_that_cannot_be_compared_is_left_out_of_several(tmp_path: Path, toy_pairs: Path) -> None:
    right = (toy_pairs / "test.fr").read_text(encoding="utf-8").splitlines()
    runs = [translation_run(tmp_path / name, toy_pairs, right) for name in ("a", "b")]
    for vocabulary, run in zip((9, 8), runs, strict=True):
        result = json.loads((run / "result.json").read_text())
        signature = f"unit:word|tokens:600|vocabulary:{vocabulary}|data:bbb"
        row = {"split": "test", "name": "perplexity", "value": 2.0, "higher_is_better": False, "signature": signature}
        result["scores"].append(row)
        (run / "result.json").write_text(json.dumps(result))
    made = compare(*runs, num_shuffles=100, num_resamples=100)
    assert [score.first.name for score in made.scores] == ["bleu", "chrf"]
    assert "perplexity over vocabulary 9 and 8" in made.left_out[0]


def test_scores_of_other_words_or_case_are_refused(tmp_path: Path, toy_pairs: Path) -> None:
    lines = ["maison"] * len((toy_pairs / "test.fr").read_text(encoding="utf-8").splitlines())
    plain, by_sign = (translation_run(tmp_path / name, toy_pairs, lines, tokenize=name) for name in ("13a", "char"))
    made = compare(plain, by_sign, num_shuffles=100, num_resamples=100)
    assert [score.first.name for score in made.scores] == ["chrf"]
    assert "bleu over tok 13a and char" in made.left_out[0]
    again = translation_run(tmp_path / "again", toy_pairs, lines, tokenize="char")
    assert len(compare(by_sign, again, num_shuffles=100, num_resamples=100).scores) == 2


def test_without_a_hash_in_the_signature_all_data_must_be_the_same(tmp_path: Path) -> None:
    runs = [language_run(tmp_path / name, 0.0, "tokens:600") for name in ("a", "b")]
    for number, run in enumerate(runs):
        result = json.loads((run / "result.json").read_text())
        (run / "result.json").write_text(json.dumps(result | {"data_sha256": f"d{number}"}))
    with pytest.raises(DataError, match="data d0 and d1"):
        compare(*runs)


def test_runs_that_do_not_say_their_data_are_refused(tmp_path: Path) -> None:
    runs = [language_run(tmp_path / name, 0.0, "tokens:600") for name in ("a", "b")]
    with pytest.raises(DataError, match="a does not say on which data perplexity was measured"):
        compare(*runs)


def test_segments_that_cannot_be_paired_are_refused(tmp_path: Path) -> None:
    runs = [language_run(tmp_path / name, 0.0) for name in ("a", "b")]
    with np.load(runs[1] / "log_probs.npz") as kept:
        np.savez_compressed(runs[1] / "log_probs.npz", log_probs=kept["log_probs"], lengths=[100, 500])
    with pytest.raises(DataError, match="12 segments cannot be paired with 2"):
        compare(*runs)


def test_a_run_against_itself_is_neither_better(tmp_path: Path) -> None:
    run = language_run(tmp_path / "a", 0.0)
    table = comparison_table(compare(run, run / ".." / "a", num_shuffles=200))
    assert table.rows[0][8] == "neither"
    assert "A and B are the same run." in [note.text for note in table.notes]


def test_outputs_that_do_not_give_the_runs_own_score_are_refused(tmp_path: Path) -> None:
    runs = [language_run(tmp_path / name, 0.0) for name in ("a", "b")]
    np.savez_compressed(runs[1] / "log_probs.npz", log_probs=np.full(600, -1.0))
    with pytest.raises(DataError, match=r"b: its log_probs\.npz gives perplexity 2\.7183, its result\.json says"):
        compare(*runs)


def test_missing_and_damaged_outputs_are_named(tmp_path: Path) -> None:
    runs = [language_run(tmp_path / name, 0.0) for name in ("a", "b")]
    (runs[1] / "log_probs.npz").write_bytes(b"PK nonsense")
    with pytest.raises(DataError, match=r"b/log_probs\.npz cannot be read"):
        compare(*runs)
    (runs[1] / "log_probs.npz").unlink()
    with pytest.raises(DataError, match=r"b/log_probs\.npz does not exist"):
        compare(*runs)


def test_lines_that_are_missing_are_counted(tmp_path: Path, toy_pairs: Path) -> None:
    right = (toy_pairs / "test.fr").read_text(encoding="utf-8").splitlines()
    run = translation_run(tmp_path / "a", toy_pairs, right)
    (run / "predictions.txt").write_text("maison\n")
    with pytest.raises(DataError, match=rf"1 lines for {len(right)} test items"):
        rescore(read_summary(run), "bleu")


def test_runs_of_different_tasks_or_without_the_score_are_refused(tmp_path: Path, toy_pairs: Path) -> None:
    language = language_run(tmp_path / "a", 0.0)
    translation = translation_run(tmp_path / "b", toy_pairs, ["un"] * 6)
    with pytest.raises(UsageError, match="they share no score"):
        compare(language, translation)
    with pytest.raises(UsageError, match="no test score 'wer'; those that can be compared: perplexity"):
        compare(language, language, metrics=["wer"])


def test_the_committed_results_give_their_numbers_again() -> None:
    """Every perplexity from its log-probabilities; what needs the data's references is tested where the data is."""
    summaries = [read_summary(path.parent) for path in sorted(RESULTS.rglob("result.json"))]
    scored = [(run, "perplexity") for run in summaries if run.score("test", "perplexity")]
    assert len(scored) >= 5
    for run, metric in scored:
        assert len(rescore(run, metric).statistics) > 1


@pytest.mark.slow
@pytest.mark.timeout(1200)  # a minute on an idle machine
def test_the_committed_predictions_give_their_numbers_again(shared_data: Path) -> None:
    from lstmdrop.report.rescore import scorable

    summaries = [read_summary(path.parent) for path in sorted(RESULTS.rglob("predictions.txt"))]
    assert {run.task for run in summaries} >= {"asr", "caption"}
    for run in summaries:
        metrics = [metric for metric in scorable(run) if metric != "perplexity"]  # that is the test above
        assert metrics, run.directory
        for metric in metrics:
            assert len(rescore(run, metric, shared_data).statistics) > 1


BOTH = "tokens:600|vocabulary:9|data:aaa"


@pytest.mark.parametrize(
    ("signatures", "texts", "refused"),
    [
        ((f"{BOTH}|fingerprint:one", f"{BOTH}|fingerprint:two"), (None, None), True),
        ((f"{BOTH}|fingerprint:one", f"{BOTH}|fingerprint:one"), (None, None), False),
        ((BOTH, f"{BOTH}|fingerprint:two"), ("here", "there"), True),
        ((BOTH, BOTH), ("here", "there"), True),
        ((BOTH, f"{BOTH}|fingerprint:two"), ("here", "here"), False),
    ],
)
def test_runs_of_different_vocabularies_are_refused(
    tmp_path: Path, signatures: tuple[str, str], texts: tuple[str | None, str | None], refused: bool
) -> None:
    """Of 1,000 words each, learnt from two texts, the one that knows fewer of the test words looks better."""
    runs = []
    for name, signature, text in zip("ab", signatures, texts, strict=True):
        run = language_run(tmp_path / name, 0.5 * len(runs), signature)
        result = json.loads((run / "result.json").read_text(encoding="utf-8"))
        (run / "result.json").write_text(
            json.dumps({**result, "data_sha256": text} if text else result), encoding="utf-8"
        )
        runs.append(run)
    if refused:
        with pytest.raises(DataError, match="different vocabularies"):
            compare(*runs, num_shuffles=100, num_resamples=100)
    else:
        assert compare(*runs, num_shuffles=100, num_resamples=100).scores


def compared(first: float, second: float, p_values: tuple[float, float], *, higher: bool = False) -> ComparedScore:
    scores = (Score("x", value, higher, f"tok:{number}") for number, value in enumerate((first, second)))
    return ComparedScore(*scores, Bootstrap(-1.5, -0.5, p_values[0]), p_values[1])


@pytest.mark.parametrize(
    ("score", "better"),
    [
        (compared(3, 2, (0.01, 0.01)), "B"), (compared(2, 3, (0.01, 0.01)), "A"),
        (compared(3, 2, (0.01, 0.01), higher=True), "A"), (compared(2, 3, (0.01, 0.01), higher=True), "B"),
        (compared(3, 2, (0.05, 0.01)), "neither"), (compared(3, 2, (0.01, 0.05)), "neither"),
        (compared(3, 2, (0.049, 0.049)), "B"),
    ],
)  # fmt: skip
def test_better_is_who_is_so_by_both_tests(score: ComparedScore, better: str, tmp_path: Path) -> None:
    table = comparison_table(Comparison(tmp_path, tmp_path, (score,), ("y: gone",), 1000, 20000, 7))
    first, second = score.first.value, score.second.value
    numbers = (first, second, second - first, -1.5, -0.5, score.bootstrap.p_value, score.p_randomisation)
    assert table.rows == (("x", *numbers, better, "tok:0", "tok:1"),)
    remarks = [(note.text, note.code) for note in table.notes]
    direction = "higher" if score.first.higher_is_better else "lower"
    assert (f"x ({direction} is better), A:", "tok:0") in remarks
    assert (f"x ({direction} is better), B:", "tok:1") in remarks
    assert remarks[-1] == ("left out: y: gone", "")
    assert any("1,000 resamples" in text and "20,000 shuffles; seed 7." in text for text, _ in remarks)


def test_a_signature_that_is_the_same_is_said_once(tmp_path: Path) -> None:
    score = Score("x", 1.0, True, "tok:13a")
    same = ComparedScore(score, score, Bootstrap(0.0, 0.0, 1.0), 1.0)
    table = comparison_table(Comparison(tmp_path, tmp_path / "..", (same,), (), 1, 1, 1))
    assert [note.code for note in table.notes].count("tok:13a") == 1
    assert "A and B are the same run." not in [note.text for note in table.notes]


def test_numbers_are_the_same_again_under_the_same_seed_alone(tmp_path: Path) -> None:
    runs = language_run(tmp_path / "a", 0.0), language_run(tmp_path / "b", 0.01)
    log_probs = np.random.default_rng(1).normal(-4, 1, 600).astype(np.float32)
    write_run(tmp_path / "c", [Score("perplexity", perplexity(log_probs), False, BOTH)], {"task": "lm"})
    np.savez_compressed(tmp_path / "c" / "log_probs.npz", log_probs=log_probs)
    first, again, other = (
        compare(runs[0], tmp_path / "c", num_resamples=200, num_shuffles=200, seed=seed).scores[0] for seed in (1, 1, 2)
    )
    assert (first.bootstrap, first.p_randomisation) == (again.bootstrap, again.p_randomisation)
    assert first.bootstrap != other.bootstrap


def test_a_metric_that_is_named_and_cannot_be_compared_is_an_error_though_others_can(
    tmp_path: Path, toy_pairs: Path
) -> None:
    lines = ["maison"] * len((toy_pairs / "test.fr").read_text(encoding="utf-8").splitlines())
    runs = [translation_run(tmp_path / name, toy_pairs, lines, tokenize=name) for name in ("13a", "char")]
    with pytest.raises(DataError, match="bleu over tok 13a and char"):
        compare(*runs, metrics=["bleu", "chrf"], num_shuffles=100, num_resamples=100)


def test_a_part_that_earlier_versions_did_not_write_is_no_difference(tmp_path: Path, toy_pairs: Path) -> None:
    lines = ["maison"] * len((toy_pairs / "test.fr").read_text(encoding="utf-8").splitlines())
    runs = [translation_run(tmp_path / name, toy_pairs, lines) for name in ("a", "b")]
    result = json.loads((runs[1] / "result.json").read_text(encoding="utf-8"))
    for row in result["scores"]:
        row["signature"] = row["signature"].replace("tok:13a|", "").replace("case:mixed|", "")
    (runs[1] / "result.json").write_text(json.dumps(result), encoding="utf-8")
    assert len(compare(*runs, num_shuffles=100, num_resamples=100).scores) == 2
