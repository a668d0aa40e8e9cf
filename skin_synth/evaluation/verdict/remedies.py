"""What a user can do about each fault that a report proves."""

from __future__ import annotations

TRAIN_LONGER = (
    "train longer, as long as validation.png of the run still improves: a new run with more "
    "--minutes or --images; with few training images, start it from a trained generator "
    "(--init_from)"
)
LOOK_AT_CLASS = (
    "look at this class in the grids, and at its labels in the data set; a rare class needs a "
    "longer training, or --set sampling_exponent=0"
)
REMEDIES = {
    "leak": "build the data set again with --group_column, so that lesions stay in one split",
    "real_images": "take these files out: they are real images",
    "copies": "publish none of these images; train for a shorter time (--checkpoint best) or with "
    "more real images; skin-synth balance drops such images",
    "duplicates": "train longer; skin-synth balance drops images that are near each other",
    "missing_class": LOOK_AT_CLASS,
    "weak_class": LOOK_AT_CLASS,
    "swapped_labels": "compare the grids of these classes, and the labels in the data set",
    "little_variety": "train longer, as long as coverage still rises; where images of one class "
    "have very different forms, a new run with --set mapping_layers=2; generate without truncation",
    "blur": TRAIN_LONGER,
    "noise": TRAIN_LONGER,
    "no_lesion": TRAIN_LONGER,
    "drift": TRAIN_LONGER,
    "unlike_real": TRAIN_LONGER,
}
"""By fault, as in `results.Fault`."""


TRAIN_PROGRAM_LONGER = "train the program longer, or on more images"
LOOK_AT_FOLDER = (
    "look at this class in the grids, and at its labels in the data set and in the folder; a rare "
    "class needs a longer training, or a larger share of the batches"
)
REMEDIES_OF_PROGRAM = REMEDIES | {
    "copies": "publish none of these images; train the program for a shorter time, or with more "
    "real images",
    "duplicates": "train the program longer; keep one of the images that are near each other",
    "missing_class": LOOK_AT_FOLDER,
    "weak_class": LOOK_AT_FOLDER,
    "swapped_labels": "compare the grids of these classes, and the labels in the data set and in "
    "the folder",
    "little_variety": "train the program longer, and generate without truncation or strong "
    "guidance",
    **dict.fromkeys(("blur", "noise", "no_lesion", "drift", "unlike_real"), TRAIN_PROGRAM_LONGER),
}
"""For images of another program, which has none of our flags."""


def remedy(fault: str, *, of_program: bool = False) -> str:
    """Returns what to do about a fault, as a sentence that begins with a capital letter.

    Args:
        fault: as in `results.Fault`.
        of_program: whether another program generated the images.
    """
    text = (REMEDIES_OF_PROGRAM if of_program else REMEDIES)[fault]
    return f"{text[0].upper()}{text[1:]}."
