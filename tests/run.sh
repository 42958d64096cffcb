#!/usr/bin/env bash
# Runs every test from a bare clone: installs what is missing, builds, then C#, Python and shell tests one after the other.
# The last line is `N passed, N failed`, with `, N skipped` if any were; before it a line `failed: NAME` for each that failed.
#
#   tests/run.sh [--long] [--no-build] [--only NAME]... [-- RUNNER-OPTIONS]
#
#   --long        also the tests marked Pace=Slow, and the long forms of others: hours (QUICKQ_LONG=1)
#   --only NAME   only this: a C# test project (Quickq.Spool.Tests), check, python, shell, or one shell test's name; it then runs
#                 the developers' builds of the programs, or those that QUICKQ_SPOOL_CLI and QUICKQ_AGENT name
#   --no-build    what is built already
#   --            options for the C# test programs, e.g. -- -class '*RabbitNodeTests'
#
# Python tests are tests/python/test_*.py, run by unittest on every interpreter from 3.6 that is found.
# Shell tests are tests/shell/*.sh: each prints TAP (`ok 1 - name`, `not ok 2 - name`, `ok 3 - name # SKIP reason`);
# one that prints none is a single test, passed if it exits 0, skipped if it exits 77.
set -uo pipefail

# A shell starts what it puts in the background with SIGINT ignored, and so would be every program that a test interrupts.
if [ -z "${QUICKQ_SIGNALS_RESET:-}" ] && env --default-signal=INT true 2> /dev/null; then
  QUICKQ_SIGNALS_RESET=1 exec env --default-signal=INT bash "$0" "$@"
fi
cd "$(dirname "$0")/.."

only=()
build=yes
runner_options=()
while [ $# -gt 0 ]; do
  case $1 in
    --long) export QUICKQ_LONG=1 ;;
    --no-build) build=no ;;
    --only) only+=("${2:?--only needs a name}"); shift ;;
    --) shift; runner_options=("$@"); break ;;
    -h | --help) sed -n '2,16s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) echo "run.sh: unknown option $1 (--help lists them)" >&2; exit 64 ;;
  esac
  shift
done

passed=0
failed=0
skipped=0
failures=()
results=$(mktemp -d)
trap 'rm -rf "$results"' EXIT
limit=2700
[ -z "${QUICKQ_LONG:-}" ] || limit=43200

. tests/run-counting.sh

wanted() {
  [ ${#only[@]} = 0 ] && return 0
  local name
  for name in "${only[@]}"; do
    [ "$name" = "$1" ] && return 0
  done
  return 1
}

# The solution, unless only certain C# test projects are wanted.
build_targets() {
  local name targets=()
  for name in ${only[@]+"${only[@]}"}; do
    case $name in
      check) ;;
      *.Tests) targets+=("tests/$name") ;;
      *) targets=(); break ;;
    esac
  done
  if [ ${#only[@]} -gt 0 ] && [ ${#targets[@]} -gt 0 ]; then
    echo "${targets[@]}"
  elif [ "${only[*]-}" != check ]; then
    echo Quickq.sln
  fi
}

finish() {
  [ ${#failures[@]} = 0 ] || printf 'failed: %s\n' "${failures[@]}"
  local line="$passed passed, $failed failed"
  [ "$skipped" = 0 ] || line+=", $skipped skipped"
  echo "$line"
  [ "$failed" = 0 ] && [ "$passed" -gt 0 ]
  exit
}

if ! bash packaging/install-missing.sh iproute2 nftables dnsmasq-base util-linux rabbitmq-server sqlite3 clang zlib1g-dev strace python3 procps git gcc libc6-dev pkg-config libfuse3-dev fuse3 e2fsprogs mount man-db groff-base systemd lintian rpm rpmlint binutils; then
  add_failure "packages are missing"
  finish
fi
if ! command -v dotnet > /dev/null; then
  add_failure "the .NET SDK 10 is not in PATH (https://dot.net)"
  finish
fi

export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1

if wanted check; then
  heading "source text"
  run_tap tests/check.sh
fi

targets=$(build_targets)
if [ $build = yes ] && [ -n "$targets" ]; then
  heading "build"
  for target in $targets; do
    if ! dotnet build "$target" --nologo -v quiet -warnaserror > "$results/build.log" 2>&1; then
      grep -E 'error|warning' "$results/build.log" | sort -u | head -n 50 || cat "$results/build.log"
      add_failure "$target does not build"
      finish
    fi
    echo "$target: built without a warning"
  done
fi

# What users run is what is tested: the programs of packaging/build.sh, and with them tests that start hundreds of processes take a quarter of the time.
if [ $build = yes ] && [ ${#only[@]} = 0 ]; then
  heading "programs"
  if ! bash packaging/build.sh; then
    add_failure "packaging/build.sh"
    finish
  fi
  export QUICKQ_SPOOL_CLI=$PWD/dist/bin/quickq-spool QUICKQ_AGENT=$PWD/dist/bin/quickq-agent
fi

for project in tests/*.Tests; do
  name=$(basename "$project")
  if wanted "$name"; then
    heading "$name"
    run_dotnet "$name"
  fi
done

if wanted python && compgen -G 'tests/python/test_*.py' > /dev/null; then
  run_pythons
fi

for script in tests/shell/*.sh; do
  name=$(basename "$script" .sh)
  if [ -f "$script" ] && { wanted shell || wanted "$name"; }; then
    heading "shell: $name"
    run_tap "$script"
  fi
done

heading "total"
finish
