#!/usr/bin/env bash
# Makes what the stand-ins are built from, where nothing can be pulled: a small Debian 12 with its Python, by debootstrap.
# Prints the image's name; a second call is instant.
set -euo pipefail
image=local/debian:12
if ! docker image inspect "$image" >/dev/null 2>&1; then
  root=$(mktemp -d)
  trap 'rm -rf "$root"' EXIT
  debootstrap --variant=minbase --include=python3,python3-venv,netcat-openbsd,ca-certificates bookworm "$root/fs" >"$root/log" 2>&1 ||
    { tail -20 "$root/log" >&2; exit 1; }
  rm -rf "$root"/fs/var/cache/apt/archives "$root"/fs/var/lib/apt/lists
  ln -sf bash "$root/fs/bin/sh"  # Alpine's knows pipefail, as Temporal's entry point asks; dash does not
  tar -C "$root/fs" -c . |
    docker import -c 'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' - "$image" >/dev/null
fi
echo "$image"
