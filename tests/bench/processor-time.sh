#!/usr/bin/env bash
# Says what the agent's processor time a message is made of: drains a spool under perf and sorts the samples by part, for docs/performance.md.
# The agent is the shipped one but for its symbols, which it keeps. Run it alone on the machine.
#
#   tests/bench/processor-time.sh [MESSAGES [drain | drain-small | drain-large]]
set -euo pipefail
cd "$(dirname "$0")/../.."
messages=${1:-250000}
comparison=${2:-drain}
bash packaging/install-missing.sh rabbitmq-server clang zlib1g-dev linux-perf python3
[ -x dist/bin/quickq-spool ] || bash packaging/build.sh
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

dotnet publish agent --nologo -v quiet -c Release -r linux-x64 -p:PublishAot=true -p:StripSymbols=false \
  -p:ArtifactsPath="$PWD/artifacts/profile" -o "$work/agent"
dotnet build tests/bench -c Release -v quiet --nologo

# The bench starts the agent twice; the larger recording is the drain. perf ends with the process that it watches.
cat > "$work/watched-agent" << END
#!/bin/sh
perf record --quiet --event cpu-clock --freq 4000 --call-graph fp --output "$work/\$\$.perf" --pid \$\$ > "$work/perf.log" 2>&1 < /dev/null &
exec "$work/agent/quickq-agent" "\$@"
END
chmod +x "$work/watched-agent"
QUICKQ_AGENT=$work/watched-agent QUICKQ_SPOOL_CLI=$PWD/dist/bin/quickq-spool \
  artifacts/bin/Quickq.Bench/release/Quickq.Bench "$comparison" --rounds 1 --only Quickq --messages "$messages" | tee "$work/bench.log"
for perf in $(pgrep -f "perf record .*$work/"); do
  tail --pid="$perf" -f /dev/null # it still writes
done
microseconds=$(sed -n 's/^round 1 .* \([0-9.]*\) us .*/\1/p' "$work/bench.log")
recording=$(ls -S "$work"/*.perf | head -n 1)
perf script --input "$recording" --fields comm,tid,time,ip,sym,dso 2> /dev/null | python3 tests/bench/processor_time.py "$microseconds"
