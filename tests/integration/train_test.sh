#!/usr/bin/env bash
# train_test.sh - weft train from a simulated season: the same input and seed
# give the same model, which is good on objects that it has not seen; what is
# published is live in Redis.
set -eu
export OMP_NUM_THREADS=1
weft=$WEFT_BIN/weft
command -v redis-server >/dev/null || exit 77
folder=$(mktemp -d)
redis=
clean () {
    [ -z "$redis" ] || kill "$redis" 2>/dev/null || true
    rm -rf "$folder"
}
trap clean EXIT
fail () { echo "train_test: $*" >&2; exit 1; }
field () { sed -n "s/^ *\"$1\": \"\{0,1\}\([^\",]*\).*/\1/p" "$2" | head -1; }

"$weft" train --help >/dev/null || fail "--help"
code=0; "$weft" train 2>/dev/null || code=$?
[ $code = 2 ] || fail "no arguments: exit $code, not 2"
code=0; "$weft" train --input "$folder" --truth "$folder/none" 2>/dev/null || code=$?
[ $code = 1 ] || fail "no truth: exit $code, not 1"

"$weft" sim --seed 3 --alerts 1500 --stamps none --out "$folder/season" --quiet
train () {
    "$weft" train --input "$folder/season/alerts" --truth "$folder/season/truth.csv" \
        --trees 40 --seed "$1" --out "$folder/$2" --json "$folder/$2.json" "${@:3}" >/dev/null
}
train 1 one
train 1 again
train 2 other
cmp "$folder/one/model.ubj" "$folder/again/model.ubj" || fail "not deterministic"
cmp "$folder/one/card.json" "$folder/again/card.json" || fail "the card is not deterministic"
[ "$(field version "$folder/one.json")" = "$(field version "$folder/again.json")" ] || fail "version"
[ "$(field version "$folder/one.json")" != "$(field version "$folder/other.json")" ] || fail "seed"
for name in model.ubj features.txt classes.txt calib.json card.json model.v1; do
    [ -s "$folder/one/$name" ] || fail "$name is missing"
done
awk -v a="$(field accuracy "$folder/one.json")" 'BEGIN { exit !(a > 0.6) }' ||
    fail "accuracy $(field accuracy "$folder/one.json")"

redis-server --port 0 --unixsocket "$folder/s" --save "" --appendonly yes --dir "$folder" \
    --maxmemory-policy noeviction >/dev/null &
redis=$!
for _ in $(seq 1000); do
    [ "$(redis-cli -s "$folder/s" ping 2>/dev/null)" = PONG ] && break
    sleep 0.1
done
train 1 again --redis "unix:$folder/s" --publish
train 2 other --redis "unix:$folder/s" --publish
train 2 other --redis "unix:$folder/s" --publish
live=$(redis-cli -s "$folder/s" get model:demo:current)
[ "$live" = "$(field version "$folder/other.json")" ] || fail "live is $live"
train 1 again --redis "unix:$folder/s" --publish --unless-live
[ "$(redis-cli -s "$folder/s" get model:demo:current)" = "$live" ] || fail "--unless-live"
train 1 again --redis "unix:$folder/s" --publish --unless-live --name first
[ -n "$(redis-cli -s "$folder/s" get model:first:current)" ] || fail "--unless-live, none"
[ "$(redis-cli -s "$folder/s" exists "model:demo:$(field version "$folder/one.json")")" = 1 ] ||
    fail "the older version is gone"
