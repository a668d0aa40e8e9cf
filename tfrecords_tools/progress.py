"""Progress of long work: a bar on a terminal, plain lines in a log."""

from __future__ import annotations

import dataclasses
import sys
import time
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

Item = TypeVar("Item")
SECONDS_BETWEEN_LINES = 30.0


@dataclasses.dataclass(kw_only=True)
class Progress:
    """Shows progress on standard error, within its context.

    On a terminal it is a tqdm bar; elsewhere a line about every half minute, and one at the end.

    Attributes:
        total: number of units of work.
        unit: name of the units, in the plural.
        description: a word for the work.
        most_seconds: the work ends after this time, whatever is left; None for no limit.
        note: more about the work, after the numbers; it may change.
        done: number of units so far.
    """

    total: int
    unit: str
    description: str
    most_seconds: float | None = None
    note: str = ""
    done: int = dataclasses.field(default=0, init=False)
    _reused: int = dataclasses.field(default=0, init=False)
    _bar: Any = dataclasses.field(default=None, init=False)

    def __enter__(self) -> Progress:
        self._start = self._last_line = time.monotonic()
        self._printed = 0
        if sys.stderr is not None and sys.stderr.isatty():
            from tqdm import tqdm

            self._bar = tqdm(total=self.total, unit=f" {self.unit}", desc=self.description)
        return self

    def update(self, count: int = 1, *, reused: bool = False) -> None:
        """Counts `count` more units; `reused`: an earlier start made them, so they set no pace."""
        self.done += count
        self._reused += count if reused else 0
        if self._bar is not None:
            self._bar.set_postfix_str(self.note, refresh=False)
            self._move_bar(count, reused=reused)
        elif time.monotonic() - self._last_line >= SECONDS_BETWEEN_LINES:
            self._last_line = time.monotonic()
            self._print()

    def __exit__(self, *exception: object) -> None:
        if self._bar is not None:
            self._bar.close()
        elif self.done > self._printed:
            self._print()

    def _move_bar(self, count: int, *, reused: bool) -> None:
        if reused:  # tqdm's pace is of the units after the initial ones
            self._bar.initial += count
            self._bar.n += count
            self._bar.last_print_n += count
            self._bar.refresh()
        else:
            self._bar.update(count)

    def _print(self) -> None:
        self._printed = self.done
        if sys.stderr is None:  # closed; `print` would take stdout instead
            return
        seconds = max(time.monotonic() - self._start, 1e-9)
        parts = [f"{self.description}: {self.done:,} of {self.total:,} {self.unit}"]
        if made := self.done - self._reused:
            rate = made / seconds
            left = max(self.total - self.done, 0) / rate
            if self.most_seconds is not None:
                left = min(left, max(self.most_seconds - seconds, 0.0))
            parts += [_pace(rate), f"{_clock(left)} left"]
        if self.note:
            parts.append(self.note)
        print(", ".join(parts), file=sys.stderr, flush=True)


def track(items: Iterable[Item], *, total: int, unit: str, description: str) -> Iterator[Item]:
    """Yields `items` and shows how many have been taken; for the arguments see `Progress`."""
    with Progress(total=total, unit=unit, description=description) as progress:
        for item in items:
            yield item
            progress.update()


def measured_duration(seconds: float) -> str:
    """Formats a time that was measured, to the second."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


def estimated_duration(seconds: float) -> str:
    """Formats a time that is only estimated: in hours from 90 minutes on."""
    minutes = seconds / 60
    if minutes >= 90:
        return f"{minutes / 60:.1f} h"
    return f"{minutes:.0f} min" if minutes >= 1 else "less than 1 min"


def _pace(rate: float) -> str:
    """Formats units per second, or per minute or hour if they are slower."""
    if rate >= 1:
        return f"{rate:.0f}/s"
    return f"{60 * rate:.0f}/min" if 60 * rate >= 1 else f"{3600 * rate:.0f}/h"


def _clock(seconds: float) -> str:
    """Formats the time left on a line of progress: short, as on a clock."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"
