"""A generator of true images is advised, others are not, and no lesion judges itself."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from skin_synth.evaluation.cache import Cache
from skin_synth.evaluation.utility import metrics
from skin_synth.evaluation.utility.advice import AdviceStudy, Resampled
from skin_synth.evaluation.utility.advice_options import ADVICE_USES, AdviceOptions
from skin_synth.evaluation.utility.arm_training import ArmTraining
from skin_synth.evaluation.utility.classifiers.training import State
from skin_synth.evaluation.utility.small_site import CONTROLS
from tests.origins import make_origin
from tests.skin_synth.evaluation.utility.conftest import NAMES, SIDE, ColourMeans, split_of
from tfrecords_tools.errors import InputError


class HungryMeans(ColourMeans):
    """Needs many images: it sees each in a wrong colour, and only the mean over many is right.

    It remembers earlier phases.
    """

    error = 80.0

    def train(self, state, pool, method, *, seed, steps, total):
        self.calls.append((len(pool.images), steps))
        sums = pool.images.sum(axis=(1, 2), dtype=np.int64)
        wrong = (sums * 2654435761 % 2**32 / 2**32 - 0.5) * np.sqrt(12) * self.error
        weights = (pool.targets * pool.shares[:, None]).T
        weights /= np.maximum(weights.sum(axis=1, keepdims=True), 1e-9)
        means = weights @ (sums / SIDE**2 + wrong)
        means += np.random.default_rng(seed).normal(0, 2, means.shape)
        before, mass = state.weights
        if mass.min() == 1:
            means = 0.7 * before + 0.3 * means
        return State((means, np.ones((3, 1))), state.optimizer), np.ones(len(steps), np.float32)


def draw(labels, seed, contrast=40.0):
    rng = np.random.default_rng(seed)
    shift = rng.normal(0, 20, (len(labels), 1, 1, 3))
    images = 100 + contrast * np.eye(3)[labels][:, None, None] + shift
    return np.clip(images + rng.normal(0, 20, (len(labels), SIDE, SIDE, 3)), 0, 255).astype("uint8")


class FakeGenerator:
    """Has the interface of `ImageGenerator`; `assigned` is the class that it draws for a label."""

    def __init__(self, assigned=(0, 1, 2), class_names=NAMES, contrast=40.0, name="p"):
        self.assigned, self.class_names = np.array(assigned), class_names
        self.contrast, self.image_size, self.data_dir, self.calls = contrast, SIDE, None, 0
        self.origin = make_origin(run_id=name, image_size=SIDE)

    def generate(self, label_ids, seeds, *, truncation=1.0):
        self.calls += 1
        return draw(self.assigned[label_ids], int(seeds[0]) % 2**32, self.contrast)


class Noise(FakeGenerator):
    def generate(self, label_ids, seeds, *, truncation=1.0):
        rng = np.random.default_rng(int(seeds[0]))
        return rng.integers(0, 256, (len(label_ids), SIDE, SIDE, 3), np.uint8)


OPTIONS = AdviceOptions(folds=3, seeds=3, steps=40, batch_size=4, pool=200, replicates=200)


def site(seed=1, counts=(10, 10, 10)):
    """Ten images of each class; some lesions have two."""
    own = split_of(draw, counts, seed)
    groups = [row // 2 if row % 10 < 4 else 100 + row for row in range(len(own))]
    return dataclasses.replace(own, groups=tuple(map(str, groups)))


def study_of(generator, own=None, cache=None, trainer=None, options=OPTIONS):
    training = ArmTraining(trainer or HungryMeans(), options.steps, Cache(cache))
    return AdviceStudy(own or site(), generator, options, training)


@pytest.fixture(scope="module")
def helped(tmp_path_factory):
    """A site of thirty images with a generator of true ones: the study, and what it advised."""
    study = study_of(FakeGenerator(), cache=tmp_path_factory.mktemp("cache"))
    return study, study.advise()


def test_a_generator_of_true_images_is_advised_to_a_site_of_thirty(helped):
    _, advice = helped
    assert advice.use_generator
    assert advice.advised in {arm.name for arm in ADVICE_USES}
    assert advice.sentence.startswith(("Train first on synthetic images", "Take "))
    assert "with your images alone" in advice.sentence
    assert advice.comparison.macro_auroc.difference > 0.05


@pytest.mark.parametrize(
    "generator",
    [FakeGenerator((1, 2, 0)), FakeGenerator(contrast=-60.0), Noise()],
    ids=["wrong labels", "other colours", "noise"],
)
def test_a_generator_of_other_images_is_refused(generator):
    advice = study_of(generator).advise()
    assert not advice.use_generator
    assert advice.advised in {arm.name for arm in CONTROLS}
    assert advice.sentence.startswith("Do not use this generator: macro AUROC ")


@pytest.mark.parametrize("case", range(20))
def test_useless_images_never_get_harmful_advice(case):
    """An advised use must not be worse on many fresh images than the best control."""
    relabelled = np.random.default_rng(case).integers(0, 3, 3)
    generator = Noise(name=f"{case}") if case % 2 else FakeGenerator(relabelled, name=f"{case}")
    study = study_of(generator, site(100 + case))
    advice = study.advise()
    if advice.use_generator:
        fresh = split_of(draw, (200, 200, 200), 1000 + case)

        def area(name):
            found = study.training.trainer.log_probabilities(study.fitted(name), fresh.images)
            return metrics.macro_auroc(fresh.labels, np.exp(found))

        assert area(advice.comparison.use) >= area(advice.comparison.control) - 0.01


def test_no_training_of_a_fold_sees_its_lesions(monkeypatch):
    own, seen = site(), []
    study = study_of(FakeGenerator(), own)
    run = ArmTraining.run

    def watched(self, arm, sources, held_out, *, seed):
        trained_on = {image.tobytes() for image in sources["own"].content[0]}
        judged = {image.tobytes() for image in held_out["validation"].images}
        groups = [
            {
                group
                for image, group in zip(own.images, own.groups, strict=True)
                if image.tobytes() in part
            }
            for part in (trained_on, judged)
        ]
        assert not groups[0] & groups[1]
        assert len(trained_on) + len(judged) == len(own)
        seen.append((arm.name, seed))
        return run(self, arm, sources, held_out, seed=seed)

    monkeypatch.setattr(ArmTraining, "run", watched)
    study.advise()
    assert {seed for _, seed in seen} == {0, 1, 2}
    assert {name for name, _ in seen} == {arm.name for arm in OPTIONS.arms}


def test_the_first_seed_trains_all_and_the_others_what_it_chose(helped):
    _, advice = helped
    assert [choice.name for choice in advice.choices] == [arm.name for arm in OPTIONS.arms]
    assert sorted(choice.seeds for choice in advice.choices) == [1, 1, 1, 1, 3, 3]
    chosen = {choice.name for choice in advice.choices if choice.seeds == 3}
    assert chosen == {advice.comparison.use, advice.comparison.control}
    assert sum(choice.advised for choice in advice.choices) == 1


def test_the_forecast_counts_the_trainings_and_steps():
    options = AdviceOptions(folds=4, seeds=3, steps=100)
    assert options.trainings == 4 * (6 + 2 * 2) + 1
    # All arms, but one phase of 75 steps instead of four; two more seeds of two arms; the last one.
    assert options.most_steps(300) == 2400 - 225 + 1600 + 100


def test_a_second_start_trains_and_generates_nothing(helped):
    first, advice = helped
    state = first.fitted(advice.advised)
    trainer, generator = HungryMeans(), FakeGenerator()
    again = study_of(generator, cache=first.training.cache.directory, trainer=trainer)
    assert again.advise() == advice
    np.testing.assert_array_equal(again.fitted(advice.advised).weights[0], state.weights[0])
    assert not trainer.calls
    assert not generator.calls


def test_the_phase_on_synthetic_images_is_trained_once_for_all_folds(helped):
    before = [steps for _, steps in helped[0].training.trainer.calls if steps == range(30)]
    assert 1 <= len(before) <= OPTIONS.seeds


def test_classes_are_matched_by_name():
    """The generator has its classes in another order, lacks one and has one more."""
    generator = FakeGenerator((2, 1, 0, 0), ("blue", "green", "pink", "white"))
    study = study_of(generator)
    assert [each.generated for each in study.classes] == [False, True, True]
    images, targets = study.synthetic.source.content
    assert list(targets.sum(axis=0)) == [0, 200, 200]
    colour = [images[targets[:, label] > 0].mean(axis=(0, 1, 2)) for label in (1, 2)]
    assert [each.argmax() for each in colour] == [1, 2]
    sentences = " ".join(study.warnings())
    assert "the generator lacks red: no synthetic images" in sentences
    assert "the data set lacks pink, white, which the generator has" in sentences
    study.advise()


class Adapt:
    """Draws true images of each class that it learnt from; `seen` are the images that it got."""

    def __init__(self):
        self.seen = []

    def __call__(self, own):
        self.seen.append(own)
        return lambda labels, seeds: draw(labels, int(seeds[0]) % 2**32)

    def key(self, own):
        return f"adapted {own.images.tobytes().hex()[:5000]}"


def test_a_generator_of_other_images_helps_after_it_was_adapted():
    options, adapt = dataclasses.replace(OPTIONS, adapt_images=32), Adapt()
    study = dataclasses.replace(study_of(Noise(), options=options), adapt=adapt)
    advice = study.advise()
    assert advice.advised in {"adapted synthetic, then own", "own + 50 % adapted synthetic"}
    assert advice.sentence.startswith("Adapt the generator to your images. T")
    assert advice.protocol.uses == len(options.uses) == 5
    assert [choice.name for choice in advice.choices] == [arm.name for arm in options.arms]
    lesions = {*study.own.groups}
    # It never learnt from all lesions, so none of them was judged by a generator that knew it.
    assert all(0 < len({*own.groups}) < len(lesions) for own in adapt.seen)
    assert len(adapt.seen) >= options.folds
    study.fitted(advice.advised)
    assert {*adapt.seen[-1].groups} == lesions


def test_an_adapted_generator_draws_a_class_that_it_lacked():
    options, adapt = dataclasses.replace(OPTIONS, adapt_images=32), Adapt()
    generator = FakeGenerator((1, 2), ("green", "blue"))
    study = dataclasses.replace(study_of(generator, options=options), adapt=adapt)
    own = study.own
    for part, expected in ((own, [200] * 3), (own.subset(own.labels > 0), [0, 200, 200])):
        found = study._synthetic_for(part)
        assert list(found["synthetic"].class_counts) == [0, 200, 200]
        assert list(found["adapted"].class_counts) == expected
        assert list(found["adapted"].source.content[1].sum(axis=0)) == expected


def test_classes_with_fewer_lesions_than_folds_are_named_and_not_judged():
    study = study_of(FakeGenerator(), site(counts=(20, 8, 2)))
    assert [each.lesions for each in study.classes] == [16, 6, 2]
    assert [each.judged for each in study.classes] == [True, True, False]
    assert "fewer lesions than the 3 folds: blue (2)" in " ".join(study.warnings())
    assert len(study.judged) == 28
    assert np.isfinite(study.advise().comparison.macro_auroc.standard_error)


def test_lesions_that_are_not_known_are_pointed_out():
    assert (
        "each image has a different lesion"
        in study_of(FakeGenerator(), split_of(draw, (9,) * 3, 1)).warnings()[0]
    )


@pytest.mark.parametrize(
    ("generator", "own", "message"),
    [
        (
            FakeGenerator(class_names=("a", "b", "blue")),
            site(),
            "share blue, an advice needs two: .* FILE",
        ),
        (FakeGenerator(), site(counts=(20, 1, 1)), "needs two classes with 3 lesions or more"),
    ],
)
def test_what_cannot_be_judged_is_refused(generator, own, message):
    with pytest.raises(InputError, match=message):
        study_of(generator, own)


def test_images_of_another_size_are_refused():
    generator = FakeGenerator()
    generator.image_size = 64
    with pytest.raises(InputError, match="build the data set with --size 64"):
        study_of(generator)


@pytest.mark.parametrize("field", ["folds", "seeds", "steps", "batch_size", "pool", "replicates"])
def test_options_out_of_range_are_refused(field):
    with pytest.raises(InputError, match=f"{field} must be"):
        AdviceOptions(**{field: 1 if field in ("folds", "seeds") else 0})


def test_steps_follow_the_number_of_images():
    assert AdviceOptions().steps_for(100) == 300
    assert AdviceOptions().steps_for(1000) == 625
    assert AdviceOptions().steps_for(100_000) == 2000
    assert AdviceOptions(steps=24).steps_for(1000) == 24


def test_each_measure_has_the_degrees_of_freedom_of_its_own_noise():
    """The rare class makes the noise of one measure, the common class that of the other."""
    study = study_of(FakeGenerator(), site(counts=(60, 20, 8)))
    rng = np.random.default_rng(0)
    noise = rng.normal(size=201)[:, None] + 0.01 * rng.normal(size=(3, 201, 3))
    use, control = ADVICE_USES[0], CONTROLS[0]
    measured = {
        use.name: Resampled(0.5 + noise * [0.01, 0.01, 1], noise * [1, 0.01, 0.01]),
        control.name: Resampled(np.full((3, 201, 3), 0.5), np.zeros((3, 201, 3))),
    }
    found = study.compare(use, control, measured)
    common, _, rare = (each.lesions for each in study.classes)
    assert found.macro_auroc.degrees == pytest.approx(rare - 1, abs=1)
    assert found.log_loss.degrees == pytest.approx(common - 1, abs=3)
