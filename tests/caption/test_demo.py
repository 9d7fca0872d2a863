"""Laws of the drawn scenes, of what the grammar says about them, and of the picture that shows both."""

from __future__ import annotations

import re
import runpy
import subprocess
import sys
from collections import Counter
from itertools import pairwise, product
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lstmdrop.errors import DataError
from lstmdrop_tasks.caption.corpora.demo import corpus
from lstmdrop_tasks.caption.corpora.demo.corpus import SIZES, captions_of, demo, demo_scenes, is_right
from lstmdrop_tasks.caption.corpora.demo.drawing import PAINTS
from lstmdrop_tasks.caption.corpora.demo.picture import SIZE, arrange, draw_picture
from lstmdrop_tasks.caption.corpora.demo.scene import (
    COLOURS,
    KINDS,
    LANDMARKS,
    PLACES,
    Group,
    Realm,
    Scene,
    draw_captions,
    true_captions,
)

MEADOW, SNOW, BEACH, NIGHT, SEA = PLACES
KIND = {kind.noun: kind for kind in (*KINDS, *LANDMARKS)}
TWO_BALLS = Scene(SNOW, Group(2, "red", KIND["ball"]), None)
KITE = Scene(MEADOW, Group(1, "blue", KIND["kite"]), KIND["tree"])


def held_out() -> list[str]:
    return [name for name in demo_scenes() if not name.startswith("train")]


def words_of(captions: list[str]) -> Counter[str]:
    return Counter(word for caption in captions for word in re.findall(r"\w+", caption.lower()))


def test_no_split_shares_a_scene_and_held_out_scenes_come_once() -> None:
    scenes = {split: [scene for name, scene in demo_scenes().items() if name.startswith(split)] for split in SIZES}
    assert {split: len(own) for split, own in scenes.items()} == SIZES == {"test": 200, "valid": 200, "train": 1800}
    assert set(scenes["train"]).isdisjoint(scenes["valid"])
    assert set(scenes["train"] + scenes["valid"]).isdisjoint(scenes["test"])
    assert len(set(scenes["valid"] + scenes["test"])) == 400


def test_scenes_make_sense() -> None:
    for place, group, landmark in demo_scenes().values():
        assert {group.kind.realm} | ({landmark.realm} if landmark else set()) <= {place.realm, Realm.AIR}
        assert group.colour != place.own_colour
        assert 1 <= group.number <= 3


def test_every_caption_is_right_and_an_image_has_five() -> None:
    for name in demo_scenes():
        captions = captions_of(name)
        assert len(set(captions)) == 5
        for caption in captions:
            assert is_right(caption, name), (caption, name)
            assert is_right(caption.upper().replace(".", " !"), name)


def test_a_caption_with_one_word_of_another_meaning_is_wrong() -> None:
    numbers = ("a", "two", "three")
    nouns = [noun for kind in KIND.values() for noun in (kind.noun, kind.plural)]
    meanings = (numbers, COLOURS, nouns, ("above", "under"), ("above", "below"), ("snow", "meadow", "beach", "sea"))
    num_changed = 0
    for name in held_out():
        for caption in captions_of(name):
            words = caption.lower().rstrip(".").split()
            for position, word in enumerate(words):
                for other in {other for family in meanings if word in family for other in family} - {word}:
                    changed = " ".join([*words[:position], other, *words[position + 1 :]])
                    assert not is_right(changed, name), (caption, changed)
                    num_changed += 1
    assert num_changed > 10000


@pytest.mark.parametrize("name", ["test-0000", "test-0001", "test-0002"])
def test_less_or_more_than_a_sentence_is_wrong(name: str) -> None:
    for caption in captions_of(name):
        words = caption.split()
        assert not is_right(" ".join(words[:-1]), name)
        assert not is_right(" ".join([*words, words[-1]]), name)
    assert not is_right("", name)


