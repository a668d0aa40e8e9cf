"""Files that an image folder may contain: odd but sound ones, damaged ones, and other files."""

from __future__ import annotations

import functools
import importlib.util
import os
import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image, ImageChops, PngImagePlugin

from tests.encoding import (
    as_ycck,
    encoded,
    flipped,
    interlaced_png,
    png,
    png16,
    png_of,
    thumbnail_exif,
    with_chunk,
    with_orientation,
    with_size,
    without_adobe,
)
from tests.images import noise

HEIGHT, WIDTH = 24, 32
"""Of the sound images."""
RAMP = np.arange(HEIGHT * WIDTH, dtype=np.uint16).reshape(HEIGHT, WIDTH, 1) * 85
"""16-bit grey from black to white."""


def smooth(seed: int) -> np.ndarray:
    """uint8[24, 32, 3], an image that JPEG keeps well."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    channels = [(x * (seed % 5 + 1) + 9 * seed) % 200, y * 8, (x + y) * 3 + seed]
    return np.stack(channels, -1).astype(np.uint8)


def on_white(rgba: np.ndarray) -> np.ndarray:
    """float[h, w, 3] of [h, w, 4], both in [0, 255]."""
    alpha = rgba[..., 3:] / 255
    return rgba[..., :3] * alpha + 255 * (1 - alpha)


def grey(values: np.ndarray) -> np.ndarray:
    """float[h, w, 3] of [h, w] or [h, w, 1]."""
    return np.broadcast_to(values.reshape(*values.shape[:2], 1), (*values.shape[:2], 3)) * 1.0


def comment() -> PngImagePlugin.PngInfo:
    info = PngImagePlugin.PngInfo()
    info.add_text("Comment", "truncated IEND", zip=True)
    return info


def frames(format: str, **options) -> bytes:
    first, *others = (Image.fromarray(noise(seed)) for seed in (1, 2, 3))
    return encoded(first, format, save_all=True, append_images=others, **options)


def sound() -> dict[str, bytes]:
    """Images that belong into the data set, by file name."""
    return jpegs() | {name: content for name, (content, _) in exact().items()}


def shown() -> dict[str, np.ndarray]:
    """What the sound files show that hide nothing of it: float[height, width, 3] in [0, 255]."""
    return {name: image for name, (_, image) in exact().items()}


@functools.cache
def jpegs() -> dict[str, bytes]:
    """Sound images, by file name, that lose something of the image."""
    corrupt_exif = b"Exif\0\0MM\0*\0\0\0\x08\xff\xff" + b"\x01" * 20
    inks = encoded(Image.fromarray(smooth(7)).convert("CMYK"), "JPEG", quality=95)
    inverse = ImageChops.invert(Image.fromarray(smooth(45)).convert("CMYK"))
    high = {"format": "JPEG", "quality": 95}
    return {
        "plain.jpg": encoded(smooth(2), **high),
        "UPPER.JPG": encoded(smooth(4), "JPEG"),
        "progressive.jpeg": encoded(smooth(5), "JPEG", progressive=True),
        "progressive_grey.jpg": encoded(smooth(46)[..., 0], "JPEG", progressive=True),
        "grey.jpg": encoded(smooth(6)[..., 0], "JPEG"),
        "cmyk.jpg": inks,
        "adobe_less_cmyk.jpg": without_adobe(encoded(inverse, **high)),
        "ycck.jpg": as_ycck(encoded(Image.fromarray(smooth(47)).convert("CMYK"), **high)),
        "turned.jpg": with_orientation(smooth(8), 6, "JPEG"),
        "corrupt_exif.jpg": encoded(smooth(9), "JPEG", exif=corrupt_exif),
        "trailing_junk.jpg": encoded(smooth(10), "JPEG") + b"junk",
        "telephone.jpg": frames("MPO"),
        "restarts.jpg": encoded(smooth(25), restart_marker_rows=1, **high),
        "restarts_often.jpg": encoded(smooth(48), restart_marker_blocks=1, **high),
        "quarter_colours.jpg": encoded(smooth(26), subsampling="4:1:1", **high),
        "half_colours.jpg": encoded(smooth(49), subsampling="4:2:2", **high),
        "full_colours.jpg": encoded(smooth(50), subsampling="4:4:4", **high),
        "own_tables.jpg": encoded(smooth(51), optimize=True, **high),
        "worst.jpg": encoded(smooth(52), "JPEG", quality=1),
        "profile.jpg": encoded(smooth(27), icc_profile=b"a profile" * 99, **high),
        "inner_end.jpg": encoded(smooth(28), comment=b"\xff\xd9" * 9, **high),
        "thumbnail_inside.jpg": encoded(
            smooth(53), exif=thumbnail_exif(encoded(noise(54), "JPEG")), **high),
        "photograph.jpg.jpg": encoded(smooth(55), "JPEG"),
        "plain.webp": encoded(smooth(14), "WEBP", quality=95),
    }  # fmt: skip


@functools.cache
def exact() -> dict[str, tuple[bytes, np.ndarray]]:
    """Sound images, by file name, and what they show."""
    return {**_named(), **_in_other_formats(), **_with_alpha(), **_of_few_bits(), **_of_16_bits()}


def _named() -> dict[str, tuple[bytes, np.ndarray]]:
    """PNGs whose names are odd."""
    names = (
        *("plain.png", "png_named.jpg", 'space and \u00fcn\u00efcode, "quoted".png'),
        *("line\nbreak.png", "deep/er/still.png", "folder.png/inner.png", "-rf.png", "con.png"),
        *(".hidden.png", "..png", "cafe\u0301.png", "caf\u00e9.png", "\U0001f52c.png", "Case.png"),
        *("case.png", "x" * 251 + ".png", "back\\slash.png", "per%20cent.png", "tab\t.png"),
        *("\u202eleft.png", " blank .png", "'$(quoted)'.png", "a;b,c.png", "{brace}*?.PnG"),
    )
    images = {name: smooth(100 + number) for number, name in enumerate(names)}
    return {name: (encoded(image, "PNG"), image * 1.0) for name, image in images.items()}


def _in_other_formats() -> dict[str, tuple[bytes, np.ndarray]]:
    made = {
        "comment.png": (31, "PNG", {"pnginfo": comment()}),
        "profile.png": (60, "PNG", {"icc_profile": b"a profile" * 99}),
        "smallest.png": (61, "PNG", {"optimize": True}),
        "largest.png": (62, "PNG", {"compress_level": 0}),
        "webp_named.jpg": (15, "WEBP", {"lossless": True}),
        "plain.bmp": (17, "BMP", {}),
        "plain.tif": (19, "TIFF", {}),
        "lzw.tif": (33, "TIFF", {"compression": "tiff_lzw"}),
        "deflated.tif": (63, "TIFF", {"compression": "tiff_adobe_deflate"}),
        "packed.tif": (64, "TIFF", {"compression": "packbits"}),
        "colours.ppm": (34, "PPM", {}),
        "lossless.jp2": (36, "JPEG2000", {}),
    }
    found = {
        name: (encoded(smooth(seed), format, **options), smooth(seed) * 1.0)
        for name, (seed, format, options) in made.items()
    }
    inks = Image.fromarray(smooth(59)).convert("CMYK")
    text = b"bomb\0\0" + zlib.compress(bytes(10**7))
    long_text = with_chunk(encoded(smooth(172), "PNG"), b"zTXt", text)
    profile = encoded(smooth(173), "PNG", icc_profile=bytes(range(256)) * 8000)
    return found | {
        "long_text.png": (long_text, smooth(172) * 1.0),
        "long_profile.png": (profile, smooth(173) * 1.0),
        "gamma.png": (
            with_chunk(encoded(smooth(65), "PNG"), b"gAMA", struct.pack(">I", 100_000)),
            smooth(65) * 1.0,
        ),
        "interlaced.png": (interlaced_png(smooth(66)), smooth(66) * 1.0),
        "trailing_junk.png": (encoded(smooth(67), "PNG") + b"junk", smooth(67) * 1.0),
        "turned.png": (with_orientation(smooth(57), 3), smooth(57)[::-1, ::-1] * 1.0),
        "turned.tif": (with_orientation(smooth(58), 8, "TIFF"), np.rot90(smooth(58)) * 1.0),
        "cmyk.tif": (encoded(inks, "TIFF"), smooth(59) * 1.0),
        "grey.ppm": (encoded(smooth(35)[..., 0], "PPM"), grey(smooth(35)[..., 0])),
        "grey.jp2": (encoded(smooth(68)[..., 0], "JPEG2000"), grey(smooth(68)[..., 0])),
    }


def _with_alpha() -> dict[str, tuple[bytes, np.ndarray]]:
    rgba = np.dstack([smooth(1), np.full((HEIGHT, WIDTH), 128, np.uint8)])
    rgba[:4, :4, 3], rgba[-4:, -4:, 3] = 0, 255
    greys = smooth(56)[..., 1]
    return {
        "alpha.png": (encoded(rgba, "PNG"), on_white(rgba)),
        "alpha.webp": (
            encoded(rgba[::-1], "WEBP", lossless=True, exact=True),
            on_white(rgba[::-1]),
        ),
        "alpha.tif": (encoded(rgba[:, ::-1], "TIFF"), on_white(rgba[:, ::-1])),
        "alpha.jp2": (encoded(rgba[::-1, ::-1], "JPEG2000"), on_white(rgba[::-1, ::-1])),
        "grey_alpha.png": (
            encoded(rgba[..., [0, 3]], "PNG"),
            on_white(np.dstack([grey(rgba[..., 0]), rgba[..., 3]])),
        ),
        "transparent_colour.png": (
            encoded(smooth(12), "PNG", transparency=(108, 0, 12)),
            _without(smooth(12), (108, 0, 12)),
        ),
        "transparent_grey.png": (
            encoded(greys, "PNG", transparency=8),
            _without(grey(greys), (8, 8, 8)),
        ),
    }


def _of_few_bits() -> dict[str, tuple[bytes, np.ndarray]]:
    """Palettes, and grey of fewer than eight bits."""
    palettes = {seed: Image.fromarray(smooth(seed)).quantize(16) for seed in (11, 18, 29, 32, 69)}
    found = {
        "palette.png": (encoded(palettes[11], "PNG"), _looked_up(palettes[11])),
        "plain.gif": (encoded(palettes[18], "GIF"), _looked_up(palettes[18])),
        "palette_alpha.png": (
            encoded(palettes[29], "PNG", transparency=bytes(range(0, 256, 16))),
            on_white(np.dstack([_looked_up(palettes[29]), 16 * np.asarray(palettes[29])])),
        ),
        "eight_bits.bmp": (encoded(palettes[32], "BMP"), _looked_up(palettes[32])),
        "palette.tif": (encoded(palettes[69], "TIFF"), _looked_up(palettes[69])),
    }
    hole = Image.fromarray(smooth(70)).quantize(16)
    seen = np.where(np.asarray(hole)[..., None] == 3, 255, _looked_up(hole))
    found["transparent_palette.png"] = encoded(hole, "PNG", transparency=3), seen
    found["transparent.gif"] = encoded(hole.rotate(180), "GIF", transparency=3), seen[::-1, ::-1]
    for name, depth, packed in (
        ("two_bits.png", 2, bytes(range(192))),
        ("four_bits.png", 4, bytes(range(192)) * 2),
    ):
        bits = np.unpackbits(np.frombuffer(packed, np.uint8)).reshape(HEIGHT, WIDTH, depth)
        values = bits @ (1 << np.arange(depth)[::-1])
        found[name] = png(WIDTH, HEIGHT, depth, 0, packed), grey(values * 255 / (2**depth - 1))
    return found


def masks() -> dict[str, tuple[bytes, np.ndarray]]:
    """Images of two colours, by file name, and what they show."""
    dark, light = smooth(13)[..., 1] > 90, smooth(13)[..., 2] > 70
    return {
        "one_bit.png": (encoded(Image.fromarray(dark), "PNG"), grey(dark * 255)),
        "one_bit.bmp": (encoded(Image.fromarray(~dark), "BMP"), grey(~dark * 255)),
        "one_bit.tif": (
            encoded(Image.fromarray(light), "TIFF", compression="group4"),
            grey(light * 255),
        ),
    }


def _of_16_bits() -> dict[str, tuple[bytes, np.ndarray]]:
    """16 bits and floats; none of them are rounded here."""
    colours = np.concatenate([RAMP, RAMP[::-1], RAMP // 2], -1)
    with_alpha = np.concatenate([colours, RAMP[:, ::-1]], -1)
    floats = Image.fromarray(smooth(24)[..., 0] / np.float32(255))
    flipped_ramp = RAMP[:, ::-1]
    return {
        "grey16.png": (png16(RAMP), grey(RAMP / 257)),
        "colour16.png": (png16(colours), colours / 257),
        "colour16_alpha.png": (png16(with_alpha), on_white(with_alpha / 257)),
        "grey16_alpha.png": (
            png16(np.concatenate([RAMP, RAMP[::-1]], -1)),
            on_white(np.dstack([grey(RAMP), RAMP[::-1]]) / 257),
        ),
        "interlaced16.png": (interlaced_png(colours[::-1]), colours[::-1] / 257),
        "grey16.tif": (encoded(Image.fromarray(RAMP[::-1, :, 0]), "TIFF"), grey(RAMP[::-1] / 257)),
        "grey16.ppm": (
            b"P5 32 24 65535\n" + flipped_ramp.astype(">u2").tobytes(),
            grey(flipped_ramp / 257),
        ),
        "float.tiff": (encoded(floats, "TIFF"), grey(smooth(24)[..., 0])),
    }


def _without(image: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    """The image with one of its colours made white."""
    hidden = (image == colour).all(-1, keepdims=True)
    assert hidden.any()
    return np.where(hidden, 255.0, image)


def _looked_up(image: Image.Image) -> np.ndarray:
    """The colours of a palette image."""
    return np.array(image.getpalette(), float).reshape(-1, 3)[np.asarray(image)]


def damaged() -> dict[str, tuple[bytes, str]]:
    """Files that are no good, by name, and why."""
    jpeg, whole = encoded(noise(30), "JPEG"), encoded(noise(31), "PNG")
    palette = encoded(Image.fromarray(noise(36)).quantize(16), "PNG")
    unread = "damaged" if importlib.util.find_spec("pillow_heif") else "needs_library"
    rows = b"".join(b"\0" + row.tobytes() for row in noise(37))
    packed = zlib.compress(rows)
    found = {
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
        "too_tall.jpg": (with_size(jpeg, 48, 32), "truncated"),
        "too_wide.jpg": (with_size(jpeg, 24, 64), "truncated"),
        "no_height.jpg": (with_size(jpeg, 0, 32), "damaged"),
        "no_width.jpg": (with_size(jpeg, 24, 0), "damaged"),
        "wrong_head.png": (flipped(whole, 20), "damaged"),
        "wrong_palette.png": (flipped(palette, palette.index(b"PLTE") + 6), "damaged"),
        "wrong_checksum.png": (flipped(whole, len(whole) - 14), "damaged"),
        "wrong_sum.png": (png_of(32, 24, 8, 2, flipped(packed, len(packed) - 1)), "damaged"),
        "wrong_filter.png": (png_of(32, 24, 8, 2, zlib.compress(b"\x09" + rows[1:])), "damaged"),
        "few_rows.png": (png_of(32, 24, 8, 2, zlib.compress(rows[:-500])), "truncated"),
        "no_width.png": (png(0, 9, 8, 2, b""), "damaged"),
        "drawing.png": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not_an_image"),
        "paper.jpg": (b"%PDF-1.7\n", "not_an_image"),
        "archive.jpg": (b"PK\x03\x04" + bytes(60), "not_an_image"),
        "apple.jpg": (b"\0\0\0\x18ftypheic" + bytes(60), unread),
        "text.jpg": (b"no image at all\n", "not_an_image"),
        "page.png": (b"<!doctype html><html></html>", "not_an_image"),
        "zeros.jpg": (bytes(5000), "not_an_image"),
        "program.jpg": (encoded(noise(33), "EPS"), "not_an_image"),
        "icon.png": (encoded(noise(38), "ICO"), "not_an_image"),
        "tiny.png": (encoded(noise(34, 4, 4), "PNG"), "too_small"),
        "sliver.png": (encoded(noise(35, 500, 3), "PNG"), "too_small"),
        "bomb.png": (png(30_000, 30_000, 8, 2, b""), "too_large"),
        "large.png": (png(20_000, 6_000, 8, 2, b""), "too_large"),
        "animated.gif": (frames("GIF"), "animated"),
        "animated.png": (frames("PNG"), "animated"),
        "animated.webp": (frames("WEBP"), "animated"),
        "pages.tif": (frames("TIFF"), "animated"),
    }
    for format, suffix, reason in (
        *(("GIF", "gif", "truncated"), ("BMP", "bmp", "truncated"), ("TIFF", "tif", "truncated")),
        *(("JPEG2000", "jp2", "damaged"), ("PPM", "ppm", "truncated")),
    ):
        content = encoded(noise(39), format)
        found[f"half.{suffix}"] = (content[: len(content) // 2], reason)
    return found


def unreadable_to_others() -> dict[str, bytes]:
    """Damaged files that Pillow reads, and other decoders do not."""
    jpeg, whole = encoded(noise(30), "JPEG"), encoded(noise(31), "PNG")
    rows = b"".join(b"\0" + row.tobytes() for row in noise(37))
    return {
        "last byte is gone.png": whole[:-1],
        "last four bytes are gone.png": whole[:-4],
        "end has a wrong checksum.png": flipped(whole, len(whole) - 1),
        "no palette.png": png(WIDTH, HEIGHT, 8, 3, bytes(HEIGHT * WIDTH)),
        "pixels without their sum.png": png_of(32, 24, 8, 2, zlib.compress(rows)[:-4]),
        "unknown part that is needed.png": with_chunk(whole, b"ABCD", b"x"),
        "two heads.png": with_chunk(whole, b"IHDR", whole[16:29]),
        "zeros for its end.jpg": jpeg[:-2] + bytes(600),
        "text for its end.jpg": jpeg[:-2] + b"text" * 600,
        "end in a comment only.jpg": encoded(noise(30), "JPEG", comment=b"\xff\xd9")[:-2]
        + bytes(600),
    }


def strangers() -> dict[str, tuple[bytes, str | None]]:
    """Files with names that are not those of images, and why they are not in the set; None if they
    are."""
    one, two, three, four, linked = (encoded(smooth(seed), "PNG") for seed in range(71, 76))
    return {
        "Thumbs.db": (b"\xd0\xcf\x11\xe0", "not_an_image"),
        "README.txt": (b"read me", "not_an_image"),
        "plain.json": (b"{}", "not_an_image"),
        ".DS_Store": (b"\0", "not_an_image"),
        "._plain.jpg": (b"\0\x05\x16\x07", "not_an_image"),
        "unfinished.png.part": (one, None),
        "backup.png~": (linked, "machine_made"),
        "no_suffix": (two, None),
        ".png": (three, None),
        "kept.original": (four, None),
    }


def write(folder: Path) -> dict[str, str | None]:
    """Writes all of them into a folder.

    Returns:
        Why each file is rejected, None for those that are not; by path below `folder`, undecodable
        bytes as `\\xNN`.
    """
    fates: dict[str, str | None] = dict.fromkeys(sound())
    contents = sound()
    two_colours = {name: (content, "two_colours") for name, (content, _) in masks().items()}
    for name, (content, reason) in (damaged() | strangers() | two_colours).items():
        contents[name], fates[name] = content, reason
    for name, content in contents.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    (folder / os.fsdecode(b"latin\xe9.png")).write_bytes(encoded(noise(40), "PNG"))
    links = {
        "inside.png": "backup.png~",
        "dangling.png": "nowhere.png",
        "loop.png": "loop.png",
        "outside.png": "/etc/hostname",
        "linked_folder": "deep",
        "linked_folder.png": "deep",
        "deep/up": "..",
    }
    for name, target in links.items():
        (folder / name).symlink_to(target)
    os.mkfifo(folder / "pipe.png")
    (folder / "empty.png").mkdir()
    secret = folder / "secret.png"
    secret.write_bytes(encoded(noise(41), "PNG"))
    secret.chmod(0)
    return fates | {
        "latin\\xe9.png": "name_not_utf8",
        "inside.png": None,
        "dangling.png": "dangling_link",
        "loop.png": "dangling_link",
        "outside.png": "outside_folder",
        "linked_folder": "not_a_file",
        "linked_folder.png": "not_a_file",
        "deep/up": "not_a_file",
        "pipe.png": "not_a_file",
        # Root reads it nevertheless.
        "secret.png": None if os.access(secret, os.R_OK) else "unreadable",
    }
