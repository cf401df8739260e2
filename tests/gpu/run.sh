#!/usr/bin/env bash
# The CUDA paths beside their twins on the processor, then their figures as JSON. Needs nothing from a network, and less
# than eight minutes. Without an accelerator only the processor's part runs, as in `make test`. Figures are taken also
# where a twin differs; the exit status is then the tests'.
#
#   tests/gpu/run.sh [FOLDER]        FOLDER takes figures.json; without it $OUT, or a folder of its own
#   PYTHON=python3 tests/gpu/run.sh  another interpreter than the checkout's
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit
folder=${1:-${OUT:-$(mktemp -d)}}
python=${PYTHON:-.venv/bin/python}
export PYTHONPATH=$PWD${PYTHONPATH:+:$PYTHONPATH}
mkdir -p "$folder" || exit
timeout 150 "$python" -m pytest tests/gpu tests/unit/models/aggregation/test_coordinates.py -q --tb=short \
  -p no:cacheprovider
tests=$?
timeout 240 "$python" -m tests.gpu.figures --out "$folder/figures.json"
figures=$?
echo "figures in $folder/figures.json; exit status of the tests $tests, of the figures $figures"
exit $((tests > 0 ? tests : figures))
