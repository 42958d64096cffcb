#!/usr/bin/env bash
# Part of demo.sh: the nodes, the agent, the stream and the progress line. Uses its variables folder, events, total,
# spool_cli, agent, auditor and keep.

declare -A node_pid mapper_pid node_port
agent_pid=
service_pid=
socket_folder=
producer=
kept=no
live=no
width=120
if [ -t 1 ]; then
  live=yes
  width=$(stty size < /dev/tty 2> /dev/null | cut -d' ' -f2 || true)
fi
last_line_at=-5

say() {
  end_progress
  printf '\n[%s] %s\n' "$1" "$2"
}

fail() {
  end_progress
  echo "demo.sh: $1" >&2
  exit 1
}

thousands() { sed -E ':a; s/([0-9])([0-9]{3})($|,)/\1,\2\3/; ta' <<< "$1"; }

# A port that nobody uses, below those that the kernel gives to outgoing connections.
free_port() {
  local port
  while :; do
    port=$((20000 + RANDOM % 12000))
    if ! (exec 3<> "/dev/tcp/127.0.0.1/$port") 2> /dev/null && [[ " ${used_ports:-} " != *" $port "* ]]; then
      used_ports="${used_ports:-} $port"
      found_port=$port
      return
    fi
  done
}

# Starts a child that ends with this script, unless everything is to be kept: then it outlives it.
run_child() {
  if [ "$keep" = yes ]; then
    setsid "$@" < /dev/null &
  else
    setpriv --pdeathsig KILL -- "$@" < /dev/null &
  fi
  child=$!
}

make_node() {
  local node=$folder/node$1
  mkdir "$node"
  free_port; node_port[$1]=$found_port
  { echo "NODE_NAME=demo$1"; echo "NODE_AMQP_PORT=$found_port"; } > "$node/node.env"
  free_port; echo "NODE_DIST_PORT=$found_port" >> "$node/node.env"
  free_port; echo "NODE_EPMD_PORT=$found_port" >> "$node/node.env"
  run_child sh tests/rabbit-node.sh epmd "$node"
  mapper_pid[$1]=$child
}

start_node() {
  run_child sh tests/rabbit-node.sh run "$folder/node$1"
  node_pid[$1]=$child
}

await_node() {
  local until=$((SECONDS + 90))
  until "$auditor" declare "${node_port[$1]}" 2> "$folder/declare.log"; do
    kill -0 "${node_pid[$1]}" 2> /dev/null || fail "server $1 did not start: $(tail -n 5 "$folder/node$1/node.log")"
    [ $SECONDS -lt $until ] || fail "server $1 does not serve: $(cat "$folder/declare.log")"
    sleep 0.5
  done
  echo "    server $1: 127.0.0.1:${node_port[$1]}, exchange 'satellite', queue 'everything'"
}

kill_node() { end_at_once "${node_pid[$1]}"; }
kill_agent() { end_at_once "$agent_pid"; }

end_at_once() {
  kill -9 "$1" 2> /dev/null || return 0
  wait "$1" 2> /dev/null || true
}

write_configuration() {
  cat > "$folder/quickq.json" << JSON
{
  "spool": { "path": "$QUICKQ_SPOOL" },
  "servers": {
    "mq1": { "host": "127.0.0.1", "port": ${node_port[1]}, "user": "guest", "password": "guest", "exchange": "satellite" },
    "mq2": { "host": "127.0.0.1", "port": ${node_port[2]}, "user": "guest", "password": "guest", "exchange": "satellite" }
  }
}
JSON
  chmod 600 "$folder/quickq.json"
}

start_agent() {
  run_child sh -c 'exec "$0" --config "$1" 2>> "$2"' "$agent" "$folder/quickq.json" "$folder/agent.log"
  agent_pid=$child
}

# Until the agent holds its lock on the spool, which it makes if there is none.
await_agent() {
  local until=$((SECONDS + 30))
  until "$spool_cli" status --json 2> "$folder/status.log" | grep -qE '"running": ?true'; do
    kill -0 "$agent_pid" 2> /dev/null || fail "the agent ended: $(tail -n 5 "$folder/agent.log")"
    [ $SECONDS -lt $until ] || fail "the agent does not start: $(tail -n 5 "$folder/agent.log")"
    sleep 0.1
  done
}

# About a hundred events a second, so that there is something going on while things are killed.
stream_events() {
  local from
  for ((from = 1; from <= total; from += 10)); do
    sed -n "$from,$((from + 9))p" "$events"
    sleep 0.09
  done
}

accepted() { wc -l < "$folder/ids"; }

# One server's member of the status: delivered, pending or connection.
member() { grep -oE "\"name\": ?\"$1\"[^}]*" "$folder/status" | grep -oE "\"$2\": ?(\"[^\"]*\"|[0-9]+)" | sed -nE '1s/.*: ?"?([^"]*)"?$/\1/p' || true; }

read_status() { "$spool_cli" status --json > "$folder/status" 2> "$folder/status.log" || fail "status: $(cat "$folder/status.log")"; }

# A bar of 20 places; of 4 where the line would not fit the terminal and be broken.
bar() {
  local places=20 done drawn
  [ "${width:-80}" -ge 115 ] || places=4
  done=$(($1 * places / total))
  [ $done -le $places ] || done=$places
  printf -v drawn '%*s' "$done" ''
  printf '%s%*s' "${drawn// /#}" $((places - done)) ''
}

