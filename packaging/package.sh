#!/usr/bin/env bash
# Makes the packages in dist/, and dist/SHA256SUMS over all that lie there. The same source gives the same bytes each time.
#
#   packaging/package.sh [--no-build] [--fast] [--output FOLDER] [KIND...]      all kinds when none is named
#
#   deb      quickq_VERSION_amd64.deb (Debian 12, Ubuntu 22.04), quickq_VERSION~deb11_amd64.deb (Debian 11)
#   rpm      quickq-VERSION.x86_64.rpm (Rocky 9), quickq-VERSION.el8.x86_64.rpm (Rocky 8)
#   python   ssec-quickq: wheel and sdist; ssec-quickq-agent: wheel with the portable programs (glibc 2.28)
#   nuget    Quickq.Spool: the library for .NET programs
#   sbom     quickq-VERSION.cdx.json: what the programs consist of (CycloneDX)
#
#   --no-build   deb, rpm and python take the programs as they are in dist/bin and dist/bin-portable, and make what these allow
#   --fast       compresses little: larger files, made in seconds
#   --output     another folder than dist
set -euo pipefail
from=$PWD
cd "$(dirname "$0")/.."

dist=dist
bin=dist/bin
portable=dist/bin-portable
build=yes
fast=no
kinds=()

fail() {
  echo "package.sh: $1" >&2
  exit "${2:-1}"
}

while [ $# -gt 0 ]; do
  case $1 in
    --no-build) build=no ;;
    --fast) fast=yes ;;
    --output)
      [ -n "${2:-}" ] || fail "--output needs a folder" 64
      dist=$(cd "$from" && realpath -m "$2")
      shift
      ;;
    -h | --help) sed -n '2,14s/^# \{0,1\}//p' "$0"; exit 0 ;;
    deb | rpm | python | nuget | sbom) kinds+=("$1") ;;
    -*) fail "unknown option $1 (--help lists them)" 64 ;;
    *) fail "unknown kind $1: use deb, rpm, python, nuget or sbom" 64 ;;
  esac
  shift
done
[ ${#kinds[@]} -gt 0 ] || kinds=(deb rpm python nuget sbom)

version=${QUICKQ_PACKAGE_VERSION:-$(sed -nE 's|.*<Version>(.*)</Version>.*|\1|p' Directory.Build.props)}
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2> /dev/null || stat -c %Y CHANGELOG.md)}
export LC_ALL=C TZ=UTC
umask 022

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
. packaging/package-parts.sh

wanted() { [[ " ${kinds[*]} " == *" $1 "* ]]; }

if wanted deb || wanted rpm; then
  if [ $build = yes ]; then
    bash packaging/build.sh
    bash packaging/build.sh --portable
  fi
  has_programs "$bin" || has_programs "$portable" || fail "no programs in $bin: run without --no-build"
elif wanted python && [ $build = yes ]; then
  bash packaging/build.sh --portable
fi

mkdir -p "$dist"
for kind in "${kinds[@]}"; do
  "package_$kind"
done
write_checksums
