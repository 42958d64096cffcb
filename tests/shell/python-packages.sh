#!/usr/bin/env bash
# The Python packages install by pip without network, on the oldest interpreter, on 3.9 and on the newest, from wheel, sdist and folder, and are the
# same bytes each time they are made. Where dist/bin-portable has programs: ssec-quickq[agent] brings them, for glibc 2.28, and they deliver.
set -uo pipefail
cd "$(dirname "$0")/../.."
. tests/tap.sh

# Those that are found: one a line, the oldest first.
interpreters() {
  local candidate
  for candidate in "${PYENV_ROOT:-$HOME/.pyenv}"/versions/*/bin/python3 /usr/bin/python3; do
    [ -x "$candidate" ] && "$candidate" -c 'import sys, venv, ensurepip
if sys.version_info >= (3, 6): print("%03d.%03d %s" % (sys.version_info[0], sys.version_info[1], sys.executable))' 2> /dev/null
  done | sort -u
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

# Publishes from the environment $1/venv to the spool $1/spool.db, in both ways.
publishes() (
  cd /
  unset PYTHONPATH
  "$1/venv/bin/python" -c "$publish" "$1/spool.db" \
    && echo '{"b": 2}' | "$1/venv/bin/python" -m quickq --lines --spool "$1/spool.db" \
    && "$1/venv/bin/python" -m quickq list --json --spool "$1/spool.db" | grep -c routingKey | grep -qx 2
)

# Installs $3... with the interpreter $1 into a fresh environment, and publishes; $2 says what it is.
installs() {
  local python=$1 what=$2 place
  shift 2
  place=$(mktemp -d -p "$work")
  {
    "$python" -m venv "$place/venv" \
      && "$place/venv/bin/python" -m pip install --no-index --disable-pip-version-check "$@" \
      && publishes "$place"
  } > "$work/log" 2>&1
  report "$what installs and publishes" $?
}

# The same with the wheel of the programs, and no program but theirs. A pip before 20.3 does not know the tag of that wheel: a newer pip installs it then.
installs_agent() (
  set -e
  unset QUICKQ_PROGRAM
  place=$(mktemp -d -p "$work")
  "$1" -m venv "$place/venv"
  packages=$("$place/venv/bin/python" -c 'import sysconfig; print(sysconfig.get_paths()["platlib"])')
  if "$place/venv/bin/python" -c 'import pip, sys; sys.exit(tuple(map(int, pip.__version__.split(".")[:2])) < (20, 3))'; then
    "$place/venv/bin/python" -m pip install --no-index --disable-pip-version-check --find-links "$work/one" "ssec-quickq[agent]"
    "$place/venv/bin/quickq-spool" --version
  else
    ! "$place/venv/bin/python" -m pip install --no-index --disable-pip-version-check --find-links "$work/one" "ssec-quickq[agent]"
    "$2" -m venv "$place/newer"
    "$place/newer/bin/python" -m pip install --no-index --disable-pip-version-check --find-links "$work/one" --target "$packages" "ssec-quickq[agent]"
  fi
  PATH=/usr/bin:/bin "$place/venv/bin/python" -c 'import sys; from quickq.starting import find_program; sys.exit(not find_program(None).startswith(sys.argv[1]))' "$packages"
  publishes "$place"
)

programs=dist/bin-portable
[ -x "$programs/quickq-agent" ] && [ -x "$programs/quickq-spool" ] || programs=
mkdir "$work/one" "$work/two"
for folder in one two; do
  python3 packaging/python/wheels.py "$work/$folder" $programs > "$work/log" 2>&1 || break
  # The second time with another mode for new files, another time zone and another language.
  umask 077
  export TZ=Asia/Tokyo LC_ALL=C.UTF-8
done
umask 022
unset TZ LC_ALL
diff -r "$work/one" "$work/two" >> "$work/log" 2>&1
report "the packages are the same bytes each time" $?

mapfile -t found < <(interpreters)
chosen=()
for line in "${found[@]}"; do
  [[ $line != "${found[0]}" && $line != "${found[-1]}" && $line != 003.009* ]] || chosen+=("${line#* }")
done
newest=${chosen[-1]:-}
[ ${#chosen[@]} -gt 0 ] || skip "the packages install" "no Python with venv and ensurepip"
for python in "${chosen[@]}"; do
  version=$("$python" -c 'import sys; print(sys.version.split()[0])')
  installs "$python" "Python $version: the wheel" "$work"/one/ssec_quickq-*.whl
  installs "$python" "Python $version: the sdist" "$work"/one/ssec_quickq-*.tar.gz
  installs "$python" "Python $version: the folder" ./python-shim
  if [ -n "$programs" ]; then
    installs_agent "$python" "$newest" > "$work/log" 2>&1
    report "Python $version: ssec-quickq[agent] brings the programs" $?
  fi
done

# Every program of the wheel against the C library that its tag promises.
asks_for_too_new() {
  local file newest promised
  rm -rf "$work/wheel"
  mkdir "$work/wheel"
  python3 -m zipfile -e "$work"/one/ssec_quickq_agent-*.whl "$work/wheel" || echo "there is no wheel"
  promised=$(ls "$work"/one/ssec_quickq_agent-*.whl | sed -nE 's/.*-py3-none-manylinux_([0-9]+)_([0-9]+)_x86_64\.whl$/\1.\2/p')
  [ "$promised" = 2.28 ] || echo "the tag promises glibc $promised"
  for file in "$work"/wheel/quickq_agent/bin/*; do
    newest=$(objdump -T "$file" | grep -oE 'GLIBC_[0-9.]+' | cut -d_ -f2 | sort -V | tail -n 1)
    [ -n "$newest" ] || echo "$file asks for no C library"
    [ "$(printf '%s\n%s\n' "$newest" "$promised" | sort -V | tail -n 1)" = "$promised" ] || echo "$file needs glibc $newest"
    objdump -p "$file" | grep NEEDED | grep -vE ' (libc|libdl|libm|libpthread|librt|libgcc_s|libstdc\+\+|ld-linux-x86-64)\.so\.[0-9]+$' | sed "s|^|$file is linked to|"
  done
}

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
  "servers": { "mq1": { "uri": "amqp://guest:guest@127.0.0.1:${node_port[1]}//?heartbeat=5", "exchange": "amq.topic" } }
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

if [ -z "$programs" ] || [ -z "$newest" ]; then
  skip "pip alone, and a broker, make a delivered message" "no programs in dist/bin-portable (packaging/build.sh --portable makes them)"
else
  bash packaging/install-missing.sh binutils > "$work/log" 2>&1
  report "what reads symbols is installed" $?
  asks_for_too_new > "$work/log" 2>&1
  [ ! -s "$work/log" ]
  report "the programs of ssec-quickq-agent need glibc 2.28 at most, and no library but the system's basic ones" $?

  # A wheel cannot depend on a library of the system. An empty file stands in for the library in a mount namespace of its own.
  if unshare -m true 2> "$work/log"; then
    unshare -m bash -c '
      ldconfig -p | sed -n "s/.*libsqlite3.so.0 .*=> //p" | while read -r library; do mount --bind /dev/null "$library"; done
      mkdir -m 700 "$2"
      ! "$1/quickq-spool" --spool "$2/spool.db" add x' - "$PWD/$programs" "$work/without" > "$work/log" 2>&1 \
      && grep -q "the system has no SQLite.*apt-get install libsqlite3-0" "$work/log" && [ "$(wc -l < "$work/log")" = 1 ]
    report "without SQLite the programs say what to install" $?
  else
    skip "without SQLite the programs say what to install" "mounting needs root"
  fi

  {
    "$newest" -m venv "$work/venv" \
      && "$work/venv/bin/python" -m pip install --no-index --disable-pip-version-check --find-links "$work/one" "ssec-quickq[agent]" \
      && "$work/venv/bin/quickq-agent" --version && delivers
  } > "$work/log" 2>&1
  report "pip alone, and a broker, make a delivered message" $?
fi

git status --porcelain python-shim > "$work/log" && [ ! -s "$work/log" ]
report "an installation leaves nothing in python-shim" $?

finish_tap
