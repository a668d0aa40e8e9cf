#!/usr/bin/env bash
# How the generator of skin-synth-ham10000 was made: a million images of training, a report at
# five seeds with MobileNet's features, a blind sheet for readers.
#
# Takes about three hours on one CPU core for training, and a quarter of an hour for the rest on two.
# With USE=1 the report also says whether the images help classifiers: about five hours more of one core.
# Stop the script when you like: the same command resumes.
#
#   examples/ham10000/pretrained.sh runs/ham/data mobilenet_v1_0.75_224.weights.h5 runs/derm64
#
# The first is the data set that pipeline.sh builds, the second the weights of MobileNet (docs/evaluation.md
# says how to make that file). Then examples/ham10000/pack.py packs it; the shipped card needs USE=1.
set -eu
data=${1:?give the data set that pipeline.sh built}
weights=${2:?give the weights of the ImageNet MobileNet 0.75/224}
out=${3:-runs/derm64}

skin-synth train --data "$data" --run "$out/run" --preset derm-64
skin-synth evaluate --run "$out/run" --data "$data" --out "$out/report" --seeds 5 \
  --features mobilenet --weights "$weights" --cache "$out/report.cache" --overwrite
[ -z "${USE:-}" ] || skin-synth evaluate --run "$out/run" --data "$data" --out "$out/report" --seeds 5 \
  --features mobilenet --weights "$weights" --cache "$out/report.cache" --overwrite --utility
skin-synth reader-study --run "$out/run" --data "$data" --out "$out/readers" --overwrite
