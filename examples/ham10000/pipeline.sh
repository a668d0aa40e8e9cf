#!/usr/bin/env bash
# The whole pipeline on HAM10000 at 64x64: data set, training, report, balanced data set, SavedModel.
#
# Takes about half an hour on two CPU cores with bfloat16 in hardware. Stop it when you like: the same
# command resumes.
#
#   examples/ham10000/pipeline.sh /path/to/ham10000 runs/ham
#
# The first folder holds images/ and metadata.csv (see README.md in this directory).
set -eu
ham=${1:?give the folder of HAM10000}
out=${2:-runs/ham}
images=${IMAGES:-150000}

[ -d "$out/data" ] || tfrecords-tools build "$ham/images" --out "$out/data" --name ham10000 \
  --labels "$ham/metadata.csv" --id_column image_id --label_column dx \
  --group_column lesion_id --size 64
tfrecords-tools inspect "$out/data"
skin-synth train --data "$out/data" --run "$out/run" --preset derm-64 \
  --schedule_images "$images"
skin-synth evaluate --run "$out/run" --data "$out/data" --out "$out/report" --overwrite
skin-synth balance --run "$out/run" --data "$out/data" --out "$out/balanced" --target 1000 \
  --overwrite
tfrecords-tools verify "$out/balanced"
skin-synth verify-manifest "$out/balanced" --run "$out/run" --count 200 --data "$out/data"
skin-synth export --run "$out/run" --out "$out/model" --report "$out/report"
