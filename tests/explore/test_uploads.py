"""Pictures of any kind that visitors bring: read right, or refused in words; each step can be undone."""

from __future__ import annotations

import io
import random
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from tests.explore.test_drawing import DIGITS, declared, encoded, seven
from vaecore.explore import uploads
from vaecore.explore.drawing import Ink, as_digit
from vaecore.explore.uploads import STEPS, SWITCHES, Step, from_upload

GREY = (1, 28, 28)
INKED = as_digit(seven(0.7, 0.28, 0.15, 224), (112, 112))  # white on black, placed as the data are
assert INKED is not None


def same_digit(found: np.ndarray, ink: np.ndarray = INKED) -> float:
    """How much of two digits lies on each other once both are placed: intersection over union."""
    a, b = (as_digit(np.ascontiguousarray(each), least=0) for each in (found, ink))
    assert a is not None and b is not None
    return float(((a > 100) & (b > 100)).sum() / ((a > 100) | (b > 100)).sum())


def steps(read: uploads.Upload) -> list[Step | None]:
    return [done.step for done in read.done]


# -- read right ------------------------------------------------------------------------------------


def paletted() -> bytes:
    picture = Image.fromarray(INKED).convert("P")
    picture.info["transparency"] = 0
    return encoded(picture, transparency=0)


