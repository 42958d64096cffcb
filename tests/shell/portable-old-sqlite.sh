#!/usr/bin/env bash
# The portable programs (packaging/build.sh --portable) with SQLite 3.26, the system's on Rocky 8 and the oldest that Quickq works with.
#
# Runs with --long, which builds that SQLite in a scratch folder from an npm package that carries its source; and whenever
# QUICKQ_OLD_SQLITE names a folder that holds a libsqlite3.so.0. QUICKQ_PORTABLE names a folder with the programs, built otherwise.
set -uo pipefail
cd "$(dirname "$0")/../.."
. tests/tap.sh

library=${QUICKQ_OLD_SQLITE:-}
if [ -z "$library" ] && [ -z "${QUICKQ_LONG:-}" ]; then
  skip "the portable programs work with SQLite 3.26" "takes minutes: --long, or QUICKQ_OLD_SQLITE=FOLDER"
  finish_tap
fi

# Builds the SQLite of the package into $work/3.26.
build() {
  mkdir -p "$work/3.26" && cd "$work/3.26" \
    && npm pack --silent sqlite3@4.0.6 && tar xzf ./*.tgz && tar xzf package/deps/sqlite-autoconf-*.tar.gz --strip-components 1 \
    && gcc -O1 -shared -fPIC -DSQLITE_ENABLE_COLUMN_METADATA -Wl,-soname,libsqlite3.so.0 sqlite3.c -o libsqlite3.so.0 -lpthread -ldl -lm
}

if [ -z "$library" ]; then
  # An npm that does not come from Debian will do, and could not stand beside Debian's.
  missing=(gcc libc6-dev)
  command -v npm > "$work/log" || missing+=(npm)
  bash packaging/install-missing.sh "${missing[@]}" > "$work/log" 2>&1
  report "npm and a compiler are there" $?
  (build) > "$work/log" 2>&1
  report "SQLite 3.26 is built" $?
  library=$work/3.26
fi

programs=${QUICKQ_PORTABLE:-$work/portable}
if [ -z "${QUICKQ_PORTABLE:-}" ]; then
  bash packaging/build.sh --portable --output "$programs" > "$work/log" 2>&1
  report "the portable programs are built" $?
fi

# Only the programs load that library: the sqlite3 program of the tests needs its own.
for program in quickq-spool quickq-agent; do
  printf '#!/bin/sh\nLD_LIBRARY_PATH=%s exec "%s/%s" "$@"\n' "$library" "$(realpath "$programs")" "$program" > "$work/$program"
  chmod 755 "$work/$program"
done
export QUICKQ_SPOOL_CLI=$work/quickq-spool QUICKQ_AGENT=$work/quickq-agent
"$QUICKQ_SPOOL_CLI" --spool "$work/spool.db" add try > "$work/log" 2>&1 && "$QUICKQ_SPOOL_CLI" --spool "$work/spool.db" check > "$work/log" 2>&1
grep -qE 'sqlite +good +3\.26\.' "$work/log"
report "the programs use SQLite 3.26" $?

# The tests that run the programs; those of the spool's own code run with the SQLite that comes along.
dotnet artifacts/bin/Quickq.SpoolCli.Tests/debug/Quickq.SpoolCli.Tests.dll -namespace Quickq.SpoolCli.Tests.Program > "$work/log" 2>&1
report "the tests of quickq-spool pass" $?
dotnet artifacts/bin/Quickq.Disruption.Tests/debug/Quickq.Disruption.Tests.dll -class '*WholePathTests' > "$work/log" 2>&1
report "the agent delivers" $?
finish_tap
