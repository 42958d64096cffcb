#!/usr/bin/env bash
# Part of the shell tests: prints TAP. What a failed test has to say is in the file $work/log, which the test wrote.

number=0
failed=0

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

skip() {
  number=$((number + 1))
  echo "ok $number - $1 # SKIP $2"
}

# The plan, and whether all went well: the last command of a test.
finish_tap() {
  echo "1..$number"
  [ "$failed" = 0 ]
}
