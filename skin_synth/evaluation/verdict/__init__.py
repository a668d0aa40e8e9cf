"""From figures to a verdict: faults that are proven, and faults that cannot be proven."""
