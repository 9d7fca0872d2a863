"""Laws of captions as token ids, and of the numbers that self-critical training makes of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from lstmdrop.data.tokenizers.words import WordTokenizer
from lstmdrop.data.vocabulary import EOS, UNK, Vocabulary
from lstmdrop.decoding.beam import BeamSettings, Hypothesis
from lstmdrop.decoding.sampling import SamplingOptions
from lstmdrop.nn.decoder import PADDING
from lstmdrop_tasks.caption.captioning import caption, draw_captions
from lstmdrop_tasks.caption.corpora.captioned import CaptionedImage
from lstmdrop_tasks.caption.data import Captions, caption_batch, captions_sha256
from lstmdrop_tasks.caption.self_critical import END, SelfCritical, rewards_of

Build = Callable[..., Any]
TOKENIZER = WordTokenizer(Vocabulary((EOS, UNK, "a", "dog", "cat", "runs")))


def image(name: str, *captions: str) -> CaptionedImage:
    return CaptionedImage(name, Path(f"{name}.jpg"), captions)


IMAGES = [image("one", "A dog runs.", "A zebra!"), image("two", "A cat")]


def test_captions_are_their_tokens_image_by_image() -> None:
    captions = Captions.of(IMAGES, TOKENIZER)
    assert captions.tokens.tolist() == [2, 3, 5, 0, 2, 1, 0, 2, 4, 0]
    assert captions.offsets.tolist() == [0, 4, 7, 10]
    assert captions.owners.tolist() == [0, 0, 1]
    assert (captions.num_unknown, len(captions), captions.lengths.tolist()) == (1, 3, [4, 3, 3])


@pytest.mark.parametrize(("longest", "lengths"), [(1, [1, 1, 1]), (3, [3, 3, 3]), (4, [4, 3, 3]), (9, [4, 3, 3])])
def test_a_cut_caption_is_the_beginning_of_the_whole(longest: int, lengths: list[int]) -> None:
    captions = Captions.of(IMAGES, TOKENIZER)
    cut = captions.cut(longest)
    assert cut.lengths.tolist() == lengths
    for number, length in enumerate(lengths):
        whole = captions.tokens[captions.offsets[number] :][:length].tolist()
        assert cut.tokens[cut.offsets[number] : cut.offsets[number + 1]].tolist() == whole


def test_a_batch_is_captions_beside_their_images() -> None:
    captions, features = Captions.of(IMAGES, TOKENIZER), torch.randn(2, 1, 3)
    batch = caption_batch(captions, np.array([2, 0]), features, TOKENIZER.eos)
    assert batch.targets.T.tolist() == [[2, 4, 0, PADDING], [2, 3, 5, 0]]
    assert batch.inputs.T.tolist() == [[0, 2, 4, 0], [0, 2, 3, 5]]
    assert (batch.numbers.tolist(), batch.image_numbers.tolist()) == ([2, 0], [1, 0])
    assert batch.num_targets == 7
    assert torch.equal(batch.images, features)


def test_the_identity_is_of_names_and_captions_in_their_order() -> None:
    zebra, dog, cat = "A zebra!", "A dog runs.", "A cat"
    others = [
        IMAGES[::-1], [image("one", zebra, dog), IMAGES[1]], [image("three", dog, zebra), IMAGES[1]],
        [image("one", dog), image("two", zebra, cat)],
    ]  # fmt: skip
    assert len({captions_sha256(images) for images in (IMAGES, *others)}) == 5
    assert captions_sha256([image("one\udcff", "a")]) != captions_sha256([image("one", "a")])


def test_rewards_are_made_against_whole_captions() -> None:
    cider = rewards_of([*IMAGES, image("three", "runs runs")], "ptb")
    whole, broken, other = cider.scores([1, 1, 0], [f"a cat {END}", "a cat", f"a cat {END}"])
    assert whole > broken > other


class Fixed(SelfCritical):
    """With captions and their log-probabilities as a test has them."""

    written: Any = None
    log_probs: Any = None

    def _written(self, images: torch.Tensor) -> Any:
        return self.written

    def _log_probs(self, images: torch.Tensor, drawn: Any) -> torch.Tensor:
        return self.log_probs


def hypothesis(*words: str, finished: bool = True) -> Hypothesis:
    return Hypothesis(tuple(TOKENIZER.vocabulary.id_of(word) for word in words), 0.0, 0.0, finished, None)


def test_what_is_drawn_is_rewarded_by_how_much_better_it_is_than_the_likeliest() -> None:
    rewards = {f"a dog {END}": 3.0, f"a cat {END}": 1.0, "dog dog": 0.5}

    def scores(numbers: list[int], lines: list[str]) -> Any:
        return np.array([rewards[line] + 10 * number for number, line in zip(numbers, lines, strict=True)])

    cider = SimpleNamespace(scores=scores)
    objective: Any = Fixed(SimpleNamespace(decoder=None), TOKENIZER, cider, 5)  # type: ignore[arg-type]
    objective.written = (
        [hypothesis("a", "dog"), hypothesis("dog", "dog", finished=False)],
        [hypothesis("a", "cat"), hypothesis("a", "dog")],
    )
    objective.log_probs = torch.tensor([-1.0, -4.0], requires_grad=True)
    batch = caption_batch(Captions.of(IMAGES, TOKENIZER), np.array([0, 2]), torch.zeros(2, 1, 3), TOKENIZER.eos)
    loss = objective(batch)
    assert float(loss.total.detach()) == pytest.approx(-((3.0 - 1.0) * -1.0 + (0.5 - 3.0) * -4.0))
    assert (loss.count, loss.divisor) == (2, 2)
    assert float(loss.plain) == pytest.approx(-(3.0 + 0.5 + 10))
    loss.total.backward()
    assert objective.log_probs.grad.tolist() == [-2.0, 2.5]


def test_captions_are_drawn_without_dropout_and_without_the_unknown(build_caption: Build) -> None:
    task = build_caption("regularizer.dropout=0.9")
    with torch.no_grad():
        task.model.decoder.softmax.bias[task.tokenizer.unk] = 50.0
    objective = SelfCritical(task.model.train(), task.tokenizer, task.rewards, 4)
    images = next(iter(task.batches("train"))).images
    torch.manual_seed(3)
    drawn, greedy = objective._written(images)
    again = objective._written(images)[1]
    assert [one.tokens for one in greedy] == [one.tokens for one in again]
    assert len(drawn) == len(greedy) == len(images)
    for one in (*drawn, *greedy):
        assert task.tokenizer.unk not in one.tokens
        assert len(one.tokens) <= 4
    torch.manual_seed(3)
    assert [one.tokens for one in objective._written(images)[0]] == [one.tokens for one in drawn]


def test_captions_are_as_many_as_seeds_the_finished_and_likeliest_first(build_caption: Build) -> None:
    task = build_caption()
    features = task.data.features("test", np.arange(3))
    found = draw_captions([task], [features], SamplingOptions(banned=[task.tokenizer.unk]), [[1, 2, 3], [], [4]], 4)
    assert [len(own) for own in found] == [3, 0, 1]
    order = [(not one.finished, -one.score) for one in found[0]]
    assert order == sorted(order)
    (alone,) = draw_captions([task], [features[2:]], SamplingOptions(banned=[task.tokenizer.unk]), [[4]], 4)
    assert [one.tokens for one in alone] == [one.tokens for one in found[2]]


def test_captions_are_cut_where_it_is_asked_for_or_where_the_run_does(build_caption: Build) -> None:
    task = build_caption("decoding.max_length=5")
    with torch.no_grad():
        task.model.decoder.softmax.bias[task.tokenizer.eos] = -50.0
    features = [task.data.features("test", np.arange(2))]
    for longest, length in ((None, 5), (2, 2)):
        found = caption([task], features, BeamSettings(beam_size=2, num_best=2), longest)
        assert {len(one.tokens) for own in found for one in own} == {length}
        assert [len(own) for own in found] == [2, 2]
        assert not any(one.finished for own in found for one in own)
