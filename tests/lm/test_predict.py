"""Laws of using a language model."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lstmdrop.errors import ConfigError, DataError, UsageError
from lstmdrop.presets import resolve
from lstmdrop_tasks.lm import reading
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


@pytest.mark.parametrize("tokens_at_once", [1, 12, 1 << 14])
def test_a_batch_changes_nothing_and_lines_keep_their_order(
    build_lm: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, tokens_at_once: int
) -> None:
    """Lines of any length, one far longer than a window and than a batch, one by one or together."""
    tasks = [build_lm(f"seed={seed}", "model.init_bound=1.0") for seed in (1, 2)]
    lines = ["the cat sees", "", "a dog " * 300, "music", "the old king\ta dog", "a", "the cat sees the moon"]
    alone = [scored(tasks, line)[0] for line in lines]
    monkeypatch.setattr(reading, "TOKENS_AT_ONCE", tokens_at_once)
    together = scored(tasks, *lines)
    assert [one.pop("line") for one in together] == list(range(1, 8))
    flat = [[part for one in some for part in one.get("sentences", [one])] for some in (alone, together)]
    for first, second in zip(*flat, strict=True):
        assert first["tokens"] == second["tokens"]
        assert second["token_log_probs"] == pytest.approx(first["token_log_probs"], abs=1e-5)


def test_what_is_read_before_a_line_is_part_of_it_but_for_its_score(task: Any) -> None:
    (whole,) = scored([task], "the cat sees the moon")
    (rest,) = predict([task], ["sees the moon"], LMPrediction(score=True, context="the cat"))
    assert rest["tokens"] == whole["tokens"][2:]
    assert rest["token_log_probs"] == pytest.approx(whole["token_log_probs"][2:], abs=1e-5)
    (after,) = predict([task], ["a dog"], LMPrediction(score=True, context="the cat\n"))
    (both,) = scored([task], "the cat\na dog")
    assert after["token_log_probs"] == pytest.approx(both["token_log_probs"][3:], abs=1e-5)


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


def test_beside_the_sum_stand_the_mean_and_the_bits_of_a_byte(task: Any) -> None:
    (output,) = scored([task], "the cat sees a xylophone")
    assert (output["num_tokens"], output["num_unknown"]) == (6, 1)
    assert output["mean"] == pytest.approx(output["log_prob"] / 6, rel=1e-12)
    num_bytes = len(b"the cat sees a xylophone\n")
    assert output["bits_per_byte"] == pytest.approx(-output["log_prob"] / (0.6931471805599453 * num_bytes), rel=1e-12)


@pytest.mark.parametrize("tokens", ["word", "character", "bpe"])
def test_a_byte_is_one_in_any_script_and_vocabulary(build_lm: Callable[..., Any], tokens: str) -> None:
    (plain, windows, other) = scored([build_lm(f"data.tokens={tokens}")], "the cat", "the cat\r\n", "the кіт")
    assert {**plain, "line": 2} == windows
    assert plain["bits_per_byte"] * 8 == pytest.approx(-plain["log_prob"] / 0.6931471805599453)
    assert other["bits_per_byte"] * 11 == pytest.approx(-other["log_prob"] / 0.6931471805599453)
    assert plain["num_unknown"] == 0
    assert other["num_unknown"] >= 1


def test_a_literal_unknown_word_is_none_that_the_vocabulary_lacks(task: Any) -> None:
    literal, lacking = scored([task], "the <unk>", "the xylophone")
    assert literal["log_prob"] == lacking["log_prob"]
    assert (literal["num_unknown"], lacking["num_unknown"]) == (0, 1)


def test_of_two_sentences_with_a_tab_between_the_likelier_has_the_greater_sum(
    task: Any, caplog: pytest.LogCaptureFixture
) -> None:
    long, short = "the cat sees the moon", "the cat"
    alone = [
        {key: value for key, value in scored([task], line)[0].items() if key not in ("text", "line")}
        for line in (long, short)
    ]
    caplog.clear()
    first, second, tie, single = scored([task], f"{short}\t{long}", f"{long}\t{short}\r\n", "a xxx\ta yyy", "a dog")
    for found, expected in zip([*first["sentences"], *second["sentences"]], [*alone[::-1], *alone], strict=True):
        assert found["tokens"] == expected["tokens"]
        for key in found.keys() - {"tokens"}:
            assert found[key] == pytest.approx(expected[key], abs=1e-5, rel=1e-5)
    assert (first["likelier"], second["likelier"], tie["likelier"]) == (1, 2, 0)
    values = [alone[n][key] for key in ("log_prob", "mean") for n in (1, 0)]
    assert first["text"] == "\t".join(["1", *(f"{value:.4f}" for value in values)])
    assert "sentences" not in single
    (message,) = [record.getMessage() for record in caplog.records if "pairs" in record.getMessage()]
    assert message.startswith("of 3 pairs the first sentence is likelier in 1 (33.33%), by the mean of a token in 1")
    assert message.endswith("; ties: 1; lines that are no pairs: 1")


def test_lines_without_pairs_say_nothing_of_pairs(task: Any, caplog: pytest.LogCaptureFixture) -> None:
    scored([task], "the cat", "")
    assert caplog.records == []


@pytest.mark.parametrize("line", ["the cat\ta dog\tmusic", "\tthe cat", "the cat\t ", "a\t\tb"])
def test_tabs_that_part_no_two_sentences_are_refused_with_the_line(task: Any, line: str) -> None:
    with pytest.raises(DataError, match=r"^line 2: \d tab\(s\) in .*\n.*tr "):
        scored([task], "the cat\ta dog", line)


def test_a_tab_that_the_vocabulary_has_is_a_letter(
    build_lm: Callable[..., Any], make_corpus: Callable[..., Any]
) -> None:
    code = make_corpus("code")
    text = code / "train.txt"
    text.write_text("".join(f"\t{line}\n" for line in text.read_text().splitlines()))
    indented, pair = scored([build_lm("data.tokens=character", data=code)], "\ta dog", "a cat\ta dog")
    assert indented["tokens"][0] == "\t"
    assert indented["num_unknown"] == 0
    assert len(pair["sentences"]) == 2


def test_many_unknown_tokens_of_the_lines_are_a_warning(task: Any, caplog: pytest.LogCaptureFixture) -> None:
    scored([task], "the vuvuzela", "a didgeridoo\ta theremin", "music of glockenspiels")
    (message,) = [record.getMessage() for record in caplog.records if "unknown" in record.getMessage()]
    assert message.startswith("38.5% of the tokens of the lines are unknown")


def test_a_line_in_another_unicode_form_than_the_training_text_is_said_once(
    build_lm: Callable[..., Any], make_corpus: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    for form, other in (("NFC", "NFD"), ("NFD", "NFC")):
        data = make_corpus(form)
        text = data / "train.txt"
        text.write_text(unicodedata.normalize(form, text.read_text().replace("cat", "café")), encoding="utf-8")
        for tokens in ("word", "character", "bpe"):
            task = build_lm(f"data.tokens={tokens}", data=data)
            caplog.clear()
            lines = [unicodedata.normalize(same, "the café") for same in (form, other, other)]
            scored([task], "the cat", *lines)
            told = [record.getMessage() for record in caplog.records if "code points" in record.getMessage()]
            assert len(told) == 1
            assert told[0].startswith("line 3: ")
            assert f"uconv -x {form.lower()}, or python" in told[0]


def test_each_prompt_of_many_gives_what_it_gives_alone(task: Any) -> None:
    prompts = ["the old", "", "a dog"]
    many = [dict(one) for one in predict([task], prompts, LMPrediction(prompts=True, length=6, num_samples=2))]
    assert [one.pop("line") for one in many] == [1, 1, 2, 2, 3, 3]
    assert [one.pop("prompt") for one in many] == [prompt for prompt in prompts for _ in range(2)]
    assert many == [one for prompt in prompts for one in sampled([task], prompt=prompt, length=6, num_samples=2)]


@pytest.mark.parametrize("models", [1, 2])
def test_the_next_tokens_are_those_that_scoring_expects(build_lm: Callable[..., Any], models: int) -> None:
    tasks = [build_lm(f"seed={seed}", "model.init_bound=1.0") for seed in range(1, models + 1)]
    size = len(tasks[0].tokenizer.vocabulary)
    (whole,) = predict(tasks, [], LMPrediction(next=10 * size, prompt="the old"))
    assert len(whole["next"]) == size
    assert sum(token["probability"] for token in whole["next"]) == pytest.approx(1.0)
    assert whole["rest"] == pytest.approx(0.0, abs=1e-9)
    entropy = -sum(token["probability"] * token["log_prob"] for token in whole["next"]) / 0.6931471805599453
    assert whole["entropy"] == pytest.approx(entropy)
    log_probs = {token["token"]: token["log_prob"] for token in whole["next"]}
    (line,) = scored(tasks, "the old king")
    assert log_probs["king"] == pytest.approx(line["token_log_probs"][2], abs=1e-5)
    first, second = predict(tasks, ["the old", "a"], LMPrediction(next=3, prompts=True))
    assert first["next"] == whole["next"][:3]
    assert first["rest"] == pytest.approx(1 - sum(token["probability"] for token in first["next"]))
    assert [len(one["text"].splitlines()) for one in (first, second)] == [5, 5]
    assert first["next"][0]["token"] in first["text"].splitlines()[1]


@pytest.mark.parametrize("tokens", ["word", "character", "bpe"])
def test_states_are_those_of_the_network_as_it_reads_each_line(
    build_lm: Callable[..., Any], tmp_path: Path, tokens: str
) -> None:
    task = build_lm(f"data.tokens={tokens}", "model.init_bound=1.0", "model.tied=true", "model.embedding_size=5")
    lines = ["the  cat sees", "", "a dog\nmusic", "the кіт <unk>"]
    options = LMPrediction(states=tmp_path / "states.npz", context="the old")
    assert list(predict([task], lines, options)) == []
    with np.load(tmp_path / "states.npz", allow_pickle=False) as file:
        arrays = dict(file)
    assert arrays["h2"].dtype == arrays["c1"].dtype == arrays["embeddings"].dtype == np.float32
    assert arrays["h1"].shape[1] != arrays["h2"].shape[1] == arrays["embeddings"].shape[1]
    vocabulary = task.tokenizer.vocabulary.tokens
    assert [*arrays["vocabulary"]] == [*vocabulary]
    assert torch.equal(torch.from_numpy(arrays["embeddings"]), task.model.embedding.weight)
    task.model.eval()
    for line, first, last in zip(lines, arrays["offsets"], arrays["offsets"][1:], strict=False):
        (found,) = scored([task], line)
        assert [*arrays["tokens"][first:last]] == found["tokens"]
        context = reading.encoded_prompt(task.tokenizer, "the old")
        read = torch.tensor([*context, *arrays["ids"][first:last]])[:, None]
        for end in range(last - first):
            outputs, state = task.model.features(read[: len(context) + end + 1])
            for number, (h, c) in enumerate(zip(*state, strict=True), 1):
                width = arrays[f"h{number}"].shape[1]
                assert arrays[f"h{number}"][first + end] == pytest.approx(h[0, :width].detach().numpy(), abs=1e-5)
                assert arrays[f"c{number}"][first + end] == pytest.approx(c[0, :width].detach().numpy(), abs=1e-5)
            assert arrays["h2"][first + end] == pytest.approx(outputs[-1, 0].detach().numpy(), abs=1e-5)
        text = f"{line}\n"
        for token, (begin, end) in zip(found["tokens"], arrays["spans"][first:last], strict=True):
            written = token.removeprefix("▁") if tokens == "bpe" else "\n" if token == "<eos>" else token
            assert text[begin:end] == ("\n" if token == "<eos>" else written) or token == "<unk>"


def test_states_of_several_models_are_refused(build_lm: Callable[..., Any], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--states takes one run"):
        predict([build_lm(), build_lm()], ["a"], LMPrediction(states=tmp_path / "states.npz"))
