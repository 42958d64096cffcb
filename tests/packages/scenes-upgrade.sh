#!/usr/bin/env bash
# Part of tests/packages/in-roots.sh: from version 0.1.0, whose producers could write the spool's folder. Each runs with `set -e`.

release_installs() {
  copy_in release 'quickq_0.1.0_amd64.deb' release.deb
  copy_in new 'quickq_1.0.0_amd64.deb' new.deb
  inside apt-get install -y /root/release.deb
  inside useradd --create-home --groups quickq producer
  # A spool that a producer made, and a password that only the account reads, as the page of 0.1.0 had it.
  inside systemctl stop quickq-agent
  inside sh -c 'rm -f /var/lib/quickq/spool.db*'
  configure_server '"mq1": { "host": "127.0.0.1", "passwordFile": "mq1.password", "exchange": "amq.topic" },'
  inside sh -c 'echo guest | install -o quickq -m 400 /dev/stdin /etc/quickq/mq1.password'
  as_user producer quickq-spool add -t release '{"r":1}' > "$work/id"
  owned $spool '660 producer:quickq'
}

# What the scenes about accounts try is no invention: it works on 0.1.0.
release_can_be_attacked() {
  echo keep > "$root/root/victim"
  python3 tests/packages/hot-journal.py "$root$spool" /root/victim > "$root/opt/journal"
  chmod 644 "$root/opt/journal"
  as_user producer cp /opt/journal $spool-journal
  inside quickq-spool add x
  not inside test -e /root/victim
  inside quickq-spool cancel "$(inside quickq-spool list --limit 1 --json | grep -oE '"id": ?"[^"]*' | cut -d'"' -f4)"
}

# What a member and the account left behind for whoever upgrades.
traps_are_set() {
  echo keep > "$root/root/victim"
  as_user producer ln -s /etc/shadow /var/lib/quickq/shadow.db
  as_user producer ln -s /etc/nologin /var/lib/quickq/.all-delivered
  as_user producer sh -c 'echo mine > /home/producer/mine && ln /home/producer/mine /var/lib/quickq/mine'
  as_user producer sh -c "mkdir /var/lib/quickq/\$(printf 'a\\033[31mb')"
  inside setpriv --reuid quickq --regid quickq --clear-groups sh -ec '
    ln -s /etc/shadow /etc/quickq/shadow
    mkdir /etc/quickq/tls
    ln -s /etc /etc/quickq/tls/etc
    echo key > /etc/quickq/tls/key.pem'
  # dpkg writes through a link in the place of the configuration: it is not even unpacked.
  inside mv /etc/quickq/quickq.json /root/quickq.json
  inside setpriv --reuid quickq --regid quickq --clear-groups ln -s /etc/shadow /etc/quickq/quickq.json
  inside stat -c '%n %a %u %g %s' /etc/shadow /etc /home/producer/mine > "$work/before"
  inside sha256sum /etc/shadow /home/producer/mine >> "$work/before"
  not inside apt-get install -y /root/new.deb
  [ "$(inside dpkg-query -W -f '${Version}' quickq)" = 0.1.0 ]
  inside rm /etc/quickq/quickq.json
  inside mv /root/quickq.json /etc/quickq/quickq.json
}

release_upgrades() {
  cp "$root/etc/quickq/quickq.json" "$work/before.json"
  inside systemctl start quickq-agent
  # The answer to dpkg's question about a changed configuration: keep it.
  inside apt-get install -y -o Dpkg::Options::=--force-confold /root/new.deb > "$work/upgrade" 2>&1
  cat "$work/upgrade"
  not grep -q $'\e' "$work/upgrade"
  grep -q 'shadow.db is not a plain file' "$work/upgrade"
  cmp "$root/etc/quickq/quickq.json" "$work/before.json"
  inside stat -c '%n %a %u %g %s' /etc/shadow /etc /home/producer/mine > "$work/after"
  inside sha256sum /etc/shadow /home/producer/mine >> "$work/after"
  diff "$work/before" "$work/after"
  not inside test -e /etc/nologin
  home_is_nowhere
  owned /var/lib/quickq '700 quickq:quickq-agent'
  owned $spool '600 quickq:quickq-agent'
  owned /etc/quickq '750 root:quickq-agent'
  owned /etc/quickq/quickq.json '640 root:quickq-agent'
  owned /etc/quickq/mq1.password '640 root:quickq-agent'
  owned /etc/quickq/tls '750 root:quickq-agent'
  owned /etc/quickq/tls/key.pem '640 root:quickq-agent'
}

# The message, the members and the agent's access to the broker are what they were; what members could do to the file is over.
release_goes_on() {
  agent_is active
  service_is active
  service_is active socket
  inside quickq-spool show "$(cat "$work/id")"
  inside quickq-spool wait --timeout 60s "$(cat "$work/id")"
  as_user producer quickq-spool add -t after --wait=60s '{"a":1}'
  ends_with 77 as_user producer quickq-spool cancel "$(cat "$work/id")"
  not as_user producer ls /var/lib/quickq
  not as_user producer touch $spool-journal
  inside cat /root/victim
}
