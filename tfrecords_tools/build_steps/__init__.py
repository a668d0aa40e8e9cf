"""The steps of a build: read every image, settle duplicates, split, write shards, report."""
