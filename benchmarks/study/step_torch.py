"""Our networks and step in PyTorch (eager, CPU): the other side of `benchmarks.study.versus_torch`.

Needs only torch and numpy. Reads one JSON line with the preset's fields (`Preset.to_json`),
`num_classes` and `threads` and answers with the parameter counts. For each further line
{"dtype": "float32" | "bfloat16", "steps": n} it does n steps and answers with their seconds. The
dtype is that of autocast around the layers that our dtype policy covers; the rest is float32.

The step is that of `skin_synth.models.gan`: D on real and fake images under augmentation, R1
(and R2) on a share of the batch by double backward, G, both Adam, the average of the generator.
"""

from __future__ import annotations

import contextlib
import copy
import itertools
import json
import math
import sys
import time
from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

LEAK, EPSILON, MOMENTUM = 0.2, 1e-3, 0.01


def leaky(x: torch.Tensor) -> torch.Tensor:
    """Leaky ReLU of slope 0.2."""
    return F.leaky_relu(x, LEAK)


def float32() -> torch.autocast:
    """A region without autocast."""
    return torch.autocast("cpu", enabled=False)


class ModulatedNorm(nn.Module):
    """Batch normalisation without affine part, scaled and shifted by the condition."""

    def __init__(self, channels: int, condition: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels, eps=EPSILON, momentum=MOMENTUM, affine=False)
        self.affine = nn.Linear(condition, 2 * channels)
        nn.init.zeros_(self.affine.weight)
        nn.init.zeros_(self.affine.bias)

    def forward(self, x: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
        """[n, channels, h, w] of either dtype, float32[n, d]; returns the shape of x."""
        with float32():
            scale, shift = self.affine(condition).chunk(2, dim=1)
        scale, shift = (values.to(x.dtype)[:, :, None, None] for values in (1.0 + scale, shift))
        return torch.addcmul(shift, self.norm(x), scale)


class UpsamplingConv(nn.Module):
    """Nearest neighbours and a 3x3 convolution, as one transposed convolution."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(inputs, outputs, 3, 3))
        nn.init.normal_(self.weight, std=(2 / (9 * inputs)) ** 0.5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[n, inputs, h, w] to [n, outputs, 2 h, 2 w]."""
        # Padded by one in front or behind, in both directions: a 2x2 box of ones.
        shifts = itertools.product((0, 1), repeat=2)
        spread = sum(F.pad(self.weight, (dx, 1 - dx, dy, 1 - dy)) for dy, dx in shifts)
        return F.conv_transpose2d(x, spread, stride=2, padding=1)


class Generator(nn.Module):
    """See `skin_synth.models.networks.Generator`."""

    def __init__(self, preset: dict[str, Any], num_classes: int) -> None:
        super().__init__()
        self.widths = preset["generator_widths"]
        condition = preset["latent_dim"] + preset["embedding_dim"]
        self.embedding = nn.Embedding(num_classes, preset["embedding_dim"])
        self.first = nn.Linear(condition, 16 * self.widths[0], bias=False)
        self.norms = nn.ModuleList(ModulatedNorm(width, condition) for width in self.widths)
        self.ups = nn.ModuleList(
            UpsamplingConv(inputs, outputs) for inputs, outputs in itertools.pairwise(self.widths)
        )
        self.to_rgb = nn.Conv2d(self.widths[-1], 3, 3, padding=1)

    def forward(self, latents: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """float32[n, latent_dim], int64[n] to float32[n, 3, size, size]."""
        condition = torch.cat([latents, self.embedding(labels)], dim=1)
        x = self.first(condition).reshape(-1, self.widths[0], 4, 4)
        x = leaky(self.norms[0](x.contiguous(memory_format=torch.channels_last), condition))
        for up, norm in zip(self.ups, self.norms[1:], strict=True):
            x = leaky(norm(up(x), condition))
        with float32():
            return torch.tanh(self.to_rgb(x.float()))


class Discriminator(nn.Module):
    """See `skin_synth.models.networks.Discriminator`."""

    def __init__(self, preset: dict[str, Any], num_classes: int, features: int = 256) -> None:
        super().__init__()
        widths = [3, *preset["discriminator_widths"]]
        self.downs = nn.ModuleList(
            nn.Conv2d(inputs, outputs, 4, stride=2, padding=1)
            for inputs, outputs in itertools.pairwise(widths)
        )
        self.hidden = nn.Linear(16 * widths[-1], features)
        self.unconditional = nn.Linear(features, 1)
        self.embedding = nn.Embedding(num_classes, features)

    def forward(self, x: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """float32[n, 3, size, size], int64[n] to float32[n]."""
        for down in self.downs:
            x = leaky(down(x))
        with float32():
            h = leaky(self.hidden(x.float().flatten(1)))
            projection = (h * self.embedding(labels)).sum(1) / h.shape[1] ** 0.5
            return self.unconditional(h)[:, 0] + projection


def draw(count: int, probability: float) -> dict[str, torch.Tensor]:
    """Parameters of one augmentation an image, as `skin_synth.augment.draw`: float32[n] each."""
    u = (2 * torch.rand(12, count) - 1).unbind()
    coins = (torch.rand(5, count) < probability).float()
    shift, warp, colour, cut, symmetry = coins.unbind()
    return {
        "shift_y": shift * 0.125 * u[0],
        "shift_x": shift * 0.125 * u[1],
        "scale": 2.0 ** (warp * 0.25 * u[2]),
        "angle": warp * math.pi * u[3],
        "anisotropy": 2.0 ** (warp * 0.25 * u[4]),
        "brightness": colour * 0.2 * u[5],
        "contrast": 1.0 + colour * 0.3 * u[6],
        "saturation": 1.0 + colour * 0.3 * u[7],
        "cutout": cut * 0.35,
        "cutout_y": 0.5 + 0.5 * u[8],
        "cutout_x": 0.5 + 0.5 * u[9],
        "hue": colour * 0.1 * u[10],
        "symmetry": (symmetry * (4 + 4 * u[11])).long(),
    }


def augment(images: torch.Tensor, p: dict[str, torch.Tensor]) -> torch.Tensor:
    """All of `skin_synth.augment.apply`, on float32[n, 3, side, side]."""
    images = warp(images, p)
    side = images.shape[2]
    same, grey = torch.eye(3), torch.full((3, 3), 1 / 3)
    across = (same.roll(1, 0) - same.roll(-1, 0)) / 3**0.5
    hue, saturation, contrast = (
        p[name][:, None, None] for name in ("hue", "saturation", "contrast")
    )
    turned = hue.cos() * (same - grey) + hue.sin() * across
    matrix = contrast * (grey + saturation * turned)
    added = (1 - p["contrast"]) * images.mean((1, 2, 3)) + p["brightness"]
    images = torch.baddbmm(added[:, None, None], matrix, images.flatten(2)).view_as(images)
    centres = (torch.arange(side) + 0.5) / side
    half = p["cutout"][:, None] / 2
    inside_y = (centres - p["cutout_y"][:, None]).abs() < half
    inside_x = (centres - p["cutout_x"][:, None]).abs() < half
    return images * ~(inside_y[:, :, None] & inside_x[:, None, :])[:, None]


def warp(images: torch.Tensor, p: dict[str, torch.Tensor]) -> torch.Tensor:
    """Also symmetries; by gathers as `grid_sample` has no second derivative; mirrored at edges."""
    side = images.shape[2]
    axis = torch.arange(side) - (side - 1) / 2
    y = axis[:, None] - (p["shift_y"] * side)[:, None, None]
    x = axis[None, :] - (p["shift_x"] * side)[:, None, None]
    cos, sin = p["angle"].cos(), p["angle"].sin()
    scale_y, scale_x = p["scale"], p["scale"] * p["anisotropy"]
    rows = (cos / scale_y, -sin / scale_y), (sin / scale_x, cos / scale_x)
    swap = p["symmetry"] & 4 > 0
    sources = []
    for own, other, bit in (*rows, 1), (*rows[::-1], 2):
        sign = torch.where(p["symmetry"] & bit > 0, -1.0, 1.0)
        from_y, from_x = (sign * torch.where(swap, b, a) for a, b in zip(own, other, strict=True))
        sources.append(from_y[:, None, None] * y + from_x[:, None, None] * x + (side - 1) / 2)
    top, left = (source.floor() for source in sources)
    below, right = sources[0] - top, sources[1] - left
    flat = images.flatten(2)
    parts = []
    for row, share_y in ((top, 1 - below), (top + 1, below)):
        for column, share_x in ((left, 1 - right), (left + 1, right)):
            index = (mirror(row, side) * side + mirror(column, side)).flatten(1)
            pixels = flat.gather(2, index[:, None].expand(-1, 3, -1))
            parts.append(pixels * (share_y * share_x).flatten(1)[:, None])
    return (parts[0] + parts[1] + parts[2] + parts[3]).view_as(images)


def mirror(position: torch.Tensor, size: int) -> torch.Tensor:
    """Whole positions folded into [0, size): int64."""
    period = 2 * (size - 1)
    folded = position.long() % period
    return torch.minimum(folded, period - folded)


LOSSES = {
    "non_saturating": (
        lambda real, fake: (F.softplus(-real) + F.softplus(fake)).mean(),
        lambda real, fake: F.softplus(-fake).mean(),
    ),
    "hinge": (
        lambda real, fake: (F.relu(1 - real) + F.relu(1 + fake)).mean(),
        lambda real, fake: -fake.mean(),
    ),
    "relativistic": (
        lambda real, fake: F.softplus(fake - real).mean(),
        lambda real, fake: F.softplus(real - fake).mean(),
    ),
}


class Trainer:
    """Networks, optimizers and one step; the schedules are at their start."""

    def __init__(self, preset: dict[str, Any], num_classes: int) -> None:
        self.preset, self.num_classes = preset, num_classes
        self.generator = Generator(preset, num_classes).to(memory_format=torch.channels_last)
        self.average = copy.deepcopy(self.generator).requires_grad_(False)
        self.discriminator = Discriminator(preset, num_classes).to(
            memory_format=torch.channels_last
        )
        options = {
            "lr": preset["learning_rate"]["start"],
            "betas": (preset["beta_1"], preset["beta_2"]),
        }
        self.adam_g = torch.optim.Adam(self.generator.parameters(), **options)
        self.adam_d = torch.optim.Adam(self.discriminator.parameters(), **options)

    def counts(self) -> dict[str, int]:
        """Parameters and moving statistics, as Keras' `count_params` counts them."""

        def count(network: nn.Module) -> int:
            moving = (m for m in network.modules() if isinstance(m, nn.BatchNorm2d))
            return sum(p.numel() for p in network.parameters()) + sum(
                2 * norm.num_features for norm in moving
            )

        return {"generator": count(self.generator), "discriminator": count(self.discriminator)}

    def generate(self, labels: torch.Tensor) -> torch.Tensor:
        """Images of fresh latents."""
        return self.generator(torch.randn(len(labels), self.preset["latent_dim"]), labels)

    def step(self, images: torch.Tensor, labels: torch.Tensor, *, dtype: str) -> None:
        """One step on uint8[n, 3, size, size], int64[n]."""
        preset, play = self.preset, LOSSES[self.preset["loss"]]
        rows = max(1, round(preset["penalty_share"] * preset["batch_size"]))
        real = images.float() / 127.5 - 1.0
        p = [draw(len(images), preset["augment_probability"]["start"]) for _ in range(2)]

        def view(x: torch.Tensor, which: int) -> torch.Tensor:
            return augment(x, {name: values[: len(x)] for name, values in p[which].items()})

        def judge(views: torch.Tensor) -> torch.Tensor:
            with autocast(dtype):
                return self.discriminator(views, labels.repeat(2)[: len(views)])

        with torch.no_grad(), autocast(dtype):
            fake = self.generate(labels)
        real_view = view(real, 0)
        logits = judge(torch.cat([real_view, view(fake, 1)])).chunk(2)
        loss = play[0](*logits)
        penalty = self._penalty(lambda x: judge(view(x, 0)), real[:rows])
        if preset["penalty_fake"]:
            penalty = penalty + self._penalty(lambda x: judge(view(x, 1)), fake[:rows])
        self.adam_d.zero_grad(set_to_none=True)
        (loss + preset["gamma"]["start"] / 2 * penalty).backward()
        self.adam_d.step()

        self.discriminator.requires_grad_(False)
        with autocast(dtype):
            fake = self.generate(labels)
        # Only this loss uses real logits.
        real_logits = judge(real_view) if preset["loss"] == "relativistic" else None
        self.adam_g.zero_grad(set_to_none=True)
        play[1](real_logits, judge(view(fake, 1))).backward()
        self.adam_g.step()
        self.discriminator.requires_grad_(True)
        with torch.no_grad():
            torch._foreach_lerp_(
                list(self.average.parameters()), list(self.generator.parameters()), 0.01
            )

    def _penalty(self, judge: Any, images: torch.Tensor) -> torch.Tensor:
        images = images.detach().requires_grad_(True)
        (gradient,) = torch.autograd.grad(judge(images).sum(), images, create_graph=True)
        return gradient.square().sum((1, 2, 3)).mean()


def autocast(dtype: str) -> Any:
    """Around what the policy covers."""
    return (
        torch.autocast("cpu", torch.bfloat16) if dtype == "bfloat16" else contextlib.nullcontext()
    )


def serve(lines: Iterator[str]) -> None:
    """Answers each line; see the module."""
    first = json.loads(next(lines))
    preset = first["preset"]
    torch.manual_seed(0)
    if first["threads"]:
        torch.set_num_threads(first["threads"])
    trainer = Trainer(preset, first["num_classes"])
    shape = (preset["batch_size"], 3, preset["image_size"], preset["image_size"])
    images = torch.randint(0, 256, shape, dtype=torch.uint8)
    images = images.contiguous(memory_format=torch.channels_last)
    labels = torch.randint(0, first["num_classes"], shape[:1])
    print(json.dumps({"torch": torch.__version__, **trainer.counts()}), flush=True)
    for line in lines:
        asked = json.loads(line)
        start = time.perf_counter()
        for _ in range(asked["steps"]):
            trainer.step(images, labels, dtype=asked["dtype"])
        print(json.dumps({"seconds": time.perf_counter() - start}), flush=True)


if __name__ == "__main__":
    serve(sys.stdin)
