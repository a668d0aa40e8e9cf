"""Scores a reader study: what readers answered, against the key."""
