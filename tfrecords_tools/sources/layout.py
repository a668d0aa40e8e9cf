"""The layout of an image folder: what each level of folders means.

A layout is written like a path, such as split/class/group; _ is a level without a meaning. Folders
below the last level are allowed and have none either.
"""

from __future__ import annotations

import dataclasses
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence

from tfrecords_tools.errors import InputError
from tfrecords_tools.records.schema import TEST, TRAIN, VALIDATION
from tfrecords_tools.text import abbreviate

SPLIT, CLASS, GROUP, NOTHING = LEVELS = ("split", "class", "group", "_")
SPLIT_NAMES = {
    **dict.fromkeys(("train", "training"), TRAIN),
    **dict.fromkeys(("val", "valid", "validation"), VALIDATION),
    **dict.fromkeys(("test", "testing"), TEST),
}
"""Usual names of the splits, in lower case."""
WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
CONTAINERS = frozenset(
    ("data", "dataset", "files", "image", "images", "img", "imgs", "input", "photos", "pictures")
)
"""Names of folders that hold all images of a split, in lower case."""
PERSON = re.compile(
    r"(?:patient|pat|person|subject|subj|participant|lesion|case)s?[\W_]*[0-9]+", re.IGNORECASE
)
"""Name of a folder that holds the images of one patient or lesion."""
PART = re.compile(r"(?:.*[\W_])?(?:fold|part|batch|chunk|shard)s?[\W_]*[0-9]+", re.IGNORECASE)
"""Name of a folder that holds a part of the images of all classes."""


@dataclasses.dataclass(frozen=True)
class Place:
    """What the folders of a file say.

    Attributes:
        label, group, split: names of folders; None if the layout has no such level.
    """

    label: str | None = None
    group: str | None = None
    split: str | None = None


@dataclasses.dataclass(frozen=True)
class Layout:
    """What each level of folders means, from the top: of `LEVELS`."""

    levels: tuple[str, ...]

    def __str__(self) -> str:
        return "/".join(self.levels)

    def folders(self, file: str) -> list[str]:
        """Returns the folders of a file."""
        return file.split("/")[:-1]

    def place(self, file: str) -> Place | None:
        """Returns what the folders of a file say; None if they are fewer than the levels."""
        folders = self.folders(file)
        if len(folders) < len(self.levels):
            return None
        named = dict(zip(self.levels, folders, strict=False))
        return Place(named.get(CLASS), named.get(GROUP), named.get(SPLIT))

    def below(self, files: Iterable[str]) -> set[tuple[str, ...]]:
        """Returns the folders below the last level, each with the folders above it."""
        depth = len(self.levels)
        return {tuple(f[: depth + 1]) for f in map(self.folders, files) if len(f) > depth}


def parse_layout(text: str, *, needs_class: bool = True) -> Layout:
    """Parses a layout such as split/class/group.

    Raises:
        InputError: a level is unknown or repeated, or the class is missing or not wanted.
    """
    levels = tuple(level.strip() for level in text.strip("/").split("/"))
    meant = [level for level in levels if level != NOTHING]
    wanted = CLASS in meant if needs_class else CLASS not in meant
    if set(levels) - set(LEVELS) or len(set(meant)) < len(meant) or not meant or not wanted:
        rule = "one of them class" if needs_class else "none of them class, which labels gives"
        raise InputError(
            f"folders is {text!r}: write what each level means, from the top, such as "
            f"{'split/class/group' if needs_class else 'group'}: {', '.join(LEVELS)}, each once "
            f"(_ for a level without a meaning), {rule}"
        )
    return Layout(levels)


def split_from_name(name: str) -> str | None:
    """Returns the split that a folder name or cell means, or None."""
    return SPLIT_NAMES.get(name.strip().lower())


def split_in_name(name: str) -> str | None:
    """Returns the split that a word of a name means, as in Train_Data or seg_test, or None."""
    splits = {split_from_name(word) for word in WORD.findall(name)} - {None}
    return splits.pop() if len(splits) == 1 else None


