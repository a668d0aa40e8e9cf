"""The parser of both command lines: --version, hyphens in flags, and "did you mean"."""

from __future__ import annotations

import argparse
import difflib
import importlib.metadata
import platform
import re
import sys
from collections.abc import Iterable, Sequence
from typing import Any, NoReturn

from absl.flags import argparse_flags

from tfrecords_tools.command_line import show

DISTRIBUTION = "skin-synth"
"""The name under which both packages are installed."""
LIBRARIES_OF_VERSION = ("tensorflow", "keras", "numpy")
FLAG = re.compile(r"(--[A-Za-z][\w-]*)(=.*)?", re.DOTALL)


class CommandParser(argparse_flags.ArgumentParser):
    """Parses commands and flags.

    Hyphens in flags are underscores: --per-class is --per_class. The message about an unknown
    command, flag or choice names the nearest known one. A flag with one value is taken once: the
    last of two would win in silence.
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__(allow_abbrev=False, **settings)
        for action in self._actions:
            if action.option_strings == ["--helpfull"]:  # pages of absl's own flags
                action.help = argparse.SUPPRESS

    def add_version(self) -> None:
        """Declares --version."""
        self.add_argument("--version", action=_ShowVersion, help="show the versions and exit")

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """Parses flags with hyphens or underscores; an unknown or repeated one ends the program."""
        words = _with_underscores(sys.argv[1:] if args is None else args)
        if not any(word.startswith("--undefok") for word in words):
            # Before argparse complains that the flag that is meant is missing.
            self._check_flags(words)
        return super().parse_known_args(words, namespace)

    def _check_flags(self, words: Iterable[str]) -> None:
        given: set[str] = set()
        for word in words:
            if word == "--" or (self._subparsers is not None and not word.startswith("-")):
                return  # what follows a command is for its own parser
            found = FLAG.fullmatch(word)
            if found is None:
                continue
            if found[1] in self._option_string_actions:
                self._check_repeated(found[1], given)
                continue
            shown = [
                flag
                for flag, action in self._option_string_actions.items()
                if action.help != argparse.SUPPRESS
            ]
            listed = f"{self.prog} --help lists the flags"
            self.error(f"unknown flag {found[1]}: {did_you_mean(found[1], shown) or listed}")

    def _check_repeated(self, flag: str, given: set[str]) -> None:
        takes_one = type(self._option_string_actions[flag]) is argparse._StoreAction
        if takes_one and flag in given:
            self.error(f"{flag} is given twice, but takes one value: give it once")
        given.add(flag)

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        try:
            super()._check_value(action, value)
        except argparse.ArgumentError as error:
            if meant := did_you_mean(str(value), action.choices or ()):
                error.message += f": {meant}"
            raise


class _ShowVersion(argparse.Action):
    """Prints the versions that a report of a fault needs; the look-up imports no library."""

    def __init__(self, option_strings: Sequence[str], dest: str, help: str) -> None:
        super().__init__(option_strings, argparse.SUPPRESS, nargs=0, help=help)

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        libraries = (f"{name} {_version(name)}" for name in LIBRARIES_OF_VERSION)
        python = f"Python {platform.python_version()}"
        show(f"{parser.prog} {_version(DISTRIBUTION)} ({', '.join([python, *libraries])})")
        parser.exit()


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Returns a question with the known word that is nearest to an unknown one; "" if none is."""
    of_bare, bare = {each.lstrip("-"): each for each in known}, word.lstrip("-")
    close = difflib.get_close_matches(bare, of_bare, n=1, cutoff=0.65)
    close = close or [each for each in of_bare if each.startswith(bare)]
    return f"did you mean {of_bare[close[0]]}?" if close else ""


def _version(distribution: str) -> str:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _with_underscores(words: Iterable[str]) -> list[str]:
    """Replaces hyphens in the names of flags, before the word `--`."""
    words = list(words)
    end = words.index("--") if "--" in words else len(words)
    return [_underscored(word) for word in words[:end]] + words[end:]


def _underscored(word: str) -> str:
    found = FLAG.fullmatch(word)
    return word if found is None else f"--{found[1][2:].replace('-', '_')}{found[2] or ''}"
