#!/usr/bin/env bash
# Part of tests/packages/in-roots.sh: what producers, operators, strangers and the account quickq can do, and what they cannot. `set -e`.

# A program of the account quickq that somebody has taken over: not confined by a unit.
as_account() { inside setpriv --reuid quickq --regid quickq-agent --clear-groups -- "$@"; }
service_pid() { inside systemctl show -p MainPID --value quickq-spool.service; }
service_is() { [ "$(inside systemctl is-active "quickq-spool.${2:-service}")" = "$1" ]; }

# What none of these scenes may end or change.
witness() {
  echo "service $(inside systemctl show -p NRestarts -p ActiveState quickq-spool.service)"
  echo "agent $(inside systemctl show -p NRestarts -p MainPID -p ActiveState quickq-agent.service)"
  inside sha256sum /etc/passwd /etc/shadow /etc/group /etc/quickq/quickq.json /etc/quickq/mq1.password /root/victim
  inside stat -c '%n %a %u %g' /etc/passwd /etc/shadow /etc/quickq /etc/quickq/quickq.json /etc/quickq/mq1.password /var/lib/quickq
  inside find /etc /root /run/quickq -name '*.lock' -o -name nologin -o -path '/run/quickq/*' | sort
}

groups_have_their_rights() {
  inside useradd --create-home --groups quickq-admin supervisor
  echo keep > "$root/root/victim"
  local id other
  id=$(as_user producer quickq-spool add -t a '{"a":1}')
  as_user producer quickq-spool status > "$work/seen"
  grep -q mq1 "$work/seen"
  as_user producer quickq-spool status "$id"
  as_user producer quickq-spool list --limit 1
  as_user producer quickq-spool show "$id"
  as_user producer quickq-spool wait --timeout 60s "$id"
  ends_with 77 as_user producer quickq-spool cancel "$id"
  ends_with 77 as_user producer quickq-spool purge --older-than 0s --yes
  ends_with 77 as_user producer quickq-spool pause mq1
  as_user supervisor quickq-spool pause mq1
  other=$(as_user supervisor quickq-spool add -t a '{"a":2}')
  as_user supervisor quickq-spool cancel "$other"
  as_user supervisor quickq-spool resume mq1
  inside quickq-spool add -t a '{"a":3}'
  inside quickq-spool status
  inside quickq-spool purge --older-than 7d
  ends_with 77 as_user stranger quickq-spool status
  ends_with 77 as_user stranger quickq-spool add -t a '{"a":1}' 2> "$work/refused"
  cat "$work/refused"
  grep -q 'usermod -aG quickq stranger' "$work/refused"
  not as_user stranger quickq-agent --check-config
  not as_user producer quickq-agent --check-config
  # The password is neither for producers nor for strangers, nor for operators.
  not as_user producer cat /etc/quickq/mq1.password
  not as_user supervisor cat /etc/quickq/mq1.password
  not as_user stranger cat /etc/quickq/quickq.json
  eventually 30 is mq1 pending 0
}

# Whoever leaves a group adds no more with the next login; who was added needs no restart of the service.
groups_change() {
  inside gpasswd --delete producer quickq
  ends_with 77 as_user producer quickq-spool add late
  inside usermod -aG quickq producer
  as_user producer quickq-spool add again
}

# Attacks 1, 2, 3, 6 and 7 of a member of quickq, an operator and a stranger begin with a file in one of these folders.
folder_is_closed() {
  local who
  witness > "$work/before"
  python3 tests/packages/hot-journal.py "$root$spool" /root/victim > "$root/opt/journal"
  chmod 644 "$root/opt/journal"
  for who in producer supervisor stranger; do
    not as_user $who ls /var/lib/quickq
    not as_user $who test -e $spool
    not as_user $who head -c 16 $spool
    not as_user $who cp /opt/journal $spool-journal
    not as_user $who ln -s /etc/passwd /var/lib/quickq/other.db
    not as_user $who ln -s /etc/nologin /var/lib/quickq/.all-delivered
    not as_user $who mkdir -p /var/lib/quickq/.dotnet/corefx/cryptography/x509stores/root
    not as_user $who rm /run/quickq/spool.sock
    not as_user $who touch /run/quickq/other
    not as_user $who touch /var/lib/misc/quickq.delivered
    ends_with 77 as_user $who quickq-spool --direct add x
  done
  # The service opens no file that it is told of: neither another spool nor an output.
  as_user stranger sh -c 'umask 0; mkdir -p /tmp/own; : > /tmp/own/spool.db'
  not as_user producer quickq-spool --spool /tmp/own/spool.db --service add x
  not as_user producer quickq-spool add --file /etc/shadow
  not as_user supervisor quickq-spool backup /root/copy.db
  not inside test -e /root/copy.db
  witness > "$work/after"
  diff "$work/before" "$work/after"
}

