"""Laws of the translation task."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lstmdrop.commands.evaluate import evaluate as evaluate_runs
from lstmdrop.data.tokenizers.words import WordTokenizer
from lstmdrop.data.vocabulary import EOS, UNK, Vocabulary
from lstmdrop.decoding.beam import BeamSettings
from lstmdrop.errors import ConfigError, DataError, UsageError
from lstmdrop.nn.decoder import PADDING
from lstmdrop.nn.rules import RULE_NAMES
from lstmdrop.plugin import load_plugin
from lstmdrop.run import Run
from lstmdrop.settings import resolve_config
from lstmdrop.training.trainer import Trainer
from lstmdrop_tasks.mt import tuning
from lstmdrop_tasks.mt.config import MTPrediction
from lstmdrop_tasks.mt.pairs import Pairs, Sentences, pad_pairs
from lstmdrop_tasks.mt.predict import predict
from lstmdrop_tasks.mt.task import evaluate
from lstmdrop_tasks.mt.translate import LONGEST_MORE, LONGEST_RATIO, Targets, longest_ratio

ARCHITECTURES = ("attention", "sequence", "stream")
Build = Callable[..., Any]


def loss_of(task: Any, batch: Any) -> float:
    return float(task.objective()(batch).total.detach())


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("rule", RULE_NAMES)
def test_every_rule_trains_every_architecture(build_mt: Build, architecture: str, rule: str) -> None:
    task = build_mt(f"model.architecture={architecture}", f"regularizer.rule={rule}", "model.num_layers=2")
    trainer = Trainer(task, task.config)
    before = [parameter.clone() for parameter in task.model.parameters()]
    task.model.train()
    for batch in task.batches("train", epoch=1):
        trainer.step([batch])
    for old, new in zip(before, task.model.parameters(), strict=True):
        assert not torch.equal(old, new)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_padding_changes_no_loss(build_mt: Build, architecture: str) -> None:
    task = build_mt(f"model.architecture={architecture}")
    task.model.eval().double()
    pairs = task.pairs("train")
    alone = sum(loss_of(task, pairs.batch([number], task.device)) for number in range(8))
    together = loss_of(task, pairs.batch(list(range(8)), task.device))
    assert together == pytest.approx(alone, rel=1e-9)


def test_a_batch_holds_what_the_text_says(build_mt: Build, toy_pairs: Path) -> None:
    task = build_mt()
    english, french = ((toy_pairs / f"train.{code}").read_text().splitlines() for code in ("en", "fr"))
    batch = task.pairs("train").batch([3, 5, 7], task.device)
    lengths = [len(english[number].split()) for number in batch.numbers.tolist()]
    assert lengths == sorted(lengths, reverse=True)
    assert batch.source_lengths.tolist() == [length + 1 for length in lengths]
    for column, number in enumerate(batch.numbers.tolist()):
        written = [token for token in batch.targets[:, column].tolist() if token != PADDING]
        assert written[-1] == task.tokenizers.target.eos
        assert task.tokenizers.target.decode(written[:-1]) == french[number]
        assert batch.inputs[: len(written), column].tolist() == [task.tokenizers.target.eos, *written[:-1]]
        source = batch.source[: lengths[column], column].tolist()
        assert task.tokenizers.source.decode(source) == english[number]
    assert batch.num_targets == sum(len(french[number].split()) + 1 for number in batch.numbers.tolist())


def test_the_gradient_is_that_of_the_mean_over_target_tokens(build_mt: Build) -> None:
    task = build_mt("training.clip=1000")
    loss = task.objective()(next(iter(task.batches("train"))))
    assert loss.divisor == loss.count
    assert loss.plain is not None
    assert float(loss.plain) != float(loss.total.detach())


def test_the_source_may_be_read_backwards(build_mt: Build) -> None:
    """Reading a reversed sentence backwards is reading it forwards."""
    ahead, back = (
        build_mt("model.architecture=sequence"),
        build_mt("model.architecture=sequence", "model.reverse_source=true"),
    )
    ahead.model.eval()
    back.model.eval()
    source, target = np.array([2, 3, 4, 0]), np.array([2, 0])
    reverse = np.array([4, 3, 2, 0])
    losses = [
        loss_of(task, pad_pairs([0], [words], [target], task.device))
        for task, words in ((ahead, source), (back, reverse), (back, source))
    ]
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)
    assert losses[0] != pytest.approx(losses[2], rel=1e-6)


def test_log_probs_come_in_the_order_of_the_text(build_mt: Build) -> None:
    task = build_mt()
    task.model.eval()
    log_probs, pairs = task.log_probs("valid"), task.pairs("valid")
    for number in range(len(pairs)):
        expected = loss_of(build_plain(task), pairs.batch([number], task.device))
        start, end = pairs.target.offsets[number : number + 2]
        assert -log_probs[start:end].sum() == pytest.approx(expected, rel=1e-4)


def build_plain(task: Any) -> Any:
    class Plain:
        def objective(self) -> Any:
            return lambda batch: type("L", (), {"total": task.objective()(batch).plain})

    return Plain()


def test_scores_are_those_of_the_saved_predictions(build_mt: Build, tmp_path: Path, toy_pairs: Path) -> None:
    import sacrebleu

    task = build_mt()
    scores = {score.name: score for score in task.evaluate("test", outputs=tmp_path)}
    predictions = (tmp_path / "predictions.txt").read_text(encoding="utf-8").split("\n")[:-1]
    references = (toy_pairs / "test.fr").read_text().splitlines()
    assert len(predictions) == len(references)
    assert scores["bleu"].value == pytest.approx(sacrebleu.corpus_bleu(predictions, [references]).score)
    log_probs = np.load(tmp_path / "log_probs.npz")["log_probs"]
    assert scores["perplexity"].value == pytest.approx(math.exp(-log_probs.mean()), rel=1e-6)
    num_words = sum(len(line.split()) + 1 for line in references)
    assert scores["word_perplexity"].value == pytest.approx(math.exp(-log_probs.sum() / num_words), rel=1e-6)


def test_an_ensemble_of_a_model_with_itself_is_the_model(build_mt: Build) -> None:
    from lstmdrop_tasks.mt.task import evaluate

    task = build_mt()
    alone, double = task.evaluate("test"), evaluate([task, task], "test")
    assert [score.value for score in alone] == pytest.approx([score.value for score in double], rel=1e-6)
    assert "models:2" in double[0].signature


def test_too_long_pairs_are_left_out_of_training_alone(build_mt: Build) -> None:
    task, short = build_mt(), build_mt("data.max_length=3")
    kept = sum(len(batch.numbers) for batch in short.batches("train"))
    longest = np.maximum(task.pairs("train").source.lengths, task.pairs("train").target.lengths)
    assert 0 < kept == int((longest <= 4).sum()) < len(task.pairs("train"))
    assert sum(len(batch.numbers) for batch in short.batches("valid")) == len(task.pairs("valid"))
    assert f"{len(longest) - kept} training pairs" in short.summary()["left out"]


def test_the_summary_says_how_the_text_was_split_and_what_was_dropped(
    build_mt: Build, toy_pairs: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "holes"
    shutil.copytree(toy_pairs, folder)
    lines = (folder / "train.fr").read_text(encoding="utf-8").splitlines()
    (folder / "train.fr").write_text("\n".join(["", "mot " * 251, "", *lines[3:]]) + "\n", encoding="utf-8")
    assert (
        build_mt(data=folder).summary().items()
        >= {"split": "as given", "dropped": "train: 2 empty, 1 too long"}.items()
    )
    assert build_mt().summary()["dropped"] == "no pair"


def test_no_pair_short_enough_is_an_error_not_an_empty_epoch(build_mt: Build, tmp_path: Path) -> None:
    folder = tmp_path / "long"
    folder.mkdir()
    for split in ("train", "valid", "test"):
        for code in ("en", "fr"):
            (folder / f"{split}.{code}").write_text("a b c d\n" * 3)
    with pytest.raises(DataError, match="at most 2 tokens"):
        build_mt("data.max_length=2", data=folder).num_batches("train")


def test_a_text_with_the_token_that_ends_sentences_is_refused(build_mt: Build, toy_pairs: Path, tmp_path: Path) -> None:
    folder = tmp_path / "marked"
    shutil.copytree(toy_pairs, folder)
    with (folder / "train.en").open("a", encoding="utf-8") as text:
        text.write("one <eos> two\n")
    with (folder / "train.fr").open("a", encoding="utf-8") as text:
        text.write("un deux\n")
    with pytest.raises(DataError, match=r"train\.en, line 41: .*<eos>"):
        build_mt(data=folder).pairs("train")


def test_the_batches_of_an_epoch_can_be_entered_anywhere(build_mt: Build) -> None:
    batches = build_mt().batches("train", epoch=2)
    every = [batch.numbers.tolist() for batch in batches]
    assert len(every) > 2
    assert [batch.numbers.tolist() for batch in batches[2:]] == every[2:]


def test_vocabularies_come_from_the_training_text_alone(build_mt: Build, tmp_path: Path) -> None:
    folder = tmp_path / "new"
    folder.mkdir()
    for split, word in (("train", "seen"), ("valid", "unseen"), ("test", "unseen")):
        for code in ("en", "fr"):
            (folder / f"{split}.{code}").write_text(f"{word}\n" * 3)
    task = build_mt(data=folder)
    assert "unseen" not in task.tokenizers.source.vocabulary
    assert task.summary()["valid"].endswith("50.00% unknown")


@pytest.mark.parametrize("joint", ["true", "false"])
@pytest.mark.parametrize("tokens", ["word", "character", "bpe"])
def test_tokens_joint_or_separate_are_read_back_as_they_were(build_mt: Build, joint: str, tokens: str) -> None:
    settings = (f"data.tokens={tokens}", f"data.joint={joint}")
    first, second = build_mt(*settings), build_mt(*settings)
    assert first.tokenizers.fingerprint == second.tokenizers.fingerprint
    assert (second.tokenizers.source is second.tokenizers.target) == (joint == "true")


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_tied_weights_are_one_matrix_that_a_run_keeps(build_mt: Build, architecture: str) -> None:
    settings = ("model.tied=true", f"model.architecture={architecture}")
    task = build_mt(*settings)
    decoder = task.model.decoder
    assert decoder.softmax.weight is decoder.embedding.weight
    again = build_mt(*settings, "seed=7")
    again.model.load_state_dict(task.model.state_dict())
    assert torch.equal(again.model.decoder.softmax.weight, decoder.embedding.weight)


def test_tied_weights_of_two_sizes_are_refused(build_mt: Build) -> None:
    with pytest.raises(ConfigError, match="set embedding_size to hidden_size"):
        build_mt("model.tied=true", "model.embedding_size=8")


def test_training_pairs_are_scored_all_whatever_their_length(build_mt: Build) -> None:
    whole, short = build_mt(), build_mt("data.max_length=3")
    short.model.load_state_dict(whole.model.state_dict())
    np.testing.assert_allclose(short.log_probs("train"), whole.log_probs("train"), rtol=1e-4)


def test_signatures_say_the_vocabulary_and_the_coverage_penalty(build_mt: Build) -> None:
    task = build_mt("decoding.coverage_penalty=0.25")
    scores = {score.name: score.signature for score in task.evaluate("test")}
    assert f"|vocabulary:{len(task.tokenizers.target.vocabulary)}|" in scores["perplexity"]
    assert "|coverage:0.25|" in scores["bleu"]
    assert "coverage" not in build_mt().evaluate("test")[0].signature


@pytest.mark.parametrize("architecture", ["sequence", "stream"])
def test_a_coverage_penalty_needs_attention(build_mt: Build, architecture: str) -> None:
    with pytest.raises(ConfigError, match=rf"^decoding.coverage_penalty needs .*, not {architecture}$"):
        build_mt(f"model.architecture={architecture}", "decoding.coverage_penalty=0.25")
    task = build_mt(f"model.architecture={architecture}")
    with pytest.raises(UsageError, match=f"architecture '{architecture}' has none"):
        list(predict([task], ["one"], MTPrediction(coverage_penalty=0.25)))
    assert list(predict([task, build_mt()], ["one"], MTPrediction(coverage_penalty=0.25)))


def test_runs_of_different_vocabularies_cannot_be_scored_as_one(build_mt: Build) -> None:
    with pytest.raises(UsageError, match="different vocabularies"):
        evaluate([build_mt(), build_mt("data.vocabulary_size=5")], "test")


def test_what_no_token_stands_for_is_in_the_signature(build_mt: Build) -> None:
    whole, small = build_mt(), build_mt("data.vocabulary_size=5")
    (full, _), (few, few_by_word) = (evaluate([task], "valid")[2:] for task in (whole, small))
    assert "unknown" not in full.signature
    num_unknown = small.pairs("valid").target.store.num_unknown
    assert num_unknown > 0
    assert f"|unknown:{num_unknown}|" in few.signature
    assert f"|unknown:{num_unknown}|" in few_by_word.signature
    assert few.signature.startswith("unit:word|")


def test_joint_tokens_have_one_size(build_mt: Build) -> None:
    with pytest.raises(ConfigError, match="joint"):
        build_mt("data.joint=true", "data.target_vocabulary_size=5")


def test_the_length_penalty_of_the_best_bleu_is_chosen(build_mt: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    task = build_mt()
    references = task.text("valid").target.read_text(encoding="utf-8").splitlines()

    def translated(models: Any, split: str, settings: BeamSettings) -> list[str]:
        return references if settings.length_penalty == 1.4 else [f"not {line}" for line in references]

    monkeypatch.setattr(tuning, "translations_of", translated)
    assert tuning.tune([task], "valid") == {"decoding.length_penalty": 1.4}
    monkeypatch.setattr(tuning, "translations_of", lambda *given: references)
    assert tuning.tune([task], "valid") == {"decoding.length_penalty": 1.0}  # all alike: the usual one


def test_a_model_is_scored_on_the_languages_that_it_learnt(build_mt: Build, toy_pairs: Path, tmp_path: Path) -> None:
    build_mt("data.pair=null")
    other, assets = tmp_path / "other", tmp_path / "assets" / toy_pairs.name
    shutil.copytree(toy_pairs, other)
    shutil.copytree(assets, tmp_path / "assets" / other.name)
    for path in other.glob("*.en"):
        path.rename(path.with_suffix(".sv"))
    with pytest.raises(DataError, match=r"train\.en: no such file"):
        build_mt("data.pair=null", data=other).evaluate("test")
    assert build_mt("data.pair=sv-fr", data=other).evaluate("test"), "who names a pair is taken at their word"


def test_languages_without_names_bind_no_other_data(build_mt: Build, toy_pairs: Path, tmp_path: Path) -> None:
    table = tmp_path / "pairs.tsv"
    table.write_text("".join(f"one {i}\tun {i}\n" for i in range(200)))
    build_mt("data.pair=null", data=table)
    shutil.copytree(tmp_path / "assets" / table.name, tmp_path / "assets" / toy_pairs.name)
    assert build_mt("data.pair=null").evaluate("test")


CHINESE = {"one": "一", "two": "二", "red": "红", "house": "房", "cat": "猫", "sees": "看", "sleeps": "睡"}


@pytest.fixture
def chinese_pairs(toy_pairs: Path, tmp_path: Path) -> Path:
    """Ten signs for a word, without blanks."""
    folder = tmp_path / "signs"
    shutil.copytree(toy_pairs, folder)
    for path in folder.glob("*.fr"):
        english = path.with_suffix(".en").read_text(encoding="utf-8").splitlines()
        lines = ["".join(CHINESE[word] * 10 for word in line.split()) for line in english]
        path.with_suffix(".zh").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        path.unlink()
    return folder


def test_bleu_follows_the_target_language_wherever_it_is_made(build_mt: Build, chinese_pairs: Path) -> None:
    settings = ("data.pair=en-zh", "data.tokens=character")
    task = build_mt(*settings, data=chinese_pairs)
    assert task.summary()["scoring"] == "BLEU of words by zh"
    assert "|tok:zh|" in task.evaluate("valid")[0].signature
    assert (
        "|tok:char|" in build_mt(*settings, "scoring.tokenize=char", data=chinese_pairs).evaluate("test")[0].signature
    )
    lower = build_mt(*settings, "scoring.lowercase=true", data=chinese_pairs).evaluate("test")
    assert all("|case:lc|" in score.signature for score in lower[:2])
    other = build_mt("data.pair=zh-en", "data.tokens=character", data=chinese_pairs)
    other.targets = Targets()  # as of a run from before
    assert other.bleu_tokenizer("test") == "13a"
    task.targets = Targets()
    assert task.bleu_tokenizer("test") == "zh"


def test_tuning_cuts_words_as_scoring_does(
    build_mt: Build, chinese_pairs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = build_mt("data.pair=en-zh", "data.tokens=character", data=chinese_pairs)
    references = task.text("valid").target.read_text(encoding="utf-8").splitlines()

    def translated(models: Any, split: str, settings: BeamSettings) -> list[str]:
        return [f"{line}错" if settings.length_penalty == 1.4 else "错" for line in references]

    monkeypatch.setattr(tuning, "translations_of", translated)
    assert tuning.tune([task], "valid") == {"decoding.length_penalty": 1.4}, "cut at blanks, all would be 0"


def test_what_bleu_needs_is_missed_before_training(
    lstmdrop: Callable[..., Any], toy_pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sacrebleu.tokenizers.tokenizer_ja_mecab.MeCab", None)
    folder, run = tmp_path / "pairs", tmp_path / "run"
    shutil.copytree(toy_pairs, folder)
    for path in folder.glob("*.fr"):
        path.rename(path.with_suffix(".ja"))
    done = lstmdrop("train", "mt", "--data", folder, "--size", "tiny", "--out", run)
    assert (done.code, run.exists()) == (5, False)
    assert "pip install 'lstmdrop[ja]'" in done.messages
    planned = lstmdrop(
        "train", "mt", "--data", folder, "--size", "tiny", "--dry-run", settings=["scoring.tokenize=char"]
    )
    assert planned.code == 0


def test_translations_are_cut_where_the_training_pairs_end(build_mt: Build, chinese_pairs: Path) -> None:
    settings = ("data.pair=en-zh", "data.tokens=character", "data.joint=false")
    task = build_mt(*settings, data=chinese_pairs)
    pairs = task.pairs("train")
    longest = task.longest_ratio * pairs.source.lengths + LONGEST_MORE
    assert task.longest_ratio > LONGEST_RATIO
    assert (longest >= pairs.target.lengths - 1).all()
    assert "|longest:" in task.evaluate("valid")[0].signature
    chosen = build_mt(*settings, "decoding.max_length_ratio=2", data=chinese_pairs)
    assert chosen.longest_ratio == 2
    assert "longest" not in chosen.evaluate("valid")[0].signature + build_mt().evaluate("valid")[0].signature
    assert build_mt().longest_ratio == LONGEST_RATIO == Targets().longest_ratio


def test_pairs_that_are_no_translations_do_not_move_the_bound(tmp_path: Path) -> None:
    lengths = [(5, 5)] * 3000 + [(1, 90)]
    tokenizer = WordTokenizer(Vocabulary((EOS, UNK, "a")))
    for side, name in enumerate(("en", "fr")):
        (tmp_path / f"a.{name}").write_text("".join("a " * pair[side] + "\n" for pair in lengths))
    both = Pairs(*(Sentences.of(tmp_path / f"a.{name}", tokenizer, tmp_path / "tokens") for name in ("en", "fr")))
    assert longest_ratio(both, max_length=100) == LONGEST_RATIO
    assert longest_ratio(both, max_length=1) == LONGEST_RATIO


def test_many_cut_translations_are_said_with_the_setting(build_mt: Build, caplog: pytest.LogCaptureFixture) -> None:
    task = build_mt("decoding.max_length_ratio=0.5")
    eos = task.tokenizers.target.eos
    for bias, is_said in ((50.0, False), (-50.0, True)):
        with torch.no_grad():
            task.model.decoder.softmax.bias[eos] = bias
        caplog.clear()
        task.evaluate("test")
        said = "6 of 6 test translations were cut at the longest length (decoding.max_length_ratio=0.5)"
        assert (said in caplog.text) is is_said


def test_a_blank_line_is_scored_as_an_empty_translation(build_mt: Build, toy_pairs: Path, tmp_path: Path) -> None:
    folder = tmp_path / "blank"
    shutil.copytree(toy_pairs, folder)
    (folder / "test.en").write_text("one cat\n \n\nred house\n")
    (folder / "test.fr").write_text("chat un\n\nmaison\n\n")
    task = build_mt(data=folder)
    task.evaluate("test", outputs=tmp_path)
    assert (tmp_path / "predictions.txt").read_text(encoding="utf-8").split("\n")[1:3] == ["", ""]


def test_the_papers_size_has_the_papers_numbers() -> None:
    config: Any = resolve_config(load_plugin("mt"), "paper", "wmt14")
    assert (config.model.architecture, config.model.num_layers, config.model.hidden_size) == ("stream", 4, 1000)
    assert (config.data.tokens, config.data.joint) == ("word", False)
    assert (config.data.vocabulary_size, config.data.target_vocabulary_size) == (160_000, 80_000)
    assert (config.regularizer.rule, config.regularizer.dropout) == ("zaremba", 0.2)
    assert (config.decoding.beam_size, config.training.label_smoothing) == (12, 0.0)


def test_models_that_search_in_other_ways_say_whose_holds(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    runs = []
    for beam_size in (2, 3):
        runs.append(tmp_path / f"beam{beam_size}")
        how = [f"decoding.beam_size={beam_size}", f"decoding.batch_size={beam_size}", f"seed={beam_size}"]
        Run.create(runs[-1], resolve_config(load_plugin("mt"), "tiny", overrides=how).model_dump(mode="json"))
    for one, other in (runs, runs[::-1]):
        caplog.clear()
        with pytest.raises(DataError, match="is empty"):
            evaluate_runs("mt", runs=[one, other])
        assert caplog.messages == [f"these runs differ in decoding.beam_size: it is as in {one}"]
