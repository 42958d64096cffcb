#!/usr/bin/env bash
# Negative controls: each patch of tests/controls plants one fault in a copy of the tree, and the test that it names must then fail, in the words
# that it names. Always tried: that each patch still applies and its test is there. With QUICKQ_LONG=1 (run.sh --long) all of it is done.
set -uo pipefail
cd "$(dirname "$0")/../.."

. tests/tap.sh

value() { sed -n "s/^$1: //p" "$2" | head -n 1; }

# Whether the control can be tried: its patch fits the sources, and its test is among them.
fits() {
  local project test
  read -r project test <<< "$(value Test "$1")"
  git apply --check "$1" && grep -rq "\b${test#*.}(" "tests/$project" --include="${test%%.*}.cs"
}

# Builds the copy and runs the test of one control there.
try() {
  local project test
  read -r project test <<< "$(value Test "$1")"
  dotnet build "tests/$project" --nologo -v quiet -p:TreatWarningsAsErrors=false || return 70
  timeout 900 "artifacts/bin/$project/debug/$project" -noColor -noLogo -method "*.$test"
}

for control in tests/controls/*.patch; do
  fits "$control" > "$work/log" 2>&1
  code=$? # kept at once: a command substitution in the next line has a code of its own
  report "$(basename "$control" .patch): the fault can be planted" $code
done

[ -n "${QUICKQ_LONG:-}" ] || finish_tap

copy=$work/tree
mkdir "$copy"
git ls-files -z | xargs -0 tar cf - | tar xf - -C "$copy"
cd "$copy"
git init -q
for control in tests/controls/*.patch; do
  name=$(basename "$control" .patch)
  if ! try "$control" > "$work/log" 2>&1; then
    report "$name: without the fault its test passes" 1
    continue
  fi
  git apply "$control"
  try "$control" > "$work/log" 2>&1
  code=$?
  git apply -R "$control"
  [ "$code" != 0 ] && [ "$code" != 70 ] && grep -qE "$(value Says "$control")" "$work/log"
  code=$?
  report "$name: $(value Fault "$control"): caught" $code
done

finish_tap
