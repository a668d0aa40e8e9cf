"""The configuration of a run, frozen when it is started: the content of its config.json."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from typing import Any

from skin_synth.presets import Preset
from tfrecords_tools.errors import InputError
from tfrecords_tools.json_reading import typed

RUN_SCHEMA_VERSION = 3
"""Version of config.json. It also rises if the same configuration would give other weights."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class DataIdentity:
    """The data set on which a run was trained.

    Attributes:
        directory: absolute path at the time of the first start.
        fingerprint: sha256 over class names and shards, 64 hexadecimal digits.
        class_names: in the order of their labels.
        class_counts: training images in each class.
    """

    directory: str
    name: str
    fingerprint: str
    class_names: tuple[str, ...]
    class_counts: tuple[int, ...]

    def __post_init__(self) -> None:
        names, counts = self.class_names, self.class_counts
        if len(names) < 2 or len({*names}) < len(names) or any(not _is_line(n) for n in names):
            raise InputError(f"class_names must be two or more different names, got {names!r:.200}")
        if len(counts) != len(names) or min(counts) < 1:
            raise InputError(
                f"class_counts must be {len(names)} numbers of images, got {counts!r:.200}"
            )


@dataclasses.dataclass(frozen=True, kw_only=True)
class WarmStartSource:
    """The checkpoint or exported generator that a run starts from instead of fresh weights.

    Attributes:
        directory: absolute path of its run or SavedModel at the time of the start.
        checkpoint_hash: sha256 over its averaged generator's weights, 64 hexadecimal digits.
        images_seen: images that the checkpoint had seen.
        held_out_seen: validation and test images of the new data set on which the source, or a
            source of the source, was trained, as far as that is known.
    """

    directory: str
    run_id: str
    checkpoint_hash: str
    images_seen: int
    held_out_seen: int = 0


def _is_line(name: str) -> bool:
    return bool(name) and len(name.splitlines()) == 1


@dataclasses.dataclass(frozen=True, kw_only=True)
class RunConfig:
    """All settings that a run depends on, frozen when it is started.

    Attributes:
        preset: networks, loss and schedules.
        seed: of weights, batches, latents and augmentation.
        policy: Keras dtype policy.
        init_from: None for fresh weights.
    """

    preset: Preset
    seed: int
    policy: str
    data: DataIdentity
    init_from: WarmStartSource | None = None

    @property
    def run_id(self) -> str:
        """Name of the run, twelve digits; the same configuration gives the same name."""
        identity = self.to_json()
        del identity["run_id"], identity["data"]["directory"]
        # The interval of validation does not change the run.
        del identity["preset"]["validation_images"]
        if self.init_from is not None:
            del identity["init_from"]["directory"]
        text = json.dumps(identity, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def to_json(self) -> dict[str, Any]:
        """Returns plain dicts, lists, numbers and strings."""
        fields = {**dataclasses.asdict(self), "preset": self.preset.to_json()}
        if self.init_from is None:
            del fields["init_from"]  # as in files of releases without warm starts
        elif not self.init_from.held_out_seen:
            del fields["init_from"]["held_out_seen"]
        return {"run_id": "", "schema_version": RUN_SCHEMA_VERSION, **fields}

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> RunConfig:
        """Returns the configuration whose `to_json` gave `fields`.

        Raises:
            InputError: the schema version is not this one, fields do not fit, or `run_id` is given
                and is not that of the other fields, because somebody edited them.
        """
        own = {**typed(fields, dict[str, Any])}
        version, run_id = own.pop("schema_version", None), own.pop("run_id", "")
        if version != RUN_SCHEMA_VERSION:
            raise InputError(
                f"config.json has schema version {version!r:.20}, this release reads "
                f"{RUN_SCHEMA_VERSION}: use the release that wrote it, or start a new run"
            )
        config = typed(own, cls)
        if run_id not in ("", config.run_id):
            raise InputError(
                f"its run_id is {run_id!r:.40}, its settings are those of run {config.run_id}: it "
                "was edited; restore it, or start a new run"
            )
        return config
