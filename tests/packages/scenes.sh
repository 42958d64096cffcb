#!/usr/bin/env bash
# Part of tests/packages/in-roots.sh: what is done in a root, and what must be so then. Each runs with `set -e`.

spool=/var/lib/quickq/spool.db

# A command that must fail. (`set -e` does not care about one behind `!`.)
not() { if "$@"; then echo "this should have failed: $*"; return 1; fi; }

# A command that must end with the code given first.
ends_with() {
  local wanted=$1 code=0
  shift
  "$@" || code=$?
  [ $code = "$wanted" ] || { echo "ended with $code, not $wanted: $*"; return 1; }
}

# owned FILE 'MODE OWNER:GROUP' [unbooted]
owned() {
  local found
  found=$("${3:-inside}" stat -c '%a %U:%G' "$1")
  [ "$found" = "$2" ] || { echo "$1 is $found, not $2"; return 1; }
}

# copy_in OLD-OR-NEW PATTERN NAME
copy_in() { cp "$packages/$1/"$2 "$root/root/$3"; }
configure_server() { sed -i "s|\"servers\": {|\"servers\": {\n    $1|" "$root/etc/quickq/quickq.json"; }

deb_installs() {
  copy_in old 'quickq_0.0.9_amd64.deb' old.deb
  copy_in new 'quickq_1.0.0_amd64.deb' new.deb
  inside apt-get install -y /root/old.deb
  inside getent passwd quickq
  owned /var/lib/quickq '700 quickq:quickq-agent'
  owned /etc/quickq '750 root:quickq-agent'
  owned /etc/quickq/quickq.json '640 root:quickq-agent'
  owned /run/quickq '755 root:root'
  owned /run/quickq/spool.sock '666 root:root'
  agent_is active
  service_is active
  service_is active socket
  [ "$(inside systemctl is-enabled quickq-agent.service quickq-spool.service quickq-spool.socket | sort -u)" = enabled ]
  owned $spool '600 quickq:quickq-agent'
  inside quickq-agent --version
  # The units have nothing that this systemd does not know. (This root has no man.)
  inside systemd-analyze verify --man=no quickq-agent.service quickq-spool.service quickq-spool.socket > "$work/verify" 2>&1 || { cat "$work/verify"; return 1; }
  not grep quickq "$work/verify"
}

install_page_works() {
  inside useradd --create-home producer
  inside useradd --create-home stranger
  configure_server "$(install_server)"
  install_steps > "$root/root/steps"
  [ "$(wc -l < "$root/root/steps")" -ge 5 ]
  sed -i '/quickq-spool status/i set +x; until quickq-spool status | grep -E "mq1 +connected"; do sleep 0.2; done 2> /dev/null; set -x' "$root/root/steps"
  inside timeout 60 bash -ex /root/steps > "$work/steps.log" 2>&1 || { cat "$work/steps.log"; inside quickq-spool status; inside journalctl -n 20; return 1; }
  grep -qx delivered "$work/steps.log"
  not grep -i warn <(inside journalctl -u quickq-agent -p warning --no-pager)
}

agent_is_confined() { is_confined "$(agent_pid)"; }
service_is_confined() {
  is_confined "$(service_pid)"
  # It has a network of its own, with nothing in it.
  [ "$(inside cat "/proc/$(service_pid)/net/dev" | grep -c :)" = 1 ]
}

is_confined() {
  local pid=$1 own place
  own() { inside nsenter -t "$pid" -m -S "$(inside id -u quickq)" -G "$(inside id -g quickq)" -- "$@"; }
  own touch /var/lib/quickq/own
  own rm /var/lib/quickq/own
  for place in /etc /etc/quickq /usr/lib/quickq /var/lib /var /home /root /run /run/quickq /opt /dev /sys /proc/sys/kernel /boot; do
    not own touch "$place/other"
  done
  # Even as root within its mounts nothing but the spool folder, its own /tmp and what the kernel keeps is writable.
  not inside nsenter -t "$pid" -m -- touch /etc/quickq/other
  not inside nsenter -t "$pid" -m -- touch /usr/lib/other
  inside grep -qE '^NoNewPrivs:.1' "/proc/$pid/status"
  inside grep -qE '^CapBnd:.0000000000000000' "/proc/$pid/status"
  inside grep -qE '^Seccomp:.2' "/proc/$pid/status"
}

systemd_is_told() {
  inside systemctl show -p StatusText --value quickq-agent | grep -i 'server'
  local pid
  pid=$(agent_pid)
  inside systemctl reload quickq-agent
  [ "$(agent_pid)" = "$pid" ]
  inside systemctl stop quickq-agent
  [ "$(inside systemctl show -p Result --value quickq-agent)" = success ]
  inside systemctl start quickq-agent
  inside sh -c 'kill -9 $(systemctl show -p MainPID --value quickq-agent)'
  eventually 30 agent_is active
}

credential_works() {
  mkdir -p "$root/etc/systemd/system/quickq-agent.service.d"
  printf '[Service]\nLoadCredential=mq1.password:/etc/quickq/mq1.password\n' > "$root/etc/systemd/system/quickq-agent.service.d/password.conf"
  inside chown root:root /etc/quickq/mq1.password
  inside chmod 600 /etc/quickq/mq1.password
  inside systemctl daemon-reload
  inside systemctl restart quickq-agent
  inside quickq-spool add -t credential --wait=60s '{"c":1}'
  # As it was, else a purge would leave a unit that asks for a file which is gone.
  rm -r "$root/etc/systemd/system/quickq-agent.service.d"
  inside chown root:quickq-agent /etc/quickq/mq1.password
  inside chmod 640 /etc/quickq/mq1.password
  inside systemctl daemon-reload
  inside systemctl restart quickq-agent
}

