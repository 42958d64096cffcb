#!/usr/bin/env bash
# Part of run.sh: runs one kind of test program and adds its figures to passed, failed and skipped.
# Uses its variables: results (a folder), limit (seconds), runner_options, passed, failed, skipped.

heading() { printf '\n== %s ==\n' "$1"; }

add() {
  passed=$((passed + $1))
  failed=$((failed + $2))
  skipped=$((skipped + $3))
}

# An xUnit v3 test program: its figures are attributes of the report's <assembly> element.
run_dotnet() {
  local program=artifacts/bin/$1/debug/$1 report=$results/$1.xml code=0
  if [ ! -x "$program" ]; then
    echo "$program was not built"
    add 0 1 0
    return
  fi
  local pace=()
  [ -n "${QUICKQ_LONG:-}" ] || [ ${#runner_options[@]} -gt 0 ] || pace=(-trait- Pace=Slow)
  timeout --foreground "$limit" "$program" "${pace[@]}" -noColor -noLogo -xml "$report" ${runner_options[@]+"${runner_options[@]}"} \
    | grep -vE '^ +(Discovering|Discovered|Starting|Finished):' || code=${PIPESTATUS[0]}
  local assembly
  assembly=$(grep -oE '<assembly [^>]*>' "$report" 2> /dev/null | head -n 1)
  if [ -z "$assembly" ]; then
    echo "$1 ended with $code before it wrote its report"
    add 0 1 0
    return
  fi
  add "$(figure passed "$assembly")" "$(($(figure failed "$assembly") + $(figure errors "$assembly")))" "$(figure skipped "$assembly")"
  if [ "$code" != 0 ] && [ "$(figure failed "$assembly")" = 0 ] && [ "$(figure errors "$assembly")" = 0 ]; then
    echo "$1 ended with $code although no test failed"
    add 0 1 0
  fi
}

figure() {
  local value
  value=$(grep -oE " $1=\"[0-9]+\"" <<< "$2" | grep -oE '[0-9]+')
  echo "${value:-0}"
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
      *) echo "$1 ended with $code"; bad=1 ;;
    esac
  elif [ "$code" != 0 ] && [ "$bad" = 0 ]; then
    echo "$1 ended with $code although no test failed"
    bad=1
  fi
  add "$good" "$bad" "$skips"
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
    echo "$2 ended with $3 before it wrote its figures"
    add 0 1 0
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
