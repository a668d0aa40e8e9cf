"""Balances a data set with synthetic images; the report accounts for every candidate."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain

from skin_synth.data.pipeline import LabelledImages, load_split
from skin_synth.evaluation.look_alikes import load_real_images
from skin_synth.generator import RUN, ImageGenerator, inputs_of
from skin_synth.provenance import MANIFEST, ManifestWriter, software_versions
from skin_synth.synthesis.candidates import (
    CandidateGenerator,
    Candidates,
    WorkDirectory,
    seeds_per_class,
)
from skin_synth.synthesis.cost import check_room
from skin_synth.synthesis.filters import CandidateFilter, make_filter
from skin_synth.synthesis.generation import SyntheticImage, training_data
from skin_synth.synthesis.options import ALL_FILTERS, BalanceOptions
from skin_synth.synthesis.report import BalanceReport, audit
from skin_synth.synthesis.targets import missing
from tfrecords_tools.atomic import check_apart, new_directory
from tfrecords_tools.errors import InputError
from tfrecords_tools.image_folder import write_image_folder
from tfrecords_tools.progress import Progress
from tfrecords_tools.records.reader import DatasetInfo, read_info, read_records
from tfrecords_tools.records.schema import (
    DATASET_INFO,
    MISSING,
    ORIGIN_SYNTHETIC,
    TRAIN,
    Record,
    parse_record,
    serialize_record,
)
from tfrecords_tools.records.writer import DatasetDescription, write_records

IMAGE_FOLDER = "image_folder"
FILTER_FILE = "filter.npz"


def balance(
    run: ImageGenerator,
    data: str | os.PathLike[str],
    out: str | os.PathLike[str],
    options: BalanceOptions = BalanceOptions(),
    *,
    overwrite: bool = False,
) -> DatasetInfo:
    """Writes a data set whose training split has enough images of every class.

    Real records are copied byte for byte. Synthetic records follow those of the training split,
    with origin `synthetic`. Validation and test stay real. Candidates are compared with limits
    from held-out real images. If too many candidates of a class fail, the class stays short, and
    the report says so. A killed or failed balance resumes when it is started again.

    Args:
        run: a trained run or a pretrained generator.
        data: directory of the data set on which it was trained.
        out: the data set directory to write; it appears once it is complete.
        options: the images, and the tests of candidates.
        overwrite: whether to replace an existing data set directory.

    Raises:
        InputError: the data set is not that of the run, or holds synthetic images; the target names
            an unknown class; `out` exists, or is, contains or is inside an input; there are no
            held-out images for the limits; or another process balances into `out`.
    """
    check_apart(out, inputs_of(run, data), may_lie_in={RUN})
    info = read_info(training_data(run, data))
    _check_all_real(info)
    training = load_split(data, TRAIN)
    counts = dict(zip(run.class_names, training.class_counts.tolist(), strict=True))
    wanted = missing(options.target, counts, options.ratio)
    # Each image is in a chunk, in the search, in a record and perhaps in a folder.
    copies = 3 + options.image_folder
    side = training.images.shape[1]
    check_room(out, sum(wanted.values()), side, copies=copies)
    settings = _settings(run, options)
    work = WorkDirectory(out)
    # The lock is held longer than the directory, so that the work is removed once the result is in
    # place.
    with work.held():
        with new_directory(out, overwrite=overwrite, marker=DATASET_INFO) as directory:
            work.open({**settings, "wanted": wanted, "steps": options.steps})
            training, held_out = _held_out(info, training, options, wanted)
            candidate_filter = _filter(work, training, held_out, options)
            generator = CandidateGenerator(
                run, training, candidate_filter, work, options, seeds_per_class(wanted.values())
            )
            candidates = _generate(generator, wanted)
            splits = {split: read_records(data, split) for split in info.splits}
            # Synthetic images are PNGs; real ones may be JPEGs.
            image_format = info.image_format if info.image_format == "png" else None
            description = DatasetDescription(
                info.name, info.class_names, info.image_shape, image_format, info.columns
            )
            with ManifestWriter(directory / MANIFEST) as manifest:
                images = chain.from_iterable(map(generator.images, candidates))
                synthetic = _records(images, info, manifest, options.training_names)
                splits[TRAIN] = chain(splits[TRAIN], synthetic)
                write_records(directory, description, splits)
            audited = audit(candidates, training, held_out, options)
            report = BalanceReport(settings, training, candidate_filter, candidates, audited)
            report.write(directory)
            if options.image_folder:
                write_image_folder(directory, directory / IMAGE_FOLDER)
        work.remove()
    return read_info(out)


def _settings(run: ImageGenerator, options: BalanceOptions) -> dict[str, object]:
    origin = run.origin
    return {
        "run_id": origin.run_id,
        "checkpoint_hash": origin.checkpoint_hash,
        "images_seen": origin.images_seen,
        "data_fingerprint": origin.data_fingerprint,
        "target": options.target,
        "ratio": options.ratio,
        "filters": options.filters,
        "seed": options.seed,
        "truncation": options.truncation,
        "software": software_versions(),
    }


def _check_all_real(info: DatasetInfo) -> None:
    """Refuses images of an earlier balance, which would count as real and train the filter."""
    for number, serialized in enumerate(read_records(info.directory, TRAIN)):
        if parse_record(serialized).origin == ORIGIN_SYNTHETIC:
            raise InputError(
                f"{info.directory} holds synthetic images already (training record {number:,} is "
                "the first): balance the data set that they were added to, by a run trained on it"
            )


def _held_out(
    info: DatasetInfo,
    training: LabelledImages,
    options: BalanceOptions,
    wanted: Mapping[str, int],
) -> tuple[LabelledImages, LabelledImages | None]:
    """Returns training images, and held-out ones for the limits; None if no limits are needed."""
    if options.filters != ALL_FILTERS or not any(wanted.values()):
        return training, None
    real = load_real_images(info.directory)
    for found in (real.validation, real.test):  # because the test split is for the final figures
        if found is not None and len(found):
            return real.train, found
    raise InputError(
        f"{info.directory} has neither a validation nor a test split with lesions that are not in "
        "training, to take the limits of the filters from: build it with held-out splits, or "
        "choose --filters copies"
    )


def _filter(
    work: WorkDirectory,
    training: LabelledImages,
    held_out: LabelledImages | None,
    options: BalanceOptions,
) -> CandidateFilter | None:
    if held_out is None:
        return None
    file = work.path / FILTER_FILE
    if not file.is_file():
        make_filter(training, held_out, seed=2 * options.seed, steps=options.steps).save(file)
    # The filter is always read from the file, so that a resumed balance uses the same filter.
    return CandidateFilter.load(file)


def _generate(generator: CandidateGenerator, wanted: Mapping[str, int]) -> list[Candidates]:
    with Progress(total=sum(wanted.values()), unit="images", description="generate") as progress:
        return [
            generator.generate(label, count, progress)
            for label, count in enumerate(wanted.values())
        ]


def _records(
    images: Iterable[SyntheticImage],
    info: DatasetInfo,
    manifest: ManifestWriter,
    training_names: bool,
) -> Iterator[bytes]:
    """Yields the record of each image, and writes its row of the manifest."""
    for image in images:
        manifest.write(image.provenance)
        yield _record(image, info, training_names)


def _record(image: SyntheticImage, info: DatasetInfo, training_names: bool) -> bytes:
    provenance = image.provenance
    return serialize_record(
        Record(
            image=image.png(training_names=training_names),
            label=info.class_names.index(provenance.label),
            image_id=provenance.image_id,
            group=provenance.image_id,
            origin=ORIGIN_SYNTHETIC,
            extras={column.name: MISSING[column.kind] for column in info.columns},
        )
    )
