"""The real photographs, where this machine has them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from lstmdrop_tasks.caption.config import ImageConfig
from lstmdrop_tasks.caption.corpora.captioned import CaptionCorpus
from lstmdrop_tasks.caption.corpora.find import find_corpus
from lstmdrop_tasks.caption.images.reading import read_image
from lstmdrop_tasks.caption.images.store import build_store


@pytest.fixture
def flickr8k(shared_data: Path) -> CaptionCorpus:
    if not (shared_data / "flickr8k").is_dir():
        pytest.skip("flickr8k is not among the real data here")
    return find_corpus("flickr8k", shared_data)


def test_flickr8k_has_its_official_splits_and_all_their_captions(flickr8k: CaptionCorpus) -> None:
    sizes = {split: (len(images), sum(len(i.captions) for i in images)) for split, images in flickr8k.splits.items()}
    assert sizes == {"train": (6000, 30_000), "valid": (1000, 5000), "test": (1000, 5000)}
    assert flickr8k.dropped == "91 images in no split"
    first = flickr8k.splits["test"][0]
    assert first.id == "3385593926_d3e9c21170.jpg"
    assert len(first.captions) == 5


def test_like_photographs_have_like_features(flickr8k: CaptionCorpus, tmp_path: Path) -> None:
    about = {
        word: [image for image in flickr8k.splits["test"] if all(word in caption for caption in image.captions)][:3]
        for word in ("dog", "bike")
    }
    images = [*about["dog"], *about["bike"]]
    store = build_store(images, ImageConfig(), tmp_path, torch.device("cpu"))
    assert store.features.shape == (6, 50, 1280)
    assert not store.problems
    vectors = store.rows(range(6), whole=False)[:, 0]
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    likeness = vectors @ vectors.T
    between = likeness[:3, 3:].mean()
    within = [likeness[part][np.triu_indices(3, 1)].mean() for part in (np.s_[:3, :3], np.s_[3:, 3:])]
    assert min(within) > between + 0.05


def test_a_photograph_of_the_right_size_is_read_as_it_is(flickr8k: CaptionCorpus) -> None:
    from PIL import Image

    path = flickr8k.splits["test"][0].source
    with Image.open(path) as image:
        assert image.size == (224, 224)
        assert np.array_equal(read_image(path, 224), np.asarray(image))
