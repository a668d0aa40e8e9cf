"""Pack a run on HAM10000 as the generator of the distribution `skin-synth-ham10000`.

Shows `skin_synth.load_run`, a model card with the figures of a report, and
`skin_synth.pretrained.pack`. Takes about half a minute, and replaces the generator that is there:

    .venv/bin/python examples/ham10000/pack.py --run runs/derm64/run --report runs/derm64/report \
        --data runs/ham/data --out generators/ham10000/skin_synth_ham10000/derm-64-ham10000
"""

from __future__ import annotations

import argparse
from pathlib import Path

import skin_synth
from skin_synth.pretrained import pack
from skin_synth.saved_model.model_card import model_card, read_report

LICENCE = """
## Licence and citation

Trained on the training split of HAM10000, whose images are for non-commercial use (CC BY-NC 4.0).
The same holds for this generator and its images. Cite

> Tschandl P., Rosendahl C., Kittler H. The HAM10000 dataset, a large collection of multi-source
> dermatoscopic images of common pigmented skin lesions. Scientific Data 5, 180161 (2018).
> https://doi.org/10.1038/sdata.2018.161

The photographs are from Vienna and Queensland and show mostly light skin. akiec: actinic keratoses
and intraepithelial carcinoma; bcc: basal cell carcinoma; bkl: benign keratosis-like lesions; df:
dermatofibroma; mel: melanoma; nv: melanocytic nevi; vasc: vascular lesions.
"""


def main() -> None:
    """Writes the generator and its card."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--run", type=Path, required=True, help="a trained run")
    parser.add_argument("--report", type=Path, required=True, help="its evaluation")
    parser.add_argument("--data", type=Path, required=True, help="the data set of the run")
    parser.add_argument("--out", type=Path, required=True, help="directory of the generator")
    options = parser.parse_args()

    run = skin_synth.load_run(options.run)
    origin = run.origin
    counts = run.config.data.class_counts
    figures = read_report(options.report, origin)
    card = model_card(origin, run.class_names, counts, figures, licence="cc-by-nc-4.0")
    version = pack(
        run, options.out, card.rstrip() + "\n" + LICENCE, data=options.data, overwrite=True
    )
    size = sum(path.stat().st_size for path in version.rglob("*") if path.is_file())
    print(f"{version}: {size / 2**20:.1f} MiB")


if __name__ == "__main__":
    main()
