"""Reads a data set directory as a PyTorch data set; no TensorFlow model is involved.

Takes about ten seconds, most of them for imports. Needs PyTorch (pip install torch).

    python examples/reading/with_pytorch.py runs/ham/data
"""

from __future__ import annotations

import io
import sys

import numpy as np
import torch
from PIL import Image

import tfrecords_tools


class Records(torch.utils.data.Dataset):
    """One split in memory, as encoded images: float tensors [3, h, w] in [0, 1], and labels."""

    def __init__(self, directory: str, split: str) -> None:
        self.records = list(tfrecords_tools.read(directory, split))

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        record = self.records[index]
        with Image.open(io.BytesIO(record.image)) as image:
            pixels = np.array(image.convert("RGB"))
        return torch.from_numpy(pixels).permute(2, 0, 1).float() / 255, record.label


def main(directory: str) -> None:
    loader = torch.utils.data.DataLoader(Records(directory, "train"), batch_size=32, shuffle=True)
    images, labels = next(iter(loader))
    print(f"images {images.dtype}{list(images.shape)}, labels {labels.tolist()}")


if __name__ == "__main__":
    main(sys.argv[1])
