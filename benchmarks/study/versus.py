"""Our GAN against the baselines, or against its variants: same data and CPU time.

Trains each contestant with each seed for the same CPU time and stores images of its averaged
generator at each mark. Time is the CPU time of all threads of this process during training steps;
tracing, generating and saving do not count. A killed call resumes from its last saved state when it
is repeated. `--report` evaluates the stored images (see `versus_report`) and keeps features, so
that a second report takes seconds. `--rate` trains on a GPU on as many images as a CPU would see:
time then follows from the number of images, at the contestant's images per CPU second.

    python -m benchmarks.study.versus --data runs/data/ham32 --out runs/versus32 --preset derm-32 \
        --minutes 60 --marks 15 30 60 --seeds 0 1 --threads 2
    python -m benchmarks.study.versus --data runs/data/ham32 --out runs/versus32 --report \
        --weights mobilenet_v1_0.75_224.weights.h5
    python -m benchmarks.study.versus --data runs/data/ham32 --out runs/long32 --contestant ours \
        --minutes 240 --marks 60 --policy float32 --rate 50.5 --xla

The first takes (contestants x seeds x minutes) of CPU time. `--variant` adds contestants that
differ from ours in the named fields of the preset:

    python -m benchmarks.study.versus --data runs/data/ham32 --out runs/choices32 \
        --contestant ours --variant gamma=1.0 --variant learning_rate=8e-4:1e-4,beta_1=0.5 \
        --minutes 6 --threads 1
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from benchmarks.study.baselines import BASELINES
from benchmarks.study.versus_marks import OURS, SHARED_FIELDS
from benchmarks.study.versus_report import MOST_FOR_COVERAGE, report
from skin_synth.data.pipeline import LabelledImages, batches, load_split
from skin_synth.models.gan import ConditionalGAN
from skin_synth.models.hardware import choose_policy
from skin_synth.presets import Preset, get_preset, override
from tfrecords_tools.atomic import new_file
from tfrecords_tools.errors import InputError
from tfrecords_tools.records.reader import fingerprint

CONTESTANTS = (OURS, *BASELINES)
STEPS_BETWEEN_LOOKS = 20
"""Steps between two checks of the time: a mark is exceeded by at most this many steps."""
FEWEST_GENERATED = 200
STATE = "state.json"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Entry:
    """One contestant with one seed, and all that its training depends on.

    Attributes:
        contestant: one of `CONTESTANTS`, or `OURS` and the fields in which it differs.
        seed: of weights, batches and latents.
        preset: of this contestant; the baselines read only the `SHARED_FIELDS`.
        policy: Keras dtype policy.
        threads: of TensorFlow; 0: its choice.
        fingerprint: of the data set.
        rate: images per CPU second of a clock that counts images; None: CPU time.
        xla: compiles the step with XLA, which draws other random numbers.
    """

    contestant: str
    seed: int
    preset: Preset
    policy: str
    threads: int
    fingerprint: str
    rate: float | None = None
    xla: bool = False

    def to_json(self) -> dict[str, Any]:
        """Plain values for a file, with the fields of the preset that the contestant reads."""
        plain = json.loads(json.dumps(dataclasses.asdict(self)))
        if self.contestant in BASELINES:
            plain["preset"] = {name: plain["preset"][name] for name in SHARED_FIELDS}
        return plain

    def make(self, class_names: tuple[str, ...]) -> keras.Model:
        """The compiled model, untrained."""
        if self.contestant in BASELINES:
            model = BASELINES[self.contestant](
                class_names,
                image_size=self.preset.image_size,
                batch_size=self.preset.batch_size,
                seed=self.seed,
                policy=self.policy,
            )
        else:
            model = ConditionalGAN(self.preset, class_names, seed=self.seed, policy=self.policy)
        model.compile()
        return model


class Place:
    """The directory of one entry: its state and its marks."""

    def __init__(self, out: Path, entry: Entry) -> None:
        self.path = out / f"{entry.contestant}-{entry.seed}"
        self.entry = entry

    def restore(self, model: keras.Model) -> float:
        """Puts the saved state into the model; returns the CPU seconds used so far.

        Raises:
            InputError: the state was started with other options.
        """
        file = self.path / STATE
        if not file.exists():
            return 0.0
        state = json.loads(file.read_text())
        # Older states do not have the field.
        now, then = self.entry.to_json(), {"xla": False} | state["entry"]
        other = [name for name in now if then.get(name) != now[name]]
        if other:
            raise InputError(
                f"{self.path} was started with another {', '.join(other)}: repeat its options, or "
                "give a new --out"
            )
        model.load_weights(self.path / state["weights"])
        return state["cpu_seconds"]

    def save(self, model: keras.Model, cpu_seconds: float) -> None:
        """Writes the state; a kill leaves this state or the one before, complete."""
        name = f"steps-{int(model.steps.numpy()):09d}.weights.h5"
        with new_file(self.path / name) as temporary:
            model.save_weights(temporary)
        state = {
            "entry": self.entry.to_json(),
            "weights": name,
            "cpu_seconds": cpu_seconds,
            "images_seen": model.images_seen,
        }
        with new_file(self.path / STATE) as temporary:
            temporary.write_text(json.dumps(state, indent=2))
        for old in self.path.glob("steps-*.weights.h5"):
            if old.name != name:
                old.unlink()

    def mark(self, minutes: float) -> Path:
        """File of the images after this many CPU minutes."""
        return self.path / f"mark-{minutes:07.2f}.npz"

    def store_images(
        self, model: keras.Model, minutes: float, cpu_seconds: float, requested: Any
    ) -> None:
        """Stores images of the labels `requested`, int[n]; seeds are 0 to n - 1."""
        requested = np.asarray(requested)
        images = model.generate(requested, np.arange(len(requested)))
        with new_file(self.mark(minutes)) as temporary, temporary.open("wb") as file:
            np.savez(
                file,
                images=images,
                labels=requested,
                cpu_seconds=cpu_seconds,
                images_seen=model.images_seen,
            )


def labels_to_generate(train_counts: np.ndarray, test_counts: np.ndarray) -> np.ndarray:
    """Labels to generate, int64[n], sorted: enough for the test split and for coverage.

    Args:
        train_counts: int[classes], training images of each.
        test_counts: int[classes], held-out images of each.
    """
    for_coverage = np.minimum(train_counts, MOST_FOR_COVERAGE)
    counts = np.maximum(np.maximum(test_counts, for_coverage), FEWEST_GENERATED)
    return np.repeat(np.arange(len(counts)), counts)


def train(
    entry: Entry,
    split: LabelledImages,
    requested: np.ndarray,
    out: Path,
    *,
    marks: list[float],
    save_seconds: float,
) -> None:
    """Trains from the saved state up to the last mark.

    Args:
        entry: contestant and options.
        split: the training images.
        requested: labels of the images at each mark.
        out: directory of all entries.
        marks: CPU minutes, ascending.
        save_seconds: CPU seconds of training between two saved states.
    """
    model, place = entry.make(split.class_names), Place(out, entry)
    used = place.restore(model)
    # A mark beyond the saved state is from a process that was killed before it saved.
    pending = [m for m in marks if 60 * m > used or not place.mark(m).exists()]
    late = [minutes for minutes in pending if 60 * minutes < used]
    if late:
        raise InputError(
            f"{place.path} is at {used / 60:.1f} CPU minutes, past the new marks {late}: drop "
            "them, or give a new --out"
        )
    steps = _steps(model, entry, split) if pending else iter(())
    saved = used
    for minutes in pending:
        while used < 60 * minutes:
            used += next(steps)
            if used < 60 * minutes and used - saved >= save_seconds:
                place.save(model, used)
                saved = used
        # Images first: if the state is lost, the same steps make the mark again.
        place.store_images(model, minutes, used, requested)
        place.save(model, used)
        saved = used
        print(
            f"{place.path.name}: {minutes:g} CPU minutes, {model.images_seen:,} images", flush=True
        )


def _steps(model: keras.Model, entry: Entry, split: LabelledImages) -> Iterator[float]:
    """CPU seconds of endless bursts of steps; the graph is made before the first."""
    step = tf.function(model.train_step, jit_compile=entry.xla)
    source = iter(
        batches(
            split,
            batch_size=entry.preset.batch_size,
            seed=entry.seed,
            exponent=entry.preset.sampling_exponent,
            first_step=int(model.steps.numpy()),
        )
    )
    batch = next(source)
    step.get_concrete_function(batch)
    ready = iter([batch])
    while True:
        start = time.process_time()
        for _ in range(STEPS_BETWEEN_LOOKS):
            logs = step(next(ready, None) or next(source))
        # Reading the values waits until the steps are done.
        _ = [float(value) for value in logs.values()]
        took = time.process_time() - start
        yield STEPS_BETWEEN_LOOKS * entry.preset.batch_size / entry.rate if entry.rate else took


def main() -> None:
    """Trains, or reports."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--data", required=True, help="data set directory of the preset's size")
    parser.add_argument("--out", required=True, help="states, images and reports")
    parser.add_argument("--preset", default="derm-32")
    parser.add_argument("--schedule_images", type=int, help="length of ours' schedules")
    parser.add_argument(
        "--contestant",
        nargs="*",
        choices=CONTESTANTS,
        default=list(CONTESTANTS),
        help="without a name: only the variants",
    )
    parser.add_argument("--variant", action="append", default=[], help="FIELD=VALUE,... of ours")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--minutes", type=float, default=60.0, help="CPU minutes of training")
    parser.add_argument("--marks", nargs="*", type=float, default=[], help="CPU minutes, judged")
    parser.add_argument("--policy", default=None, help="Keras dtype policy (default: fast one)")
    parser.add_argument("--threads", type=int, default=0, help="of TensorFlow; 0: its choice")
    parser.add_argument("--xla", action="store_true", help="compile the step with XLA")
    parser.add_argument("--rate", type=float, help="images per CPU second; the clock runs by them")
    parser.add_argument("--save_minutes", type=float, default=5.0, help="between saved states")
    parser.add_argument("--report", action="store_true", help="judge what is stored")
    parser.add_argument("--weights", help="MobileNet 0.75/224 weights file, for the report")
    options = parser.parse_args()
    if options.rate is not None and not options.rate > 0:
        parser.error(f"--rate must be above 0, got {options.rate}")
    if not (options.contestant or options.variant):
        parser.error("--contestant without a name needs a --variant")
    if options.threads:
        tf.config.threading.set_intra_op_parallelism_threads(options.threads)
        tf.config.threading.set_inter_op_parallelism_threads(options.threads)
    if options.report:
        print(report(options.data, options.out, weights=options.weights))
        return
    _train_all(options)


def _train_all(options: argparse.Namespace) -> None:
    split = load_split(options.data, "train")
    requested = labels_to_generate(
        split.class_counts, load_split(options.data, "test").class_counts
    )
    preset = get_preset(options.preset)
    if options.schedule_images:
        preset = dataclasses.replace(preset, schedule_images=options.schedule_images)
    contestants = {name: preset for name in options.contestant}
    contestants |= {
        f"{OURS} {variant}": override(preset, variant.split(",")) for variant in options.variant
    }
    early = [minutes for minutes in options.marks if minutes < options.minutes]
    for seed in options.seeds:
        for contestant, preset_of_it in contestants.items():
            entry = Entry(
                contestant=contestant,
                seed=seed,
                preset=preset_of_it,
                policy=choose_policy(options.policy),
                threads=options.threads,
                fingerprint=fingerprint(options.data),
                rate=options.rate,
                xla=options.xla,
            )
            train(
                entry,
                split,
                requested,
                Path(options.out),
                marks=sorted({*early, options.minutes}),
                save_seconds=60 * options.save_minutes,
            )
            keras.backend.clear_session()


if __name__ == "__main__":
    main()
