#!/usr/bin/env bash
# Measures Quickq beside what would be used instead, on nodes of its own: bash tests/bench/run.sh [NAME...] [options].
# Run it alone on the machine. `--help` lists the comparisons; without a NAME all of them run, which takes an hour.
set -euo pipefail
cd "$(dirname "$0")/../.."
bash packaging/install-missing.sh rabbitmq-server sqlite3 strace python3 python3-amqp amqp-tools

# What is measured is what is shipped.
if [ -z "${QUICKQ_AGENT:-}${QUICKQ_SPOOL_CLI:-}" ]; then
  [ -x dist/bin/quickq-agent ] || bash packaging/build.sh
  export QUICKQ_AGENT=$PWD/dist/bin/quickq-agent QUICKQ_SPOOL_CLI=$PWD/dist/bin/quickq-spool
fi
dotnet build tests/bench -c Release -v quiet --nologo
exec artifacts/bin/Quickq.Bench/release/Quickq.Bench "$@"
