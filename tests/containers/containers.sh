#!/usr/bin/env bash
# The compose files in real containers: from a plain clone to a balanced
# ledger while stages are scaled, killed and swapped (containers.py). Starts
# an engine if none runs; leaves no container, network, volume or image of
# its own behind.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/../.."
# shellcheck source=tests/containers/engine.sh
. tests/containers/engine.sh
project=weft-test-$$
work=$(mktemp -d)
compose=()
files=(-p "$project" -f "$work/weft/compose/compose.yaml" -f tests/containers/redis.yaml)

finish () {
    if [ "${#compose[@]}" -gt 0 ]; then
        "${compose[@]}" "${files[@]}" down -v --remove-orphans --rmi local \
            --timeout 5 >/dev/null 2>&1 || true
        docker image rm "$WEFT_IMAGE" "$WEFT_IMAGE-python" "$WEFT_REDIS" \
            >/dev/null 2>&1 || true
    fi
    rm -rf "$work"
    engine_stop
}
trap finish EXIT

engine_start
engine_base trixie
engine_compose
export WEFT_BASE=weft-fresh:trixie WEFT_IMAGE=$project WEFT_REDIS=$project-redis
# A plain clone of what is checked out here.
git clone -q --no-local . "$work/weft"
python3 tests/containers/containers.py --project "$project" --clone "$work/weft" \
    "$@" -- "${compose[@]}"
