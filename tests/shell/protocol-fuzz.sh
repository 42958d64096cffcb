#!/usr/bin/env bash
# A fuzzer that is guided by coverage finds no frame that ends a program which reads it. Takes ten minutes: --long.
set -uo pipefail
cd "$(dirname "$0")/../.."

. tests/tap.sh
if [ -z "${QUICKQ_LONG:-}" ]; then
  skip "a fuzzer finds no fault in the reading of frames" "takes ten minutes: --long"
  finish_tap
fi

bash tests/fuzz/run.sh > "$work/log" 2>&1
report "a fuzzer finds no fault in the reading of frames" $?
finish_tap
