#!/usr/bin/env bash
# Packages in real Debian roots, booted with their own systemd, and a real RabbitMQ node: installed by the page docs/install.md, upgraded,
# removed, purged; who may do what; a cold boot where disk, name server and network are late; old hosts. Takes minutes: --long.
set -uo pipefail
cd "$(dirname "$0")/../.."

. tests/tap.sh
if [ -z "${QUICKQ_LONG:-}" ]; then
  skip "packages are installed, upgraded, removed and purged in booted roots" "takes minutes: --long"
  finish_tap
fi
if [ "$(id -u)" != 0 ]; then
  skip "packages are installed, upgraded, removed and purged in booted roots" "needs root"
  finish_tap
fi
. tests/packages/roots.sh
. tests/packages/scenes.sh
. tests/packages/scenes-elsewhere.sh
trap end_everything EXIT

# A scene is a function of scenes.sh that stops at the first command that fails.
scene() {
  (set -e; "$2") > "$work/log" 2>&1
  report "$1" $?
}

needs() {
  bash packaging/install-missing.sh debootstrap systemd-container dnsmasq-base rpm rabbitmq-server iproute2 util-linux
  [ -x dist/bin/quickq-agent ] || bash packaging/build.sh
  [ -x dist/bin-portable/quickq-agent ] || bash packaging/build.sh --portable
  QUICKQ_PACKAGE_VERSION=0.0.9 bash packaging/package.sh --no-build --fast --output "$work/old" deb rpm
  QUICKQ_PACKAGE_VERSION=1.0.0 bash packaging/package.sh --no-build --fast --output "$work/new" deb rpm
  base_root bookworm systemd,systemd-sysv,dbus,procps,libssl3,libstdc++6,ca-certificates,rpm
  base_root bullseye libssl1.1,libsqlite3-0,libstdc++6
}
scene "packages and roots are made" needs
make_network
start_broker > "$work/log" 2>&1
report "a broker runs in a network of its own" $?

fresh_root bookworm debian
boot > "$work/log" 2>&1
report "Debian 12 boots with its own systemd" $?
scene "the deb installs; account, folder and service are there" deb_installs
scene "docs/install.md leads to the first delivered message" install_page_works
scene "members of group quickq add and look, others get 77" only_members_add
scene "the agent writes in its own folder and nowhere else" agent_is_confined
scene "a restart is a word to systemd: reload, status, stop" systemd_is_told
end_broker
scene "an upgrade keeps the spool and the configuration, and restarts the agent" upgrade_keeps_the_spool
scene "a removal keeps the spool" removal_keeps_the_spool
scene "a purge keeps what is not delivered, and says so" purge_keeps_the_undelivered
run_broker > "$work/log" 2>&1
scene "installed again, it delivers what was kept" kept_is_delivered
scene "a purge removes a spool that is delivered" purge_removes_the_delivered
shut_down

fresh_root bookworm cold
scene "a root is made ready for a cold boot" prepare_cold_boot
boot basic.target > "$work/log" 2>&1
report "it boots while disk, name server and network are missing" $?
scene "the agent waits for the disk of the spool" waits_for_the_disk
scene "it starts without name server and network, and accepts" starts_without_network
scene "when name server and network come it delivers" delivers_when_all_is_there
shut_down

fresh_root bookworm rpm
scene "the rpm installs with rpm --root" rpm_installs
boot > "$work/log" 2>&1
report "the root with the rpm boots" $?
scene "enabled by the administrator, it delivers" rpm_delivers
scene "the upgrade of the rpm keeps the spool and restarts the agent" rpm_upgrades
scene "the removal of the rpm keeps the spool" rpm_removal_keeps_the_spool
shut_down

fresh_root bullseye old
scene "on Debian 11 its own deb installs and delivers" old_deb_delivers
scene "the contents of the el8 rpm deliver with the C library and SQLite of Debian 11" el8_delivers

finish_tap
