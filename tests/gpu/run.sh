#!/usr/bin/env bash
# The CUDA paths beside their twins on the processor, then their figures as JSON. Needs nothing from a network, and less
# than eight minutes. Without an accelerator only the processor's part runs, as in `make test`.
#
#   tests/gpu/run.sh [FOLDER]        FOLDER takes figures.json; without it $OUT, or a folder of its own
#   PYTHON=python3 tests/gpu/run.sh  another interpreter than the checkout's
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
folder=${1:-${OUT:-$(mktemp -d)}}
python=${PYTHON:-.venv/bin/python}
export PYTHONPATH=$PWD
mkdir -p "$folder"
timeout 240 "$python" -m pytest tests/gpu tests/unit/models/aggregation/test_coordinates.py -q -p no:cacheprovider
timeout 220 "$python" -m tests.gpu.figures --out "$folder/figures.json"
echo "figures in $folder/figures.json"
