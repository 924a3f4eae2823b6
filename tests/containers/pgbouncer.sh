#!/usr/bin/env bash
# Builds PgBouncer from the source that a newer Debian has, as the one of Debian 12 (1.18) can't have prepared statements in
# transaction mode; prints where it is. Once a machine: it is kept beside the other programs.
set -euo pipefail
kept=${XDG_CACHE_HOME:-$HOME/.cache}/handover/pgbouncer
if ! "$kept/pgbouncer" --version >/dev/null 2>&1; then
  scratch=$(mktemp -d)
  trap 'rm -rf "$scratch"' EXIT
  mkdir -p "$scratch"/{etc,lists/partial,cache/archives/partial,source}
  {
    apt-get update -qq
    mirror=$(apt-get indextargets --format '$(REPO_URI)' | head -n 1)
    keys=/usr/share/keyrings/debian-archive-keyring.gpg
    printf '%s\n' 'Types: deb-src' "URIs: $mirror" 'Suites: trixie' 'Components: main' "Signed-By: $keys" >"$scratch/etc/newer.sources"
    newer=(-qq -o Dir::Etc::sourcelist=/dev/null -o Dir::Etc::sourceparts="$scratch/etc" -o Dir::State::lists="$scratch/lists" -o Dir::Cache="$scratch/cache" -o APT::Sandbox::User=root)
    apt-get "${newer[@]}" update
    (cd "$scratch" && apt-get "${newer[@]}" --download-only source pgbouncer)
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends gcc make pkg-config libc6-dev libevent-dev libssl-dev
    tar -xf "$scratch"/pgbouncer_*.orig.tar.* -C "$scratch/source" --strip-components=1
    (cd "$scratch/source" && ./configure && make -j"$(nproc)" pgbouncer)
    mkdir -p "$kept"
    install -m 755 "$scratch/source/pgbouncer" "$kept/pgbouncer"
  } >&2
fi
echo "$kept/pgbouncer"
