#!/usr/bin/env bash
# Makes packages in dist/ from what is in the tree and, for programs, in dist/bin (packaging/build.sh). The same bytes each time.
#
#   packaging/package.sh KIND...
#
#   python   quickq: wheel and sdist; quickq-agent: wheel with the programs, where dist/bin has them
set -euo pipefail
cd "$(dirname "$0")/.."

dist=dist
bin=dist/bin

fail() {
  echo "package.sh: $1" >&2
  exit "${2:-1}"
}

package_python() {
  local programs=()
  if [ -x "$bin/quickq-agent" ] && [ -x "$bin/quickq-spool" ]; then
    programs=("$bin")
  else
    echo "package.sh: no programs in $bin (packaging/build.sh makes them): without the wheel quickq-agent" >&2
  fi
  rm -f "$dist"/quickq-*.tar.gz "$dist"/quickq-*.whl "$dist"/quickq_agent-*.whl
  python3 packaging/python/wheels.py "$dist" ${programs[@]+"${programs[@]}"} | sed "s|^|$dist/|"
}

[ $# -gt 0 ] || fail "which kind? (--help lists them)" 64
command -v python3 > /dev/null || fail "python3 is not in PATH"
mkdir -p "$dist"
for kind in "$@"; do
  case $kind in
    -h | --help) sed -n '2,6s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *[!a-z]*) fail "unknown kind $kind" 64 ;;
    *)
      declare -F "package_$kind" > /dev/null || fail "unknown kind $kind" 64
      "package_$kind"
      ;;
  esac
done
