#!/usr/bin/env bash
# The whole pipeline on HAM10000 at 64x64: data set, training, report, balanced data set, SavedModel.
#
# Takes about half an hour on two CPU cores with bfloat16 in hardware, half of it for training. Stop it
# when you like: the same command resumes.
#
#   examples/ham10000/pipeline.sh /path/to/ham10000 runs/ham
#
# The first folder holds images/ and metadata.csv (see README.md in this directory).
set -eu
ham=${1:?give the folder of HAM10000}
out=${2:-runs/ham}
minutes=${MINUTES:-15}

skin-synth pipeline "$ham/images" --out "$out" --name ham10000 --labels "$ham/metadata.csv" \
  --id_column image_id --label_column dx --group_column lesion_id --size 64 \
  --minutes "$minutes" --target 1000
tfrecords-tools verify "$out/balanced"
skin-synth verify-manifest "$out/balanced" --run "$out/run" --count 200 --data "$out/data"
