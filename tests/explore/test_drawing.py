"""Drawings and uploads brought into the form of a data set's images."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from vaecore.explore import uploads
from vaecore.explore.drawing import Ink, as_digit
from vaecore.explore.uploads import AS_IS
from vaecore.explore.uploads import from_upload as uploaded

Grey = NDArray[np.uint8]
GREY, COLOUR = (1, 28, 28), (3, 64, 64)
DIGITS = Ink(light=False, box=20 / 28)  # how MNIST looks


def from_upload(data: bytes, shape: tuple[int, int, int]) -> Grey:
    """As a model of digits reads it."""
    return uploaded(data, shape, DIGITS).pixels


def seven(scale: float, x: float, y: float, side: int = 224) -> Grey:
    """A 7 whose height is `scale` of the sheet, drawn at x, y; its strokes are scaled with it. (side, side)"""
    sheet = Image.new("L", (4 * side, 4 * side))
    points = [(4 * side * (x + scale * u), 4 * side * (y + scale * v)) for u, v in [(0, 0), (0.6, 0), (0.2, 1)]]
    ImageDraw.Draw(sheet).line(points, 255, round(4 * side * scale * 0.1), "curve")
    return np.asarray(sheet.resize((side, side), Image.Resampling.BOX))


def box(digit: Grey) -> tuple[int, int]:
    """Height and width of what is seen of it."""
    rows, columns = (np.flatnonzero((digit > 60).any(axis)) for axis in (1, 0))
    return int(np.ptp(rows)) + 1, int(np.ptp(columns)) + 1


def centre(digit: Grey) -> tuple[float, float]:
    """Centre of mass, from the upper left corner."""
    y, x = np.indices(digit.shape) + 0.5
    return float(np.average(y, weights=digit)), float(np.average(x, weights=digit))


def encoded(picture: Image.Image, format: str = "PNG", **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, format, **options)
    return file.getvalue()


def declared(width: int, height: int) -> bytes:
    """A PNG that says to be so large and has next to no pixels."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    parts = {b"IHDR": header, b"IDAT": zlib.compress(b"\0" * 9), b"IEND": b""}
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(kind, body) for kind, body in parts.items())


# ------------------------------------------------------------------------------------------------------------ drawings


@pytest.mark.parametrize("place", [(0.05, 0.05), (0.5, 0.1), (0.2, 0.45)])
def test_a_digit_is_centred_by_its_mass_wherever_it_was_drawn(place: tuple[float, float]) -> None:
    digit = as_digit(seven(0.45, *place))
    assert digit is not None and digit.dtype == np.uint8 and digit.shape == (28, 28)
    assert centre(digit) == pytest.approx((14, 14), abs=0.1)
    assert digit.max() > 240 and digit[0].max() == 0


def test_it_fits_the_box_and_keeps_its_aspect() -> None:
    bar = np.zeros((100, 100), np.uint8)
    bar[10:90, 42:58] = 255
    digit = as_digit(bar)
    assert digit is not None and box(digit) == (20, 4)
    digit = as_digit(bar.T.copy())
    assert digit is not None and box(digit) == (4, 20)
    digit = as_digit(bar, (64, 32))  # the width is the narrower side only for what is wide
    assert digit is not None and digit.shape == (64, 32) and box(digit)[0] == pytest.approx(46, abs=1)


def test_a_small_and_a_large_drawing_of_the_same_shape_give_nearly_the_same() -> None:
    small, large = as_digit(seven(0.3, 0.6, 0.1)), as_digit(seven(0.9, 0.05, 0.05))
    assert small is not None and large is not None
    assert np.abs(small.astype(int) - large).mean() < 2
    assert np.abs(small.astype(int) - large).max() < 60


def test_edges_are_soft() -> None:
    digit = as_digit(np.pad(np.full((31, 17), 255, np.uint8), 40))
    assert digit is not None and ((digit > 20) & (digit < 235)).any()


def test_a_heavy_end_does_not_push_the_tail_off_the_edge() -> None:
    ink = np.zeros((200, 200), np.uint8)
    ink[97:103, 10:190] = 255
    ink[80:120, 10:40] = 255
    digit = as_digit(ink)
    assert digit is not None and box(digit)[1] >= 19


