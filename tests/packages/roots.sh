#!/usr/bin/env bash
# Part of tests/shell/packages-in-roots.sh: real Debian roots, booted with their own systemd in a network namespace of their own, beside a
# RabbitMQ node in the same namespace. Uses its variables work and packages.

network=quickq-roots-$$
roots=$PWD/artifacts/roots
leader=

# base_root SUITE EXTRA-PACKAGES: a root as debootstrap makes it, kept for the next run.
base_root() {
  local base=$roots/$1
  if [ ! -e "$base.done" ]; then
    rm -rf "$base"
    mkdir -p "$roots"
    debootstrap --variant=minbase --include="$2" "$1" "$base" && touch "$base.done"
  fi
}

# fresh_root SUITE NAME: a copy to install into.
fresh_root() {
  root=$work/root-$2
  cp -a "$roots/$1" "$root"
}

# Runs a command in $root before it is booted. A program finds its library by its place in /proc.
unbooted() {
  local code=0
  mount -t proc proc "$root/proc"
  chroot "$root" "$@" || code=$?
  umount "$root/proc"
  return $code
}

make_network() {
  ip netns add "$network"
  ip -n "$network" link set lo up
  in_network true
}

in_network() { ip netns exec "$network" "$@"; }

# The broker listens on 127.0.0.1, and on an address that can be taken away like a network that is late.
start_broker() {
  node=$work/node
  mkdir -p "$node"
  printf 'NODE_NAME=roots\nNODE_AMQP_PORT=5672\nNODE_DIST_PORT=25672\nNODE_EPMD_PORT=4369\n' > "$node/node.env"
  echo 'listeners.tcp.2 = 10.99.7.1:5672' > "$node/extra.conf"
  ip -n "$network" addr add 10.99.7.1/32 dev lo
  in_network setpriv --pdeathsig KILL sh tests/rabbit-node.sh epmd "$node" &
  mapper=$!
  run_broker
}

run_broker() {
  in_network setpriv --pdeathsig KILL sh tests/rabbit-node.sh run "$node" &
  broker=$!
  eventually 90 in_network sh tests/rabbit-node.sh ctl "$node" await_startup --timeout 10
}

end_broker() {
  [ -z "${broker:-}" ] || { kill -9 "$broker"; wait "$broker" 2> /dev/null; }
  broker=
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

# Boots $root up to a target (multi-user.target); what is run by `inside` runs in there.
boot() {
  systemd-nspawn --quiet --directory="$root" --register=no --keep-unit --boot --network-namespace-path="/run/netns/$network" --machine=quickq-test \
    --resolv-conf=off --timezone=off < /dev/null > "$work/boot.log" 2>&1 &
  spawner=$!
  eventually 60 find_leader && eventually 120 inside systemctl is-active "${1:-multi-user.target}"
}

find_leader() { leader=$(cat "/proc/$spawner/task/$spawner/children" | cut -d' ' -f1) && [ -n "$leader" ] && inside test -d /run/systemd/system; }

inside() { nsenter -t "$leader" -m -u -i -n -p -C env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 DEBIAN_FRONTEND=noninteractive "$@"; }
as_user() { inside setpriv --reuid "$1" --regid "$1" --init-groups -- "${@:2}"; }

shut_down() {
  [ -n "$leader" ] || return 0
  # The answer may get lost, since what would give it ends.
  inside systemctl poweroff 2> /dev/null
  wait "$spawner"
  leader=
  remove_groups
}

# Without a manager that it registers with, nspawn leaves its control groups behind.
remove_groups() {
  find /sys/fs/cgroup/systemd/payload /sys/fs/cgroup/systemd/supervisor /sys/fs/cgroup/unified/payload /sys/fs/cgroup/unified/supervisor \
    -depth -type d -exec rmdir {} \; 2> /dev/null
}

# A process of nspawn that is killed takes everything in it along.
end_everything() {
  local pid
  for pid in ${spawner:-} ${broker:-} ${mapper:-} ${resolver:-}; do
    kill -9 "$pid" 2> /dev/null
  done
  wait 2> /dev/null
  remove_groups
  ip netns del "$network" 2> /dev/null
  for mounted in $(awk -v work="$work/" 'index($2, work) == 1 { print $2 }' /proc/mounts | sort -r); do
    umount "$mounted"
  done
  rm -rf "$work"
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
