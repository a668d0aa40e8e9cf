"""Results of the attacks in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from skin_synth.evaluation.privacy.figures import CHANCE, FALSE_POSITIVE_RATE
from skin_synth.evaluation.privacy.results import (
    NOT_TOLD,
    OPEN,
    TOLD,
    Attack,
    AttackFigures,
    Estimate,
    PrivacyVerdict,
)

HARMLESS_AUROC = 0.6
"""The report says "cannot tell" only if the AUROC is proven to be lower than this."""


def reach_privacy_verdict(attacks: Mapping[str, Attack]) -> PrivacyVerdict:
    """Judges the attacks by images, and the attack by the discriminator."""
    by_images = [attack for attack in attacks.values() if not attack.needs_discriminator]
    by_discriminator = [attack for attack in attacks.values() if attack.needs_discriminator]
    return PrivacyVerdict(
        _words(by_images),
        _classes(by_images),
        _on_images(by_images),
        _words(by_discriminator) if by_discriminator else None,
        _on_discriminator(by_discriminator),
    )


def _works(figures: AttackFigures | None) -> bool:
    """Returns whether the corrected interval of a figure is above chance."""
    found = {} if figures is None else vars(figures)
    return any(
        estimate is not None and estimate.corrected_low > CHANCE[name]
        for name, estimate in found.items()
    )


def _classes(attacks: Sequence[Attack]) -> tuple[str, ...]:
    """Returns the classes in which an attack works."""
    names = attacks[0].classes if attacks else ()
    return tuple(name for name in names if any(_works(each.classes[name]) for each in attacks))


def _words(attacks: Sequence[Attack]) -> str:
    if any(_works(attack.whole) for attack in attacks) or _classes(attacks):
        return TOLD
    highest = [attack.whole.auroc.corrected_high for attack in attacks if attack.whole]
    return NOT_TOLD if highest and max(highest) < HARMLESS_AUROC else OPEN


def _on_images(attacks: Sequence[Attack]) -> str:
    words, who = _words(attacks), "an attacker who sees only synthetic images"
    figures = _best(attacks)
    if figures is None:
        return f"There are too few real images to say whether {who} can recognise training images."
    if words == TOLD:
        start = f"{who} can tell training images{_of(_classes(attacks), attacks)} from others"
    elif words == NOT_TOLD:
        start = f"{who} cannot tell training images from others"
    else:
        start = f"the images are too few to say whether {who} can tell training images from others"
    return f"{start[0].upper()}{start[1:]}: {figures}."


def _on_discriminator(attacks: Sequence[Attack]) -> str:
    if not attacks:
        return "The generator comes without its discriminator, so that no attack by it was tried."
    words, figures = _words(attacks), _best(attacks)
    if figures is None:
        return "There are too few real images to try the attack by the discriminator."
    if words == TOLD:
        return (
            "The discriminator must not be published: its scores tell training images"
            f"{_of(_classes(attacks), attacks)} from others ({figures})."
        )
    if words == NOT_TOLD:
        return (
            f"The scores of the discriminator do not tell training images from others: {figures}."
        )
    return (
        "The images are too few to say whether the scores of the discriminator tell training "
        f"images from others ({figures}): do not publish it."
    )


def _of(classes: Sequence[str], attacks: Sequence[Attack]) -> str:
    """Names the classes, unless the mean over classes is above chance."""
    return "" if any(_works(each.whole) for each in attacks) else f" of {', '.join(classes)}"


def _best(attacks: Sequence[Attack]) -> str | None:
    """Returns the largest mean AUROC and true positive rate of several attacks in words."""
    figures = [attack.whole for attack in attacks if attack.whole]
    if not figures:
        return None
    area = max((each.auroc for each in figures), key=lambda each: each.estimate)
    text = (
        f"AUROC {area.estimate:.3f} ({area.corrected_low:.2f} to {area.corrected_high:.2f}; 0.5 is "
        "chance)"
    )
    rates = [each.true_positives for each in figures if each.true_positives]
    if rates:
        rate = max(rates, key=lambda each: each.estimate)
        text += f" and {_share(rate)} of them found at {FALSE_POSITIVE_RATE:.0%} false alarms"
    return f"{text}, by the strongest of {len(figures)} attacks" if len(figures) > 1 else text


def _share(rate: Estimate) -> str:
    ends = f"{rate.corrected_low:.1%} to {rate.corrected_high:.1%}"
    return f"{rate.estimate:.1%} ({ends}; {FALSE_POSITIVE_RATE:.0%} is chance)"
