"""A data set with enough images of every class, each synthetic one accounted for."""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from skin_synth.data.pipeline import LabelledImages, load_split
from skin_synth.evaluation.features.extractors import Extractor
from skin_synth.generator import RUN, ImageGenerator, inputs_of
from skin_synth.provenance import MANIFEST, manifest_csv, software_versions
from skin_synth.synthesis.candidates import Drawer, Drawing, WorkDirectory
from skin_synth.synthesis.filters import Gauge, make_gauge
from skin_synth.synthesis.generation import Painted, check_data, sign
from skin_synth.synthesis.report import (
    BALANCE_REPORT,
    CANDIDATES,
    Account,
    audit,
    candidates_csv,
    report_json,
    write_sheets,
)
from skin_synth.synthesis.targets import MAX, Target, missing
from tfrecords_tools.atomic import check_apart
from tfrecords_tools.errors import InputError
from tfrecords_tools.image_folder import write_image_folder
from tfrecords_tools.progress import Progress
from tfrecords_tools.records.reader import DatasetInfo, read_info, read_records
from tfrecords_tools.records.schema import (
    MISSING,
    ORIGIN_SYNTHETIC,
    TEST,
    TRAIN,
    VALIDATION,
    Record,
    parse_record,
    serialize_record,
)
from tfrecords_tools.records.writer import write_dataset

ALL, COPIES = FILTERS = ("all", "copies")
"""All tests of `filters`, or exact copies alone."""
IMAGE_FOLDER = "image_folder"
LARGEST_SEED = 2**62 - 1


def balance(
    run: ImageGenerator,
    data: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    target: Target = MAX,
    ratio: float | None = None,
    filters: str = ALL,
    seed: int = 0,
    truncation: float = 1.0,
    image_folder: bool = False,
    audit_features: Extractor | None = None,
    steps: int | None = None,
    overwrite: bool = False,
) -> DatasetInfo:
    """Writes a data set whose training split has enough images of every class.

    Real records are copied byte for byte; synthetic ones follow those of the training split, with
    origin `synthetic`. Validation and test stay real. Candidates are tested against limits taken
    from held-out real images; a class of which too many fail is left short, and the report says
    so. A process that was killed or failed goes on where it stopped when it is started again.

    Args:
        run: a trained run or a pretrained generator.
        data: the data set directory that it was trained on.
        out: data set directory to be; it appears once it is complete.
        target: images in every class: "max" for those of the largest class, "median", a number,
            or numbers by class name.
        ratio: synthetic images for each real one of a class, at the most; None for no limit.
        filters: "all", or "copies" to drop exact copies only.
        seed: the first seed of the first class (others have seeds of their own), and that of the
            classifiers.
        truncation: factor of the latents.
        image_folder: whether to add all images as files with a CSV, in `IMAGE_FOLDER`.
        audit_features: by what the distance to training images is measured again; None: a second
            classifier, which is trained for it.
        steps: training steps of each classifier; None: as many as the training split needs.
        overwrite: whether to replace a data set directory that is there already.

    Returns:
        What was written.

    Raises:
        InputError: a data set other than the run's, or with synthetic images in it; a target,
            ratio or filter that is none; a directory that is there already or is, holds or lies in
            what is read; no held-out images to take the limits from; or another process balances
            into `out`.
    """
    if filters not in FILTERS:
        raise InputError(f"filters must be one of {', '.join(FILTERS)}, got {filters!r}")
    if not 0 <= seed <= LARGEST_SEED:
        raise InputError(
            f"seed must be from 0 to 2**62 - 1, which leaves room for more, got {seed}"
        )
    check_apart(out, inputs_of(run, data), may_lie_in={RUN})
    info = read_info(check_data(run, data))
    _check_all_real(info)
    training = load_split(data, TRAIN)
    counts = dict(zip(run.class_names, training.class_counts.tolist(), strict=True))
    wanted = missing(target, counts, ratio)
    settings: dict[str, Any] = {
        "run_id": run.origin.run_id,
        "checkpoint_hash": run.origin.checkpoint_hash,
        "images_seen": run.origin.images_seen,
        "data_fingerprint": run.origin.data_fingerprint,
        "target": target,
        "ratio": ratio,
        "filters": filters,
        "seed": seed,
        "truncation": truncation,
        "software": software_versions(),
    }
    work = WorkDirectory(out)
    account = Account(settings, counts, wanted)

    def filled() -> Iterator[bytes]:
        held.enter_context(work.held())
        held.callback(work.remove_if_empty)
        work.open({**settings, "wanted": wanted, "steps": steps})
        yield from read_records(data, TRAIN)
        held_out = _held_out(info) if filters == ALL and any(wanted.values()) else None
        gauge = None
        if held_out is not None:
            make = functools.partial(make_gauge, training, held_out, seed=2 * seed, steps=steps)
            gauge = _kept_gauge(work, make)
            account.gauge = gauge
        drawer = Drawer(run, training, gauge, work, seed=seed, truncation=truncation)
        for drawing in _draw_all(drawer, wanted):
            account.drawings.append(drawing)
            for painted in _signed(drawing, run, training, truncation):
                account.rows.append(painted.provenance)
                yield _record(painted, info)
        if held_out is not None:
            account.audit = audit(
                account.drawings,
                training,
                held_out,
                extractor=audit_features,
                seed=2 * seed + 1,
                steps=steps,
            )

    def finish(directory: Path) -> None:
        (directory / MANIFEST).write_bytes(manifest_csv(account.rows))
        (directory / CANDIDATES).write_bytes(candidates_csv(account.drawings, training))
        (directory / BALANCE_REPORT).write_bytes(report_json(account))
        write_sheets(directory, account)
        if image_folder:
            write_image_folder(directory, directory / IMAGE_FOLDER)

    # Whatever stops a balance, what it has done stays for the next start.
    with contextlib.ExitStack() as held:
        written = write_dataset(
            out,
            name=info.name,
            class_names=info.class_names,
            image_shape=info.image_shape,
            # Synthetic images are PNGs; real ones may be JPEGs.
            image_format=info.image_format if info.image_format == "png" else None,
            columns=info.columns,
            splits={
                split: filled() if split == TRAIN else read_records(data, split)
                for split in info.splits
            },
            finish=finish,
            overwrite=overwrite,
        )
        work.remove()
    return written


