#!/usr/bin/env bash
# Part of the shell tests: a folder of their own, $work, and what they report, in TAP. What a step says goes to $work/log.

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
number=0
failed=0

# One test: its name, and the exit code of what was tried.
report() {
  number=$((number + 1))
  if [ "$2" = 0 ]; then
    echo "ok $number - $1"
  else
    failed=$((failed + 1))
    echo "not ok $number - $1"
    sed 's/^/#   /' "$work/log"
  fi
}

# One test that cannot be tried here: its name and the reason.
skip() {
  number=$((number + 1))
  echo "ok $number - $1 # SKIP $2"
}

# The end: the plan, and the exit code.
finish_tap() {
  echo "1..$number"
  [ "$failed" = 0 ]
  exit
}
