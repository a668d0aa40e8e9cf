"""JPEGs whose data end too early are rejected, wherever they end; whole ones are not."""

from __future__ import annotations

import io
from collections.abc import Iterable

import numpy as np
import pytest
from PIL import Image

from tests import encoding
from tests.images import photograph, prepared, whole_hash
from tfrecords_tools.images.image_file import Rejected, decode
from tfrecords_tools.options import ImageOptions

# Pillow warns of oddities that it reads; a build ignores these warnings.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::Warning:PIL")


def taken(content: bytes, size: int | None) -> bool:
    try:
        prepared(content, size=size)
    except Rejected:
        return False
    return True


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("size", [None, 64])
def test_jpeg_whose_data_break_off_before_its_end(size, progressive):
    content = encoding.encoded(photograph(4), "JPEG", quality=90, progressive=progressive)
    whole = whole_hash(content)
    for share in np.linspace(0.15, 0.98, 10):
        cut = content[: int(share * len(content))] + b"\xff\xd9"
        if progressive and taken(cut, size):
            # Nothing is lost but scans that changed nothing.
            assert whole_hash(cut) == whole, f"cut at {share:.0%}"
        else:
            with pytest.raises(Rejected, match=r"data end before|truncated"):
                prepared(cut, size=size)


def loses_nothing_unseen(content: bytes, cuts: Iterable[int], size: int | None) -> None:
    """Asserts that a JPEG cut at some places and ended there is rejected, or shows the same."""
    whole = np.asarray(decode(content, ImageOptions()), int)
    for cut in cuts:
        ended = content[:cut] + b"\xff\xd9"
        if taken(ended, size):
            with Image.open(io.BytesIO(ended)) as image:
                assert np.abs(np.asarray(image) - whole).max() <= 2, f"cut at {cut}"


def data_of(content: bytes) -> range:
    """Places in the second half of the last scan of a JPEG."""
    start = content.rindex(b"\xff\xda")
    return range((start + len(content)) // 2, len(content) - 2)


@pytest.mark.parametrize("options", [{}, {"subsampling": 0}, {"optimize": True}])
@pytest.mark.parametrize("size", [None, 64])
def test_jpeg_that_breaks_off_anywhere(size, options):
    content = encoding.encoded(photograph(4), "JPEG", quality=90, **options)
    last_row = len(content) // 28  # of 29 rows of blocks
    places = np.random.default_rng(0).choice(data_of(content)[:-last_row], 60)
    loses_nothing_unseen(content, [cut for cut in places if content[cut - 1] != 0xFF], size)


@pytest.mark.parametrize("size", [None, 64])
def test_jpeg_that_breaks_off_behind_a_byte_of_ones(size):
    content = encoding.encoded(photograph(4), "JPEG", quality=90)
    places = [cut for cut in data_of(content) if content[cut - 1] == 0xFF]
    assert len(places) > 20
    loses_nothing_unseen(content, places[:20], size)


@pytest.mark.xfail(reason="what is put before the end to find it is skipped like other junk there")
@pytest.mark.parametrize("size", [None, 64])
def test_jpeg_that_breaks_off_before_a_restart(size):
    content = encoding.encoded(photograph(4), "JPEG", quality=90, restart_marker_rows=1)
    places = [
        cut for cut in data_of(content) if content[cut] == 0xFF and 0xD0 <= content[cut + 1] <= 0xD7
    ]
    assert len(places) > 5
    loses_nothing_unseen(content, places[:5], size)


@pytest.mark.xfail(reason="where the last block itself breaks off, no block is left without data")
def test_jpeg_that_breaks_off_in_its_last_row_of_blocks():
    content = encoding.encoded(photograph(4), "JPEG", quality=90)
    cuts = [cut for cut in data_of(content)[-280::7] if content[cut - 1] != 0xFF]
    loses_nothing_unseen(content, cuts, None)


@pytest.mark.xfail(reason="a scan whose last blocks are empty needs no more data, nor others")
def test_progressive_jpeg_that_breaks_off_anywhere():
    content = encoding.encoded(photograph(4, 120, 160), "JPEG", quality=80, progressive=True)
    first = content.index(b"\xff\xda") + 20
    cuts = [cut for cut in range(first, len(content) - 2, 7) if content[cut - 1] != 0xFF]
    loses_nothing_unseen(content, cuts, None)


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_rows": 1}])
@pytest.mark.parametrize("size", [None, 64])
def test_jpeg_that_ends_in_a_flat_colour_is_whole(size, options):
    image = photograph(5)
    image[300:] = 0
    image[:, 500:] = 0
    prepared(encoding.encoded(image, "JPEG", quality=90, **options), size=size)
    prepared(encoding.encoded(np.full_like(image, 255), "JPEG", **options), size=size)