# The configuration is mended afterwards.
restarts_only_what_may_pass() {
  cp -a "$root/etc/quickq/quickq.json" "$work/right.json"
  echo '{ "logLevel": "loud" }' > "$root/etc/quickq/quickq.json"
  not inside systemctl restart quickq-agent
  agent_is failed
  [ "$(inside systemctl show -p ExecMainStatus --value quickq-agent)" = 78 ]
  [ "$(inside systemctl show -p NRestarts --value quickq-agent)" = 0 ]
  cp -a "$work/right.json" "$root/etc/quickq/quickq.json"
  # Another agent has the spool: 75, and again until it is gone.
  inside systemd-run --unit other --uid quickq --gid quickq-agent /usr/lib/quickq/quickq-agent
  eventually 60 inside sh -c 'quickq-spool status | grep "agent: running"'
  not inside timeout 3 systemctl start quickq-agent
  eventually 60 inside sh -c '[ $(systemctl show -p NRestarts --value quickq-agent) -ge 1 ]'
  # Between two attempts; during one the code is not known yet.
  eventually 60 inside sh -c '[ $(systemctl show -p ExecMainStatus --value quickq-agent) = 75 ]'
  inside systemctl stop other
  eventually 60 agent_is active
  eventually 60 is mq1 connection connected
}

# A frozen one feeds nobody. Were it asked to end in a way that it can overhear, it would be there for another ten minutes.
watchdog_ends_what_hangs() {
  mkdir -p "$root/etc/systemd/system/quickq-agent.service.d"
  printf '[Service]\nWatchdogSec=5\nTimeoutStopSec=600\n' > "$root/etc/systemd/system/quickq-agent.service.d/hasty.conf"
  inside systemctl daemon-reload
  inside systemctl restart quickq-agent
  local hung
  hung=$(agent_pid)
  inside kill -STOP "$hung"
  eventually 120 inside sh -c '[ $(systemctl show -p NRestarts --value quickq-agent) -ge 1 ]'
  eventually 60 agent_is active
  [ "$(agent_pid)" != "$hung" ]
  inside journalctl --no-pager -u quickq-agent | grep -i 'watchdog timeout'
  rm -r "$root/etc/systemd/system/quickq-agent.service.d"
  inside systemctl daemon-reload
  inside systemctl restart quickq-agent
}

# Clients wait at the socket while the service restarts: an unbroken stream of adds meets no error.
upgrade_keeps_the_spool() {
  local id before stream
  id=$(as_user producer quickq-spool add -t upgrade '{"u":1}')
  before=$(agent_pid)
  cp "$root/etc/quickq/quickq.json" "$work/before.json"
  as_user producer sh -ec 'until [ -e /run/upgraded ]; do quickq-spool add stream > /dev/null; done' &
  stream=$!
  inside apt-get install -y /root/new.deb
  inside touch /run/upgraded
  wait $stream
  [ "$(inside dpkg-query -W -f '${Version}' quickq)" = 1.0.0 ]
  cmp "$root/etc/quickq/quickq.json" "$work/before.json"
  [ "$(agent_pid)" != "$before" ]
  agent_is active
  inside quickq-spool show "$id"
  [ "$(member mq1 pending)" -ge 1 ]
  owned /var/lib/quickq '700 quickq:quickq-agent'
}

# A link that the account left for the scripts is not followed.
removal_keeps_the_spool() {
  as_account ln -s /etc/nologin /var/lib/quickq/.all-delivered
  inside apt-get remove -y quickq > "$work/removal"
  cat "$work/removal"
  grep -q "spool $spool stays" "$work/removal"
  inside test -s $spool
  not inside test -e /usr/lib/quickq/quickq-agent
  not agent_is active
  not inside test -e /run/quickq/spool.sock
  not inside test -e /etc/nologin
  inside test -e /etc/quickq/quickq.json
}

purge_keeps_the_undelivered() {
  cp -a "$root/etc/quickq" "$work/kept-configuration"
  # The mark of 0.1.0, dated into the future by the account: it counts for nothing.
  as_account rm /var/lib/quickq/.all-delivered
  as_account touch -d '2099-01-01' /var/lib/quickq/.all-delivered
  inside apt-get purge -y quickq > "$work/purge" 2>&1
  cat "$work/purge"
  grep -q '/var/lib/quickq is kept' "$work/purge"
  inside test -s $spool
  not inside test -e /etc/quickq
}

kept_is_delivered() {
  inside apt-get install -y /root/new.deb
  cp -a "$work/kept-configuration/." "$root/etc/quickq/"
  eventually 60 is mq1 pending 0
  [ "$(member mq1 delivered)" -ge 3 ]
}

purge_removes_the_delivered() {
  # What is written between removal and purge, by a program that does not come with the package, counts.
  inside apt-get remove -y quickq
  inside test -s /var/lib/misc/quickq.delivered
  as_account touch $spool
  inside apt-get purge -y quickq > "$work/purge" 2>&1
  grep 'is kept' "$work/purge"
  inside apt-get install -y /root/new.deb
  not inside test -e /var/lib/misc/quickq.delivered
  inside apt-get purge -y quickq
  not inside test -e /var/lib/quickq
  not inside test -e /etc/quickq
  not inside test -e /var/lib/misc/quickq.delivered
  inside apt-get install -y /root/new.deb
  agent_is active
  service_is active
}
