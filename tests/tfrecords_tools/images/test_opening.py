"""The door for image files: limits by the header, special files, settings of Pillow, kinds."""

from __future__ import annotations

import io
import os
import struct
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from PIL import Image, ImageFile, features

from tests.encoding import encoded
from tests.images import dicom, heic, noise, photograph, prepared, seen
from tests.tfrecords_tools import hostile
from tests.tfrecords_tools.images.test_jpeg_file import with_scans
from tfrecords_tools.errors import Rejected
from tfrecords_tools.images import opening
from tfrecords_tools.images.image_file import decode_record, size_in_file
from tfrecords_tools.images.opening import read_file

MIB = 2**20


def rejected(content: bytes, **options) -> Rejected:
    with pytest.raises(Rejected) as caught:
        prepared(content, **options)
    return caught.value


def test_special_files_are_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", "/dev/zero"):
        with pytest.raises(Rejected, match="a pipe, a device"):
            read_file(path)
    with pytest.raises(OSError, match="directory"):
        read_file(tmp_path)
    with pytest.raises(FileNotFoundError):
        read_file(tmp_path / "none")


def test_a_file_larger_than_any_image_is_not_read(tmp_path):
    path = tmp_path / "sparse.jpg"
    with path.open("wb") as file:
        file.truncate(200 * 2**30)
    with pytest.raises(Rejected, match="214,748,364,800 bytes, the limit is 800,000,000"):
        read_file(path)
    path.write_bytes(bytes(81))
    with pytest.raises(Rejected, match="81 bytes, the limit is 80"):
        read_file(path, max_pixels=10)
    assert read_file(path, max_pixels=11) == bytes(81)


def tiled(side: int) -> bytes:
    """A TIFF of 32x32 pixels whose header has tiles of another size."""
    ones = {256: 32, 257: 32, 258: 8, 259: 8, 262: 1, 277: 1, 322: side, 323: side, 324: 8, 325: 8}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in ones.items())
    return b"II*\0\x08\0\0\0" + struct.pack("<H", len(ones)) + entries + bytes(4)


def test_memory_that_decoding_takes_is_known_from_the_header():
    found = rejected(tiled(60_000))
    assert found.reason == "too_large"
    assert "decoding it would take 3,433 MiB of memory, the limit is 2,289" in found.detail
    progressive = encoded(noise(0), "JPEG", progressive=True)
    with Image.open(io.BytesIO(progressive)) as image:
        more = opening.decoding_bytes(image, "JPEG")
    with Image.open(io.BytesIO(encoded(noise(0), "JPEG"))) as image:
        assert opening.decoding_bytes(image, "JPEG") < more


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_deep_images_are_converted_in_little_memory(dtype, tmp_path):
    values = np.zeros((5000, 5000), dtype)
    values[::2] = 1 if dtype is np.float32 else 65535
    path = tmp_path / "deep.tif"
    Image.fromarray(values).save(path, compression="tiff_lzw")
    code = (
        "import resource, sys\n"
        "from tfrecords_tools.images.image_file import decode\n"
        "from tfrecords_tools.options import ImageOptions\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "decode(open(sys.argv[1], 'rb').read(), ImageOptions())\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )
    command = [sys.executable, "-c", code, str(path)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    kilobytes = int(done.stdout)
    assert kilobytes < 14 * values.size / 1024


def test_threads_share_the_memory(monkeypatch):
    budget = opening._MemoryBudget(100)
    inside, most = 0, 0
    lock = threading.Lock()

    def work():
        nonlocal inside, most
        with budget.of(60), budget.of(60):  # a thread that is inside may enter again
            with lock:
                inside += 1
                most = max(most, inside)
            threading.Event().wait(0.01)
            with lock:
                inside -= 1

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert most == 1
    with budget.of(1000):
        pass


def test_settings_of_the_program_change_nothing(monkeypatch):
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    content = encoded(noise(0), "BMP")
    prepared(content)
    assert rejected(content[:-500]).reason == "truncated"
    assert ImageFile.LOAD_TRUNCATED_IMAGES is True
    assert Image.MAX_IMAGE_PIXELS == 10


@pytest.mark.parametrize("name", ["program.jpg", "icon.png", "drawing.png"])
def test_other_formats_never_reach_pillow(name, monkeypatch):
    monkeypatch.setattr(Image, "open", lambda *args, **options: pytest.fail("was opened"))
    assert rejected(hostile.damaged()[name][0]).reason == "not_an_image"


def test_records_hold_png_and_jpeg_only():
    np.testing.assert_array_equal(decode_record(encoded(noise(0), "PNG")), noise(0))
    with pytest.raises(Rejected, match="a BMP image, where only JPEG or PNG is accepted"):
        decode_record(encoded(noise(0), "BMP"))
    with pytest.raises(Rejected, match="scans"):
        decode_record(with_scans(500))


@pytest.mark.skipif(not features.check("avif"), reason="Pillow without AVIF")
def test_avif_is_read_whatever_its_name():
    image = photograph(1, 40, 56)
    content = encoded(image, "AVIF", quality=95)
    assert size_in_file(content) == (56, 40)
    assert np.abs(seen(prepared(content).encoded) - image).mean() < 6


def test_heic():
    image = photograph(1, 64, 80)
    content = heic(image, quality=95)
    assert size_in_file(content) == (80, 64)
    assert np.abs(seen(prepared(content).encoded) - image).mean() < 8


@pytest.mark.parametrize(
    ("library", "extra", "make"),
    [("pillow_heif", "heic", heic), ("pydicom", "dicom", lambda image: dicom(image, "RGB"))],
)
def test_an_image_whose_library_is_missing_is_named(library, extra, make, monkeypatch):
    content = make(noise(0))
    monkeypatch.setitem(sys.modules, library, None)
    monkeypatch.delitem(sys.modules, "tfrecords_tools.images.dicom", raising=False)
    found = rejected(content)
    assert found.reason == "needs_library"
    assert f"pip install 'skin-synth[{extra}]'" in found.detail


@pytest.mark.parametrize(
    ("letters", "comment"),
    [(b"P3", b""), (b"P3", b"# a comment\n" * 20_000), (b"P3", b"#" + b"y" * 10**6 + b"\n")],
)
def test_a_ppm_of_text_is_read_in_linear_time(letters, comment):
    image = noise(0, 8, 8)
    numbers = b" ".join(b"%d" % value for value in image.ravel())
    header = letters + b"\n" + comment + b"8 8\n255\n" + comment
    started = time.process_time()
    np.testing.assert_array_equal(seen(prepared(header + numbers).encoded), image)
    assert time.process_time() - started < 1  # 20,000 comments took Pillow minutes


def test_a_ppm_of_too_much_text_is_refused(monkeypatch):
    monkeypatch.setattr(opening, "LARGEST_TEXT", 100)
    assert rejected(b"P3 8 8 255 " + b"1 " * 192).reason == "too_large"
    assert prepared(b"P6 8 8 255 " + bytes(range(192))).encoded


@pytest.mark.parametrize(
    ("content", "detail"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n", "git lfs pull"),
        (b"/annex/objects/SHA256E-s9--0.png\n", "git annex get"),
        (b"version 2 of a text", "no known image format"),
    ],
)
def test_pointers_to_images_that_are_elsewhere(content, detail):
    assert detail in rejected(content).detail
