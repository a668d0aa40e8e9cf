"""The spool: what workers prepare, in order, on disk but out of sight."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from tfrecords_tools import spool as spool_module
from tfrecords_tools.images import PreparedImage, Rejected
from tfrecords_tools.sources import ImageRecord, Rejection
from tfrecords_tools.spool import IN_FLIGHT_PER_WORKER, Spool


def records(count: int) -> tuple[ImageRecord, ...]:
    return tuple(
        ImageRecord(Path(f"{n}.png"), f"{n}.png", str(n), "nv", str(n)) for n in range(count)
    )


def fill(spool: Spool, count: int, workers: int) -> list[Rejection]:
    return spool.fill(records(count), size=None, min_side=8, workers=workers)


@pytest.fixture
def fake(monkeypatch):
    """Replaces the decoding by a function of the number of the image."""

    def replace(work) -> None:
        monkeypatch.setattr(
            spool_module, "prepare", lambda record, **options: work(int(record.image_id))
        )

    return replace


def image(number: int) -> PreparedImage:
    return PreparedImage(b"%d" % number * (number % 7 + 1), f"pixels {number}", f"bytes {number}")


@pytest.mark.parametrize("workers", [1, 3])
def test_images_come_back_and_nothing_is_seen(workers, fake, tmp_path):
    fake(image)
    with Spool(tmp_path) as spool:
        assert fill(spool, 50, workers) == []
        assert not list(tmp_path.iterdir())
        for number in (49, 0, 17, 17):
            assert spool.read(str(number)) == image(number).encoded
            assert spool.images[str(number)].pixels_hash == f"pixels {number}"
            assert spool.images[str(number)].bytes_hash == f"bytes {number}"


def test_order_is_that_of_the_records_not_of_the_workers(fake, tmp_path):
    def slow_at_first(number: int) -> PreparedImage:
        time.sleep(0.02 * (number < 3))
        if number % 2:
            raise Rejected("damaged", str(number))
        return image(number)

    fake(slow_at_first)
    with Spool(tmp_path) as spool:
        rejections = fill(spool, 20, workers=4)
        assert list(spool.images) == [str(number) for number in range(0, 20, 2)]
    assert rejections == [Rejection(f"{n}.png", "damaged", str(n)) for n in range(1, 20, 2)]


def test_few_are_read_ahead(fake, tmp_path):
    """While the first image is slow, the others do not pile up in memory."""
    started, release = [], threading.Event()

    def stuck(number: int) -> PreparedImage:
        started.append(number)
        if number == 0:
            release.wait(10)
        return image(number)

    fake(stuck)
    limit = IN_FLIGHT_PER_WORKER * 2 + 1
    threading.Timer(0.3, lambda: (seen.append(len(started)), release.set())).start()
    seen: list[int] = []
    with Spool(tmp_path) as spool:
        fill(spool, 200, workers=2)
        assert len(spool.images) == 200
    assert 1 < seen[0] <= limit


def test_file_that_cannot_be_read_is_a_rejection(fake, tmp_path):
    def refuse(number: int) -> PreparedImage:
        raise PermissionError(13, "Permission denied", "secret/path")

    fake(refuse)
    with Spool(tmp_path) as spool:
        assert fill(spool, 1, workers=1) == [Rejection("0.png", "unreadable", "Permission denied")]


def test_our_own_mistakes_are_not_hidden(fake, tmp_path):
    def broken(number: int) -> PreparedImage:
        raise ZeroDivisionError

    fake(broken)
    with Spool(tmp_path) as spool, pytest.raises(ZeroDivisionError):
        fill(spool, 30, workers=2)
