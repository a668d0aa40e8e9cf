#!/usr/bin/env bash
# Serves an exported generator with TF Serving in docker, over REST (8501) and gRPC (8500).
#
# Takes about a minute the first time, to fetch the image of TF Serving; seconds later.
#
#   skin-synth export --run runs/ham/run --out runs/ham/model
#   examples/serve/serve.sh runs/ham/model
#
# Then, elsewhere:
#
#   curl -d '{"signature_name": "serving_default", "inputs": {"label": ["df"], "seed": [7]}}' \
#     http://localhost:8501/v1/models/skin:predict
#   python examples/serve/ask.py http://localhost:8501 df
#   python examples/serve/ask.py localhost:8500 df
set -eu
model=$(cd "${1:?give the model directory, which holds 1/, 2/, ...}" && pwd)
here=$(cd "$(dirname "$0")" && pwd)

exec docker run --rm --name "${NAME:-skin-serving}" \
  -p "127.0.0.1:${REST_PORT:-8501}:8501" -p "127.0.0.1:${GRPC_PORT:-8500}:8500" \
  -v "$model:/models/skin:ro" -v "$here/batching.txt:/batching.txt:ro" \
  -v "$here/monitoring.txt:/monitoring.txt:ro" -e MODEL_NAME=skin \
  "${IMAGE:-tensorflow/serving:2.20.0}" \
  --enable_batching=true --batching_parameters_file=/batching.txt \
  --monitoring_config_file=/monitoring.txt
