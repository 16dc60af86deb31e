#!/usr/bin/env bash
# A fresh machine: a container with nothing but a Debian base and git clones
# the commit that is checked out here and runs the README's commands.
#   fresh.sh bookworm|trixie [demo-alerts] [all]
# With `all` it runs the whole ./run test, else the suites without servers.
set -euo pipefail
release=$1 alerts=${2:-1000} suites=${3:-unit}
cd "$(dirname "$(readlink -f "$0")")/../.."
image=weft-fresh:$release
work=$(mktemp -d)
# shellcheck source=tests/containers/engine.sh
. tests/containers/engine.sh

finish () {
    rm -rf "$work"
    engine_stop
}
trap finish EXIT
engine_start
engine_base "$release"

# A plain clone, without anything beside it.
git clone -q --no-local . "$work/weft"
case $suites in
all) test_words=(test) ;;
*) test_words=(test --unit) ;;
esac
# It only computes: what else runs on this machine goes first.
docker run --rm --cpu-shares 2 -v "$work/weft:/src:ro" "$image" bash -euc '
    git clone -q /src /root/weft 2>/dev/null ||
        { git config --global --add safe.directory "*"; git clone -q /src /root/weft; }
    cd /root/weft
    ./run demo --alerts "$0"
    ./run "$@"
' "$alerts" "${test_words[@]}"
echo "fresh $release: demo of $alerts alerts and ${test_words[*]} passed"
