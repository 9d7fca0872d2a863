"""The demo's pictures: drawn once into the cache, and captioned by the grammar."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from random import Random

from lstmdrop.config import Split
from lstmdrop.data.atomic import atomic_folder
from lstmdrop.data.registry import cache_dir
from lstmdrop.errors import DataError
from lstmdrop_tasks.caption.corpora.captioned import CaptionCorpus, CaptionedImage
from lstmdrop_tasks.caption.corpora.demo.picture import draw_picture
from lstmdrop_tasks.caption.corpora.demo.scene import Scene, draw_captions, draw_scene, true_captions

VERSION = 4
"""To be raised when the scenes or their pictures change."""

SIZES: Mapping[Split, int] = {"test": 200, "valid": 200, "train": 1800}
CAPTIONS_AN_IMAGE = 5


def demo() -> CaptionCorpus:
    """Drawn scenes; no scene of one split is in another, however it is drawn."""
    folder = cache_dir() / "demo" / f"scenes-{VERSION}"
    if not folder.is_dir():
        with atomic_folder(folder) as unfinished:
            for name, scene in demo_scenes().items():
                write_picture(unfinished, name, scene)
    images = {name: CaptionedImage(name, folder / f"{name}.png", captions_of(name)) for name in demo_scenes()}
    splits: dict[Split, tuple[CaptionedImage, ...]] = {
        split: tuple(image for name, image in images.items() if name.startswith(split)) for split in SIZES
    }
    return CaptionCorpus("demo", splits, split="drawn at random; no two splits share a scene", dropped="")


@lru_cache(maxsize=1)
def demo_scenes() -> dict[str, Scene]:
    """The scene of each image, by the image's id."""
    rng = Random(0)
    scenes: dict[str, Scene] = {}
    taken: set[Scene] = set()
    for split, size in SIZES.items():
        own: list[Scene] = []
        while len(own) < size:
            scene = draw_scene(rng)
            # What training has twice is drawn differently; held-out scenes come once.
            if scene not in taken and (split == "train" or scene not in own):
                own.append(scene)
        taken.update(own)
        scenes.update({f"{split}-{number:04}": scene for number, scene in enumerate(own)})
    return scenes


def is_right(caption: str, image_id: str) -> bool:
    """Whether a caption, in any case and with any marks, is one that the grammar has for the image.

    A true sentence of other words is not.

    Raises:
        DataError: no image of the demo has this id.
    """
    words = re.findall(r"\w+", caption.lower())
    return " ".join(words) in true_captions(_scene(image_id))


def captions_of(image_id: str) -> tuple[str, ...]:
    """The captions that the corpus has for an image: five of all that are true.

    Raises:
        DataError: no image of the demo has this id.
    """
    return draw_captions(_scene(image_id), CAPTIONS_AN_IMAGE, Random(f"captions {image_id}"))


def write_picture(folder: Path, name: str, scene: Scene) -> None:
    """Draw the scene into ``NAME.png``; the name determines where its things are."""
    draw_picture(scene, Random(f"picture {name}")).save(folder / f"{name}.png", compress_level=1)


def _scene(image_id: str) -> Scene:
    if image_id not in demo_scenes():
        raise DataError(f"the demo has no image {image_id!r}; its ids are like 'test-0000'")
    return demo_scenes()[image_id]