def test_the_captions_of_one_scene_are_these() -> None:
    assert true_captions(TWO_BALLS) == {
        "two red balls in the snow",
        "two red balls lie in the snow",
        "in the snow are two red balls",
        "there are two red balls in the snow",
        "in the snow there are two red balls",
        "a picture of two red balls in the snow",
        "a drawing of two red balls in the snow",
        "a view of two red balls in the snow",
        "there are two red balls in this picture",
        "there are two red balls in this drawing",
        "there are two red balls to be seen",
    }


def test_what_flies_is_over_the_meadow_and_above_what_stands_in_it() -> None:
    true = true_captions(KITE)
    assert "a blue kite flies over a meadow" in true
    assert "a blue kite flies above a tree in a meadow" in true
    assert "a tree stands under a blue kite on the grass" in true
    assert "a picture of a blue kite and a tree" in true
    assert not [caption for caption in true if re.search("beside|near|next|above a blue|(under|below) a tree", caption)]


def test_where_there_is_a_landmark_one_caption_leaves_it_out() -> None:
    for seed in range(20):
        captions = draw_captions(KITE, 5, Random(seed))
        assert sum("tree" not in caption for caption in captions) == 1


def test_numbers_agree() -> None:
    one = "|".join(kind.noun for kind in KINDS if kind.noun != kind.plural)
    many = "|".join(kind.plural for kind in KINDS if kind.noun != kind.plural)
    colour, verb = "|".join(COLOURS), "|".join(kind.verb for kind in KINDS)
    for name in demo_scenes():
        for caption in map(str.lower, captions_of(name)):
            assert not re.search(rf"(two|three) ({colour}) ({one})\b", caption), caption
            assert not re.search(rf"\ba ({colour}) ({many})\b", caption), caption
            assert not re.search(rf"(two|three) \w+ \w+ ({verb})\b", caption), caption
            assert not re.search(r"\bis (two|three)\b|\bare a\b", caption), caption


def test_words_are_few_and_held_out_ones_known() -> None:
    known = words_of([caption for name in demo_scenes() if name.startswith("train") for caption in captions_of(name)])
    assert 60 <= len(known) <= 80
    assert min(known.values()) >= 20
    assert set(words_of([caption for name in held_out() for caption in captions_of(name)])) <= set(known)
    lengths = {len(caption.split()) for name in demo_scenes() for caption in captions_of(name)}
    assert min(lengths) >= 4
    assert max(lengths) <= 14


@pytest.mark.slow
def test_another_process_draws_the_same() -> None:
    script = (
        "from hashlib import sha256\n"
        "from lstmdrop_tasks.caption.corpora.demo.corpus import captions_of, demo_scenes, draw_picture, Random\n"
        "pictures = [draw_picture(scene, Random(name)) for name, scene in list(demo_scenes().items())[:5]]\n"
        "content = repr([(name, captions_of(name)) for name in demo_scenes()]).encode()\n"
        "print(sha256(content + b''.join(picture.tobytes() for picture in pictures)).hexdigest())"
    )
    found = [
        subprocess.run(
            [sys.executable, "-c", script],
            env={"PYTHONPATH": ":".join(sys.path), "PYTHONHASHSEED": seed},
            check=True, capture_output=True, text=True,
        ).stdout
        for seed in ("3", "7")
    ]  # fmt: skip
    assert found[0] == found[1]
    assert len(found[0].strip()) == 64


@pytest.mark.parametrize("noun", [kind.noun for kind in KINDS])
@pytest.mark.parametrize("colour", COLOURS)
def test_what_has_a_colour_shows_it(noun: str, colour: str) -> None:
    place = SEA if KIND[noun].realm is Realm.WATER else NIGHT
    picture = draw_picture(Scene(place, Group(1, colour, KIND[noun]), None), Random(0))
    assert picture.size == (SIZE, SIZE)
    distance = np.abs(np.asarray(picture).astype(int) - PAINTS[colour]).max(axis=2)
    assert (distance < 12).sum() > 200


