"""The figures of a report in plain words, and their limits."""

from __future__ import annotations

from skin_synth.evaluation.metrics.comparison import Fidelity
from skin_synth.evaluation.metrics.faithfulness import Faithfulness
from skin_synth.evaluation.privacy.results import PrivacyResults
from skin_synth.evaluation.report.formatting import figure
from skin_synth.evaluation.results import (
    Copies,
    ImageCounts,
    MeasuredFigures,
    Provenance,
    Summary,
    Verdict,
)
from skin_synth.evaluation.utility.results import UtilityResults
from tfrecords_tools.text import abbreviate

NOISY_BELOW = 50
"""Distances of a class with fewer images are noisy."""
FEW_IMAGES = 100
"""If there are fewer test images in all, the figures of the whole set are noisy."""
FEWEST_FOR_FID = 2048
LARGE_GROUP, LARGE_GROUP_SHARE = 10, 0.1
"""A lesion with more test images, and with a larger share of them, moves the distances."""


def summary(
    figures: MeasuredFigures,
    fidelity: Fidelity,
    verdict: Verdict,
    utility: UtilityResults | None,
    privacy: PrivacyResults | None = None,
) -> Summary:
    """Returns the report in a few sentences."""
    number = len(verdict.faults)
    subject = {0: "No fault is", 1: "One fault is"}.get(number, f"{number} faults are")
    return Summary(
        headline=f"{subject} proven.",
        caveat=""
        if number
        else "All tests together find a fault of a faultless generator in at most "
        f"{verdict.alpha:.0%} of cases; with few images, faults stay unproven.",
        faults=tuple(fault.sentence for fault in verdict.faults),
        use=_on_use(utility),
        classes=_on_classes(figures.faithfulness),
        distance=_on_distance(fidelity),
        variety=_on_variety(fidelity),
        copies=_on_copies(figures.copies, verdict.threshold),
        privacy=()
        if privacy is None
        else (privacy.verdict.sentence, privacy.verdict.discriminator_sentence),
    )


def warnings(provenance: Provenance, images: ImageCounts) -> tuple[str, ...]:
    """Returns sentences that a reader must know before relying on the figures."""
    counts = dict(zip(provenance.data.class_names, images.test, strict=True))
    features = provenance.features
    return (
        *_on_folder(provenance),
        *_on_synthetic_records(images.synthetic_left_out),
        *_on_few(counts, features.dimension),
        *_on_reference(images),
        *_on_baseline(images, features.name),
    )


def _on_synthetic_records(count: int) -> tuple[str, ...]:
    if not count:
        return ()
    return (
        f"The data set holds {count:,} synthetic images. They are left out: generated images are "
        "compared with real ones only.",
    )


def _on_use(found: UtilityResults | None) -> str:
    if found is None:
        return (
            "Whether they help a classifier was not measured: skin-synth evaluate --utility trains "
            "some with and without them."
        )
    verdict = found.verdict
    return f"{verdict.words.capitalize()} for a classifier: {verdict.advice}. {verdict.finding}."


def _on_classes(found: Faithfulness) -> str:
    synthetic = {name: share or 0.0 for name, share in found.synthetic.classes.items()}
    real = {name: share for name, share in found.real.classes.items() if share is not None}
    worst = min(synthetic, key=lambda name: synthetic[name])
    ours = sum(synthetic[name] for name in real) / max(len(real), 1)
    theirs = sum(real.values()) / max(len(real), 1)
    among = "" if len(real) == len(synthetic) else f" with test images: {', '.join(real)}"
    return (
        f"A classifier trained on real images assigns {ours:.0%} of the synthetic images to the "
        f"requested class; it is right about {theirs:.0%} of held-out real images (means over "
        f"classes{among}). The weakest class is {worst} with {synthetic[worst]:.0%}."
    )


def _on_distance(found: Fidelity) -> str:
    distance, floor = found.whole.frechet, found.whole.frechet_floor
    if distance is None or floor is None:
        return "There are too few real images to measure a distance."
    few = (
        f"There are only {found.whole.n:,} test images: distances and shares are mostly noise. "
        if found.whole.n < FEW_IMAGES
        else ""
    )
    apart = (
        f"{few}Synthetic and held-out real images are {figure(distance)} apart "
        f"({found.frechet_name})"
    )
    if not found.whole.floor_of_same_size:
        return (
            f"{apart}. There is no distance of real images to compare it with: it depends on the "
            f"number of images, and there are {found.whole.n:,} test images but only "
            f"{found.whole.n_floor:,} other real ones."
        )
    farther = ""
    if floor > 0 and not few:
        times = (
            "no farther than"
            if distance <= floor
            else f"{figure(distance / floor)} times as far as"
        )
        farther = f", so the synthetic ones are {times} real ones"
    return f"{apart}; two sets of real images of that size are {figure(floor)} apart{farther}."


def _on_variety(found: Fidelity) -> str:
    whole = found.whole
    if whole.coverage is None:
        return "There are too few images to measure variety."
    comparable = whole.coverage_floor is not None and whole.floor_of_same_size
    floor = f"; other real images reach {whole.coverage_floor:.0%}" if comparable else ""
    return (
        f"Variety: of the held-out real images, {whole.coverage:.0%} have a synthetic one in their "
        f"neighbourhood (coverage{floor}). Fidelity: of the synthetic images, "
        f"{whole.precision:.0%} are among the real ones (precision)."
    )


