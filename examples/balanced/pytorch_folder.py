"""Reads the image folder of a balanced data set in PyTorch; neither TensorFlow nor TFDS is loaded.

Takes about ten seconds, most of them for imports. Needs PyTorch (pip install torch).

    skin-synth balance --run runs/ham/run --data runs/ham/data --out runs/ham/balanced \
        --target 1000 --image_folder --overwrite
    python examples/balanced/pytorch_folder.py runs/ham/balanced/image_folder
"""

from __future__ import annotations

import csv
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import torch
from PIL import Image


class Images(torch.utils.data.Dataset):
    """One split: float tensors [3, h, w] in [0, 1], and labels in the order of the class names."""

    def __init__(self, folder: Path, split: str) -> None:
        with (folder / "images.csv").open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        self.folder = folder
        # The folders are numbered in the order of the labels: train/03_df/000012.png.
        folders = sorted(path.name for path in (folder / split).iterdir())
        self.rows = [
            (row["file"], folders.index(row["file"].split("/")[1]), row["origin"])
            for row in rows
            if row["split"] == split
        ]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        file, label, _ = self.rows[index]
        with Image.open(self.folder / file) as image:
            pixels = np.array(image.convert("RGB"))
        return torch.from_numpy(pixels).permute(2, 0, 1).float() / 255, label


def main(folder: str) -> None:
    images = Images(Path(folder), "train")
    batch, labels = next(iter(torch.utils.data.DataLoader(images, batch_size=16, shuffle=True)))
    print(f"images {batch.dtype}{list(batch.shape)}, labels {labels.tolist()}")
    print(dict(Counter(origin for *_, origin in images.rows)))


if __name__ == "__main__":
    main(sys.argv[1])