def test_things_are_in_the_picture_where_the_captions_have_them() -> None:
    for name, scene in demo_scenes().items():
        things = list(arrange(scene, Random(name)))
        for thing in things:
            left, top, side = thing.spot
            assert left >= 0
            assert top >= 0
            assert left + side <= 1
            assert top + side <= 1
        row = [thing.spot for thing in things if thing.noun == scene.group.kind.noun]
        assert len(row) == scene.group.number
        assert all(one.left + one.side <= other.left + 1e-9 for one, other in pairwise(row))
        if scene.landmark is None:
            assert len(things) == len(row)
            continue
        mark = things[0].spot
        assert things[0].noun == scene.landmark.noun
        middles = [spot.top + spot.side / 2 for spot in row]
        if scene.landmark.realm is not scene.group.kind.realm:
            below = scene.landmark.realm is Realm.AIR
            assert all((middle > mark.top + mark.side / 2) == below for middle in middles)
        else:
            assert len({spot.left + spot.side / 2 > mark.left + mark.side / 2 for spot in row}) == 1


def test_things_of_different_kinds_or_colours_look_different() -> None:
    pictures = {
        draw_picture(Scene(BEACH, Group(1, colour, kind), None), Random(0)).tobytes()
        for colour, kind in product(COLOURS, KINDS)
    }
    assert len(pictures) == len(COLOURS) * len(KINDS)


@pytest.mark.usefixtures("few_scenes")
def test_pictures_are_written_once(monkeypatch: pytest.MonkeyPatch) -> None:
    first = demo()
    assert {split: len(own) for split, own in first.splits.items()} == {"test": 3, "valid": 3, "train": 6}
    for image in [image for own in first.splits.values() for image in own]:
        with Image.open(image.source) as picture:
            expected = draw_picture(demo_scenes()[image.id], Random(f"picture {image.id}"))
            assert picture.tobytes() == expected.tobytes()
        assert image.captions == captions_of(image.id)
    monkeypatch.delattr(corpus, "write_picture")
    assert demo() == first


def test_an_image_that_is_not_there_is_named() -> None:
    with pytest.raises(DataError, match="no image 'test-9999'"):
        is_right("a red ball", "test-9999")


@pytest.fixture(scope="module")
def gallery() -> dict[str, Any]:
    return runpy.run_path(str(Path(__file__).parents[2] / "tools" / "caption_gallery.py"))


@pytest.mark.usefixtures("few_scenes")
def test_a_wrong_caption_is_shown_with_the_nearest_true_one(gallery: dict[str, Any]) -> None:
    image = demo().splits["test"][0]
    for caption in image.captions:
        plain = caption.lower().rstrip(".")
        assert gallery["judge"](image, plain).correction is None
        assert gallery["judge"](image, f"{plain} indeed").correction == plain


@pytest.mark.parametrize(
    ("num_right", "num_wrong", "shown"), [(9, 9, "rrrrww"), (9, 1, "rrrrrw"), (1, 9, "rwwwww"), (9, 0, "r" * 6)]
)
def test_right_ones_come_first_and_all_six_places_are_filled(
    gallery: dict[str, Any], num_right: int, num_wrong: int, shown: str
) -> None:
    right = [gallery["Entry"](Path("a.png"), "r")] * num_right
    wrong = [gallery["Entry"](Path("a.png"), "w", "r")] * num_wrong
    assert "".join(entry.caption for entry in gallery["select"](wrong + right, 4, 2)) == shown


@pytest.mark.usefixtures("few_scenes")
def test_the_gallery_has_its_width_and_room_for_long_captions(gallery: dict[str, Any]) -> None:
    image = demo().splits["test"][0]
    short = [gallery["judge"](image, "a cat")] * 6
    long = [gallery["judge"](image, "a very " + "long " * 30 + "caption")] * 6
    pages = [gallery["draw_gallery"](entries) for entries in (short, long)]
    assert [page.width for page in pages] == [900, 900]
    assert pages[1].height > pages[0].height + 100
    pixels = np.asarray(pages[0]).astype(int)
    assert not (pixels[..., 0] > pixels[..., 1] + 100)[:18].any()
    assert (np.abs(pixels - gallery["WRONG"]).max(axis=2) < 12).sum() > 300
