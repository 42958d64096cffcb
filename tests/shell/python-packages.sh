#!/usr/bin/env bash
# The Python packages install by pip without network, on the oldest and the newest interpreter, from wheel, sdist and folder,
# and are the same bytes each time they are made.
set -uo pipefail
cd "$(dirname "$0")/../.."
. tests/tap.sh

interpreters() {
  local candidate
  for candidate in "${PYENV_ROOT:-$HOME/.pyenv}"/versions/*/bin/python3 /usr/bin/python3; do
    [ -x "$candidate" ] && "$candidate" -c 'import sys, venv, ensurepip
if sys.version_info >= (3, 6): print("%03d.%03d %s" % (sys.version_info[0], sys.version_info[1], sys.executable))' 2> /dev/null
  done | sort -u | cut -d' ' -f2
}

# What is published needs the program quickq-spool, which the package ssec-quickq-agent or the distribution brings.
program=${QUICKQ_SPOOL_CLI:-}
for place in dist/bin artifacts/bin/Quickq.SpoolCli/debug artifacts/bin/Quickq.SpoolCli/debug_net10.0; do
  [ -n "$program" ] || [ ! -x "$place/quickq-spool" ] || program=$PWD/$place/quickq-spool
done
export QUICKQ_PROGRAM=$program

publish='import os, sys, quickq
assert sys.prefix in quickq.__file__, quickq.__file__
spool = quickq.Spool(sys.argv[1])
assert spool.status(spool.publish({"a": 1}, route_key="k")) == {}
from quickq import ssec'

# Installs $3... with the interpreter $1 into a fresh environment, and publishes; $2 says what it is.
installs() {
  local python=$1 what=$2 place
  shift 2
  place=$(mktemp -d -p "$work")
  {
    "$python" -m venv "$place/venv" \
      && "$place/venv/bin/python" -m pip install --no-index --disable-pip-version-check "$@" \
      && (cd / && env -u PYTHONPATH "$place/venv/bin/python" -c "$publish" "$place/spool.db") \
      && (cd / && echo '{"b": 2}' | env -u PYTHONPATH "$place/venv/bin/python" -m quickq --lines --spool "$place/spool.db") \
      && (cd / && env -u PYTHONPATH "$place/venv/bin/python" -m quickq list --json --spool "$place/spool.db") | grep -c routingKey | grep -qx 2
  } > "$work/log" 2>&1
  report "$what installs and publishes" $?
}

programs=dist/bin
[ -x "$programs/quickq-agent" ] && [ -x "$programs/quickq-spool" ] || programs=
mkdir "$work/one" "$work/two"
for folder in one two; do
  python3 packaging/python/wheels.py "$work/$folder" $programs > "$work/log" 2>&1 || break
done
diff -r "$work/one" "$work/two" >> "$work/log" 2>&1
report "the packages are the same bytes each time" $?

mapfile -t found < <(interpreters)
if [ ${#found[@]} = 0 ]; then
  skip "the packages install" "no Python with venv and ensurepip"
else
  chosen=("${found[0]}")
  [ ${#found[@]} = 1 ] || chosen+=("${found[-1]}")
  for python in "${chosen[@]}"; do
    version=$("$python" -c 'import sys; print(sys.version.split()[0])')
    installs "$python" "Python $version: the wheel" "$work"/one/ssec_quickq-*.whl
    installs "$python" "Python $version: the sdist" "$work"/one/ssec_quickq-*.tar.gz
    installs "$python" "Python $version: the folder" ./python-shim
  done
fi

# Whether what pip installed in $work/venv takes a message from the shell and one from Python to a broker. A real one, of its own;
# whatever is started here ends with the subshell.
delivers() (
  unset QUICKQ_PROGRAM  # that of the wheel is found
  folder=$work/delivery keep=no
  mkdir "$folder"
  . packaging/demo-parts.sh
  bash packaging/install-missing.sh rabbitmq-server || exit
  make_node 1
  start_node 1
  export QUICKQ_SPOOL=$folder/spool.db
  cat > "$folder/quickq.json" << JSON
{
  "spool": { "path": "$QUICKQ_SPOOL" },
  "servers": { "mq1": { "host": "127.0.0.1", "port": ${node_port[1]}, "user": "guest", "password": "guest", "exchange": "amq.topic" } }
}
JSON
  chmod 600 "$folder/quickq.json"
  run_child "$work/venv/bin/quickq-agent" --config "$folder/quickq.json"
  "$work/venv/bin/quickq-spool" add --wait=120s -t a.b '{"a":1}' && env -u PYTHONPATH "$work/venv/bin/python" -c '
import quickq
mid = quickq.publish({"b": 2}, "a.c")
assert quickq.wait(mid, 120), quickq.status(mid)
assert quickq.status(mid) == {"mq1": "DELIVERED"}'
)

if [ -z "$programs" ] || [ ${#found[@]} = 0 ]; then
  skip "pip alone, and a broker, make a delivered message" "no programs in dist/bin (packaging/build.sh makes them)"
else
  {
    "${found[-1]}" -m venv "$work/venv" \
      && "$work/venv/bin/python" -m pip install --no-index --disable-pip-version-check --find-links "$work/one" "ssec-quickq[agent]" \
      && "$work/venv/bin/quickq-agent" --version && delivers
  } > "$work/log" 2>&1
  report "pip alone, and a broker, make a delivered message" $?
fi

git status --porcelain python-shim > "$work/log" && [ ! -s "$work/log" ]
report "an installation leaves nothing in python-shim" $?

finish_tap