def sixteen_bits(levels: np.ndarray) -> bytes:
    """A PNG of colours in 16 bits, (h, w, 3), which Pillow reads and cannot write."""
    height, width, _ = levels.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in levels)

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0))
            + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def turned(orientation: int) -> bytes:
    """As a camera that was held so stores it."""
    undo = {6: Image.Transpose.ROTATE_90, 3: Image.Transpose.ROTATE_180, 8: Image.Transpose.ROTATE_270}[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encoded(Image.fromarray(INKED).transpose(undo), "JPEG", exif=exif, quality=95)


def clear(shade: int) -> bytes:
    return encoded(Image.merge("LA", (Image.new("L", INKED.shape, shade), Image.fromarray(INKED))))


def animated(format: str) -> bytes:
    first, second = Image.fromarray(INKED), Image.fromarray(np.flipud(INKED).copy())
    return encoded(first, format, save_all=True, append_images=[second])


@pytest.mark.parametrize(("data", "done"), [
    (encoded(Image.fromarray(INKED).convert("CMYK"), "JPEG", quality=95), []),
    (encoded(Image.fromarray(255 - INKED).convert("RGB"), "WEBP", quality=90), ["invert"]),
    (encoded(Image.fromarray(INKED).convert("1")), []),
    (encoded(Image.fromarray(INKED.astype(np.uint16) * 257)), []),
    (encoded(Image.fromarray(INKED.astype(np.uint16) * 16)), ["stretch"]),
    (sixteen_bits(INKED[..., None].repeat(3, -1).astype(np.uint16) * 257), []),
    (sixteen_bits(INKED[..., None].repeat(3, -1).astype(np.uint16) * 16), ["stretch"]),  # nearly black else
    (paletted(), ["paper"]), (clear(0), ["paper", "invert"]), (clear(255), ["paper"]),
    *((turned(orientation), ["turn"]) for orientation in (3, 6, 8)),
    *((animated(format), [None]) for format in ("GIF", "WEBP", "PNG")),
    (encoded(Image.fromarray(np.dstack([INKED, INKED // 4, INKED // 4]))), [None, "find"]),  # red is faint in grey
    (encoded(Image.fromarray(255 - INKED // 3)), ["find", "invert"]),  # pencil
])
def test_a_digit_in_a_file_of_any_kind_is_the_same_digit(data: bytes, done: list[str | None]) -> None:
    read = from_upload(data, GREY, DIGITS)
    assert steps(read) == done
    assert read.pixels.shape == GREY and np.median(read.pixels) == 0
    assert same_digit(read.pixels[0]) > 0.85
    assert max(read.before.shape[:2]) <= 512 and read.before.dtype == np.uint8


@pytest.mark.parametrize("size", [(28, 4000), (4000, 28), (1, 300_000), (60, 5000)])
def test_a_picture_far_from_the_aspect_is_cut_and_said_so(size: tuple[int, int]) -> None:
    ramp = np.tile(np.linspace(0, 255, size[1]).astype(np.uint8), (size[0], 1))
    for shape, ink in ((GREY, None), ((3, 64, 48), None), ((1, 28, 20), DIGITS)):
        read = from_upload(encoded(Image.fromarray(ramp)), shape, ink)
        assert read.pixels.shape == shape and "cut" in steps(read)
        assert any("around its middle" in words for words in read.said)
        whole = from_upload(encoded(Image.fromarray(ramp)), shape, ink, undone=("cut",))
        assert whole.pixels.shape == shape and "cut" not in steps(whole)


def test_uncut_the_whole_picture_is_there_with_its_paper_beside_it() -> None:
    picture = Image.new("RGB", (300, 100), (10, 200, 30))
    picture.paste((200, 0, 0), (0, 0, 60, 100))
    cut, whole = (from_upload(encoded(picture), (3, 60, 60), undone=undone).pixels for undone in ((), ("cut",)))
    assert (cut[0] < 20).all(), "the red is at the side"
    assert whole[0, 30, 5] > 190 and whole[1, 5, 30] == whole[1, 55, 30] == 200, "beside it lies what its edge is of"
    rows = np.flatnonzero(np.abs(whole[0, :, 5].astype(int) - 200) < 10)
    assert len(rows) == 20, "and it is not squeezed"


def test_each_step_can_be_undone_alone() -> None:
    """A dark edge, grey paper, on its side and transparent: what is undone is not done, and the rest still is."""
    sheet = np.full((300, 420), 200.0)
    sheet[60:284, 150:374] -= 150 * (seven(0.7, 0.28, 0.15, 224) / 255)
    sheet[:, -14:] = 6
    exif = Image.Exif()
    exif[0x0112] = 3
    photograph = encoded(Image.fromarray(sheet.astype(np.uint8)[::-1, ::-1].copy()), "JPEG", exif=exif, quality=92)
    read = from_upload(photograph, GREY, DIGITS)
    assert steps(read) == ["turn", "edge", "find", "invert"]
    assert same_digit(read.pixels[0]) > 0.75
    for step in ("turn", "edge", "invert"):
        other = from_upload(photograph, GREY, DIGITS, undone=(step,))
        assert step not in steps(other)
        assert (other.pixels != read.pixels).any()
    inverted = from_upload(photograph, GREY, DIGITS, undone=("invert",))
    np.testing.assert_array_equal(inverted.pixels, 255 - read.pixels)
    upside_down = from_upload(photograph, GREY, DIGITS, undone=("turn",))
    assert same_digit(upside_down.pixels[0, ::-1, ::-1]) > 0.75
    black, white = (from_upload(clear(120), (3, 28, 28), undone=undone).pixels for undone in (("paper",), ()))
    assert black[0, 0, 0] == 0 and white[0, 0, 0] == 255
    with pytest.raises(ValueError, match="no step 'fade' to undo"):
        from_upload(photograph, GREY, undone=("fade",))  # type: ignore[arg-type]
    assert set(SWITCHES) == set(STEPS)


def test_data_on_light_paper_are_read_as_they_are() -> None:
    light = Ink(light=True, box=DIGITS.box)
    plain, dark = (from_upload(encoded(Image.fromarray(each)), GREY, light) for each in (255 - INKED, INKED))
    assert steps(plain) == [] and steps(dark) == ["invert"]
    np.testing.assert_array_equal(plain.pixels, dark.pixels)
    assert np.median(plain.pixels) == 255


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5, 16])
@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16"])
def test_any_mode_becomes_any_number_of_channels(mode: str, channels: int) -> None:
    grey = np.tile(np.linspace(0, 255, 64).astype(np.uint8), (64, 1))
    picture = Image.fromarray(grey.astype(np.uint16) * 257) if mode == "I;16" else Image.fromarray(grey).convert(
        "RGB" if mode == "CMYK" else mode)
    data = (encoded(picture.convert("CMYK"), "JPEG") if mode == "CMYK" else encoded(picture))
    read = from_upload(data, (channels, 64, 64))
    assert read.pixels.shape == (channels, 64, 64) and read.pixels.dtype == np.uint8
    for channel in read.pixels[:3]:
        assert channel[:, :8].mean() < 40 and channel[:, -8:].mean() > 215
    if channels == 4:
        assert (read.pixels[3] == 255).all()


# -- refused ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("data", "says"), [
    (declared(10_000, 10_000), "(100|far too many) megapixels, and at most 20"),
    (declared(2_000_000, 1), "2,000,000 × 1 pixels, and its longer side"),
    (b"PK\x03\x04\x14\0" + bytes(90), "It is a ZIP archive, whatever its name says: unpack it"),
    (b"<?xml version='1.0'?>\n<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
     "It is an SVG, whose shapes are drawn by a program: save it as PNG"),
    (b"%PDF-1.7 ...", "It is a PDF"), (b"\0\0\0\x1cftypavif", "It is an AVIF"), (b"\0\0\0\x1cftypheic", "It is a HEIC"),
    (b"\0\0\0\x1cftypisom", "It is a film"), (b"\x1f\x8b\x08", "packed by gzip"), (b"MZ\x90", "not a picture"),
    (encoded(Image.effect_noise((99, 99), 50), "GIF")[:1200], "damaged or cut off"),
    (encoded(Image.effect_noise((99, 99), 50), "WEBP")[:900], "not a picture|damaged or cut off"),
    (encoded(Image.effect_noise((99, 99), 50), "BMP")[:900], "damaged or cut off")])
def test_what_cannot_be_read_is_refused_in_words(data: bytes, says: str) -> None:
    for shape, ink in ((GREY, DIGITS), ((3, 64, 64), None), ((4, 32, 20), None)):
        with pytest.raises(ValueError, match=says) as said:
            from_upload(data, shape, ink)
        assert "alert" not in str(said.value) and len(str(said.value)) < 200


def test_a_file_is_measured_before_it_is_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    def opened(*_: object, **__: object) -> None:
        raise AssertionError("opened")

    monkeypatch.setattr(uploads.Image, "open", opened)
    with pytest.raises(ValueError, match=r"6\.0 MB, and at most 5 MB"):
        from_upload(bytes(6_000_000), GREY)


def test_broken_bytes_never_raise_anything_but_words() -> None:
    """Files of each format with bytes changed and cut at random: read, or a ValueError that a visitor understands."""
    rng = random.Random(0)
    noise = Image.effect_noise((40, 30), 60)
    files = [encoded(noise, format) for format in ("PNG", "JPEG", "WEBP", "BMP", "GIF")]
    files += [paletted(), turned(6), animated("GIF"), animated("WEBP"), sixteen_bits(np.zeros((5, 5, 3), np.uint16))]
    refused = 0
    for number in range(300):
        data = bytearray(rng.choice(files))
        for _ in range(rng.randint(1, 8)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        if number % 3 == 0:
            del data[rng.randrange(len(data)):]
        try:
            assert from_upload(bytes(data), GREY, DIGITS).pixels.shape == GREY
        except ValueError as error:
            refused += 1
            assert any(words in str(error) for words in ("damaged", "picture", "empty", "megapixels")), error
    assert 20 < refused < 300


def test_frames_of_an_animation_are_not_counted() -> None:
    """A small GIF of a hundred thousand frames would take a minute to count."""
    frame = encoded(Image.new("L", (1, 1)), "GIF")
    start = frame.index(b",")
    data = frame[:start] + frame[start:-1] * 100_000 + b";"
    assert len(data) < uploads.MAX_PICTURE_BYTES
    with io.BytesIO(data) as file, Image.open(file) as picture:
        assert picture.is_animated
    assert from_upload(data, GREY).said[0] == "of an animation the first frame"


@pytest.mark.parametrize("squared", [False, True])
def test_ruled_paper_is_paper(squared: bool) -> None:
    """A digit on lined or squared paper, whose lines join it, is found without them."""
    sheet = np.random.default_rng(0).normal(220, 3, (300, 300))
    sheet[20::40] -= 60
    if squared:
        sheet[:, 20::40] -= 60
    sheet[50:250, 50:250] -= (sheet[50:250, 50:250] - 40) * (seven(0.7, 0.28, 0.15, 200) / 255)
    read = from_upload(encoded(Image.fromarray(sheet.clip(0, 255).astype(np.uint8)), "JPEG"), GREY, DIGITS)
    assert "find" in steps(read)
    assert same_digit(read.pixels[0]) > 0.7
