"""New images, of one class in a folder or to balance a data set, and the check of both."""

from skin_synth.synthesis.balancing import balance
from skin_synth.synthesis.generation import generate_images
from skin_synth.synthesis.options import BalanceOptions, GenerationOptions, Shard
from skin_synth.synthesis.shards import generate_records, merge_records
from skin_synth.synthesis.verification import verify_manifest

__all__ = [
    "BalanceOptions",
    "GenerationOptions",
    "Shard",
    "balance",
    "generate_images",
    "generate_records",
    "merge_records",
    "verify_manifest",
]
