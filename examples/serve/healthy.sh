#!/usr/bin/env bash
# Ends with 0 if a version of the model is ready: the health check of compose.yaml and Dockerfile.
# The image of TF Serving has bash and grep, but no curl. Takes about a second.
#
#   examples/serve/healthy.sh                   # of a server on this machine
#   docker exec skin-serving /healthy.sh        # in the container
set -eu
exec 3<>"/dev/tcp/127.0.0.1/${REST_PORT:-8501}"
printf 'GET /v1/models/%s HTTP/1.0\r\nHost: localhost\r\n\r\n' "${MODEL_NAME:-skin}" >&3
grep -q '"state": *"AVAILABLE"' <&3
