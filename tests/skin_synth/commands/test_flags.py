"""Values of flags: what is taken, and what is refused with the value in the message."""

from __future__ import annotations

import argparse

import pytest

from skin_synth.commands import flags
from tfrecords_tools.errors import InputError


@pytest.mark.parametrize(
    ("convert", "text", "value"),
    [
        (flags.positive_int, "1", 1),
        (flags.positive_int, "150000", 150_000),
        (flags.seed_number, "0", 0),
        (flags.seed_number, str(2**63 - 1), 2**63 - 1),
        (flags.device_count, "all", "all"),
        (flags.device_count, "8", 8),
        (flags.mebibytes, "0", 0),
        (flags.mebibytes, "1.5", 3 * 2**19),
        (flags.positive_float, "0.5", 0.5),
        (flags.positive_float, "1e-3", 0.001),
        (flags.names, "resnet,small", ("resnet", "small")),
        (flags.balance_target, "max", "max"),
        (flags.balance_target, "20", 20),
        (flags.balance_target, "median", "median"),
        (flags.balance_target, "mel=5,a=b=7", {"mel": 5, "a=b": 7}),
        (
            *(flags.balance_target, "nevus, NOS, Atypical=5,=x==6, Lentigo simplex=7"),
            {"nevus, NOS, Atypical": 5, "=x=": 6, "Lentigo simplex": 7},
        ),
        (flags.balance_target, '"a=5,b"=6,"say ""x"""=7', {"a=5,b": 6, 'say "x"': 7}),
    ],
)
def test_good_values(convert, text, value):
    assert convert(text) == value
    assert type(convert(text)) is type(value)


@pytest.mark.parametrize(
    ("convert", "texts"),
    [
        (flags.positive_int, ["", "0", "-1", "1.0", "1e3", "ten", "\u0663", "+1"]),
        (flags.seed_number, ["", "-1", "0x10", str(2**63), "1.5", "\u0661"]),
        (flags.device_count, ["", "0", "ALL", "two"]),
        (flags.mebibytes, ["", "-1", "nan", "inf", "1GB"]),
        (flags.positive_float, ["", "0", "-0.5", "nan", "inf", "one"]),
        (flags.balance_target, ["", "min", "Max", "0", "-5", "all"]),
        (flags.balance_target, ["=5", "mel=5,mel=6", "mel=5,nv", "mel=5,,nv=", '"mel=5' + "=-1"]),
    ],
)
def test_bad_values_are_named(convert, texts):
    for text in texts:
        with pytest.raises(argparse.ArgumentTypeError) as refusal:
            convert(text)
        assert repr(text) in str(refusal.value)


def external(line):
    parser = argparse.ArgumentParser(exit_on_error=False)
    flags.add_external(parser)
    flags.add_site(parser)
    return flags.external_sets(parser.parse_args(line.split()))


def test_external_data_sets_with_their_labels(tmp_path):
    table = tmp_path / "map.csv"
    table.write_text('from,to\n"nevus, blue",nv\nscar,\n')
    found = external(
        f"--external pad=D/1 --external isic=E=F --external own=G "
        f"--external_labels pad:ACK=akiec,SCC=,a=b=c --external_labels isic:{table}"
    )
    assert found == [
        flags.ExternalSet("pad", "D/1", {"ACK": "akiec", "SCC": "", "a": "b=c"}),
        flags.ExternalSet("isic", "E=F", {"nevus, blue": "nv", "scar": ""}),
        flags.ExternalSet("own", "G", {}),
    ]
    assert external("") == []


def test_the_site_is_the_first_data_set_and_has_labels_as_the_others():
    found = external("--external pad=D --site clinic=E --external_labels clinic:nevus=nv")
    assert found == [
        flags.ExternalSet("clinic", "E", {"nevus": "nv"}),
        flags.ExternalSet("pad", "D", {}),
    ]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("--external pad", "needs NAME=DIR, .*got 'pad'"),
        ("--external a/b=D", "needs NAME=DIR, .*got 'a/b=D'"),
        ("--external pad=", "needs NAME=DIR"),
        ("--external_labels pad", "needs NAME:THEIRS=OURS"),
        ("--external_labels pad:a=b,c", "after pad:, got 'c'"),
        ("--external_labels pad:=b", "after pad:, got '=b'"),
        ("--external_labels pad:a=b,a=c", "'a' occurs twice"),
    ],
)
def test_bad_external_flags_are_named(line, message):
    with pytest.raises(argparse.ArgumentError, match=message):
        external(line)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("--external a=D --external a=E", "--external has a twice"),
        ("--external a=D --external_labels a:x=y --external_labels a:z=y", "labels has a twice"),
        ("--external a=D --external_labels b:x=y", "names b; there is a: give --external b"),
        ("--external a=D --site a=E", "--site and --external have a twice"),
        ("--external_labels b:x=y", "names b; there is no other data set"),
        ("--external a=D --external_labels a:nowhere.csv", "nowhere.csv is not a file"),
    ],
)
def test_external_flags_must_fit_each_other(line, message):
    with pytest.raises(InputError, match=message):
        external(line)
