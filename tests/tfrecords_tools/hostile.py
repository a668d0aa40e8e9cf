"""Files that a folder of images may hold: odd but sound ones, damaged ones, and strangers."""

from __future__ import annotations

import io
import os
import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image, ImageChops, PngImagePlugin

from tests.tfrecords_tools.conftest import noise


def encoded(image: np.ndarray | Image.Image, format: str, **options) -> bytes:
    buffer = io.BytesIO()
    picture = image if isinstance(image, Image.Image) else Image.fromarray(image)
    picture.save(buffer, format, **options)
    return buffer.getvalue()


def smooth(seed: int) -> np.ndarray:
    """uint8[24, 32, 3], a picture that JPEG keeps well."""
    y, x = np.mgrid[0:24, 0:32]
    channels = [(x * (seed % 5 + 1) + 9 * seed) % 200, y * 8, (x + y) * 3 + seed]
    return np.stack(channels, -1).astype(np.uint8)


def chunk(kind: bytes, content: bytes) -> bytes:
    checksum = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)


def png(width: int, height: int, depth: int, colour: int, rows: bytes) -> bytes:
    """A PNG made by hand; `rows` are unfiltered, without the filter bytes."""
    stride = len(rows) // height if height and rows else 0
    raw = b"".join(
        b"\0" + rows[stride * y : stride * (y + 1)] for y in range(height if rows else 0)
    )
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    signature = b"\x89PNG\r\n\x1a\n"
    return (
        signature + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b"")
    )


def png16(values: np.ndarray) -> bytes:
    """The 16-bit PNG of uint16[height, width, 1 to 4]."""
    height, width, channels = values.shape
    colour = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    return png(width, height, 16, colour, values.astype(">u2").tobytes())


def with_orientation(image: np.ndarray, orientation: int, format: str = "PNG") -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encoded(image, format, exif=exif)


def flipped(content: bytes, position: int) -> bytes:
    return content[:position] + bytes([content[position] ^ 0x55]) + content[position + 1 :]


def without_adobe(content: bytes) -> bytes:
    """A JPEG without the marker that tells how Adobe inverts inks."""
    start = content.index(b"\xff\xee")
    length = int.from_bytes(content[start + 2 : start + 4], "big")
    return content[:start] + content[start + 2 + length :]


def comment() -> PngImagePlugin.PngInfo:
    info = PngImagePlugin.PngInfo()
    info.add_text("Comment", "truncated IEND", zip=True)
    return info


def frames(format: str, **options) -> bytes:
    first, *others = (Image.fromarray(noise(seed)) for seed in (1, 2, 3))
    return encoded(first, format, save_all=True, append_images=others, **options)