def _on_copies(copies: Copies, threshold: float) -> str:
    found = copies.pixels.whole
    if found is None:
        return "There are no images for a search for copies."
    near = found.absolute
    tests = [("pixels", found), ("features", copies.features.whole)]
    p_values = [f"{figures.both.p_value:.2g} by {by}" for by, figures in tests if figures]
    return (
        f"The median distance to the nearest training image is {near.synthetic_median:.1f} grey "
        f"levels for synthetic images and {near.yardstick_median:.1f} for {found.yardstick}. "
        f"{near.near:,} of {near.n:,} synthetic images ({near.share_below:.1%}) are nearer than "
        f"{near.threshold:.1f}; of new images, {near.share_expected:.1%} would be. "
        "Images among these that are also much nearer to one lesion than to all others, like a "
        f"copy: {found.both.near:,}. The test of their number gives p = {' and '.join(p_values)}; "
        f"below {threshold:.0e} copies are proven. Copies that are moved, cropped, brightened or "
        "recoloured are looked for by features only."
    )


def _on_folder(provenance: Provenance) -> list[str]:
    folder = provenance.image_folder
    if folder is None:
        return []
    text, side = [], provenance.run.image_size
    if folder.resized:
        sizes = ", ".join(f"{count:,} of {size}" for size, count in folder.resized.items())
        text.append(
            f"The data set has images of {side}x{side} pixels; others were resized as "
            f"tfrecords-tools does, after a crop to the central square: {sizes}. Enlarged images "
            "are blurred for that reason alone."
        )
    if folder.sets == 1:
        text.append(
            "The folder has images for one set only: the spread of the Fréchet distance over sets "
            "is not measured."
        )
    if folder.left_out:
        names = abbreviate([*folder.left_out])
        text.append(f"Files of the folder that are no images were left out: {names}.")
    return text


def _on_few(counts: dict[str, int], dimension: int) -> list[str]:
    few = [f"{name} ({count})" for name, count in counts.items() if count < NOISY_BELOW]
    text = []
    if few:
        text.append(
            f"Fewer than {NOISY_BELOW} real test images of {', '.join(few)}: distances of these "
            "classes are mostly noise; compare them only with their floor."
        )
    sets = {"the whole set": sum(counts.values()), **counts}
    flat = [name for name, count in sets.items() if count <= dimension]
    if flat:
        text.append(
            f"No more test images than features ({dimension}) of {', '.join(flat)}: their Fréchet "
            "distances are biased upwards. The kernel distance is not."
        )
    return text


def _on_reference(images: ImageCounts) -> list[str]:
    leak, text = images.leak, []
    if 2 * images.without_group > sum(images.train) + sum(images.test):
        text.append(
            f"{images.without_group:,} images have no lesion or patient, so each counts as a "
            "lesion of its own. If several show one lesion, it may be in training and in test, and "
            "all figures are too good. Then build the data set again with --group_column."
        )
    if left_out := sum(leak.left_out_of_test):
        text.append(
            f"{left_out:,} of {left_out + leak.repeats_in_test + sum(images.test):,} test images "
            "are left out, because their lesions are also in training. Build the data set again "
            "with groups."
        )
    elif pairs := leak.look_alikes_across_splits:
        text.append(
            f"Pairs of images of different splits look the same: {pairs:,}, such as "
            f"{leak.look_alikes[0]}. {leak.left_out_of_validation:,} validation images are left "
            "out for this."
        )
    if leak.repeats_in_test:
        text.append(
            f"{leak.repeats_in_test:,} test images are left out, because they look the "
            "same as another test image that counts as another lesion."
        )
    if leak.search_cut_short:
        text.append(
            "So many real images look alike that not all pairs were compared: some test images "
            "may still be in training."
        )
    largest, tested = images.largest_group_of_test, sum(images.test)
    if largest >= LARGE_GROUP and largest > LARGE_GROUP_SHARE * tested:
        text.append(
            f"One lesion (or patient) has {largest:,} of the {tested:,} test images: the distances "
            "depend on it. The tests of the verdict use one image of each lesion."
        )
    return text


def _on_baseline(images: ImageCounts, features: str) -> list[str]:
    text = []
    count, tested = sum(images.floor), sum(images.test)
    if features == "inception" and tested < FEWEST_FOR_FID:
        text.append(
            f"FID needs {FEWEST_FOR_FID:,} images on each side to be compared with published "
            f"figures; there are {tested:,}."
        )
    if count < tested:
        text.append(
            f"The floor has fewer images than the reference ({count:,} and {tested:,}). Fréchet "
            "distance, precision, recall, density and coverage depend on the number of images, so "
            "they have no floor where the numbers differ. The kernel distance has one."
        )
    learnt = count - images.floor_held_out
    if learnt and features == "classifier":
        text.append(
            f"{learnt:,} of {count:,} images of the floor are training images, which the "
            "classifier has seen: the floor is a little too high."
        )
    return text
