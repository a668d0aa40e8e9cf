"""Damages files: at random in their bytes, or in the values of JSON, CSV, NPZ and other files.

A mutant is a pure function of the file and a number.
"""

from __future__ import annotations

import copy
import csv
import io
import json
import struct
import zipfile
import zlib

import numpy as np

from skin_synth.saved_model.variables_index import FOOTER, MAGIC, masked_checksum, read_entries

INTEGERS = (0, 1, -1, 2, 7, 255, 2**16, 2**31, 2**32, 2**63 - 1, 2**63, 2**64, 10**30, -(2**63))
TEXTS = (
    *(
        "",
        " ",
        "\0",
        "a\nb",
        "\x1b[2J",
        "\ud800",
        "=1+1",
        "../../etc/passwd",
        "é" * 300,
        "NaN",
        "-1",
    ),
    *("1e999", "<b>", "\u202e", "x" * 70_000, "true", "null", "'", '"', "a,b"),
)
VALUES = (
    *(None, True, False, [], {}, [[]], {"": None}, 0.5, -0.0, 1e308, float("nan"), float("inf")),
    *INTEGERS,
    *TEXTS,
)
DEPTH = 5_000


def mutate(content: bytes, number: int, structure: str = "") -> bytes:
    """Returns another content; `structure` is one of `STRUCTURED`, or empty."""
    rng = np.random.default_rng([number, len(content)])
    if structure and rng.random() < 0.6:
        return STRUCTURED[structure](content, rng)
    mutant = content
    while mutant == content:
        for _ in range(int(rng.choice([1, 1, 1, 2, 4, 16]))):
            mutant = _in_bytes(mutant, rng)
    return mutant


def _in_bytes(content: bytes, rng: np.random.Generator) -> bytes:
    if not content:
        return rng.bytes(8)
    size = len(content)
    # Headers are short and matter most.
    span = size if rng.random() < 0.6 else min(size, 64)
    at = int(rng.integers(span)) if rng.random() < 0.8 else size - 1 - int(rng.integers(span))
    length = int(min(size - at, rng.choice([1, 2, 4, 8, 64, 1024])))
    before, part, after = content[:at], content[at : at + length], content[at + length :]
    match rng.integers(8):
        case 0:
            return before + bytes([part[0] ^ (1 << int(rng.integers(8)))]) + part[1:] + after
        case 1:
            return before + rng.bytes(length) + after
        case 2:
            return before  # cut off
        case 3:
            return before + after
        case 4:
            return before + part + part + after
        case 5:
            return before + rng.bytes(length) + part + after
        case 6:
            number = int(rng.choice(np.array(INTEGERS[:8]))) % 2**32
            return before + struct.pack(rng.choice(["<I", ">I"]), number) + after[4:]
        case _:
            other = int(rng.integers(size))
            return before + content[other : other + length] + after


def _json(content: bytes, rng: np.random.Generator) -> bytes:
    tree = json.loads(content)
    kind = rng.integers(12)
    if kind == 0:
        return b"[" * DEPTH + b"]" * DEPTH
    if kind == 2:
        return json.dumps(VALUES[int(rng.integers(len(VALUES)))]).encode()
    if kind == 1:
        text = json.dumps(tree)
        return text.replace("{", '{"a": 1, "a": 2, ', 1).encode()
    for _ in range(int(rng.choice([1, 1, 2, 3]))):
        tree = _changed(tree, rng)
    return json.dumps(tree).encode()


def _changed(tree: object, rng: np.random.Generator) -> object:
    """Changes one value somewhere in a tree."""
    tree = copy.deepcopy(tree)
    places = list(_places(tree))
    if not places:
        return VALUES[int(rng.integers(len(VALUES)))]
    holder, key = places[int(rng.integers(len(places)))]
    match rng.integers(7):
        case 0:
            del holder[key]
        case 1 if isinstance(holder, dict):
            holder[f"{key}x"] = holder.pop(key)
        case 1 | 2 if isinstance(holder, list) and len(holder) > 1:
            holder.reverse()
        case 3:
            holder[key] = _near(holder[key], rng)
        case 4:
            other, name = places[int(rng.integers(len(places)))]
            holder[key] = copy.deepcopy(other[name])
        case _:
            holder[key] = VALUES[int(rng.integers(len(VALUES)))]
    return tree


