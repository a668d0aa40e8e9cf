#!/usr/bin/env bash
# Does the generator derm-64-ham10000 help a site with few own images? The own images are
# drawn from the validation split, and the test split judges.
#
# The first report takes about five hours on two CPU cores with bfloat16 in hardware. The weights of
# MobileNet as third argument give a second report, with a finetuned network. You can stop the
# script: the same command resumes.
#
#   examples/ham10000/small_site.sh runs/ham/data runs/ham/small-site [mobilenet_v1_0.75_224.weights.h5]
set -eu
data=${1:?give the data set that pipeline.sh built}
out=${2:-runs/ham/small-site}
weights=${3:-}

skin-synth small-site --pretrained derm-64-ham10000 --data "$data" --out "$out/resnet" --overwrite
[ -z "$weights" ] || skin-synth small-site --pretrained derm-64-ham10000 --data "$data" \
  --out "$out/finetuned" --classifier finetuned --weights "$weights" --steps 200 --overwrite