@pytest.mark.parametrize("value", [0, 20])
def test_blank_or_faint_is_nothing(value: int) -> None:
    assert as_digit(np.full((112, 112), value, np.uint8)) is None


def test_a_dot_is_nothing() -> None:
    sheet = np.zeros((112, 112), np.uint8)
    sheet[50:60, 50:60] = 255
    assert as_digit(sheet) is None
    assert as_digit(np.zeros((0, 0), np.uint8)) is None


def test_what_is_no_drawing_is_refused() -> None:
    with pytest.raises(ValueError, match=r"uint8 \(h, w\), not float64 \(2, 2\)"):
        as_digit(np.zeros((2, 2)))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"not uint8 \(1, 2, 2\)"):
        as_digit(np.zeros((1, 2, 2), np.uint8))
    with pytest.raises(ValueError, match="size must be positive"):
        as_digit(np.full((2, 2), 255, np.uint8), (0, 28))


# ------------------------------------------------------------------------------------------------------------- uploads


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "BMP", "GIF"])
def test_every_format_in_grey_and_in_colour(format: str) -> None:
    data = encoded(Image.new("RGB", (90, 60), (200, 30, 30)), format)
    colour, grey = from_upload(data, COLOUR), from_upload(data, GREY)
    assert colour.dtype == grey.dtype == np.uint8 and (colour.shape, grey.shape) == (COLOUR, GREY)
    assert np.abs(colour[:, 30, 30].astype(int) - (200, 30, 30)).max() < 12
    assert abs(int(grey[0, 14, 14]) - 81) < 12


def test_the_middle_is_kept() -> None:
    picture = Image.new("RGB", (300, 100), "red")
    picture.paste("blue", (100, 0, 200, 100))
    image = from_upload(encoded(picture), COLOUR)
    assert (image[2] > 230).all() and (image[0] < 25).all()


def test_dark_on_light_is_inverted_for_a_grey_target_only() -> None:
    ink = Image.fromarray(seven(0.8, 0.2, 0.1))
    paper = Image.fromarray(255 - np.asarray(ink))
    white, black = from_upload(encoded(ink), GREY), from_upload(encoded(paper), GREY)
    assert white.max() > 200 and np.median(white) == 0
    np.testing.assert_allclose(white.astype(int), black, atol=1)
    assert np.median(from_upload(encoded(paper), COLOUR)) == 255


@pytest.mark.parametrize("shade", [0, 255])
def test_ink_on_nothing_is_seen(shade: int) -> None:
    layers = Image.merge("LA", (Image.new("L", (224, 224), shade), Image.fromarray(seven(0.8, 0.2, 0.1))))
    grey = from_upload(encoded(layers), GREY)
    assert grey.max() > 200 and np.median(grey) == 0


def test_sixteen_bits_are_scaled() -> None:
    picture = Image.fromarray(np.full((40, 40), 100 << 8, np.uint16))
    assert (from_upload(encoded(picture), GREY) == 100).all()


def test_a_photograph_stands_upright() -> None:
    picture = Image.new("RGB", (80, 80), "red")
    picture.paste("blue", (0, 0, 80, 40))
    turned = Image.Exif()
    turned[0x0112] = 3  # upside down
    image = from_upload(encoded(picture, "JPEG", exif=turned), COLOUR)
    assert image[0, 5, 32] > 200 and image[2, 60, 32] > 200


