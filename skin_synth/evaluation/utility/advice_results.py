"""Results of `advise` in figures and words; report.json has the fields of `Advice`."""

from __future__ import annotations

import dataclasses

from skin_synth.evaluation.statistics.intervals import Interval
from skin_synth.evaluation.utility.differences import Difference
from skin_synth.evaluation.utility.planned import no_room
from skin_synth.evaluation.utility.recipes import Arm
from skin_synth.evaluation.utility.small_site import ADAPTED


@dataclasses.dataclass(frozen=True)
class OwnClass:
    """One class of the own images.

    Attributes:
        name: of the class.
        images: own images.
        lesions: lesions of these images.
        generated: whether the generator has the class.
        judged: whether the measures include it, because it has a lesion or more for each fold.
    """

    name: str
    images: int
    lesions: int
    generated: bool
    judged: bool


@dataclasses.dataclass(frozen=True)
class Choice:
    """One arm, judged by out-of-fold predictions.

    Attributes:
        name: of the arm.
        uses_synthetic: whether it uses synthetic images.
        seeds: number of trainings in each fold.
        macro_auroc: mean over seeds; the interval is over lesions, and seeds if several.
        log_loss: class-balanced log loss after correction to equal shares, mean over seeds, in
            nats; less is better.
        advised: whether it is advised.
    """

    name: str
    uses_synthetic: bool
    seeds: int
    macro_auroc: Interval
    log_loss: float
    advised: bool


@dataclasses.dataclass(frozen=True)
class UseComparison:
    """Comparison of the best use of synthetic images with the best control.

    Attributes:
        use, control: names of the arms, both selected by the first seed.
        macro_auroc: use minus control; a gain is positive.
        log_loss: likewise; a gain is negative.
        p_gain: one-sided p-value of a gain of macro AUROC, corrected for the number of uses.
        p_loss_harm: one-sided p-value of a larger log loss, without a correction.
        p_harm: one-sided p-value of a loss of macro AUROC, without a correction.
        level: p-values up to this level are significant.
    """

    use: str
    control: str
    macro_auroc: Difference
    log_loss: Difference
    p_gain: float
    p_loss_harm: float
    p_harm: float
    level: float

    @property
    def harms(self) -> bool:
        """Whether the use makes a measure significantly worse."""
        return min(self.p_harm, self.p_loss_harm) <= self.level

    @property
    def gains(self) -> bool:
        """Whether the use is advised: a significant gain of macro AUROC, and no harm."""
        return self.p_gain <= self.level and not self.harms


@dataclasses.dataclass(frozen=True)
class AdviceProtocol:
    """How it was measured: options and the resulting settings.

    Attributes:
        classifier: kind of network.
        weights_hash: sha256 of the pretrained weights; empty from scratch.
        parameters: number of weights of the network.
        policy: dtype policy of Keras.
        batch_size: images in a step.
        steps: of each training.
        folds, seeds, seed, pool, replicates: see `AdviceOptions`.
        uses: number of uses that the p-value is corrected for.
    """

    classifier: str
    weights_hash: str
    parameters: int
    policy: str
    batch_size: int
    steps: int
    folds: int
    seeds: int
    seed: int
    pool: int
    replicates: int
    uses: int


@dataclasses.dataclass(frozen=True)
class Advice:
    """The answer to "does this generator help me, and how?".

    Attributes:
        sentence: the advice, with its figures.
        advised: name of the arm of the classifier.
        use_generator: whether this arm uses synthetic images.
        comparison: the basis of the decision.
        choices: all arms, in order.
        classes: of the own images, in the order of their labels.
        protocol: how it was measured.
        warnings: limits of the advice.
    """

    sentence: str
    advised: str
    use_generator: bool
    comparison: UseComparison
    choices: tuple[Choice, ...]
    classes: tuple[OwnClass, ...]
    protocol: AdviceProtocol
    warnings: tuple[str, ...]


def advice_sentence(compared: UseComparison, use: Interval, control: Interval, todo: str) -> str:
    """Returns the advice with its reason.

    Args:
        compared: the basis of the decision.
        use: macro AUROC of the use.
        control: macro AUROC of the control.
        todo: the use as an instruction, see `instruction`.
    """
    with_it, without = _with_interval(use), _with_interval(control)
    if compared.gains:
        return f"{todo}: macro AUROC {with_it} against {without} with your images alone."
    difference = compared.macro_auroc
    if compared.p_harm <= compared.level:
        reason = "its images harm"
    elif compared.p_loss_harm <= compared.level:
        reason = (
            f"its images make the probabilities worse (class-balanced log loss "
            f"{compared.log_loss.difference:+z.2f})"
        )
    else:
        reason = (
            f"the difference of {difference.difference:+z.3f} ({difference.corrected_low:+z.3f} "
            f"to {difference.corrected_high:+z.3f}) is not larger than noise"
        )
    return (
        f"Do not use this generator: macro AUROC {without} with your images alone, {with_it} with "
        f"the best use of its images ({compared.use}); {reason}{no_room(control.estimate)}."
    )


def instruction(arm: Arm) -> str:
    """Returns a use of synthetic images as an instruction, without full stop."""
    adapted = ADAPTED in arm.sources
    start = "Adapt the generator to your images. " if adapted else ""
    if len(arm.phases) > 1:
        return f"{start}Train first on {'its' if adapted else 'synthetic'} images, then on your own"
    share = arm.phases[0].parts[-1].share
    return (
        f"{start}Take {100 * share:.0f} % of each batch from the generator, and the rest from your "
        "own images"
    )


def _with_interval(found: Interval) -> str:
    return f"{found.estimate:.2f} ({found.low:.2f} to {found.high:.2f})"
