"""CSVs from outside: delimiters, headers, quotation marks."""

from __future__ import annotations

import gzip

import pytest

from tfrecords_tools.errors import InputError
from tfrecords_tools.sources.csv_reading import read_csv


def write(path, text, encoding="utf-8"):
    path.write_bytes(text.encode(encoding))
    return path


def rows(path, *expected):
    return list(read_csv(path, *expected).rows())


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_delimiters(delimiter, end, tmp_path):
    lines = [delimiter.join(cells) for cells in (("id", "dx", "note"), ("a", "nv", '"x,y;z\t"'))]
    path = write(tmp_path / "t.csv", end.join(lines) + end, "utf-8-sig")
    assert rows(path, "id") == [(2, {"id": "a", "dx": "nv", "note": "x,y;z\t"})]


def test_delimiter_by_the_expected_column(tmp_path):
    path = write(tmp_path / "t.csv", '"a;b;c",id\n1,2\n')
    assert rows(path, "id") == [(2, {"a;b;c": "1", "id": "2"})]
    path = write(tmp_path / "t.csv", "id;a,b,c,d,e\n1;2\n")
    assert rows(path, "id") == [(2, {"id": "1", "a,b,c,d,e": "2"})]


def test_header_with_blanks_and_columns_without_a_name(tmp_path):
    path = write(tmp_path / "t.csv", 'Unnamed: 0,,id, dx ,\n0,x,a, "nv, atypical",\n1,,b,mel\n')
    table = read_csv(path, "id")
    assert table.columns == ("id", "dx")
    assert list(table.rows()) == [
        (2, {"id": "a", "dx": "nv, atypical"}),
        (3, {"id": "b", "dx": "mel"}),
    ]


def test_blank_lines_and_lines_of_rows_over_several_lines(tmp_path):
    path = write(tmp_path / "t.csv", 'id,dx,note\n\na,nv,"two\nlines"\n\nb,mel,\n')
    assert [(line, cells["note"]) for line, cells in rows(path)] == [(3, "two\nlines"), (6, "")]


@pytest.mark.parametrize(
    ("bad", "line"),
    [
        ({3: 'c,nv,"5 mm, left'}, 5),
        ({3: 'c,nv,"5 mm', 5: 'e,nv,"7 mm'}, 5),
        ({3: 'c,nv,"5 mm', 5: 'e,nv,7 mm"'}, 5),
        ({3: 'c,"nv', 4: 'd,mel",x'}, 5),
        ({3: 'c,nv,"5" mm'}, 5),
        ({0: '"z,nv,x'}, 2),
    ],
)
def test_quotation_marks_that_are_not_closed(bad, line, tmp_path):
    lines = [bad.get(number, f"{name},nv,plain") for number, name in enumerate("zabcdefgh")]
    path = write(tmp_path / "t.csv", "\n".join(["id,dx,note", *lines]) + "\n")
    with pytest.raises(InputError, match=rf"t\.csv, line {line}\b.* quotation mark"):
        rows(path)


def test_notes_over_several_lines_with_commas(tmp_path):
    path = write(tmp_path / "t.csv", 'id,note,dx\na1,"one\ntwo, three",nv\nb2,"x,\ny,z,",nv\n')
    assert [cells["note"] for _, cells in rows(path)] == ["one\ntwo, three", "x,\ny,z,"]


def test_quotation_marks_within_cells(tmp_path):
    path = write(tmp_path / "t.csv", 'id,note\na,5" left\nb,"say ""x"""\n')
    assert [cells["note"] for _, cells in rows(path)] == ['5" left', 'say "x"']


@pytest.mark.parametrize("encoding", ["utf-16", "latin-1"])
def test_other_encodings(encoding, tmp_path):
    path = write(tmp_path / "t.csv", "id,dx\na,n\u00e6vus\n", encoding)
    with pytest.raises(InputError, match="save it as CSV in UTF-8"):
        rows(path)