@pytest.mark.parametrize("format", ["GIF", "WEBP", "PNG"])
def test_of_an_animation_the_first_frame(format: str) -> None:
    frames = [Image.new("RGB", (64, 64), colour) for colour in ("red", "blue")]
    image = from_upload(encoded(frames[0], format, save_all=True, append_images=frames[1:]), COLOUR)
    assert image[0].mean() > 240 and image[2].mean() < 15


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "empty: choose another"),
        (b"no picture at all", "save it as PNG or JPEG"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "save it as PNG or JPEG"),
        (encoded(Image.new("L", (9, 9)), "TIFF"), "save it as PNG or JPEG"),
        (encoded(Image.effect_noise((99, 99), 50))[:2000], "damaged or cut off: save it again"),
        (encoded(Image.effect_noise((99, 99), 50), "JPEG")[:900], "damaged or cut off: save it again"),
        (b"\x89PNG\r\n\x1a\n" + bytes(5_000_000), "5.0 MB, and at most 5 MB .* make the picture smaller"),
        (declared(5000, 5000), "25 megapixels, and at most 20 .* make it smaller"),
        (declared(60_000, 60_000), "megapixels, and at most 20 .* make it smaller"),
    ],
)
def test_a_fault_is_named_with_its_remedy(data: bytes, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        from_upload(data, GREY)


def test_a_huge_picture_is_refused_before_it_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    def decode(*_: object) -> None:
        raise AssertionError("decoded")

    monkeypatch.setattr(uploads.ImageOps, "exif_transpose", decode)
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", decode)
    with pytest.raises(ValueError, match="megapixels"):
        from_upload(declared(4_001, 5_000), GREY)


@pytest.mark.parametrize("channels", [2, 5, 7])
def test_channels_of_which_a_picture_knows_nothing_hold_its_grey_levels(channels: int) -> None:
    ramp = np.tile(np.linspace(0, 255, 20).astype(np.uint8), (28, 1))
    read = uploads.from_upload(encoded(Image.fromarray(ramp).convert("RGB")), (channels, 28, 20))
    assert read.pixels.shape == (channels, 28, 20) and read.pixels.dtype == np.uint8
    assert all((channel == ramp).all() for channel in read.pixels)
    assert read.said == (f"its grey levels put into each of {channels} channels",)
    with pytest.raises(ValueError, match="each side is at least 1"):
        from_upload(encoded(Image.new("L", (9, 9))), (0, 28, 28))


def test_opacity_is_kept_where_the_data_have_it() -> None:
    picture = Image.new("RGBA", (40, 64), (200, 100, 0, 0))
    picture.paste((10, 20, 30, 255), (0, 0, 40, 32))
    read = uploads.from_upload(encoded(picture), (4, 64, 40))
    assert read.pixels.shape == (4, 64, 40) and read.said == ()
    assert read.pixels[:, 5, 5].tolist() == [10, 20, 30, 255] and read.pixels[3, 60, 5] == 0
    opaque = from_upload(encoded(Image.new("RGB", (8, 8), (1, 2, 3))), (4, 4, 4))
    assert opaque[:, 0, 0].tolist() == [1, 2, 3, 255]
    assert from_upload(encoded(Image.new("L", (8, 8), 9)), (4, 4, 4))[:, 0, 0].tolist() == [9, 9, 9, 255]


@pytest.mark.parametrize("size", [(28, 20), (256, 192), (16, 64)])
def test_a_picture_of_another_aspect_is_cut_around_its_middle_and_not_squeezed(size: tuple[int, int]) -> None:
    height, width = size
    y, x = np.mgrid[:300, :500]
    disc = np.where((y - 150) ** 2 + (x - 250) ** 2 < 60 ** 2, 255, 0).astype(np.uint8)
    pixels = from_upload(encoded(Image.fromarray(disc).convert("RGB")), (3, height, width))[0]
    rows, columns = np.flatnonzero(pixels.max(1) > 127), np.flatnonzero(pixels.max(0) > 127)
    assert len(rows) == pytest.approx(len(columns), abs=1)  # a circle stays one
    assert rows.mean() == pytest.approx((height - 1) / 2, abs=1)
    assert columns.mean() == pytest.approx((width - 1) / 2, abs=1)


# --------------------------------------------------------------------------------------- what is done, and only to ink


def photographed(ink: Grey, size: tuple[int, int], place: tuple[int, int], edge: int = 0) -> bytes:
    """Dark grey `ink` (h, w) on a sheet of (height, width) at a place, its grey paper darker towards the corners, with
    noise, and a scanner's black edge of so many pixels at the right and below."""
    height, width = size
    y, x = np.meshgrid(np.linspace(-1, 1, height), np.linspace(-1, 1, width), indexing="ij")
    paper = 195 - 30 * (x**2 + y**2) + np.random.default_rng(0).normal(0, 3, size)
    cover = np.zeros(size)
    cover[place[0]:place[0] + ink.shape[0], place[1]:place[1] + ink.shape[1]] = ink / 255
    sheet = paper * (1 - cover) + 45 * cover
    if edge:
        sheet[:, -edge:] = sheet[-edge:] = 8
    return encoded(Image.fromarray(sheet.clip(0, 255).astype(np.uint8)), "JPEG", quality=90)


@pytest.mark.parametrize(("size", "place", "edge"), [
    ((224, 224), (0, 0), 0),  # g15: a photograph on grey paper
    ((400, 900), (20, 640), 0),  # an off-centre digit on a wide sheet, outside of its middle square
    ((300, 300), (30, 5), 14),  # a scanner's black edge
    ((400, 900), (90, 30), 20)])
def test_g15_a_photograph_of_a_digit_is_found_cropped_and_inverted(size: tuple[int, int], place: tuple[int, int],
                                                                   edge: int) -> None:
    ink = seven(0.62, 0.3, 0.2)
    wanted = as_digit(ink)
    found = uploaded(photographed(ink, size, place, edge), GREY, DIGITS)
    assert wanted is not None
    error = np.abs(found.pixels[0].astype(int) - wanted).mean()
    assert error < 0.2 * wanted.mean(), "it is the same digit, nearly pixel by pixel"
    assert any("inverted" in each for each in found.said) and any("found, cropped" in each for each in found.said)
    assert any("dark edge" in each for each in found.said) == bool(edge)
    plain = uploaded(photographed(ink, size, place, edge), GREY, DIGITS, undone=AS_IS)
    assert {done.step for done in plain.done} <= {"cut"} and np.median(plain.pixels) > 120, "it can be undone"


def test_pictures_are_inverted_for_data_drawn_as_ink_only() -> None:
    """Photographs with a bright edge, as most of faces have, are left alone."""
    rng = np.random.default_rng(0)
    faces = rng.integers(90, 256, (50, 1, 28, 28)).astype(np.uint8)
    faces[:, :, 6:22, 6:22] = rng.integers(20, 200, (50, 1, 16, 16))
    digits = np.stack([as_digit(seven(0.3 + 0.01 * n, 0.2, 0.2)) for n in range(20)])[:, None]
    assert Ink.of(faces) is None and Ink.of(digits.repeat(3, 1)) is None
    ink, dark = Ink.of(digits), Ink.of(255 - digits)
    assert ink is not None and not ink.light and ink.box == pytest.approx(20 / 28, abs=0.05)
    assert dark == Ink(True, ink.box)
    face = np.full((40, 40), 230, np.uint8)
    face[8:32, 8:32] = 90
    read = uploaded(encoded(Image.fromarray(face)), GREY, Ink.of(faces))
    assert read.said == () and np.median(read.pixels[0, 0]) == 230
    digit = Image.fromarray(seven(0.7, 0.28, 0.2))
    to_light, to_dark = (uploaded(encoded(digit), GREY, each) for each in (dark, ink))
    assert to_dark.said == () and to_light.said == ("inverted: its paper is dark, and the data's is light",)
    np.testing.assert_array_equal(to_light.pixels, 255 - to_dark.pixels)


def test_g02_twelve_bits_in_sixteen_are_stretched_to_what_is_used() -> None:
    ink = seven(0.7, 0.28, 0.2)
    found = uploaded(encoded(Image.fromarray(ink.astype(np.uint16) * 16)), GREY, DIGITS)
    np.testing.assert_allclose(found.pixels.astype(int), uploaded(encoded(Image.fromarray(ink)), GREY, DIGITS).pixels,
                               atol=1)
    assert found.said == ("stretched: of its 16 bits 12 are used",)
    assert uploaded(encoded(Image.fromarray(ink.astype(np.uint16) * 257)), GREY, DIGITS).said == ()
    assert uploaded(encoded(Image.fromarray(ink.astype(np.uint16) * 16)), GREY, DIGITS, undone=AS_IS).pixels.max() < 20