def guess_layout(files: Sequence[str], images: object) -> Layout:
    """Returns the layout of an image folder by the names of its folders.

    First folders with names of splits (train, validation, test, or some of them) are the splits,
    the folders in them are the labels. Otherwise the first folders are the labels. A folder that
    repeats the name of the one around it, as archives make it, has no meaning.

    Raises:
        InputError: the names allow more than one layout.
    """
    folders = [tuple(folders) for file in files if (folders := file.split("/")[:-1])]
    levels: list[str] = []
    while depth := _wrappers(folders):
        levels += [NOTHING] * depth
        folders = [each[depth:] for each in folders]
    if _are_splits(folders, images):
        levels.append(SPLIT)
        while _is_wrapped(folders):
            levels.append(NOTHING)
            folders = [(each[0], *each[2:]) for each in folders]
        folders = [each[1:] for each in folders]
    layout = Layout((*levels, CLASS))
    _check_classes([each for each in folders if each], layout, images)
    return layout


def _wrappers(folders: Collection[Sequence[str]]) -> int:
    """Returns how many top levels hold all files in one folder that has no meaning.

    These are a folder that holds splits, or a folder and its namesake in it.
    """
    if len({each[:1] for each in folders}) != 1 or any(len(each) < 3 for each in folders):
        return 0
    top = next(iter(folders))[0]
    inner = {each[1] for each in folders}
    if inner == {top} and not split_from_name(top):
        return 2
    return int(all(split_from_name(name) for name in inner) and not split_from_name(top))


def _is_wrapped(folders: Collection[Sequence[str]]) -> bool:
    """Returns whether each split holds one folder only, which means the split or all images."""
    inner = defaultdict(set)
    for each in folders:
        if len(each) < 3:
            return False
        inner[each[0]].add(each[1])
    return all(
        len(names) == 1 and (name == top or split_in_name(name) or name.lower() in CONTAINERS)
        for top, names in inner.items()
        for name in names
    )


def _are_splits(folders: Sequence[Sequence[str]], images: object) -> bool:
    tops = sorted({each[0] for each in folders})
    exact = {top: split for top in tops if (split := split_from_name(top))}
    nested = folders and all(len(each) > 1 for each in folders)
    named = {top: split for top in tops if (split := split_in_name(top))} if nested else exact
    if not exact and len(set(named.values())) < 2:
        return False
    _check_splits(named, tops, folders, images)
    return True


def _check_splits(
    split_of: Mapping[str, str],
    tops: Iterable[str],
    folders: Iterable[Sequence[str]],
    images: object,
) -> None:
    keep = "if they are classes, give --folders class"
    if others := [top for top in tops if top not in split_of]:
        raise InputError(
            f"{images} has folders {abbreviate(list(split_of))}, which are named like splits, and "
            f"{abbreviate(others)}: put class folders into each split, or rename what is no split; "
            f"{keep}"
        )
    if len(set(split_of.values())) < len(split_of):
        raise InputError(
            f"{images} has two folders for one split among {', '.join(split_of)}: join them; {keep}"
        )
    if not any(len(each) > 1 for each in folders):
        raise InputError(
            f"{images} has folders {abbreviate(list(split_of))}, which are named like splits, but "
            f"no class folder in them: make class folders there, or give a CSV by --labels; {keep}"
        )


def _check_classes(folders: Collection[Sequence[str]], layout: Layout, images: object) -> None:
    """Checks that the class folders are neither patients nor parts of the data set."""
    names = sorted({each[0] for each in folders})
    above = str(layout).removesuffix(CLASS)
    if len(names) > 1 and all(PERSON.fullmatch(name.strip()) for name in names):
        depth = max(map(len, folders)) - 1
        raise InputError(
            f"{images} has folders {abbreviate(names)} in the place of classes, which are named "
            "like patients or lesions: say what each level of folders is, such as --folders "
            f"{'/'.join([above + GROUP, *[NOTHING] * (depth - 1), CLASS])}; if they are classes, "
            f"give --folders {layout}"
        )
    if len(names) > 1 and all(PART.fullmatch(name.strip()) for name in names):
        below = f"--folders {above}{NOTHING}/{CLASS} if the classes are below them"
        raise InputError(
            f"{images} has folders {abbreviate(names)} in the place of classes, which are named "
            f"like parts of a data set: give {below}, or a CSV by --labels; if they are classes, "
            f"give --folders {layout}"
        )