@pytest.mark.parametrize(
    "content", [b"id,dx\na,n\0v\n", b"id,dx\na,nv\n\0\0\0\0", "id,dx\na,nv\n".encode("utf-16-le")]
)
def test_nul_characters(content, tmp_path):
    (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(InputError, match=r"t\.csv, line [123] holds NUL characters, as UTF-16"):
        rows(tmp_path / "t.csv")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (gzip.compress(b"id,dx\na,nv\n"), "a gzip archive: unpack it"),
        (b"PK\x03\x04\x14\0", "an Excel workbook or a ZIP archive: save the sheet as CSV"),
        (b"\xd0\xcf\x11\xe0\xa1", "an old Excel workbook"),
        (b"PAR1\x15\x04\0\0\0PAR1", "a Parquet file: write its table as CSV"),
        ("id\tdx\na\tnv\n".encode("utf-16"), "text in UTF-16, as Excel's"),
        (b'[{"id": "a", "dx": "nv"}]', "JSON: write its table as CSV"),
        (b'{"id": {"0": "a"}}', "JSON: write its table as CSV"),
        (b'{"id": "a"}\n{"id": "b"}\r\n', "JSON: write its table as CSV"),
    ],
    ids=["gzip", "xlsx", "xls", "parquet", "utf-16", "records", "columns", "lines"],
)
def test_other_formats_are_named(content, told, tmp_path):
    (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(InputError, match=rf"t\.csv is no CSV but {told}"):
        rows(tmp_path / "t.csv")


@pytest.mark.parametrize("last", ["nv", "PAR1", "nv " + "x" * 1000])
@pytest.mark.parametrize("name", ["PAR1", "PAR10_id", "[{id}]", '{"id', "PK"])
def test_a_column_may_begin_like_another_format(name, last, tmp_path):
    path = write(tmp_path / "t.csv", f"{name},label\na,{last}\n")
    assert rows(path) == [(2, {name: "a", "label": last})]


def test_a_table_of_one_short_name_is_a_table(tmp_path):
    assert read_csv(write(tmp_path / "t.csv", "PAR1")).columns == ("PAR1",)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("delimiter", [";", ",", "\t", "|"])
@pytest.mark.parametrize("cells", [1, 2, 5, 1000])
def test_the_first_line_of_excel_names_the_delimiter(cells, delimiter, end, tmp_path):
    text = end.join(
        [f"sep={cells * delimiter}", delimiter.join(("id", "dx")), delimiter.join("ab"), ""]
    )
    for encoding in ("utf-8", "utf-8-sig"):
        path = write(tmp_path / "t.csv", text, encoding)
        assert rows(path) == [(3, {"id": "a", "dx": "b"})]
    broken = write(tmp_path / "t.csv", text + delimiter.join(("c", '"d')) + end)
    with pytest.raises(InputError, match=r"t\.csv, line 4 cannot be read"):
        rows(broken)


def test_a_column_whose_name_begins_like_that_line_is_a_column(tmp_path):
    path = write(tmp_path / "t.csv", "sep=;x,id\n1,a\n")
    assert rows(path) == [(2, {"sep=;x": "1", "id": "a"})]
    path = write(tmp_path / "t.csv", "sep=;,;\n1,a\n")
    assert read_csv(path).columns == ("sep=", ",")
    path = write(tmp_path / "t.csv", "sep=;\n")
    assert rows(path) == []


def test_columns_that_occur_twice(tmp_path):
    with pytest.raises(InputError, match="two columns called dx: rename one"):
        read_csv(write(tmp_path / "t.csv", "id,dx, dx\n"))


def test_a_header_of_many_columns_takes_linear_time(tmp_path):
    names = ",".join(f"c{number}" for number in range(100_000))
    assert len(read_csv(write(tmp_path / "t.csv", f"id,{names}\n"), "id").columns) == 100_001
