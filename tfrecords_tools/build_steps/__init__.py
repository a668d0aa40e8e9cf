"""The steps of a build: read every image, resolve duplicates, split, write shards, report."""
