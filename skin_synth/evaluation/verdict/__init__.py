"""From figures to a verdict: which faults are proven, and which could not be with so few images."""
