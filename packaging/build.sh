#!/usr/bin/env bash
# Builds the programs that are shipped into dist/bin: they need no .NET on the machine where they run.
#
#   quickq-spool   compiled ahead of time, since every event may start it
#   quickq-agent   compiled ahead of time too, for a third of the memory
#   libe_sqlite3.so  the SQLite that both load from their own folder
#
# They need glibc 2.34 or newer (Debian 12, Ubuntu 22.04, Rocky 9). With --portable it makes dist/bin-portable, for glibc 2.28
# (Rocky 8, Debian 11): both programs precompiled (ReadyToRun), with the system's SQLite; quickq-spool then starts in 45 ms instead of 6.
#
#   packaging/build.sh [--portable] [--output FOLDER]
set -euo pipefail
from=$PWD
cd "$(dirname "$0")/.."

output=
portable=no
while [ $# -gt 0 ]; do
  case $1 in
    --portable) portable=yes ;;
    --output)
      [ -n "${2:-}" ] || { echo "build.sh: --output needs a folder" >&2; exit 64; }
      output=$(cd "$from" && realpath -m "$2")
      shift
      ;;
    -h | --help) sed -n '2,11s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) echo "build.sh: unknown option $1 (--help lists them)" >&2; exit 64 ;;
  esac
  shift
done
if [ -z "$output" ]; then
  output=dist/bin
  [ $portable = no ] || output=dist/bin-portable
fi

runtime=linux-x64
export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1

fail() {
  echo "build.sh: $1" >&2
  [ -z "${2:-}" ] || grep -E 'error' "$2" | sort -u | head -n 20 >&2 || tail -n 20 "$2" >&2
  exit 1
}

[ "$(uname -sm)" = 'Linux x86_64' ] || fail "builds on Linux x86_64 only, this is $(uname -sm)"
command -v dotnet > /dev/null || fail "the .NET SDK 10 is not in PATH (https://dot.net)"

# Everything is published apart from the developers' own artifacts, whose restored packages differ. Names of folders are left
# out of what is compiled, so that the same source gives the same bytes in any folder.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
artifacts=$PWD/artifacts/publish
[ $portable = no ] || artifacts+=-portable
common=(--nologo -v quiet -c Release -r "$runtime" -p:ArtifactsPath="$artifacts" -p:DebugType=none -p:DebugSymbols=false
  -p:ContinuousIntegrationBuild=true -p:PathMap="$PWD=/quickq")

# publish_ahead_of_time PROJECT PROGRAM
publish_ahead_of_time() {
  dotnet publish "$1" "${common[@]}" -p:PublishAot=true -p:StripSymbols=true -o "$work/$1" > "$work/$1.log" 2>&1 \
    || fail "$2 does not compile" "$work/$1.log"
}

# publish_precompiled PROJECT PROGRAM [OPTION...]: with the runtime in one file. What nothing calls is left out: a third of the size, and a quicker start.
publish_precompiled() {
  local project=$1 program=$2
  shift 2
  dotnet publish "$project" "${common[@]}" --self-contained -p:PublishAot=false -p:PublishSingleFile=true \
    -p:PublishReadyToRun=true -p:PublishTrimmed=true "$@" -o "$work/$project" > "$work/$project.log" 2>&1 || fail "$program does not compile" "$work/$project.log"
}

if [ $portable = yes ]; then
  kind="self-contained, trimmed, ReadyToRun"
  publish_precompiled spool-cli quickq-spool -p:QuickqSystemSqlite=true
  publish_precompiled agent quickq-agent -p:QuickqSystemSqlite=true
else
  kind="compiled ahead of time"
  bash packaging/install-missing.sh clang zlib1g-dev
  publish_ahead_of_time spool-cli quickq-spool
  publish_ahead_of_time agent quickq-agent
fi

rm -rf "$output"
mkdir -p "$output"
install -m 755 "$work/spool-cli/quickq-spool" "$work/agent/quickq-agent" "$output/"
if [ $portable = no ]; then
  install -m 644 "$work/agent/libe_sqlite3.so" "$output/"
  cmp -s "$work/spool-cli/libe_sqlite3.so" "$work/agent/libe_sqlite3.so" || fail "the two programs come with different builds of SQLite"
fi

# What was built is tried before anybody installs it: a program that does not find its library is linked without a complaint.
for program in quickq-spool quickq-agent; do
  "$output/$program" --version > "$work/$program.log" 2>&1 || fail "$program does not start: $(tail -n 1 "$work/$program.log")"
done
"$output/quickq-spool" add --spool "$work/try.db" try > "$work/try.log" 2>&1 || fail "quickq-spool does not work: $(tail -n 1 "$work/try.log")"

describe() { printf '  %-16s %8s KiB  %s\n' "$1" "$(($(stat -c %s "$output/$1") / 1024))" "$2"; }
echo "$output:"
describe quickq-spool "$kind"
describe quickq-agent "$kind"
[ $portable = yes ] || describe libe_sqlite3.so "SQLite"