def sound() -> dict[str, bytes]:
    """Images that belong into the data set, by file name."""
    rgba = np.dstack([smooth(1), np.full((24, 32), 128, np.uint8)])
    ramp = np.arange(24 * 32, dtype=np.uint16).reshape(24, 32, 1) * 85
    corrupt_exif = b"Exif\0\0MM\0*\0\0\0\x08\xff\xff" + b"\x01" * 20
    return {
        "plain.jpg": encoded(smooth(2), "JPEG", quality=95),
        "plain.png": encoded(smooth(3), "PNG"),
        "UPPER.JPG": encoded(smooth(4), "JPEG"),
        "progressive.jpeg": encoded(smooth(5), "JPEG", progressive=True),
        "grey.jpg": encoded(smooth(6)[..., 0], "JPEG"),
        "cmyk.jpg": encoded(Image.fromarray(smooth(7)).convert("CMYK"), "JPEG", quality=95),
        "turned.jpg": with_orientation(smooth(8), 6, "JPEG"),
        "corrupt_exif.jpg": encoded(smooth(9), "JPEG", exif=corrupt_exif),
        "trailing_junk.jpg": encoded(smooth(10), "JPEG") + b"junk",
        "telephone.jpg": frames("MPO"),
        "palette.png": encoded(Image.fromarray(smooth(11)).quantize(16), "PNG"),
        "alpha.png": encoded(rgba, "PNG"),
        "grey_alpha.png": encoded(Image.fromarray(rgba).convert("LA"), "PNG"),
        "transparent_colour.png": encoded(smooth(12), "PNG", transparency=(0, 0, 12)),
        "one_bit.png": encoded(
            Image.fromarray(smooth(13)).convert("1", dither=Image.Dither.NONE), "PNG"),
        "grey16.png": png16(ramp),
        "colour16.png": png16(np.concatenate([ramp, ramp[::-1], ramp // 2], -1)),
        "plain.webp": encoded(smooth(14), "WEBP"),
        "webp_named.jpg": encoded(smooth(15), "WEBP", lossless=True),
        "png_named.jpg": encoded(smooth(16), "PNG"),
        "plain.bmp": encoded(smooth(17), "BMP"),
        "plain.gif": encoded(Image.fromarray(smooth(18)).quantize(64), "GIF"),
        "plain.tif": encoded(smooth(19), "TIFF"),
        "float.tiff": encoded(Image.fromarray(smooth(24)[..., 0] / np.float32(255)), "TIFF"),
        "space and ünïcode, \"quoted\".png": encoded(smooth(20), "PNG"),
        "line\nbreak.png": encoded(smooth(21), "PNG"),
        "deep/er/still.png": encoded(smooth(22), "PNG"),
        "-rf.png": encoded(smooth(23), "PNG"),
        "adobe_less_cmyk.jpg": without_adobe(encoded(
            ImageChops.invert(Image.fromarray(smooth(45)).convert("CMYK")), "JPEG", quality=95)),
        "restarts.jpg": encoded(smooth(25), "JPEG", quality=95, restart_marker_rows=1),
        "quarter_colours.jpg": encoded(smooth(26), "JPEG", quality=95, subsampling="4:1:1"),
        "profile.jpg": encoded(smooth(27), "JPEG", quality=95, icc_profile=b"a profile" * 99),
        "inner_end.jpg": encoded(smooth(28), "JPEG", quality=95, comment=b"\xff\xd9" * 9),
        "colour16_alpha.png": png16(
            np.concatenate([ramp, ramp[::-1], ramp // 2, ramp[:, ::-1]], -1)),
        "grey16_alpha.png": png16(np.concatenate([ramp, ramp[::-1]], -1)),
        "palette_alpha.png": encoded(
            Image.fromarray(smooth(29)).quantize(16), "PNG", transparency=bytes(range(0, 256, 16))),
        "two_bits.png": png(32, 24, 2, 0, bytes(range(192))),
        "four_bits.png": png(32, 24, 4, 0, bytes(range(192)) * 2),
        "comment.png": encoded(smooth(31), "PNG", pnginfo=comment()),
        "alpha.webp": encoded(rgba[::-1], "WEBP", lossless=True),
        "eight_bits.bmp": encoded(Image.fromarray(smooth(32)).quantize(64), "BMP"),
        "lzw.tif": encoded(smooth(33), "TIFF", compression="tiff_lzw"),
        "grey16.tif": encoded(Image.fromarray(ramp[::-1, :, 0]), "TIFF"),
        "colours.ppm": encoded(smooth(34), "PPM"),
        "grey.ppm": encoded(smooth(35)[..., 0], "PPM"),
        "lossless.jp2": encoded(smooth(36), "JPEG2000"),
        ".hidden.png": encoded(smooth(37), "PNG"),
        "cafe\u0301.png": encoded(smooth(38), "PNG"),
        "caf\u00e9.png": encoded(smooth(39), "PNG"),
        "\U0001f52c.png": encoded(smooth(41), "PNG"),
        "Case.png": encoded(smooth(42), "PNG"),
        "case.png": encoded(smooth(43), "PNG"),
        "x" * 251 + ".png": encoded(smooth(44), "PNG"),
    }  # fmt: skip


def damaged() -> dict[str, tuple[bytes, str]]:
    """Files that are no good, by name, and why."""
    jpeg, whole = encoded(noise(30), "JPEG"), encoded(noise(31), "PNG")
    return {
        "empty.jpg": (b"", "empty"),
        "half.jpg": (jpeg[: len(jpeg) // 2], "truncated"),
        "no_end.jpg": (jpeg[:-20], "truncated"),
        "stub.jpg": (jpeg[:12], "truncated"),
        "half.png": (whole[: len(whole) // 2], "truncated"),
        "no_end.png": (whole[:-12], "truncated"),
        "head_only.png": (whole[:33], "damaged"),
        "flipped.png": (flipped(whole, len(whole) // 2), "damaged"),
        "half.webp": (encoded(noise(32), "WEBP")[:200], "damaged"),
        "end_too_soon.jpg": (jpeg[: len(jpeg) // 2] + b"\xff\xd9", "truncated"),
        "wrong_head.png": (flipped(whole, 20), "damaged"),
        "no_width.png": (png(0, 9, 8, 2, b""), "damaged"),
        "drawing.png": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not_an_image"),
        "paper.jpg": (b"%PDF-1.7\n", "not_an_image"),
        "archive.jpg": (b"PK\x03\x04" + bytes(60), "not_an_image"),
        "apple.jpg": (b"\0\0\0\x18ftypheic" + bytes(60), "not_an_image"),
        "text.jpg": (b"no image at all\n", "not_an_image"),
        "page.png": (b"<!doctype html><html></html>", "not_an_image"),
        "zeros.jpg": (bytes(5000), "not_an_image"),
        "program.jpg": (encoded(noise(33), "EPS"), "not_an_image"),
        "tiny.png": (encoded(noise(34, 4, 4), "PNG"), "too_small"),
        "sliver.png": (encoded(noise(35, 500, 3), "PNG"), "too_small"),
        "bomb.png": (png(30_000, 30_000, 8, 2, b""), "too_large"),
        "large.png": (png(20_000, 6_000, 8, 2, b""), "too_large"),
        "animated.gif": (frames("GIF"), "animated"),
        "animated.png": (frames("PNG"), "animated"),
        "animated.webp": (frames("WEBP"), "animated"),
        "pages.tif": (frames("TIFF"), "animated"),
    }


def strangers() -> dict[str, tuple[bytes, str]]:
    """Files that were never meant as images of the set, by name, and why they are not in it."""
    return {
        "Thumbs.db": (b"\xd0\xcf\x11\xe0", "not_an_image"),
        "README.txt": (b"read me", "not_an_image"),
        "plain.json": (b"{}", "not_an_image"),
        ".DS_Store": (b"\0", "not_an_image"),
        "._plain.jpg": (b"\0\x05\x16\x07", "not_an_image"),
    }


def write(folder: Path) -> dict[str, str | None]:
    """Writes all of them into a folder.

    Returns:
        Why each file is rejected, None for those that are not; by path below `folder`, undecodable
        bytes as `\\xNN`.
    """
    fates: dict[str, str | None] = dict.fromkeys(sound())
    contents = sound()
    for name, (content, reason) in (damaged() | strangers()).items():
        contents[name], fates[name] = content, reason
    for name, content in contents.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    (folder / os.fsdecode(b"latin\xe9.png")).write_bytes(encoded(noise(40), "PNG"))
    (folder / "dangling.png").symlink_to("nowhere.png")
    (folder / "outside.png").symlink_to("/etc/hostname")
    (folder / "linked_folder").symlink_to("deep")
    os.mkfifo(folder / "pipe.png")
    return fates | {
        "latin\\xe9.png": "name_not_utf8",
        "dangling.png": "dangling_link",
        "outside.png": "outside_folder",
        "linked_folder": "not_a_file",
        "pipe.png": "not_a_file",
    }
