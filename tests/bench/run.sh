#!/usr/bin/env bash
# Runs a benchmark on its own nodes: bash tests/bench/run.sh NAME [ARGUMENTS]. Run it alone on the machine.
set -euo pipefail
cd "$(dirname "$0")/../.."
[ -x packaging/build.sh ] && [ -z "${QUICKQ_AGENT:-}" ] && [ -x dist/bin/quickq-agent ] && export QUICKQ_AGENT="$PWD/dist/bin/quickq-agent"
dotnet build tests/bench -c Release -v quiet --nologo
exec artifacts/bin/Quickq.Bench/release/Quickq.Bench "$@"
