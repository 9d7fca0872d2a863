from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from lstmdrop_tasks.caption.attention_picture import GAP, LABEL, TILE, attention_picture

WHITE = Image.new("RGB", (64, 64), (250, 250, 250))


def tiles_of(page: Image.Image, number: int) -> list[npt.NDArray[np.float64]]:
    """The brightness of the first tiles, as they are read."""
    pixels = np.asarray(page.convert("L")).astype(np.float64)
    columns = (page.width - GAP) // (TILE + GAP)
    corners = [divmod(place, columns) for place in range(number)]
    tops = [(GAP + row * (TILE + LABEL + GAP), GAP + column * (TILE + GAP)) for row, column in corners]
    return [pixels[top : top + TILE, left : left + TILE] for top, left in tops]


def one_place(place: int, size: int) -> list[float]:
    return [1.0 if other == place else 0.0 for other in range(size)]


@pytest.mark.parametrize("side", [2, 4, 7])
def test_it_is_brightest_where_the_weight_is(side: int) -> None:
    places = list(range(side * side))[:: side + 1]
    page = attention_picture(WHITE, ["word"] * len(places), [one_place(place, side * side) for place in places])
    for place, tile in zip(places, tiles_of(page, len(places) + 1)[1:], strict=True):
        row, column = (np.unravel_index(tile.argmax(), tile.shape)[axis] * side // TILE for axis in (0, 1))
        assert (row, column) == divmod(place, side)
        assert tile.max() > 240
        assert tile.min() < 40


def test_equal_weights_leave_the_image_as_it_is() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (TILE, TILE, 3), dtype=np.uint8)
    page = attention_picture(Image.fromarray(noise), ["a", "cat"], [[0.0625] * 16] * 2)
    first, *others = tiles_of(page, 3)
    for tile in others:
        np.testing.assert_array_equal(tile, first)


def test_more_weight_is_never_darker() -> None:
    weights = np.sort(np.random.default_rng(0).random(16)).tolist()
    tile = tiles_of(attention_picture(WHITE, ["word"], [weights]), 2)[1]
    middles = tile[TILE // 8 :: TILE // 4, TILE // 8 :: TILE // 4].reshape(-1)
    # Row by row; smoothing mixes neighbours, so only the order of the rows is strict.
    rows = middles.reshape(4, 4).mean(axis=1)
    assert (np.diff(rows) > 0).all()
    np.testing.assert_allclose(middles.max(), 250, atol=6)


def test_light_changes_smoothly() -> None:
    tile = tiles_of(attention_picture(WHITE, ["word"], [one_place(5, 16)]), 2)[1]
    assert np.abs(np.diff(tile, axis=0)).max() < 20
    assert np.abs(np.diff(tile, axis=1)).max() < 20


@pytest.mark.parametrize("number", [1, 3, 8, 12, 20])
def test_there_is_a_tile_for_the_image_and_for_each_word(number: int) -> None:
    page = attention_picture(WHITE, ["word"] * number, [[1.0] * 4] * number)
    columns, rows = (page.width - GAP) // (TILE + GAP), (page.height - GAP) // (TILE + LABEL + GAP)
    assert (columns * (TILE + GAP) + GAP, rows * (TILE + LABEL + GAP) + GAP) == page.size
    assert columns <= 6
    assert columns * (rows - 1) < number + 1 <= columns * rows
    assert all(tile.min() > 240 for tile in tiles_of(page, number + 1))
    for tile in tiles_of(page, columns * rows)[number + 1 :]:
        assert tile.min() == 255


def test_words_stand_below_their_tiles_and_inside_their_width() -> None:
    page = attention_picture(WHITE, ["cat", "incomprehensibilities" * 2], [[1.0] * 4] * 2)
    ink = np.asarray(page.convert("L")) < 128
    labels = ink[GAP + TILE : GAP + TILE + LABEL]
    for column, has_word in enumerate((False, True, True)):
        left = GAP + column * (TILE + GAP)
        assert labels[:, left : left + TILE].any() == has_word
        assert not labels[:, left - GAP : left].any()


def test_a_file_is_drawn_like_its_image(tmp_path: Path) -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8))
    noise.save(tmp_path / "noise.png")
    drawn = [attention_picture(image, ["a"], [[0.1, 0.2, 0.3, 0.4]]) for image in (noise, tmp_path / "noise.png")]
    assert drawn[0].tobytes() == drawn[1].tobytes()


def test_no_light_at_all_is_dark() -> None:
    assert tiles_of(attention_picture(WHITE, ["word"], [[0.0] * 4]), 2)[1].max() < 40


def test_what_does_not_fit_is_named() -> None:
    with pytest.raises(ValueError, match="2 words but weights for 1"):
        attention_picture(WHITE, ["a", "cat"], [[1.0] * 4])
    with pytest.raises(ValueError, match="5 weights are not a square map"):
        attention_picture(WHITE, ["a"], [[1.0] * 5])
    with pytest.raises(ValueError, match="0 weights are not a square map"):
        attention_picture(WHITE, ["a"], [[]])
