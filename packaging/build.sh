#!/usr/bin/env bash
# Builds the programs that are shipped into dist/bin: they need no .NET on the machine where they run.
#
#   quickq-spool   compiled ahead of time, since every event may start it: the newest target whose packs can be restored
#   quickq-agent   self-contained, one file, precompiled (ReadyToRun)
#   libe_sqlite3.so  the SQLite that both load from their own folder
#
#   packaging/build.sh [--output FOLDER]
set -euo pipefail
cd "$(dirname "$0")/.."

output=dist/bin
while [ $# -gt 0 ]; do
  case $1 in
    --output) output=${2:?--output needs a folder}; shift ;;
    -h | --help) sed -n '2,8s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) echo "build.sh: unknown option $1" >&2; exit 64 ;;
  esac
  shift
done

runtime=linux-x64
targets='net10.0 net9.0'
export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1

fail() {
  echo "build.sh: $1" >&2
  [ -z "${2:-}" ] || grep -E 'error' "$2" | sort -u | head -n 20 >&2 || tail -n 20 "$2" >&2
  exit 1
}

[ "$(uname -sm)" = 'Linux x86_64' ] || fail "builds on Linux x86_64 only, this is $(uname -sm)"
command -v dotnet > /dev/null || fail "the .NET SDK 10 is not in PATH (https://dot.net)"
bash packaging/install-missing.sh clang zlib1g-dev

# Everything is published apart from the developers' own artifacts, whose restored packages differ.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
common=(--nologo -v quiet -c Release -r "$runtime" -p:ArtifactsPath="$PWD/artifacts/publish" -p:DebugType=none -p:DebugSymbols=false)

aot_target=
for target in $targets; do
  if dotnet restore spool-cli -v quiet -r "$runtime" -p:ArtifactsPath="$PWD/artifacts/publish" \
    -p:TargetFrameworks="$target" -p:PublishAot=true > "$work/restore-$target.log" 2>&1; then
    aot_target=$target
    break
  fi
  grep -qE 'error (NU|NETSDK)1' "$work/restore-$target.log" || fail "cannot restore quickq-spool for $target" "$work/restore-$target.log"
done
[ -n "$aot_target" ] || fail "no target of ($targets) can be compiled ahead of time: its packs are not served" "$work/restore-$target.log"

dotnet publish spool-cli "${common[@]}" --no-restore -f "$aot_target" -p:TargetFrameworks="$aot_target" \
  -p:PublishAot=true -p:StripSymbols=true -o "$work/spool-cli" > "$work/spool-cli.log" 2>&1 \
  || fail "quickq-spool does not compile" "$work/spool-cli.log"

dotnet publish agent "${common[@]}" --self-contained -f net10.0 -p:TargetFrameworks=net10.0 -p:PublishSingleFile=true -p:PublishReadyToRun=true \
  -o "$work/agent" > "$work/agent.log" 2>&1 \
  || fail "quickq-agent does not compile" "$work/agent.log"

rm -rf "$output"
mkdir -p "$output"
install -m 755 "$work/spool-cli/quickq-spool" "$work/agent/quickq-agent" "$output/"
install -m 644 "$work/agent/libe_sqlite3.so" "$output/"
cmp -s "$work/spool-cli/libe_sqlite3.so" "$work/agent/libe_sqlite3.so" || fail "the two programs come with different builds of SQLite"

# What was built is tried before anybody installs it: a program that does not find its library is linked without a complaint.
for program in quickq-spool quickq-agent; do
  "$output/$program" --version > "$work/$program.log" 2>&1 || fail "$program does not start: $(tail -n 1 "$work/$program.log")"
done
"$output/quickq-spool" add --spool "$work/try.db" try > "$work/try.log" 2>&1 || fail "quickq-spool does not work: $(tail -n 1 "$work/try.log")"

describe() { printf '  %-16s %8s KiB  %s\n' "$1" "$(($(stat -c %s "$output/$1") / 1024))" "$2"; }
echo "$output:"
describe quickq-spool "compiled ahead of time ($aot_target)"
describe quickq-agent "self-contained, ReadyToRun (net10.0)"
describe libe_sqlite3.so "SQLite"