# The account has no home to be read from, and the programs are told so too.
home_is_nowhere() {
  local pid
  [ "$(inside getent passwd quickq | cut -d: -f6)" = /nonexistent ]
  [ "$(inside id -Gn quickq)" = quickq-agent ]
  for pid in $(agent_pid) $(service_pid); do
    inside sh -c "tr '\\0' '\\n' < /proc/$pid/environ" | grep -qx HOME=/nonexistent
  done
}

# The account itself, taken over: attacks 1, 7 and 8 are then about root.
account_is_no_way_to_root() {
  witness > "$work/before"
  not as_account touch /etc/quickq/other
  not as_account mv /etc/quickq/quickq.json /etc/quickq/old.json
  not as_account sh -c 'echo >> /etc/quickq/quickq.json'
  not as_account sh -c 'echo >> /etc/default/quickq'
  not as_account rm -f /run/quickq/spool.sock
  not as_account touch /var/lib/misc/quickq.delivered
  # A journal that deletes a file of whoever rolls it back. Root's commands do not: the account's own service does, or nobody.
  as_account cp /opt/journal $spool-journal
  # It may stop its own spool (75): that is what the account can do anyway.
  inside quickq-spool add after-the-journal
  inside quickq-spool status > "$work/seen" || [ $? = 75 ]
  inside cat /root/victim
  as_account rm -f $spool-journal
  # Links where files are expected.
  as_account ln -s /etc/nologin /var/lib/quickq/.all-delivered
  as_account ln -sf /etc/passwd /var/lib/quickq/spool.db.repair-log
  inside quickq-spool status > "$work/seen"
  as_account rm /var/lib/quickq/.all-delivered /var/lib/quickq/spool.db.repair-log
  witness > "$work/after"
  diff "$work/before" "$work/after"
}

# Escapes that a producer or the account put into the spool never reach a terminal.
terminal_sees_no_escapes() {
  local escape=$'\e]0;owned\a\e[31m'
  as_user producer quickq-spool add -t "x.$escape" -H "h=$escape" "$escape" > "$work/id"
  inside quickq-spool list --limit 3 > "$work/seen"
  inside quickq-spool show "$(cat "$work/id")" >> "$work/seen"
  inside quickq-spool status "$(cat "$work/id")" >> "$work/seen"
  inside journalctl --no-pager -u quickq-agent -u quickq-spool -n 50 -o cat >> "$work/seen"
  not grep -q $'\e' "$work/seen"
}

producers_need_no_agent() {
  inside systemctl stop quickq-agent
  as_user producer quickq-spool add without-agent
  cp -a "$root/etc/quickq/quickq.json" "$work/right.json"
  echo '{ "logLevel": "loud" }' > "$root/etc/quickq/quickq.json"
  not inside systemctl start quickq-agent
  as_user producer quickq-spool add with-a-broken-agent
  inside systemctl restart quickq-spool.service
  as_user producer quickq-spool add after-a-restart
  cp -a "$work/right.json" "$root/etc/quickq/quickq.json"
  inside systemctl restart quickq-agent
  eventually 60 is mq1 pending 0
}

# Killed or stopped for good: the socket starts it for the next client. Without the socket nobody gets past the service.
service_comes_back() {
  inside kill -9 "$(service_pid)"
  as_user producer quickq-spool add after-a-kill
  inside systemctl stop quickq-spool.service 2> "$work/stop"
  as_user producer quickq-spool add after-a-stop
  service_is active
  inside systemctl stop quickq-spool.socket quickq-spool.service
  not inside test -e /run/quickq/spool.sock
  ends_with 75 inside quickq-spool add x
  ends_with 75 as_user producer quickq-spool add x
  inside systemctl start quickq-spool.socket
  as_user producer quickq-spool add there-again
}

# A container that has only the socket: another file system, the same kernel.
container_produces() {
  local group
  group=$(inside getent group quickq | cut -d: -f3)
  # Only the commands, the libraries and the socket; nothing of /var, /etc and /home.
  cat > "$root/root/contain" << 'SH'
mount -t tmpfs tmpfs /mnt
mkdir -p /mnt/usr /mnt/run/quickq /mnt/proc /mnt/dev /mnt/tmp
mount --rbind /usr /mnt/usr
mount --rbind /dev /mnt/dev
mount --bind /run/quickq /mnt/run/quickq
mount -t proc proc /mnt/proc
for name in bin lib lib64; do ln -s usr/$name /mnt/$name; done
exec chroot /mnt setpriv "$@"
SH
  contained() { inside unshare --mount --pid --fork sh /root/contain "$@"; }
  contained --reuid 4242 --regid 4242 --groups "$group" -- quickq-spool add -t container from-a-container > "$work/id"
  inside quickq-spool show "$(cat "$work/id")" > "$work/seen"
  ends_with 77 contained --reuid 4242 --regid 4242 --groups "$group" -- quickq-spool cancel "$(cat "$work/id")"
  ends_with 77 contained --reuid 4242 --regid 4242 --clear-groups -- quickq-spool add x
  # As docs/security.md warns: root in there is root to the service.
  contained --reuid 0 --regid 0 --clear-groups -- quickq-spool pause mq1
  inside quickq-spool resume mq1
}
