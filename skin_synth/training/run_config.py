"""The configuration of a run, frozen when it is started: the content of its config.json."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from typing import Any

from skin_synth.presets import Preset
from tfrecords_tools.errors import InputError

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


@dataclasses.dataclass(frozen=True, kw_only=True)
class WarmStartSource:
    """The checkpoint that a run starts from instead of fresh weights.

    Attributes:
        directory: absolute path of its run at the time of the start.
        checkpoint_hash: sha256 over its averaged generator's weights, 64 hexadecimal digits.
        images_seen: images that the checkpoint had seen.
    """

    directory: str
    run_id: str
    checkpoint_hash: str
    images_seen: int


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
        fields = dataclasses.asdict(self)
        if self.init_from is None:
            del fields["init_from"]  # as in files of releases without warm starts
        return {"run_id": "", "schema_version": RUN_SCHEMA_VERSION, **fields}

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> RunConfig:
        """Returns the configuration whose `to_json` gave `fields`.

        Raises:
            InputError: the schema version is not this one, or fields do not fit.
        """
        if fields.get("schema_version") != RUN_SCHEMA_VERSION:
            raise InputError(
                f"config.json has schema version {fields.get('schema_version')!r}, this release "
                f"reads {RUN_SCHEMA_VERSION}: use the release that wrote it, or start a new run"
            )
        data = fields["data"]
        lists = {name: tuple(data[name]) for name in ("class_names", "class_counts")}
        return cls(
            preset=Preset.from_json(fields["preset"]),
            seed=fields["seed"],
            policy=fields["policy"],
            data=DataIdentity(**{**data, **lists}),
            init_from=WarmStartSource(**fields["init_from"]) if "init_from" in fields else None,
        )
