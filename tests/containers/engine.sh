#!/usr/bin/env bash
# engine.sh - a container engine, base images and compose, for the tests that
# source it. Where they cannot be had, the test ends with 77 and a line that
# begins with SKIP.
#
# Nothing comes from an image registry: base images are made by debootstrap,
# compose is Debian 13's package.

engine_state=/tmp/weft-engine
engine_used=

skip () {
    echo "SKIP: $*"
    exit 77
}

start_engine () {
    command -v dockerd >/dev/null || skip "dockerd is not installed"
    setsid dockerd >"$engine_state/log" 2>&1 8>&- 9>&- &
    echo $! >"$engine_state/pid"
    for _ in $(seq 120); do
        if docker info >/dev/null 2>&1; then return; fi
        sleep 0.5
    done
    tail -5 "$engine_state/log"
    skip "no container engine can run here"
}

# engine_start: a running engine, started here if nobody has. Everybody who
# uses it holds a shared lock; the last one out ends what one of us started.
engine_start () {
    command -v docker >/dev/null || skip "docker is not installed"
    mkdir -p "$engine_state"
    exec 8>"$engine_state/users"
    engine_used=yes
    (
        flock 9
        flock -s 8
        docker info >/dev/null 2>&1 || start_engine
    ) 9>"$engine_state/start"
}

end_engine () {
    local pid
    pid=$(cat "$engine_state/pid" 2>/dev/null) || return 0
    rm "$engine_state/pid"
    [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = dockerd ] || return 0
    kill "$pid"
    for _ in $(seq 60); do
        [ -e "/proc/$pid" ] || break
        sleep 0.5
    done
}

# engine_stop: we are done with it. Harmless if it was never started.
engine_stop () {
    [ -n "$engine_used" ] || return 0
    (
        flock 9
        if flock -n -x 8; then end_engine; fi
    ) 9>"$engine_state/start"
    exec 8>&-
}

# engine_base RELEASE: the image weft-fresh:RELEASE, a bare Debian with git.
engine_base () (
    flock 9
    if docker image inspect "weft-fresh:$1" >/dev/null 2>&1; then exit 0; fi
    command -v debootstrap >/dev/null || skip "debootstrap is not installed"
    folder=$(mktemp -d)
    trap 'rm -rf "$folder"' EXIT
    debootstrap --variant=minbase --include=ca-certificates,git "$1" \
        "$folder/base" >"$folder/log" 2>&1 || { tail -5 "$folder/log"; skip "debootstrap cannot make $1: $(tail -1 "$folder/log")"; }
    tar -C "$folder/base" -c . | docker import - "weft-fresh:$1" >/dev/null
) 9>"$engine_state/base-$1"

# engine_compose: sets the array `compose` to the command, version 2.
engine_compose () {
    if docker compose version >/dev/null 2>&1; then
        compose=(docker compose)
        return
    fi
    compose=("$engine_state/docker-compose")
    engine_base trixie
    (
        flock 9
        if [ -x "${compose[0]}" ]; then exit 0; fi
        docker run --rm weft-fresh:trixie sh -euc '
            cd /tmp
            apt-get -qq update >&2
            apt-get -qq -o APT::Sandbox::User=root download docker-compose >&2
            dpkg-deb -x docker-compose_*.deb .
            cat usr/libexec/docker/cli-plugins/docker-compose
        ' >"$engine_state/part" || skip "compose cannot be installed"
        chmod +x "$engine_state/part"
        mv "$engine_state/part" "${compose[0]}"
    ) 9>"$engine_state/compose-lock"
}
