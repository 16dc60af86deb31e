#!/usr/bin/env bash
# Decodes every sample packet with the programs of a build folder: for
# sanitizers. Refusals are fine, a crash is not.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."
unpack=../shared/data/unpack
[ -x "$unpack" ] || { echo "SKIP: no data packs in ../shared/data"; exit 77; }
"$unpack" build/data ztf_native lsst_native lsst_confluent_derived malformed \
    other_surveys schemas >/dev/null
for command in peek lightcurve; do
    code=0
    "$1/bin/weft" "$command" --schemas build/data/schemas build/data/ztf_native \
        build/data/lsst_native build/data/lsst_confluent_derived \
        build/data/malformed build/data/other_surveys >build/samples.json || code=$?
    [ "$code" = 0 ] || [ "$code" = 3 ] || { echo "weft $command: exit $code"; exit 1; }
    echo "weft $command: $(wc -l <build/samples.json) lines"
done
