#!/usr/bin/env bash
# Part of tests/packages/in-roots.sh: the scenes of the cold boot, of the rpm and of old hosts. Each runs with `set -e`.

late_server='"mq1": { "host": "mq.quickq.test", "exchange": "amq.topic" },'
near_server='"mq1": { "host": "127.0.0.1", "exchange": "amq.topic" },'

prepare_cold_boot() {
  copy_in new 'quickq_1.0.0_amd64.deb' new.deb
  unbooted apt-get install -y /root/new.deb
  configure_server "$late_server"
  mkdir "$root/srv/disk"
  echo 'nameserver 127.0.0.1' > "$root/etc/resolv.conf"
  # A disk that takes its time: a bind mount that waits for a sign.
  echo '/srv/disk /var/lib/quickq none bind,nofail,x-systemd.requires=slow-disk.service 0 0' >> "$root/etc/fstab"
  cat > "$root/etc/systemd/system/slow-disk.service" << 'UNIT'
[Unit]
DefaultDependencies=no
[Service]
Type=oneshot
RemainAfterExit=yes
TimeoutStartSec=infinity
ExecStart=/bin/sh -c 'until [ -e /run/disk-is-there ]; do sleep 0.2; done'
UNIT
  ip addr del 10.99.7.1/32 dev lo
}

# The socket is there before the disk; service and agent wait for it, and with them who asks. A spool that was made in the folder below
# the disk would be hidden by it.
waits_for_the_disk() {
  not agent_is active
  not service_is active
  service_is active socket
  inside systemctl list-jobs --no-pager | tee "$work/jobs"
  grep -q 'quickq-agent.service.*waiting' "$work/jobs"
  grep -q 'quickq-spool.service.*waiting' "$work/jobs"
  inside quickq-spool add -t early '{"e":1}' > "$work/early" &
  local early=$!
  eventually 20 client_waits
  not test -e "$root$spool"
  inside touch /run/disk-is-there
  eventually 60 agent_is active
  wait $early
  inside quickq-spool show "$(cat "$work/early")" > "$work/shown"
  test -s "$root/srv/disk/spool.db"
  owned /var/lib/quickq '700 quickq:quickq-agent'
  inside mountpoint /var/lib/quickq
}

# The kernel lists the socket once more for each connection that nobody has accepted.
client_waits() { [ "$(grep -c /run/quickq/spool.sock /proc/net/unix)" -ge 2 ]; }

starts_without_network() {
  inside quickq-spool add -t cold '{"c":1}'
  is mq1 connection reconnecting
  is mq1 pending 2
  eventually 60 says 'resolv|name|DNS'
}

says() { inside quickq-spool status | grep -iE "last error.*($1)"; }

delivers_when_all_is_there() {
  dnsmasq --keep-in-foreground --conf-file=/dev/null --no-resolv --no-hosts --user=root \
    --listen-address=127.0.0.1 --bind-interfaces --address=/mq.quickq.test/10.99.7.1 &
  resolver=$!
  eventually 90 says '10.99.7.1|unreachable'
  ip addr add 10.99.7.1/32 dev lo
  eventually 90 is mq1 delivered 2
  [ "$(inside systemctl show -p NRestarts --value quickq-agent)" = 0 ]
  kill "$resolver"
}

inside_rpm() { inside rpm --dbpath /var/lib/rpm "$@"; }

rpm_installs() {
  copy_in new 'quickq-1.0.0.x86_64.rpm' new.rpm
  # --nodeps: the libraries are there, but as debs.
  rpm --root "$root" --dbpath /var/lib/rpm --nodeps -i "$packages/release/quickq-0.1.0.x86_64.rpm"
  unbooted getent passwd quickq
  unbooted quickq-spool --version
  configure_server "$near_server"
}

rpm_delivers() {
  inside systemctl enable --now quickq-agent
  agent_is active
  inside quickq-spool add -t rpm --wait=60s '{"r":1}'
  inside useradd --groups quickq producer
  as_user producer quickq-spool add -t rpm '{"r":2}'
}

rpm_upgrades() {
  local before
  before=$(agent_pid)
  cp "$root/etc/quickq/quickq.json" "$work/before.json"
  inside_rpm --nodeps -U /root/new.rpm
  [ "$(inside_rpm -q --qf '%{version}' quickq)" = 1.0.0 ]
  cmp "$root/etc/quickq/quickq.json" "$work/before.json"
  [ "$(agent_pid)" != "$before" ]
  agent_is active
  # The agent, which the administrator enabled, brings the socket: producers go on.
  service_is active socket
  eventually 60 is mq1 delivered 2
  as_user producer quickq-spool add -t rpm --wait=60s '{"r":3}'
  home_is_nowhere
  owned /var/lib/quickq '700 quickq:quickq-agent'
  owned $spool '600 quickq:quickq-agent'
  owned /etc/quickq '750 root:quickq-agent'
  owned /etc/quickq/quickq.json '640 root:quickq-agent'
  inside_rpm -V --nodeps quickq > "$work/verified" || true
  # Nothing but the configuration differs from what was packed.
  not grep -v '  c /etc/quickq/quickq.json$' "$work/verified"
}

rpm_removal_keeps_the_spool() {
  inside_rpm -e quickq > "$work/removal"
  grep -q "spool $spool stays" "$work/removal"
  test -s "$root$spool"
  not test -e "$root/usr/lib/quickq/quickq-agent"
  not agent_is active
  not service_is active socket
  # The administrator's changes are kept beside it.
  test -s "$root/etc/quickq/quickq.json.rpmsave"
}

# deliver_alone SPOOL AGENT CLI: in a root that is not booted, with a configuration that names the broker.
deliver_alone() {
  printf '{ "spool": { "path": "%s" }, "servers": { %s } }' "$1" "$near_server" > "$root/root/alone.json"
  unshare --mount --propagation private sh -c 'mount -t proc proc "$1/proc" && exec chroot "$@"' \
    - "$root" "$2" --config /root/alone.json &
  local agent=$!
  unbooted "$3" add --spool "$1" -t alone --wait=60s '{"o":1}'
  unbooted "$3" status --spool "$1" | grep 'mq1 .* 1 '
  kill "$agent"
  wait "$agent" || true
}

old_deb_delivers() {
  copy_in new 'quickq_1.0.0~deb11_amd64.deb' new.deb
  unbooted dpkg -i /root/new.deb
  owned /var/lib/quickq '700 quickq:quickq-agent' unbooted
  owned /etc/quickq/quickq.json '640 root:quickq-agent' unbooted
  deliver_alone /root/alone.db quickq-agent quickq-spool
}

el8_delivers() {
  mkdir "$root/el8"
  rpm2archive -n - < "$packages/new/quickq-1.0.0.el8.x86_64.rpm" | tar -x -C "$root/el8"
  deliver_alone /root/el8.db /el8/usr/lib/quickq/quickq-agent /el8/usr/lib/quickq/quickq-spool
}
