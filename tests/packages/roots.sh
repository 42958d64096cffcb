#!/usr/bin/env bash
# Part of tests/packages/in-roots.sh: real Debian roots, booted with their own systemd, beside a RabbitMQ node. Uses its variables work, bases and packages.

leader=

# fresh_root SUITE NAME: a copy to install into.
fresh_root() {
  root=$work/root-$2
  cp -a "$bases/$1" "$root"
}

# Runs a command in $root before it is booted. A program finds its library by its place in /proc.
unbooted() {
  local code=0
  mount -t proc proc "$root/proc"
  chroot "$root" "$@" || code=$?
  umount "$root/proc"
  return $code
}

# The broker listens on 127.0.0.1, and on an address that can be taken away like a network that is late. (Who comes by that is no guest from
# the same host to the broker, so that must be allowed.)
start_broker() {
  node=$work/node
  mkdir -p "$node"
  printf 'NODE_NAME=roots\nNODE_AMQP_PORT=5672\nNODE_DIST_PORT=25672\nNODE_EPMD_PORT=4369\n' > "$node/node.env"
  printf 'listeners.tcp.2 = 10.99.7.1:5672\nloopback_users = none\n' > "$node/extra.conf"
  ip link set lo up
  ip addr add 10.99.7.1/32 dev lo
  sh tests/rabbit-node.sh epmd "$node" &
  run_broker
}

run_broker() {
  sh tests/rabbit-node.sh run "$node" &
  broker=$!
  eventually 120 sh tests/rabbit-node.sh ctl "$node" await_startup --timeout 10
}

end_broker() {
  kill -9 "$broker"
  wait "$broker" 2> /dev/null
}

# Waits up to $1 seconds until the command that follows succeeds.
eventually() {
  local until=$((SECONDS + $1))
  shift
  until "$@" > "$work/eventually" 2>&1; do
    if [ $SECONDS -ge $until ]; then
      echo "not so in time: $*"
      cat "$work/eventually"
      return 1
    fi
    sleep 0.3
  done
}

# Boots $root up to a target (multi-user.target), in the network that all this runs in; what is run by `inside` runs in there.
boot() {
  systemd-nspawn --quiet --directory="$root" --register=no --keep-unit --boot --machine=quickq-test --resolv-conf=off --timezone=off \
    < /dev/null > "$work/boot.log" 2>&1 &
  spawner=$!
  eventually 60 find_leader && eventually 120 inside systemctl is-active "${1:-multi-user.target}" || { cat "$work/boot.log"; return 1; }
}

find_leader() { leader=$(cut -d' ' -f1 "/proc/$spawner/task/$spawner/children") && [ -n "$leader" ] && inside test -d /run/systemd/system; }

inside() { nsenter -t "$leader" -m -u -i -n -p -C env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 DEBIAN_FRONTEND=noninteractive "$@"; }
as_user() { inside setpriv --reuid "$1" --regid "$1" --init-groups -- "${@:2}"; }

shut_down() {
  # The answer may get lost, since what would give it ends.
  inside systemctl poweroff 2> /dev/null
  wait "$spawner"
  leader=
}

# What the agent in the root has to say, for a scene that failed.
describe_agent() {
  [ -n "$leader" ] || return 0
  inside quickq-spool status
  inside systemctl status --no-pager quickq-agent
  inside systemctl status --no-pager quickq-spool.socket quickq-spool.service
  inside journalctl --no-pager -u quickq-agent -u quickq-spool -n 40
}

# member SERVER NAME: from the status of the spool in the root.
member() { inside quickq-spool status --json | grep -oE "\"name\": ?\"$1\"[^}]*" | grep -oE "\"$2\": ?[^,]*" | sed 's/.*: *//; s/"//g'; }
is() { [ "$(member "$1" "$2")" = "$3" ]; }
agent_pid() { inside systemctl show -p MainPID --value quickq-agent; }
agent_is() { [ "$(inside systemctl is-active quickq-agent)" = "$1" ]; }

# The commands of docs/install.md, its numbered steps only, with this test's names.
install_steps() {
  awk '/^1\. /,0' docs/install.md | awk '/^ *```bash$/ { shell = 1; next } /^ *```$/ { shell = 0 } shell' | sed -e "s/PASSWORD/guest/; s/NAME/producer/; s/ *#.*//"
}
install_server() {
  awk '/^ *```jsonc$/ { json = 1; next } /^ *```$/ { json = 0 } json' docs/install.md | sed -e "s|amqps://USER@HOST/|amqp://guest@127.0.0.1/|; s/EXCHANGE/amq.topic/"
}