def _near(value: object, rng: np.random.Generator) -> object:
    """Returns a value of the same type that is a little wrong."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return [value + 1, -value, float(value), value * 1000, str(value)][int(rng.integers(5))]
    if isinstance(value, str):
        return [value + "x", value[:-1], value.upper(), f" {value}"][int(rng.integers(4))]
    return [value]


def _places(tree: object):
    """Yields the holder and key of every value in a tree."""
    for key, value in (
        list(tree.items())
        if isinstance(tree, dict)
        else list(enumerate(tree))
        if isinstance(tree, list)
        else []
    ):
        yield tree, key
        yield from _places(value)


def _csv(content: bytes, rng: np.random.Generator) -> bytes:
    rows = list(csv.reader(io.StringIO(content.decode(), newline="")))
    for _ in range(int(rng.choice([1, 1, 2, 3]))):
        row = int(rng.integers(len(rows))) if rows else 0
        cells = rows[row] if rows else []
        column = int(rng.integers(len(cells))) if cells else 0
        text = str(TEXTS[int(rng.integers(len(TEXTS)))])
        match rng.integers(7):
            case 0 if cells:
                del cells[column]
            case 1:
                cells.insert(column, text)
            case 2 if rows:
                del rows[row]
            case 3 if rows:
                rows.append(list(cells))
            case 4 if cells:
                other = rows[int(rng.integers(len(rows)))]
                cells[column] = other[column % len(other)] if other else text
            case 5 if cells:
                cells[column] = str(INTEGERS[int(rng.integers(len(INTEGERS)))])
            case _ if cells:
                cells[column] = text
    buffer = io.StringIO(newline="")
    csv.writer(buffer, lineterminator="\n").writerows(rows)
    return buffer.getvalue().encode("utf-8", "surrogatepass")


def _npz(content: bytes, rng: np.random.Generator) -> bytes:
    with np.load(io.BytesIO(content)) as found:
        arrays = {name: found[name] for name in found.files}
    name = list(arrays)[int(rng.integers(len(arrays)))]
    array = arrays[name]
    match rng.integers(9):
        case 0:
            del arrays[name]
        case 1:
            arrays[name] = array.astype("f8" if array.dtype.kind in "iu" else "S3")
        case 2:
            arrays[name] = array[:-1] if array.ndim else np.array([array])
        case 3:
            arrays[name] = np.concatenate([array, array]) if array.ndim else np.array(["x", "y"])
        case 4 if array.dtype.kind in "iuf" and array.size:
            arrays[name] = array.copy()
            last = np.iinfo(array.dtype).max if array.dtype.kind in "iu" else np.nan
            arrays[name].flat[int(rng.integers(array.size))] = last
        case 5:
            arrays[name] = np.empty((0, *array.shape[1:]), array.dtype)
        case 6:
            return _packed(arrays)
        case 7:
            arrays[f"{name}x"] = arrays.pop(name)
        case _:
            return _promising(arrays, name, rng)
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def _packed(arrays: dict[str, np.ndarray]) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays, bomb=np.zeros(3 * 10**6, np.uint8))
    return buffer.getvalue()


def _promising(arrays: dict[str, np.ndarray], name: str, rng: np.random.Generator) -> bytes:
    """An array whose header promises more than there is, with a true checksum."""
    buffer = io.BytesIO()
    shape = [(10**12,), (2**31, 2**31), (-1,), (0,), (10**6, 10**3)][int(rng.integers(5))]
    dtype = ["<f4", "|O", "|V0", "<U2147483647", "|u1"][int(rng.integers(5))]
    header = {"descr": dtype, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(buffer, header)
    buffer.write(rng.bytes(64))
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w") as archive:
        for other, array in arrays.items():
            stream = io.BytesIO()
            np.lib.format.write_array(stream, array)
            content = buffer.getvalue() if other == name else stream.getvalue()
            archive.writestr(zipfile.ZipInfo(f"{other}.npy"), content)
    return whole.getvalue()


def _png(content: bytes, rng: np.random.Generator) -> bytes:
    """Changes a chunk of a PNG, with a true checksum."""
    chunks, at = [], 8
    while at < len(content):
        (length,) = struct.unpack_from(">I", content, at)
        chunks.append((content[at + 4 : at + 8], content[at + 8 : at + 8 + length]))
        at += 12 + length
    which = int(rng.integers(len(chunks)))
    name, data = chunks[which]
    match rng.integers(5):
        case 0:
            del chunks[which]
        case 1:
            chunks.insert(which, (name, data))
        case 2:
            extra = [b"zTXt", b"iTXt", b"iCCP", b"tEXt", b"acTL", b"eXIf"][int(rng.integers(6))]
            bomb = zlib.compress(bytes(10**6))
            chunks.insert(
                which, (extra, b"k\0\0" + (bomb if rng.random() < 0.5 else rng.bytes(30)))
            )
        case 3 if name == b"IHDR":
            side = int(INTEGERS[int(rng.integers(8))]) % 2**32
            chunks[which] = (name, struct.pack(">I", side) + data[4:])
        case _:
            changed = data
            while data and changed == data:
                changed = _in_bytes(data, rng)
            chunks[which] = (name, changed)
    return content[:8] + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks
    )


def _bundle(content: bytes, rng: np.random.Generator) -> bytes:
    """Changes an entry of the index of variables of a SavedModel, with true checksums."""
    from tensorflow.core.protobuf import tensor_bundle_pb2

    entries = read_entries(content)
    key = list(entries)[int(rng.integers(len(entries)))]
    kind = tensor_bundle_pb2.BundleEntryProto if key else tensor_bundle_pb2.BundleHeaderProto
    entry = kind.FromString(entries[key])
    number = int(rng.choice(np.array(INTEGERS[:9], np.int64)))
    match rng.integers(8):
        case 0:
            del entries[key]
        case 1:
            entries[key + b"x"] = entries.pop(key)
        case 2:
            entries[key] = entries[list(entries)[int(rng.integers(len(entries)))]]
        case 3:
            entries[key] = _in_bytes(entries[key], rng)
        case _ if not key:
            setattr(entry, "num_shards" if rng.random() < 0.5 else "endianness", abs(number) % 9)
            entries[key] = entry.SerializeToString()
        case 4:
            entry.dtype = int(rng.integers(40))
            entries[key] = entry.SerializeToString()
        case 5 if entry.shape.dim:
            entry.shape.dim[int(rng.integers(len(entry.shape.dim)))].size = number
            entries[key] = entry.SerializeToString()
        case 6:
            entry.shape.dim.add().size = number
            entries[key] = entry.SerializeToString()
        case _:
            setattr(entry, "offset" if rng.random() < 0.5 else "size", number)
            entries[key] = entry.SerializeToString()
    return write_bundle(entries)


def write_bundle(entries: dict[bytes, bytes]) -> bytes:
    """Writes an index of variables."""
    table = b""

    def add(found: dict[bytes, bytes]) -> bytes:
        nonlocal table
        block = b"".join(
            b"\0" + _varint(len(key)) + _varint(len(value)) + key + value
            for key, value in sorted(found.items())
        )
        block += struct.pack("<II", 0, 1)
        handle = _varint(len(table)) + _varint(len(block))
        table += block + b"\0" + struct.pack("<I", masked_checksum(block + b"\0"))
        return handle

    data = add(entries)
    handles = [add({}), add({max(entries, default=b""): data})]
    return table + b"".join(handles).ljust(FOOTER - 8, b"\0") + MAGIC


def _varint(number: int) -> bytes:
    found = b""
    while number > 127:
        found, number = found + bytes([number & 127 | 128]), number >> 7
    return found + bytes([number])


STRUCTURED = {"json": _json, "csv": _csv, "npz": _npz, "png": _png, "bundle": _bundle}
