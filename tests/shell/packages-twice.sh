#!/usr/bin/env bash
# Two clean clones of the last commit, in folders of different names and depth, make the same packages to the byte, each from a build of its own.
# Takes many minutes: --long.
set -uo pipefail
cd "$(dirname "$0")/../.."

. tests/tap.sh
if [ -z "${QUICKQ_LONG:-}" ]; then
  skip "two clones make the same packages" "takes many minutes: --long"
  finish_tap
fi

makes_packages() { git clone --quiet . "$1" && (cd "$1" && bash packaging/package.sh); }

mkdir -p "$work/another/folder"
makes_packages "$work/clone" > "$work/log" 2>&1
report "a clean clone makes every package" $?

[ "$(ls "$work/clone/dist" | grep -cE '\.(deb|rpm|whl|tar\.gz|nupkg)$')" = 8 ] && (cd "$work/clone/dist" && sha256sum --check --strict SHA256SUMS) > "$work/log" 2>&1
report "there are two debs, two rpms, three for Python and one for NuGet, and their checksums are right" $?

# The second one with another mode for new files, another time zone and another language.
(umask 077 && TZ=Asia/Tokyo LC_ALL=C.UTF-8 makes_packages "$work/another/folder/named-otherwise") > "$work/log" 2>&1
report "so does another" $?

diff "$work/clone/dist/SHA256SUMS" "$work/another/folder/named-otherwise/dist/SHA256SUMS" > "$work/log" 2>&1
report "the packages of both are the same bytes" $?

finish_tap
