"""Our training step against the same networks and step in PyTorch, and the input pipeline alone.

Takes about three minutes on two free cores; other work on the machine falsifies the result. Each
framework runs in a separate process and environment. They take turns: while one measures, the other
waits for its next line. PyTorch runs eager on the CPU in float32 and under bfloat16 autocast; the
better of the two medians is quoted. Its batch is in memory, ours comes from the input pipeline.
If PyTorch cannot be used, the reason is printed.

    python3.11 -m venv .venv-torch && .venv-torch/bin/pip install torch==2.13.0 numpy
    python -m benchmarks.study.versus_torch --data runs/data/ham32 --preset derm-32 --threads 2
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from skin_synth.presets import get_preset
from tfrecords_tools.errors import InputError
from tfrecords_tools.records.reader import read_info

ROOT = Path(__file__).parents[2]
DTYPES = ("float32", "bfloat16")
WARM_UP, PIPELINE_BATCHES = 5, 1_000


class Worker:
    """A process that answers JSON lines with JSON lines."""

    def __init__(self, command: list[str], first: dict[str, Any]) -> None:
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
        )
        self.about = self.ask(first)

    def ask(self, question: dict[str, Any]) -> dict[str, Any]:
        """The answer to one line.

        Raises:
            RuntimeError: the process ended.
        """
        if self.process.stdin is None or self.process.stdout is None:
            raise RuntimeError("a worker without pipes")
        print(json.dumps(question), file=self.process.stdin, flush=True)
        answer = self.process.stdout.readline()
        if not answer:
            self.end()
            code = self.process.returncode
            raise RuntimeError(f"a worker ended with {code}; see its error above")
        return json.loads(answer)

    def end(self) -> None:
        """Closes its input, which ends it."""
        if self.process.stdin is not None:
            self.process.stdin.close()
        self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--data", help="data set directory of the preset's size")
    parser.add_argument("--preset", default="derm-32")
    parser.add_argument("--torch_python", default=".venv-torch/bin/python")
    parser.add_argument("--threads", type=int, default=0, help="of each framework; 0: its choice")
    parser.add_argument(
        "--torch_dtypes",
        nargs="+",
        choices=DTYPES,
        default=list(DTYPES),
        help="bfloat16 takes minutes on CPUs that do not multiply in it",
    )
    parser.add_argument("--windows", type=int, default=5, help="the median is quoted")
    parser.add_argument("--steps", type=int, default=30, help="steps in a window")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve()
    elif reason := without_torch(options.torch_python):
        print(f"skipped: {reason}")
    else:
        print(compare(options))


def without_torch(python: str) -> str | None:
    """Returns why PyTorch cannot be measured; None if it can."""
    if not Path(python).exists():
        return f"no Python of an environment with torch at {python}; --torch_python names one"
    command = [python, "-c", "import numpy, torch"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return None if done.returncode == 0 else f"{python}: {done.stderr.strip().splitlines()[-1]}"


def compare(options: argparse.Namespace) -> str:
    """Measures both, in turns, and returns the table.

    Raises:
        InputError: the twin has other numbers of parameters.
    """
    preset = get_preset(options.preset)
    first = {
        "preset": preset.to_json(),
        "num_classes": len(read_info(options.data).class_names),
        "threads": options.threads,
        "data": options.data,
    }
    theirs = Worker([options.torch_python, str(Path(__file__).with_name("step_torch.py"))], first)
    ours = Worker([sys.executable, "-m", "benchmarks.study.versus_torch", "--serve"], first)
    try:
        check_twin(ours.about, theirs.about)
        return _table(ours, theirs, options, preset.batch_size)
    finally:
        ours.end()
        theirs.end()


def check_twin(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    """Checks that both sides have the same numbers of parameters.

    Raises:
        InputError: they have not.
    """
    for network in ("generator", "discriminator"):
        if ours[network] != theirs[network]:
            raise InputError(
                f"the {network} of step_torch.py has {theirs[network]:,} parameters, ours "
                f"{ours[network]:,}: bring the twin up to date"
            )


def _table(ours: Worker, theirs: Worker, options: argparse.Namespace, batch_size: int) -> str:
    dtypes = options.torch_dtypes
    for dtype in dtypes:
        theirs.ask({"dtype": dtype, "steps": WARM_UP})
    found: dict[str, list[float]] = {"ours": [], "matmul": [], **{dtype: [] for dtype in dtypes}}
    images = options.steps * batch_size
    for _ in range(options.windows):
        found["ours"].append(images / ours.ask({"steps": options.steps})["seconds"])
        for dtype in dtypes:
            answer = theirs.ask({"dtype": dtype, "steps": options.steps})
            found[dtype].append(images / answer["seconds"])
        found["matmul"].append(ours.ask({"matmul": True})["gflops"])
    rate = {name: statistics.median(values) for name, values in found.items()}
    best = max(dtypes, key=lambda dtype: rate[dtype])
    # Of neighbouring windows: other work on the machine slows both.
    pairs = [own / other for own, other in zip(found["ours"], found[best], strict=True)]
    about, pipeline = ours.about, ours.ask({"pipeline": PIPELINE_BATCHES})["images_per_second"]
    share = rate["ours"] * about["gflops"] / rate["matmul"]

    def spread(name: str) -> str:
        return f"{rate[name]:.0f}   ({min(found[name]):.0f} to {max(found[name]):.0f})"

    return "\n".join(
        [
            f"preset                        {options.preset}, {about['policy']}",
            f"parameters                    {about['generator']:,} + {about['discriminator']:,}",
            f"batch, steps in a window      {batch_size}, {options.steps}",
            f"ours, images/s                {spread('ours')}",
            *(f"PyTorch {theirs.about['torch']} {dtype:11} {spread(dtype)}" for dtype in dtypes),
            f"ours / better of PyTorch      {statistics.median(pairs):.2f}   "
            f"({min(pairs):.2f} to {max(pairs):.2f}; {best})",
            f"input pipeline alone          {pipeline:.0f} images/s, "
            f"{pipeline / rate['ours']:.0f} times the step's rate",
            f"GFLOPs per image              {about['gflops']:.3f}",
            f"matrix-multiply rate          {rate['matmul']:.0f} GFLOP/s",
            f"share of that rate            {100 * share:.0f} %",
        ]
    )


def serve() -> None:
    """Our side: builds what the first line of standard input says, answers each further line."""
    import tensorflow as tf

    from benchmarks.step import matmul_rate, step_flops, window
    from skin_synth.data.pipeline import batches, load_split
    from skin_synth.models.gan import ConditionalGAN
    from skin_synth.presets import Preset

    first = json.loads(sys.stdin.readline())
    if first["threads"]:
        tf.config.threading.set_intra_op_parallelism_threads(first["threads"])
        tf.config.threading.set_inter_op_parallelism_threads(first["threads"])
    preset, split = Preset.from_json(first["preset"]), load_split(first["data"], "train")
    gan = ConditionalGAN(preset, split.class_names)
    gan.compile()
    exponent = preset.sampling_exponent
    source = batches(split, batch_size=preset.batch_size, seed=0, exponent=exponent)
    step, iterator = tf.function(gan.train_step, jit_compile=False), iter(source)
    flops = step_flops(step, next(iterator))
    window(step, iterator, WARM_UP)
    answer: dict[str, Any] = {
        "generator": gan.generator.count_params(),
        "discriminator": gan.discriminator.count_params(),
        "policy": gan.policy,
        "gflops": flops / preset.batch_size / 1e9,
    }
    print(json.dumps(answer), flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        if "pipeline" in asked:
            start = time.perf_counter()
            for batch in source.take(asked["pipeline"]):
                del batch
            seconds = time.perf_counter() - start
            answer = {"images_per_second": asked["pipeline"] * preset.batch_size / seconds}
        elif "matmul" in asked:
            answer = {"gflops": matmul_rate(gan.generator.compute_dtype)}
        else:
            answer = {"seconds": window(step, iterator, asked["steps"])[0]}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
