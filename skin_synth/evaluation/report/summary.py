"""What the figures of a report say in plain words, and where they say less than they seem to."""

from __future__ import annotations

from typing import Any

from skin_synth.evaluation.report.formatting import figure

FEW = 50
"""Images of a class below which its distances are noisy."""
FEW_FOR_FID = 2048


def summary(results: dict[str, Any]) -> list[str]:
    """The report in a few sentences, the verdict first.

    Args:
        results: what report.json holds, but summary.
    """
    return [
        *_on_faults(results["verdict"]),
        _on_use(results.get("utility")),
        _on_classes(results["faithfulness"]),
        _on_distance(results["fidelity"]),
        _on_variety(results["fidelity"]),
        _on_copies(results["copies"]["pixels"]["whole"]),
    ]


def warnings(results: dict[str, Any]) -> list[str]:
    """What a reader must know before believing the figures.

    Args:
        results: what report.json holds, but warnings and summary.
    """
    counts = dict(zip(results["data"]["class_names"], results["images"]["test"], strict=True))
    return [
        *_on_few(counts, results["features"]["dimension"]),
        *_on_bias(results["features"]["name"], sum(counts.values())),
        *_on_floor(results["images"], results["features"]["name"]),
        *_on_groups(results["images"]["groups_in_train_and_test"]),
    ]


def _on_classes(found: dict[str, Any]) -> str:
    synthetic, real = found["synthetic"], found["real"]
    worst = min(synthetic["classes"], key=lambda name: synthetic["classes"][name])
    shared = [name for name, share in real["classes"].items() if share is not None]
    ours, theirs = (
        sum(found["classes"][name] for name in shared) / max(len(shared), 1)
        for found in (synthetic, real)
    )
    among = "" if len(shared) == len(real["classes"]) else f" with test images: {', '.join(shared)}"
    return (
        f"A classifier trained on real images assigns {ours:.0%} of the synthetic "
        f"images to the class that was asked for; of held-out real images it gets "
        f"{theirs:.0%} right (means over classes{among}). The weakest class is {worst} with "
        f"{synthetic['classes'][worst]:.0%}."
    )


def _on_distance(found: dict[str, Any]) -> str:
    whole = found["whole"]
    distance, floor = whole["frechet"], whole["frechet_floor"]
    if distance is None or floor is None:
        return "There are too few real images to measure a distance."
    text = (
        f"Synthetic and held-out real images are {figure(distance)} apart "
        f"({found['frechet_name']}); two sets of real images of that size are {figure(floor)} apart"
    )
    if floor <= 0:
        return f"{text}."
    times = figure(distance / floor)
    return f"{text}, so the synthetic ones are {times} times as far as real ones."


def _on_faults(verdict: dict[str, Any]) -> list[str]:
    faults = verdict["faults"]
    if not faults:
        return [
            f"No fault is proven. All tests together accuse a faultless generator in "
            f"{verdict['alpha']:.0%} of cases at most; with few images, faults stay unproven."
        ]
    number = "One fault is" if len(faults) == 1 else f"{len(faults)} faults are"
    return [f"{number} proven.", *(fault["sentence"] for fault in faults)]


def _on_use(found: dict[str, Any] | None) -> str:
    if found is None:
        return (
            "Whether they help a classifier was not measured: skin-synth evaluate --utility trains "
            "some with and without them."
        )
    words, _, rest = found["verdict"]["sentence"].partition(": ")
    return f"{words.capitalize()} for a classifier: {rest}."


def _on_variety(found: dict[str, Any]) -> str:
    whole = found["whole"]
    if whole["coverage"] is None:
        return "There are too few images to measure variety."
    floor = "" if whole["coverage_floor"] is None else f" ({whole['coverage_floor']:.0%} by others)"
    return (
        f"Of the held-out real images, {whole['coverage']:.0%} have a synthetic one in their "
        f"neighbourhood{floor}: coverage, variety. Of the synthetic images, "
        f"{whole['precision']:.0%} lie among the real ones: precision, fidelity."
    )


def _on_copies(found: dict[str, Any] | None) -> str:
    if found is None:
        return "There are no images to look for copies with."
    near = found["absolute"]
    return (
        f"The nearest training image lies {near['synthetic_median']:.1f} grey levels from a "
        f"synthetic image (median) and {near['yardstick_median']:.1f} from "
        f"{found['yardstick']}. {near['near']:,} of {near['n']:,} synthetic images "
        f"({near['share_below']:.1%}) are nearer than {near['threshold']:.1f}; of images as "
        f"new, {near['share_expected']:.1%} would be."
    )


def _on_few(counts: dict[str, int], dimension: int) -> list[str]:
    few = [f"{name} ({count})" for name, count in counts.items() if count < FEW]
    text = []
    if few:
        text.append(
            f"Fewer than {FEW} real test images of {', '.join(few)}: distances of these classes "
            "are noise to a large part; compare them with their floor only."
        )
    sets = {"the whole set": sum(counts.values()), **counts}
    flat = [name for name, count in sets.items() if count <= dimension]
    if flat:
        text.append(
            f"No more test images than features ({dimension}) of {', '.join(flat)}: their Fréchet "
            "distances are biased upwards. The kernel distance is not."
        )
    return text


def _on_bias(features: str, count: int) -> list[str]:
    if features == "inception" and count < FEW_FOR_FID:
        return [
            f"FID needs {FEW_FOR_FID:,} images on each side to be compared with published figures; "
            f"there are {count:,}."
        ]
    return []


def _on_floor(images: dict[str, Any], features: str) -> list[str]:
    text = []
    if sum(images["floor"]) < sum(images["test"]):
        text.append(
            "The floor has fewer images than the reference; it is a little too high, and that "
            "flatters the synthetic images."
        )
    learnt = sum(images["floor"]) - images["floor_held_out"]
    if learnt and features == "classifier":
        text.append(
            f"{learnt:,} of {sum(images['floor']):,} images of the floor are training images, "
            "which the classifier has seen: the floor is a little too high."
        )
    return text


def _on_groups(in_two: int) -> list[str]:
    if not in_two:
        return []
    return [
        f"{in_two:,} groups (lesions or patients) have images in the training and in the test "
        "split: all figures flatter. Build the data set anew with groups."
    ]
