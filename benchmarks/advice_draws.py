"""Is the advice of `skin-synth advise` safe? Sites that follow it are judged on other lesions.

Each draw takes own images from the validation split of a data set: whole lesions at natural class
shares. `advise` cross-validates them. Then the advised training and the best one without synthetic
images, both on all own images, are judged on the test split. A site that is advised not to use the
generator has a difference of 0. The sites are safe if the mean over draws is not below 0 by more
than noise. The data set must hold lesions that the generator has not seen, or those of
`examples/ham10000/other_clinic.py`. With 300 images a draw takes about an hour on one core.
Finished trainings are kept: the same call resumes.

    python -m benchmarks.advice_draws --data runs/ham/clinic/data --out runs/advice_draws
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy import stats

import skin_synth
from skin_synth.data.pipeline import LabelledImages, load_split
from skin_synth.evaluation.cache import Cache
from skin_synth.evaluation.utility import metrics
from skin_synth.evaluation.utility.advice import AdviceStudy
from skin_synth.evaluation.utility.advice_options import AdviceOptions
from skin_synth.evaluation.utility.arm_training import ArmTraining
from skin_synth.evaluation.utility.classifiers.training import make_trainer
from skin_synth.evaluation.utility.small_site import AdaptGenerator, draw_site
from skin_synth.generator import ImageGenerator
from skin_synth.models.hardware import choose_policy
from skin_synth.training.adaptation import adaptation
from tfrecords_tools.records.schema import TEST, VALIDATION

COLUMNS = ("draw", "images", "advised", "on own lesions", "on the test split", "without it")


@dataclasses.dataclass(frozen=True)
class DrawnAdvice:
    """What one site was advised, and what it gets from it.

    Attributes:
        draw: number of the draw.
        images: own images.
        advised: name of the training.
        measured: difference of macro AUROC by cross-validation, use minus control.
        followed: macro AUROC of the advised training on the test split.
        without: the same of the best training without synthetic images.
    """

    draw: int
    images: int
    advised: str
    measured: float
    followed: float
    without: float

    @property
    def difference(self) -> float:
        """What the advice brings on the test split."""
        return self.followed - self.without

    def cells(self) -> list[str]:
        """Returns a row of the table."""
        figures = f"{self.measured:+.3f}", f"{self.followed:.3f}", f"{self.without:.3f}"
        return [str(self.draw), str(self.images), self.advised, *figures]


def advised_site(
    own: LabelledImages,
    test: LabelledImages,
    generator: ImageGenerator,
    options: AdviceOptions,
    training: ArmTraining,
    adapt: AdaptGenerator | None,
    draw: int,
) -> DrawnAdvice:
    """Asks for advice with these own images, follows it, and judges it on the test images."""
    study = AdviceStudy(own, generator, options, training, adapt)
    advice = study.advise()

    def area(name: str) -> float:
        found = training.trainer.log_probabilities(study.fitted(name), test.images)
        return float(metrics.macro_auroc(test.labels, np.exp(found)))

    compared = advice.comparison
    without = area(compared.control)
    followed = without if advice.advised == compared.control else area(advice.advised)
    difference = compared.macro_auroc.difference
    return DrawnAdvice(draw, len(own), advice.advised, difference, followed, without)


def summary(found: Sequence[DrawnAdvice]) -> str:
    """Returns the mean difference with its 95 % interval over draws, and how it came about."""
    differences = np.array([each.difference for each in found])
    mean, used = differences.mean(), np.count_nonzero(differences)
    half = 0.0
    if len(found) > 1:
        error = differences.std(ddof=1) / np.sqrt(len(found))
        half = float(error * stats.t.ppf(0.975, len(found) - 1))
    return (
        f"{used} of {len(found)} sites use the generator; macro AUROC of the advised training "
        f"minus that without synthetic images: {mean:+.3f} ({mean - half:+.3f} to "
        f"{mean + half:+.3f}), worst {differences.min():+.3f}"
    )


def main() -> None:
    """Prints a row for each draw and the mean; writes them to OUT/draws.json."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--data", type=Path, required=True, help="own images and test split")
    parser.add_argument("--out", type=Path, required=True, help="results and finished trainings")
    parser.add_argument("--pretrained", default="derm-64-ham10000", help="the generator")
    parser.add_argument("--size", type=int, default=300, help="own images of a site")
    parser.add_argument("--draws", type=int, default=10)
    parser.add_argument("--classifier", default=AdviceOptions.classifier)
    parser.add_argument("--weights", default=None, help="of finetuned")
    parser.add_argument("--steps", type=int, default=None)
    parser.add_argument("--pool", type=int, default=AdviceOptions.pool)
    parser.add_argument("--folds", type=int, default=AdviceOptions.folds)
    parser.add_argument("--seeds", type=int, default=AdviceOptions.seeds)
    parser.add_argument("--adapt_images", type=int, default=0)
    chosen = parser.parse_args()

    fields = {field.name for field in dataclasses.fields(AdviceOptions)}
    options = AdviceOptions(
        **{name: value for name, value in vars(chosen).items() if name in fields}
    )
    generator = skin_synth.load_pretrained(chosen.pretrained)
    validation, test = (load_split(chosen.data, name) for name in (VALIDATION, TEST))
    cache = Cache(chosen.out / "cache")
    trainer = make_trainer(
        options.classifier,
        validation,
        weights=options.weights,
        batch_size=options.batch_size,
        policy=choose_policy(),
    )
    adapt = adaptation(generator, chosen.out / "cache", chosen.out, options.adapt_images)
    print(f"| {' | '.join(COLUMNS)} |\n{'|---' * len(COLUMNS)}|")
    found = []
    for draw in range(chosen.draws):
        own = validation.subset(draw_site(validation, chosen.size, draw).own)
        training = ArmTraining(trainer, options.steps_for(len(own)), cache)
        found.append(advised_site(own, test, generator, options, training, adapt, draw))
        print(f"| {' | '.join(found[-1].cells())} |", flush=True)
    print(summary(found))
    text = json.dumps([dataclasses.asdict(each) for each in found], indent=2)
    (chosen.out / "draws.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
