"""Laws of using a language model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from lstmdrop.errors import ConfigError, UsageError
from lstmdrop.presets import resolve
from lstmdrop_tasks.lm.config import LMPrediction
from lstmdrop_tasks.lm.predict import predict


@pytest.fixture
def task(build_lm: Callable[..., Any]) -> Any:
    built = build_lm("model.init_bound=1.0")
    built.model.train()  # predict has to switch dropout off itself
    return built


def sampled(tasks: list[Any], **options: Any) -> list[dict[str, Any]]:
    return [dict(output) for output in predict(tasks, [], LMPrediction(**options))]


def scored(tasks: list[Any], *lines: str) -> list[dict[str, Any]]:
    return [dict(output) for output in predict(tasks, lines, LMPrediction(score=True))]


def test_a_lines_score_is_the_sum_over_its_words_and_its_end(task: Any) -> None:
    first, second = scored([task], "the cat sees the moon", "a dog")
    assert first["tokens"] == ["the", "cat", "sees", "the", "moon", "<eos>"]
    assert len(first["token_log_probs"]) == 6
    assert first["log_prob"] == pytest.approx(sum(first["token_log_probs"]), rel=1e-12)
    assert first["text"].startswith(f"{first['log_prob']:.4f}\tthe ")
    assert second["tokens"] == ["a", "dog", "<eos>"]


def test_probabilities_of_all_continuations_sum_to_one(task: Any) -> None:
    tokens = [token for token in task.tokenizer.vocabulary.tokens if token != "<eos>"]
    lines = scored([task], *(f"the {token}" for token in tokens), "the")
    total = sum(torch.tensor(line["token_log_probs"][1]).exp().item() for line in lines)
    assert total == pytest.approx(1.0, abs=1e-5)


def test_lines_are_scored_independently_of_each_other(task: Any) -> None:
    alone = scored([task], "a dog")
    among = scored([task], "the cat sees", "a dog", "music")
    assert among[1] == alone[0]


def test_an_empty_line_is_its_end_alone(task: Any) -> None:
    (output,) = scored([task], "")
    assert output["tokens"] == ["<eos>"]


def test_score_and_evaluation_agree_on_a_text_of_one_line(task: Any) -> None:
    """The protocol of a split, whose stream starts at its first token, differs by the context alone."""
    ids = [task.tokenizer.eos, *task.tokenizer.encode("the cat sees"), task.tokenizer.eos]
    tokens = torch.tensor(ids)[:, None]
    task.model.eval()
    log_probs, _ = task.model.log_probs(tokens[:-1], tokens[1:])
    (output,) = scored([task], "the cat sees")
    assert output["token_log_probs"] == pytest.approx(log_probs[:, 0].tolist(), rel=1e-6)


def test_two_models_score_as_the_mean_of_their_probabilities(build_lm: Callable[..., Any]) -> None:
    tasks = [build_lm(f"seed={seed}", "model.init_bound=1.0") for seed in (1, 2)]
    (both,) = scored(tasks, "the old king")
    members = torch.tensor([scored([task], "the old king")[0]["token_log_probs"] for task in tasks]).exp()
    torch.testing.assert_close(torch.tensor(both["token_log_probs"]).exp(), members.mean(0), rtol=1e-5, atol=1e-7)


def test_the_same_seed_samples_the_same_text(task: Any) -> None:
    first, again, other = (sampled([task], seed=seed, length=30, num_samples=2) for seed in (4, 4, 5))
    assert first == again
    assert first != other
    assert len(first) == 2
    assert first[0] != first[1]
    assert all(len(output["tokens"]) == 30 for output in first)


def test_sampling_and_scoring_agree_greedy_is_the_likeliest(task: Any) -> None:
    (output,) = sampled([task], prompt="the old", length=1, top_k=1)
    (chosen,) = output["tokens"]
    candidates = [token for token in task.tokenizer.vocabulary.tokens if token != "<eos>"]
    scores = {token: line["token_log_probs"][2] for token, line in zip(
        candidates, scored([task], *(f"the old {token}" for token in candidates)), strict=True)}  # fmt: skip
    scores["<eos>"] = scored([task], "the old")[0]["token_log_probs"][2]
    assert chosen == max(scores, key=lambda token: scores[token])


def test_the_text_begins_with_the_prompt_and_an_unknown_word_is_read_as_unknown(task: Any) -> None:
    (known,) = sampled([task], prompt="the cat", length=5, ban=("<eos>",))
    assert known["text"].startswith("the cat ")
    assert known["text"].split()[2:] == known["tokens"]
    (first,) = sampled([task], prompt="the xylophone", length=8)
    (second,) = sampled([task], prompt="the <unk>", length=8)
    assert first["tokens"] == second["tokens"]


def test_a_text_that_would_not_be_read_is_refused(task: Any) -> None:
    with pytest.raises(UsageError, match="'the cat': a text to continue is given with --prompt"):
        predict([task], ["the cat"], LMPrediction())


def test_a_banned_token_is_never_sampled(task: Any) -> None:
    banned = ("<eos>", "<unk>", "the", "a")
    outputs = sampled([task], length=200, ban=banned, num_samples=3, temperature=3.0)
    assert not {token for output in outputs for token in output["tokens"]} & set(banned)
    assert all("\n" not in output["text"] for output in outputs)


def test_the_ban_of_what_the_vocabulary_lacks_is_refused_by_name(task: Any) -> None:
    with pytest.raises(UsageError, match="--ban 'xylophone'"):
        sampled([task], ban=("xylophone",))


def test_the_ban_of_everything_is_refused(task: Any) -> None:
    with pytest.raises(UsageError, match="every token"):
        sampled([task], ban=tuple(task.tokenizer.vocabulary.tokens))


def test_models_of_different_vocabularies_cannot_speak_as_one(
    build_lm: Callable[..., Any], make_corpus: Callable[..., Any]
) -> None:
    other = make_corpus("other")
    (other / "train.txt").write_text((other / "train.txt").read_text().replace("cat", "rat"))
    with pytest.raises(UsageError, match="different vocabularies"):
        sampled([build_lm(), build_lm(data=other)])


def test_prediction_leaves_weights_and_randomness_alone(task: Any) -> None:
    before = {name: value.clone() for name, value in task.model.state_dict().items()}
    state = torch.get_rng_state()
    sampled([task], length=10)
    scored([task], "the cat")
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(value, before[name]) for name, value in task.model.state_dict().items())


@pytest.mark.parametrize("tokens", ["word", "character", "bpe"])
def test_a_line_end_in_a_prompt_is_the_line_end_of_training(build_lm: Callable[..., Any], tokens: str) -> None:
    task = build_lm(f"data.tokens={tokens}")
    tokenizer = task.tokenizer
    for text in ("a b\nc", "a b\r\nc"):
        (found,) = predict([task], [text], LMPrediction(score=True))
        plain = [*tokenizer.encode("a b"), tokenizer.eos, *tokenizer.encode("c"), tokenizer.eos]
        assert found["tokens"] == [tokenizer.vocabulary.tokens[token] for token in plain]


def test_the_first_sample_is_the_same_however_many_follow(build_lm: Callable[..., Any]) -> None:
    task = build_lm()
    texts = [
        [one["text"] for one in predict([task], (), LMPrediction(num_samples=number, length=12, seed=5))]
        for number in (1, 3, 70)
    ]
    assert texts[0] == texts[1][:1]
    assert texts[1] == texts[2][:3]
    assert len(texts[2]) == 70
    assert len(set(texts[2])) > 60


@pytest.mark.parametrize(
    "given",
    [
        {"prompt": "a\udcff"}, {"temperature": float("inf")}, {"temperature": 0.0}, {"temperature": float("nan")},
        {"top_k": 0}, {"top_p": 2.0}, {"length": 0},
    ],
)  # fmt: skip
def test_what_cannot_be_asked_for_is_one_line(given: dict[str, object]) -> None:
    with pytest.raises(ConfigError) as caught:
        resolve(LMPrediction, [given])
    assert next(iter(given)) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_doubled_line_end_is_said_once(task: Any, caplog: pytest.LogCaptureFixture) -> None:
    scored([task], "a dog", "a dog <eos>", "the cat <eos>")
    assert [record.getMessage()[:8] for record in caplog.records] == ["line 2: "]
