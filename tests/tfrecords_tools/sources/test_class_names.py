"""One class in several spellings, and splits in the place of classes."""

from __future__ import annotations

import pytest

from tests.listings import read, table, touch
from tfrecords_tools.sources.class_names import one_in_several_spellings
from tfrecords_tools.text import in_order


@pytest.mark.parametrize(
    "names",
    [
        ("Melanoma", "melanoma", "MELANOMA"),
        ("basal cell", "basal  cell", "basal\u00a0cell", "basal_cell", "Basal-Cell", "basal\tcell"),
        ("nevus", "nevus\u200b", "\ufeffnevus", "ne\u00advus", "n\u0435vus", "nevus."),
        ("1", "1.0", "01", "1.", "\uff11"),
        ("stra\u00dfe", "STRASSE"),
        ("Sj\u00f6gren", "Sjogren", "sjo\u0308gren"),
        ("\ufb01broma", "fibroma"),
        ("\u0421\u041e\u0421", "COC"),
        ("'nevus'", "nevus"),
    ],
)
def test_one_class_in_several_spellings(names):
    assert one_in_several_spellings([*names, "other"]) == [sorted(names)]


@pytest.mark.parametrize(
    "names",
    [
        ("HER2+", "HER2-", "HER2"),
        ("1", "10", "1.5", "-1"),
        ("nevus", "nevi", "naevus"),
        ("type 1", "type 2", "type1a"),
        ("\u0928\u0940\u0932", "\u0928\u0932"),  # a vowel sign is a letter
        ("A", "B"),
    ],
)
def test_different_classes(names):
    assert one_in_several_spellings(names) == []


def traps(source):
    return [finding.text for finding in source.findings if finding.trap]


def test_spellings_in_a_table_are_a_trap_until_they_are_joined(tmp_path):
    images = touch(tmp_path / "i", "a.jpg", "b.jpg", "c.jpg")
    labels = table(tmp_path / "l.csv", "a,,Nevus", "b,,n\u0435vus", "c,,mel")
    (text,) = traps(read(images, labels))
    assert text.startswith("classes 'Nevus', 'n\\u0435vus' differ only in spelling: join them by")
    label_map = tmp_path / "map.csv"
    label_map.write_text("from,to\nn\u0435vus,Nevus\n")
    joined = read(images, labels, label_map=label_map)
    assert not traps(joined)
    assert joined.labels == {"Nevus", "mel"}
    label_map.write_text("from,to\nn\u0435vus,n\u0435vus\nNevus,Nevus\n")
    assert not traps(read(images, labels, label_map=label_map))
    label_map.write_text("from,to\nNevus,Nevus\n")
    assert len(traps(read(images, labels, label_map=label_map))) == 1


def test_groups_in_several_spellings_are_named(tmp_path):
    images = touch(tmp_path / "i", "a.jpg", "b.jpg", "c.jpg")
    source = read(images, table(tmp_path / "l.csv", "a,P01,nv", "b,p01,mel", "c,P02,nv"))
    (finding,) = source.findings
    assert (finding.kind, finding.trap) == ("similar_groups", False)
    assert "'P01' and 'p01'" in finding.text


@pytest.mark.parametrize(
    ("names", "ordered"),
    [
        ("10 9 0 1 2 11", "0 1 2 9 10 11"),
        ("10.0 2.0 -1.0", "-1.0 2.0 10.0"),
        ("10 9 unknown", "10 9 unknown"),
        ("2a 10a", "10a 2a"),
        ("1.5 10 2", "1.5 10 2"),
    ],
)
def test_order_of_classes(names, ordered):
    assert in_order(names.split()) == ordered.split()
