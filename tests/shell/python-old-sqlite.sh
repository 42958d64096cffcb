#!/usr/bin/env bash
# The Python tests against SQLite 3.21 (the oldest that Quickq knows) and 3.26 (Rocky 8), on every interpreter that loads them.
#
# Runs with --long, which builds them in a scratch folder from two old npm packages that carry their source; and whenever
# QUICKQ_OLD_SQLITE names folders, separated by colons, that hold a libsqlite3.so.0 each. QUICKQ_PYTHONS limits the interpreters.
set -uo pipefail
cd "$(dirname "$0")/../.."
. tests/tap.sh
. tests/run-counting.sh

libraries=${QUICKQ_OLD_SQLITE:-}
if [ -z "$libraries" ] && [ -z "${QUICKQ_LONG:-}" ]; then
  skip "the Python tests pass with SQLite 3.21 and 3.26" "takes minutes: --long, or QUICKQ_OLD_SQLITE=FOLDER[:FOLDER]"
  finish_tap
fi

# Builds the SQLite of an npm package into $work/NAME.
build() {
  local name=$1 package=$2
  mkdir -p "$work/$name" && cd "$work/$name" \
    && npm pack --silent "$package" && tar xzf ./*.tgz && tar xzf package/deps/sqlite-autoconf-*.tar.gz --strip-components 1 \
    && gcc -O1 -shared -fPIC -DSQLITE_ENABLE_DESERIALIZE -DSQLITE_ENABLE_COLUMN_METADATA -Wl,-soname,libsqlite3.so.0 sqlite3.c \
      -o libsqlite3.so.0 -lpthread -ldl -lm
}

if [ -z "$libraries" ]; then
  # An npm that does not come from Debian will do, and could not stand beside Debian's.
  missing=(gcc libc6-dev)
  command -v npm > "$work/log" || missing+=(npm)
  bash packaging/install-missing.sh "${missing[@]}" > "$work/log" 2>&1
  report "npm and a compiler are there" $?
  for one in "3.21 better-sqlite3@4.1.0" "3.26 sqlite3@4.0.6"; do
    # shellcheck disable=SC2086
    (build $one) > "$work/log" 2>&1
    report "SQLite ${one% *} is built" $?
    libraries+=${libraries:+:}$work/${one% *}
  done
fi

cat > "$work/version.py" << 'END'
import sqlite3, sys
sqlite3.connect(":memory:").execute("SELECT 1")
print("%s with SQLite %s" % (sys.version.split()[0], sqlite3.sqlite_version))
END

IFS=: read -ra folders <<< "$libraries"
tried=0
for folder in "${folders[@]}"; do
  for python in ${QUICKQ_PYTHONS:-$(interpreters)}; do
    # A newer Python may need what an older SQLite has not: that is no business of the package.
    named=$(LD_LIBRARY_PATH=$folder "$python" "$work/version.py" 2> /dev/null) || continue
    tried=$((tried + 1))
    LD_LIBRARY_PATH=$folder PYTHONPATH=python-shim PYTHONDONTWRITEBYTECODE=1 "$python" tests/run-python.py "$work/figures" > "$work/log" 2>&1
    report "the tests pass on Python $named" $?
  done
done
echo "$tried loads of ${#folders[@]} libraries" > "$work/log"
[ "$tried" -ge ${#folders[@]} ]
report "every library is tried" $?
finish_tap
