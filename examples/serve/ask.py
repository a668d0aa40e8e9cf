"""Asks a served generator for images and stores them with their provenance.

Takes about ten seconds, most of them for imports.

    python examples/serve/ask.py http://localhost:8501 df --origin runs/ham/model/1
    python examples/serve/ask.py localhost:8500 df --count 8
"""

from __future__ import annotations

import argparse
from pathlib import Path

from skin_synth.serving import Client


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("address", help="http://host:8501 for REST, host:8500 for gRPC")
    parser.add_argument("label", help="a class of the model")
    parser.add_argument("--count", type=int, default=4)
    parser.add_argument("--model", default="skin")
    parser.add_argument("--origin", type=Path, help="the exported version, for the provenance")
    parser.add_argument("--out", type=Path, default=Path("served"))
    options = parser.parse_args()
    with Client(options.address, model=options.model, origin=options.origin) as client:
        pngs = client.pngs([options.label] * options.count, range(options.count))
    options.out.mkdir(parents=True, exist_ok=True)
    for seed, png in enumerate(pngs):
        (options.out / f"{options.label}_{seed}.png").write_bytes(png)
    print(f"{options.out}: {len(pngs)} images of {options.label}")


if __name__ == "__main__":
    main()
