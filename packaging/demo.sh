#!/usr/bin/env bash
# Shows what Quickq is for, with two real RabbitMQ servers on this machine: 2,000 satellite events are added to the spool while
# server 2 is killed and restarted and the agent is killed twice. At the end each server's queue must hold all of them.
# The spool belongs to the account that runs this, so no service is needed. Run by root, it shows the service too: another
# account adds through it.
#
#   packaging/demo.sh [--no-build] [--keep]
#
#   --no-build   uses the programs in dist/bin
#   --keep       leaves everything running afterwards and says how to play with it and how to end it
#
# The servers are private (own ports on 127.0.0.1, own folders); everything is ended and removed on exit.
set -euo pipefail
cd "$(dirname "$0")/.."

build=yes
keep=no
for option in "$@"; do
  case $option in
    --no-build) build=no ;;
    --keep) keep=yes ;;
    -h | --help) sed -n '2,12s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) echo "demo.sh: unknown option $option (--help lists them)" >&2; exit 64 ;;
  esac
done

. packaging/demo-parts.sh

events=$PWD/tests/data/ssec-events.ndjson
total=$(wc -l < "$events")
spool_cli=$PWD/dist/bin/quickq-spool
agent=$PWD/dist/bin/quickq-agent
auditor=$PWD/artifacts/bin/Quickq.DemoAudit/release/demo-audit

say "0" "making ready"
command -v dotnet > /dev/null || fail "the .NET SDK 10 is not in PATH (https://dot.net)"
bash packaging/install-missing.sh rabbitmq-server
[ $build = no ] || bash packaging/build.sh
if [ $build = yes ] || [ ! -x "$auditor" ]; then
  dotnet build tests/Quickq.DemoAudit -c Release -v quiet --nologo > /dev/null || fail "tests/Quickq.DemoAudit does not build"
fi
[ -x "$spool_cli" ] && [ -x "$agent" ] || fail "dist/bin has no programs: run without --no-build"

folder=$(mktemp -d "${TMPDIR:-/tmp}/quickq-demo.XXXXXX")
export QUICKQ_SPOOL=$folder/spool.db
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
SECONDS=0

say "1" "starting two RabbitMQ servers that know nothing of each other"
make_node 1
make_node 2
start_node 1
start_node 2
await_node 1
await_node 2

say "2" "starting the agent"
write_configuration
start_agent
await_agent

say "3" "$(thousands "$total") events go into the spool: quickq-spool add --lines -t '{__topic__}' -x satellite"
: > "$folder/ids"
stream_events | "$spool_cli" add --lines -t '{__topic__}' -x satellite > "$folder/ids" 2> "$folder/add.log" &
producer=$!

await_accepted $((total * 15 / 100))
say "4" "kill -9 of server 2"
kill_node 2

await_accepted $((total * 35 / 100))
say "5" "kill -9 of the agent; it is started again"
kill_agent
start_agent

await_accepted $((total * 50 / 100))
say "6" "server 2 is started again"
start_node 2

await_accepted $((total * 70 / 100))
say "7" "kill -9 of the agent once more, and again it is started"
kill_agent
start_agent

await_accepted "$total"
wait "$producer" || fail "quickq-spool add ended with $?: $(cat "$folder/add.log")"
say "8" "everything is accepted; the rest is the agent's work"
await_delivered
end_progress

say "9" "what the sender says: quickq-spool status"
"$spool_cli" status

say "10" "what the servers hold, read by another client"
verdict=0
audit_node 1 || verdict=1
audit_node 2 || verdict=1

say "11" "another account adds a message through the service: quickq-spool serve"
show_service || verdict=1

if [ $keep = yes ]; then
  keep_running
fi
echo
echo "That took $SECONDS seconds."
cat "$folder/verdict-1" "$folder/verdict-2"
exit $verdict
