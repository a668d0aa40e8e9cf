"""The dry run: what training would cost."""

from __future__ import annotations

from skin_synth.training import trainer as training


def test_a_dry_run_tells_the_cost_and_writes_nothing(tiny_preset, phantom_data, tmp_path):
    lines = []
    result = training.train(
        phantom_data, tmp_path / "run", preset=tiny_preset.name, dry_run=True, say=lines.append
    )
    text = "\n".join(lines)
    assert result is None
    assert not (tmp_path / "run").exists()
    for word in ("parameters", "smallest class", "images/s", "time", "peak memory"):
        assert word in text
