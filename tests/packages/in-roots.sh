#!/usr/bin/env bash
# The scenes of tests/shell/packages-in-roots.sh, which starts this in namespaces of its own.
set -uo pipefail

. tests/tap.sh
. tests/packages/roots.sh
. tests/packages/scenes.sh
. tests/packages/scenes-accounts.sh
. tests/packages/scenes-upgrade.sh
. tests/packages/scenes-elsewhere.sh
number=$TAP_NUMBER
bases=$QUICKQ_ROOTS
packages=$QUICKQ_PACKAGES

# A scene is a function that stops at the first command that fails.
scene() {
  local code
  # Not before `||`: bash then goes on after a failure, whatever is set.
  (set -e; "$2") > "$work/log" 2>&1
  code=$?
  [ $code = 0 ] || describe_agent >> "$work/log" 2>&1
  report "$1" $code
}

# The same for a function that leaves something running.
step() {
  "$2" ${3:+"$3"} > "$work/log" 2>&1
  report "$1" $?
}

step "a broker runs in a network of its own" start_broker

fresh_root bookworm debian
step "Debian 12 boots with its own systemd" boot
scene "the deb installs; account, folder and service are there" deb_installs
scene "docs/install.md leads to the first delivered message" install_page_works
scene "producers add and look, operators change, root may everything, others get 77" groups_have_their_rights
scene "who leaves the group adds no more" groups_change
scene "nobody but the account reads or writes in the folders" folder_is_closed
scene "the account has no home" home_is_nowhere
scene "the account, taken over, is no way to root" account_is_no_way_to_root
scene "no escape reaches a terminal" terminal_sees_no_escapes
scene "producers need no agent" producers_need_no_agent
scene "the service comes back for the next client, and nothing goes past it" service_comes_back
scene "a container that has the socket produces" container_produces
scene "the agent writes in its own folder and nowhere else" agent_is_confined
scene "so does the service, which has no network" service_is_confined
scene "a restart is a word to systemd: reload, status, stop" systemd_is_told
scene "a password that root alone may read comes as a credential" credential_works
scene "a wrong configuration stays failed, a taken spool is tried again" restarts_only_what_may_pass
scene "what hangs is ended by the watchdog and started anew" watchdog_ends_what_hangs
end_broker
scene "an upgrade keeps the spool and the configuration, and restarts the agent" upgrade_keeps_the_spool
scene "a removal keeps the spool" removal_keeps_the_spool
scene "a purge keeps what is not delivered, and says so" purge_keeps_the_undelivered
step "the broker is there again" run_broker
scene "installed again, it delivers what was kept" kept_is_delivered
scene "a purge removes a spool that is delivered" purge_removes_the_delivered
shut_down

fresh_root bookworm upgrade
step "another root boots" boot
scene "version 0.1.0 installs; a producer makes the spool" release_installs
scene "on 0.1.0 a producer deletes a file of root" release_can_be_attacked
scene "an upgrade writes through no link" traps_are_set
scene "the upgrade keeps spool and configuration, and follows no link" release_upgrades
scene "producers and agent go on as before" release_goes_on
shut_down

fresh_root bookworm cold
scene "a root is made ready for a cold boot" prepare_cold_boot
step "it boots while disk, name server and network are missing" boot basic.target
scene "the agent waits for the disk of the spool" waits_for_the_disk
scene "it starts without name server and network, and accepts" starts_without_network
scene "when name server and network come it delivers" delivers_when_all_is_there
shut_down

fresh_root bookworm rpm
scene "the rpm installs with rpm --root" rpm_installs
step "the root with the rpm boots" boot
scene "enabled by the administrator, it delivers" rpm_delivers
scene "the upgrade of the rpm keeps the spool and restarts the agent" rpm_upgrades
scene "the removal of the rpm keeps the spool" rpm_removal_keeps_the_spool
shut_down

fresh_root bullseye old
scene "on Debian 11 its own deb installs and delivers" old_deb_delivers
scene "the contents of the el8 rpm deliver with the C library and SQLite of Debian 11" el8_delivers

finish_tap