def _check_all_real(info: DatasetInfo) -> None:
    """Images of an earlier balance would count as real ones, and be taught to the filters."""
    for number, serialized in enumerate(read_records(info.directory, TRAIN)):
        if parse_record(serialized).origin == ORIGIN_SYNTHETIC:
            raise InputError(
                f"{info.directory} holds synthetic images already (training record {number:,} is "
                "the first): balance the data set that they were added to, by a run trained on it"
            )


def _held_out(info: DatasetInfo) -> LabelledImages:
    """Real images to take limits from: those of validation, for test is to judge by in the end."""
    for split in (VALIDATION, TEST):
        if split in info.splits:
            return load_split(info.directory, split)
    raise InputError(
        f"{info.directory} has neither a validation nor a test split to take the limits of the "
        "filters from: build it with held-out splits, or choose --filters copies"
    )


def _kept_gauge(work: WorkDirectory, make: Any) -> Gauge:
    if not work.gauge().is_file():
        make().save(work.gauge())
    # Read back in either case, so that a process that goes on sees the very same.
    return Gauge.load(work.gauge())


def _draw_all(drawer: Drawer, wanted: dict[str, int]) -> Iterator[Drawing]:
    with Progress(total=sum(wanted.values()), unit="images", description="paint") as progress:
        for label, count in enumerate(wanted.values()):
            drawing = drawer.draw(label, count)
            progress.update(drawing.kept)
            yield drawing


def _signed(
    drawing: Drawing, run: ImageGenerator, training: LabelledImages, truncation: float
) -> Iterator[Painted]:
    for chunk in drawing.chunks:
        for row, image in zip(chunk.kept, chunk.images, strict=True):
            yield sign(
                image,
                run,
                label=training.class_names[drawing.label],
                seed=int(chunk.seeds[row]),
                truncation=truncation,
                nearest_image_id=training.image_ids[chunk.nearest[row]],
                nearest_distance=float(chunk.distance[row]),
            )


def _record(painted: Painted, info: DatasetInfo) -> bytes:
    provenance = painted.provenance
    return serialize_record(
        Record(
            image=painted.png,
            label=info.class_names.index(provenance.label),
            image_id=provenance.image_id,
            group=provenance.image_id,
            origin=ORIGIN_SYNTHETIC,
            extras={column.name: MISSING[column.kind] for column in info.columns},
        )
    )
