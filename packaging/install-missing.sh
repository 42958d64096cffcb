#!/usr/bin/env bash
# Installs those of the named Debian packages that are missing, and nothing when all are there (so it works offline).
# A broker that comes with them is neither started nor enabled: Quickq's tests and demo run private nodes of their own.
# A broker that was installed before is left alone.
set -euo pipefail

missing=()
for package in "$@"; do
  if [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2> /dev/null || true)" != installed ]; then
    missing+=("$package")
  fi
done
[ ${#missing[@]} -gt 0 ] || exit 0

if ! command -v apt-get > /dev/null; then
  echo "install-missing: this needs the Debian packages: ${missing[*]} (no apt-get here: install their like by hand)" >&2
  exit 69
fi
if [ "$(id -u)" != 0 ]; then
  echo "install-missing: missing packages; run as root, or: sudo apt-get install ${missing[*]}" >&2
  exit 77
fi

log=$(mktemp)
policy=/usr/sbin/policy-rc.d
own_policy=
cleanup() {
  rm -f "$log"
  [ -z "$own_policy" ] || rm -f "$policy"
}
trap cleanup EXIT

# Package scripts ask this file whether they may start a service; 101 is no.
if [ ! -e "$policy" ]; then
  own_policy=yes
  printf '#!/bin/sh\nexit 101\n' > "$policy"
  chmod 755 "$policy"
fi

echo "installing: ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
install() { apt-get install -y --no-install-recommends "${missing[@]}" >> "$log" 2>&1; }
if ! install && ! { apt-get update >> "$log" 2>&1 && install; }; then
  tail -n 20 "$log" >&2
  echo "install-missing: could not install ${missing[*]}" >&2
  exit 69
fi

for package in "${missing[@]}"; do
  if [ "$package" = rabbitmq-server ] && command -v systemctl > /dev/null; then
    systemctl disable --quiet rabbitmq-server.service epmd.service epmd.socket 2>> "$log" \
      || echo "install-missing: rabbitmq-server stays enabled: $(tail -n 1 "$log")" >&2
  fi
done
