#!/usr/bin/env bash
# Part of run.sh: runs one kind of test program and adds its figures to passed, failed and skipped.
# Uses its variables: results (a folder), limit (seconds), runner_options, passed, failed, skipped, and failures: a line for each failure.

heading() { printf '\n== %s ==\n' "$1"; }

add() {
  passed=$((passed + $1))
  failed=$((failed + $2))
  skipped=$((skipped + $3))
}

# What failed without a test's name.
add_failure() {
  echo "$1"
  failures+=("$1")
  add 0 1 0
}

# An xUnit v3 test program.
run_dotnet() {
  local program=artifacts/bin/$1/debug/$1 report=$results/$1.xml code=0
  if [ ! -x "$program" ]; then
    add_failure "$program was not built"
    return
  fi
  local pace=()
  [ -n "${QUICKQ_LONG:-}" ] || [ ${#runner_options[@]} -gt 0 ] || pace=(-trait- Pace=Slow)
  timeout --foreground "$limit" "$program" "${pace[@]}" -noColor -noLogo -xml "$report" ${runner_options[@]+"${runner_options[@]}"} \
    | grep -vE '^ +(Discovering|Discovered|Starting|Finished):' || code=${PIPESTATUS[0]}
  local good bad skips
  if ! python3 tests/run-report.py "$report" > "$results/figures" 2> /dev/null; then
    add_failure "$1 ended with $code before it wrote its report"
    return
  fi
  read -r good bad skips < "$results/figures"
  add "$good" "$bad" "$skips"
  mapfile -t -O "${#failures[@]}" failures < <(tail -n +2 "$results/figures")
  if [ "$code" != 0 ] && [ "$bad" = 0 ]; then
    add_failure "$1 ended with $code although no test failed"
  fi
}

# A script that prints TAP, or is one test by itself.
run_tap() {
  local output=$results/tap code=0
  timeout --foreground "$limit" bash "$1" 2>&1 | tee "$output" || code=${PIPESTATUS[0]}
  local good bad skips
  skips=$(grep -cE '^ok .*# *(SKIP|skip)' "$output")
  good=$(($(grep -cE '^ok ' "$output") - skips))
  bad=$(grep -cE '^not ok ' "$output")
  if [ $((good + bad + skips)) = 0 ]; then
    case $code in
      0) good=1 ;;
      77) skips=1 ;;
      *) add_failure "$1 ended with $code" ;;
    esac
  elif [ "$code" != 0 ] && [ "$bad" = 0 ]; then
    add_failure "$1 ended with $code although no test failed"
  fi
  add "$good" "$bad" "$skips"
  mapfile -t -O "${#failures[@]}" failures < <(sed -n "s|^not ok [0-9]* *-* *|$1: |p" "$output")
}

# The Python tests on every interpreter: as many at a time as there are cores, each shown when it is done, in their order.
run_pythons() {
  local found pids=() started=0 i code
  mapfile -t found < <(interpreters)
  for i in "${!found[@]}"; do
    while [ "$started" -lt ${#found[@]} ] && [ "$started" -lt $((i + $(nproc))) ]; do
      start_python "$started" "${found[started]}"
      pids[started]=$!
      started=$((started + 1))
    done
    code=0
    wait "${pids[i]}" || code=$?
    heading "Python $("${found[i]}" -c 'import sys; print(sys.version.split()[0])')"
    cat "$results/python-$i.log"
    count_python "$results/python-$i" "${found[i]}" "$code"
    mapfile -t -O "${#failures[@]}" failures < <(sed -nE "s|^(FAIL\|ERROR\|UNEXPECTED SUCCESS): |${found[i]}: |p" "$results/python-$i.log")
  done
}

# In the background, where a shell has its children ignore SIGINT unless told otherwise.
start_python() {
  PYTHONPATH=python-shim PYTHONDONTWRITEBYTECODE=1 ${QUICKQ_SIGNALS_RESET:+env --default-signal=INT} \
    timeout --foreground "$limit" "$2" tests/run-python.py "$results/python-$1" > "$results/python-$1.log" 2>&1 &
}

count_python() {
  local good bad skips
  if [ ! -s "$1" ]; then
    add_failure "$2 ended with $3 before it wrote its figures"
    return
  fi
  read -r good bad skips < "$1"
  add "$good" "$bad" "$skips"
}

# Every Python from 3.6 on, oldest first, each once.
interpreters() {
  local candidate
  for candidate in "${PYENV_ROOT:-$HOME/.pyenv}"/versions/*/bin/python3 /usr/bin/python3 "$(command -v python3)"; do
    [ -x "$candidate" ] && "$candidate" -c 'import os, sys
if sys.version_info >= (3, 6): print("%03d.%03d %s" % (sys.version_info[0], sys.version_info[1], os.path.realpath(sys.executable)))' 2> /dev/null
  done | sort -u | cut -d' ' -f2
}