progress() {
  read_status
  local one two line
  one=$(member mq1 delivered)
  two=$(member mq2 delivered)
  line=$(printf 'accepted %5s | 1 [%s] %5s %-12s | 2 [%s] %5s %-12s' "$(accepted)" \
    "$(bar "${one:-0}")" "${one:-0}" "$(member mq1 connection)" "$(bar "${two:-0}")" "${two:-0}" "$(member mq2 connection)")
  if [ $live = yes ]; then
    printf '\r%s' "$line"
  elif [ $((SECONDS - last_line_at)) -ge 2 ]; then
    last_line_at=$SECONDS
    echo "$line"
  fi
}

end_progress() {
  if [ $live = yes ] && [ -n "$producer" ]; then
    echo
  fi
}

await_accepted() {
  while [ "$(accepted)" -lt "$1" ]; do
    kill -0 "$producer" 2> /dev/null || [ "$(accepted)" -ge "$1" ] || fail "quickq-spool add ended early: $(cat "$folder/add.log")"
    progress
    sleep 0.2
  done
}

await_delivered() {
  local until=$((SECONDS + 90))
  while progress && [ "$(member mq1 delivered)" != "$total" -o "$(member mq2 delivered)" != "$total" ]; do
    [ $SECONDS -lt $until ] || fail "not everything is delivered after 90 s; the agent's log ends: $(tail -n 20 "$folder/agent.log")"
    sleep 0.2
  done
}

# Prints the findings and keeps the last line for the end.
audit_node() {
  local code=0
  "$auditor" audit "node $1" "${node_port[$1]}" "$events" "$folder/ids" > "$folder/audit" || code=$?
  tail -n 1 "$folder/audit" > "$folder/verdict-$1"
  head -n -1 "$folder/audit" | sed 's/^/    /'
  return $code
}

# Accounts and groups by number: none is made on this machine.
as_other() { setpriv --reuid 60601 --regid 60601 "$@"; }

# other GROUPS ARGUMENT...: quickq-spool as an account that cannot enter the spool's folder.
other() {
  local groups=$1
  shift
  as_other "$groups" -- env -u QUICKQ_SPOOL "QUICKQ_SOCKET=$socket_folder/spool.sock" "$socket_folder/quickq-spool" "$@"
}

# A service for the spool of this demo, a producer in its group, and a stranger.
show_service() {
  local id code until=$((SECONDS + 30))
  if [ "$(id -u)" != 0 ]; then
    echo "    left out: only root can act as another account"
    return
  fi
  # Everybody may pass through this folder, unlike the spool's own; and the other account may not reach the source tree.
  socket_folder=$(mktemp -d "${TMPDIR:-/tmp}/quickq-demo.XXXXXX")
  chmod 755 "$socket_folder"
  install -m 755 "$spool_cli" "$(dirname "$spool_cli")/libe_sqlite3.so" "$socket_folder/"
  run_child sh -c 'exec "$0" serve --socket "$1/spool.sock" --group 60602 --admin-group 60603 2>> "$2"' "$spool_cli" "$socket_folder" "$folder/service.log"
  service_pid=$child
  until [ -S "$socket_folder/spool.sock" ]; do
    kill -0 "$service_pid" 2> /dev/null || fail "the service ended: $(tail -n 5 "$folder/service.log")"
    [ $SECONDS -lt $until ] || fail "the service does not start: $(tail -n 5 "$folder/service.log")"
    sleep 0.1
  done
  id=$(other --groups=60602 add -t demo.service --wait=30s '{"hello": "service"}') || fail "a producer cannot add through the service"
  echo "    a producer in the group: added and delivered to both servers, id $id"
  code=0
  other --groups=60602 cancel "$id" 2> "$folder/refused" || code=$?
  echo "    the same producer, cancel: exit $code, $(head -n 1 "$folder/refused")"
  [ $code = 77 ] || return 1
  code=0
  other --clear-groups add x > "$folder/refused" 2>&1 || code=$?
  echo "    an account in no group, add: exit $code, $(head -n 1 "$folder/refused")"
  [ $code = 77 ]
}

keep_running() {
  kept=yes
  cat > "$folder/stop.sh" << STOP
#!/bin/sh
# Ends this demo: only processes that still carry its folder or its ports in their command line.
for pid in $agent_pid $service_pid ${node_pid[*]} ${mapper_pid[*]}; do
  if tr '\0' ' ' < /proc/\$pid/cmdline 2> /dev/null | grep -qE '$folder|${socket_folder:-$folder}|epmd'; then kill -9 \$pid; fi
done
rm -rf '$folder' ${socket_folder:+'$socket_folder'}
STOP
  cat << TEXT

Everything is still running. Try:
  export QUICKQ_SPOOL=$QUICKQ_SPOOL
  $spool_cli add -t my.topic '{"hello": "world"}'
  $spool_cli status
  $spool_cli list --limit 5
  sh tests/rabbit-node.sh ctl $folder/node1 list_queues
  tail -f $folder/agent.log
To end it:
  sh $folder/stop.sh
TEXT
}

clean_up() {
  local code=$?
  end_progress
  if [ $kept = yes ]; then
    return
  fi
  if [ $code != 0 ] && [ $code -lt 128 ] && [ -s "$folder/agent.log" ]; then
    echo "the agent's log ends:" >&2
    tail -n 15 "$folder/agent.log" >&2
  fi
  local pid
  for pid in $producer $agent_pid $service_pid ${node_pid[@]+"${node_pid[@]}"} ${mapper_pid[@]+"${mapper_pid[@]}"}; do
    end_at_once "$pid"
  done
  rm -rf "$folder" ${socket_folder:+"$socket_folder"}
}
