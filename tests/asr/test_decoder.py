"""Laws of what is made of a network's outputs, on outputs that are written by hand."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from lstmdrop.data.tokenizers.words import CharacterTokenizer
from lstmdrop.data.vocabulary import EOS, UNK, Vocabulary
from lstmdrop.decoding.ctc import CTCHypothesis, collapse
from lstmdrop_tasks.asr.config import ASRDecodingConfig
from lstmdrop_tasks.asr.corpora.utterances import Utterance
from lstmdrop_tasks.asr.decoder import Decoder, Said
from lstmdrop_tasks.asr.objectives.frames import FrameObjective, PhoneSegments, load_phones, save_phones
from lstmdrop_tasks.asr.objectives.objective import PADDING, SpeechBatch, pad_utterances
from lstmdrop_tasks.asr.objectives.transcripts import TranscriptObjective, ctc_loss, mean_of_models
from lstmdrop_tasks.asr.streaming import BeamFollower, GreedyFollower, follower

TOKENIZER = CharacterTokenizer(Vocabulary((EOS, UNK, " ", "a", "b", "c")))
NUM_TOKENS = 6


def outputs(path: str, probability: float = 0.95) -> np.ndarray:
    """Log-probabilities whose likeliest path is this one; ``-`` is the blank."""
    tokens = [TOKENIZER.eos if char == "-" else TOKENIZER.encode(char)[0] for char in path]
    probabilities = np.full((len(path), NUM_TOKENS), (1 - probability) / (NUM_TOKENS - 1))
    probabilities[range(len(path)), tokens] = probability
    return np.log(probabilities)


def decoder(num_best: int = 1, scorer: Any = None, **settings: Any) -> Decoder:
    return Decoder(TOKENIZER, ASRDecodingConfig(**settings), num_best, {"lm": scorer} if scorer else {})


def described(path: str, seconds: float = 0.04) -> dict[str, Any]:
    ours, log_probs = decoder(), outputs(path)
    return ours.describe(log_probs, ours.decode(log_probs), seconds)


def test_a_word_lasts_from_its_first_to_its_last_token() -> None:
    found = described("-aab- -cc-")
    assert found["text"] == "ab c"
    assert found["words"] == [
        {"word": "ab", "start": 0.04, "end": 0.16, "confidence": 0.95},
        {"word": "c", "start": 0.28, "end": 0.36, "confidence": 0.95},
    ]
    assert found["hypotheses"] == [{"text": "ab c", "log_prob": pytest.approx(10 * math.log(0.95)),
                                    "score": pytest.approx(10 * math.log(0.95))}]  # fmt: skip


@pytest.mark.parametrize("path", ["---", " - ", ""])
def test_silence_has_no_words(path: str) -> None:
    found = described(path)
    assert (found["text"], found["words"]) == ("", [])


def test_blanks_around_and_between_words_are_single_and_in_no_word() -> None:
    found = described(" - a- - -b -")
    assert found["text"] == "a b"
    assert [(word["word"], word["start"], word["end"]) for word in found["words"]] == [
        ("a", 0.12, 0.16),
        ("b", 0.36, 0.4),
    ]


def test_a_word_knows_its_first_token() -> None:
    said = [Said(token, 2 * n, 2 * n + 1, [-1.0 * n]) for n, token in enumerate(TOKENIZER.encode(" ab  c"))]
    words = decoder().spoken(said)
    assert [(word.text, word.first, word.start, word.end) for word in words] == [("ab", 1, 2, 5), ("c", 5, 10, 11)]
    assert [word.log_probs for word in words] == [[-1.0, -2.0], [-5.0]]


def test_what_the_vocabulary_lacks_is_one_symbol() -> None:
    tokens = (TOKENIZER.unk, *TOKENIZER.encode("a "), TOKENIZER.unk)
    assert decoder().text(CTCHypothesis(tokens, 0.0, 0.0)) == "\ufffda \ufffd"


@pytest.mark.parametrize(
    ("settings", "is_greedy", "signature"),
    [
        ({}, True, {"decoding": "greedy"}),
        ({"beam_size": 4}, False, {"decoding": "beam4", "length_bonus": "0"}),
        ({"length_bonus": 0.5}, False, {"decoding": "beam1", "length_bonus": "0.5"}),
    ],
)
def test_the_signature_says_how_it_was_decoded(
    settings: dict[str, Any], is_greedy: bool, signature: dict[str, str]
) -> None:
    ours = decoder(**settings)
    assert (ours.is_greedy, ours.signature()) == (is_greedy, signature)
    assert ours.settings.lm_weight == 0.0, "without a language model it has no weight"


def test_a_language_model_stands_in_the_signature_and_is_never_greedy() -> None:
    ours = decoder(scorer=SimpleNamespace(fingerprint="0123456789abcdef", most_gain=0.0), lm_weight=0.3)
    assert not ours.is_greedy
    assert ours.weight("lm") == 0.3
    assert ours.signature() == {"decoding": "beam1", "lm": "0123456789ab", "lm_weight": "0.3", "length_bonus": "0"}


def test_a_length_bonus_is_added_for_every_token() -> None:
    log_probs = outputs("ab-a", 0.6)
    plain, paid = (
        {one.tokens: one for one in decoder(300, beam_size=300, length_bonus=bonus).decode(log_probs)}
        for bonus in (0.0, 2.0)
    )
    assert len(plain) > 20
    for tokens in plain.keys() & paid.keys():
        assert paid[tokens].score == pytest.approx(plain[tokens].score + 2.0 * len(tokens))
        assert paid[tokens].log_prob == pytest.approx(plain[tokens].log_prob)


@pytest.mark.parametrize("settings", [{}, {"beam_size": 3}, {"beam_size": 1, "length_bonus": 0.5}])
def test_what_is_followed_piece_by_piece_ends_as_the_whole(settings: dict[str, Any]) -> None:
    ours = decoder(**settings)
    steps = [outputs(char, 0.5 + number / 40) for number, char in enumerate("-aabb -c--bbb a")]
    log_probs = np.concatenate(steps).astype(np.float32)
    follow, stream = follower(ours, 0.01), ours.stream()
    assert isinstance(follow, GreedyFollower if ours.is_greedy else BeamFollower)
    for start in range(0, len(log_probs), 4):
        found, hypotheses = follow(log_probs[start : start + 4]), stream(log_probs[start : start + 4])
    whole = ours.describe(log_probs, ours.decode(log_probs), 0.01)
    assert (found["text"], found["words"]) == (whole["text"], whole["words"])
    assert found["hypotheses"][0]["log_prob"] == pytest.approx(whole["hypotheses"][0]["log_prob"])
    assert [one.tokens for one in hypotheses] == [one.tokens for one in ours.decode(log_probs)]


def batch_of(targets: Sequence[str], lengths: Sequence[int]) -> SpeechBatch:
    tokens = [np.array(TOKENIZER.encode(text), np.int64) for text in targets]
    features = [np.zeros((length, 2), np.float32) for length in lengths]
    return pad_utterances(list(range(len(targets))), features, tokens, torch.device("cpu"))


def test_utterances_stand_side_by_side_with_silence_behind_their_ends() -> None:
    frames = [np.ones((2, 3), np.float32), np.full((3, 3), 2.0, np.float32)]
    batch = pad_utterances([7, 4], frames, [np.array([5]), np.array([6, 8])], torch.device("cpu"))
    assert batch.features.shape == (3, 2, 3)
    assert batch.features[:, 0, 0].tolist() == [1, 1, 0]
    assert batch.features[:, 1, 2].tolist() == [2, 2, 2]
    assert batch.lengths.tolist() == [2, 3]
    assert batch.targets.T.tolist() == [[5, PADDING], [6, 8]]
    assert batch.target_lengths.tolist() == [1, 2]
    assert batch.numbers.tolist() == [7, 4]


@pytest.mark.parametrize(("text", "num_steps"), [("a", 3), ("ab", 3), ("aa", 3), ("ab", 4), ("aab", 4), ("", 2)])
def test_the_loss_is_over_all_paths_that_collapse_to_the_transcript(text: str, num_steps: int) -> None:
    """Graves et al. 2006, equation 3, by counting them."""
    logits = torch.randn(num_steps, 1, NUM_TOKENS, generator=torch.Generator().manual_seed(num_steps))
    log_probs = logits.log_softmax(-1)
    wanted, total = tuple(TOKENIZER.encode(text)), 0.0
    for path in itertools.product(range(NUM_TOKENS), repeat=num_steps):
        if collapse(path, TOKENIZER.eos) == wanted:
            total += math.exp(float(log_probs[range(num_steps), 0, path].sum()))
    loss, num_masked = ctc_loss(log_probs, batch_of([text], [2 * num_steps - 1]), blank=TOKENIZER.eos, stride=2)
    assert float(loss.total) == pytest.approx(-math.log(total), rel=1e-4)
    assert (loss.count, loss.divisor, num_masked) == (len(text), len(text), 0)


def test_transcripts_without_the_steps_to_say_them_are_masked_and_count_nothing() -> None:
    log_probs = torch.randn(3, 4, NUM_TOKENS).log_softmax(-1)
    loss, num_masked = ctc_loss(log_probs, batch_of(["aa", "ab", "abc", "aa"], [3, 2, 2, 2]), blank=0, stride=1)
    alone, _ = ctc_loss(log_probs[:, :2], batch_of(["aa", "ab"], [3, 2]), blank=0, stride=1)
    assert (loss.count, num_masked) == (4, 2)
    assert float(loss.total) == pytest.approx(float(alone.total))


@pytest.mark.parametrize(
    ("text", "num_frames", "said"),
    [
        ("ab", 3, ""), ("ab", 2, "1 steps cannot say 2 tokens, which need 2"), ("Ab!", 4, ""), ("aa", 5, ""),
        ("aa", 4, "2 steps cannot say 2 tokens, which need 3"), ("...", 99, "its transcript is empty"),
        (None, 99, "its transcript is empty"),
    ],
)  # fmt: skip
def test_an_utterance_fits_where_its_steps_can_say_its_tokens(text: str | None, num_frames: int, said: str) -> None:
    objective = TranscriptObjective(TOKENIZER, 2, ASRDecodingConfig())
    assert objective.misfit(Utterance("u", Path("u.wav"), text), num_frames) == said


def test_a_decoder_is_made_once_for_its_settings() -> None:
    objective = TranscriptObjective(TOKENIZER, 2, ASRDecodingConfig(beam_size=3))
    assert objective.decoder() is objective.decoder(ASRDecodingConfig(beam_size=3))
    assert objective.decoder().settings.beam_size == 3
    assert objective.decoder(num_best=2) is not objective.decoder()
    assert objective.num_outputs == NUM_TOKENS
    assert objective.blank == TOKENIZER.eos


def test_models_are_averaged_by_their_probabilities() -> None:
    first, second = torch.tensor([[0.5, 0.5]]), torch.tensor([[0.1, 0.9]])
    assert mean_of_models([first.log(), second.log()]).exp().flatten().tolist() == pytest.approx([0.3, 0.7])
    assert mean_of_models([first.log()]) is not None
    assert torch.equal(mean_of_models([first]), first)


def frame_outputs(*probabilities: Sequence[float]) -> torch.Tensor:
    return torch.tensor([list(probabilities)]).log().transpose(0, 1)


PHONES = ("", "A", "B")
AT_2 = FrameObjective(PHONES, stride=2)
# three steps, of two frames each: A A, B B, B and nothing of interest
STEPS = frame_outputs([0.1, 0.8, 0.1, 0.2, 0.6, 0.2], [0.1, 0.0, 0.9, 0.25, 0.25, 0.5], [0.2, 0.1, 0.7, 1.0, 0.0, 0.0])


def test_a_step_speaks_for_its_frames_in_order() -> None:
    by_frame = AT_2.by_frame(STEPS, 5)
    assert by_frame.shape == (5, 1, 3)
    assert by_frame.argmax(-1)[:, 0].tolist() == [1, 1, 2, 2, 2]
    assert AT_2.num_outputs == 6
    assert AT_2.log_probs(STEPS.exp()).view(3, 2, 3).exp().sum(-1).flatten().tolist() == pytest.approx([1.0] * 6)


def test_phones_come_with_times_and_the_mean_probability_of_their_frames() -> None:
    found = PhoneSegments(AT_2, 0.01).add(STEPS[:, 0].numpy(), 5)
    assert found == [
        {"phone": "A", "start": 0.0, "end": 0.02, "confidence": 0.7},
        {"phone": "B", "start": 0.02, "end": 0.05, "confidence": 0.7},
    ]


def test_frames_are_scored_one_by_one_and_unknown_phones_are_mistakes(tmp_path: Path) -> None:
    """The batch's second utterance has two frames only; the phone -1 is one that training never saw."""
    both = torch.cat([STEPS, STEPS], 1)
    targets = [np.array([1, 2, 2, -1, 2]), np.array([1, 0])]
    frames = [np.zeros((5, 1), np.float32), np.zeros((2, 1), np.float32)]
    scorer = AT_2.scorer([Utterance("one", Path("a")), Utterance("two", Path("b"))], {"data": "abc"})
    scorer.add(both, pad_utterances([1, 0], frames, targets, torch.device("cpu")))
    accuracy, loss = scorer.scores(tmp_path)
    assert (accuracy.name, accuracy.value) == ("frame_accuracy", pytest.approx(100 * 4 / 7))
    assert accuracy.signature.startswith("frames:7|utterances:2|classes:3|data:abc|")
    assert (loss.name, loss.higher_is_better) == ("frame_loss", False)
    known = [0.8, 0.2, 0.9, 0.7, 0.8, 0.2]
    assert loss.value == pytest.approx(-sum(map(math.log, known)) / 6, rel=1e-5)
    assert (tmp_path / "predictions.txt").read_text() == "one A A\ntwo A A B B B\n"


def test_the_loss_of_frames_is_summed_over_those_that_have_a_known_phone() -> None:
    features = [np.zeros((5, 1), np.float32)]
    batch = pad_utterances([0], features, [np.array([1, 2, 2, -1, 2])], torch.device("cpu"))
    loss = AT_2.loss(STEPS.clamp(min=-50), batch)
    assert float(loss.total) == pytest.approx(-math.log(0.8 * 0.2 * 0.9 * 0.7), rel=1e-4)
    assert (loss.count, loss.divisor) == (4, 4)
    nothing = AT_2.loss(STEPS.clamp(min=-50), batch._replace(targets=torch.full((5, 1), -1)))
    assert (float(nothing.total), nothing.count, nothing.divisor) == (0.0, 0, 0)


def test_phones_are_kept_in_order(tmp_path: Path) -> None:
    save_phones(["B", "", "Ā"], tmp_path)
    assert load_phones(tmp_path) == ["", "B", "Ā"]
    assert FrameObjective(["a", "b"], 1).fingerprint != FrameObjective(["b", "a"], 1).fingerprint
