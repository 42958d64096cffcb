#!/usr/bin/env bash
# Packages in real Debian roots, booted with their own systemd, and a real RabbitMQ node: installed by the page docs/install.md, upgraded,
# removed, purged; who may do what; a cold boot where disk, name server and network are late; old hosts. Takes minutes: --long.
#
# All of it happens in namespaces of its own (network, mounts, processes), which end with it however it ends: nothing of it can be left behind.
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
. tests/packages/making-roots.sh

(set -e; make_packages_and_roots) > "$work/log" 2>&1
report "packages and roots are made" $?
[ $failed = 0 ] || finish_tap

clean_up() {
  [ -z "${scenes:-}" ] || { kill -9 "$scenes"; wait "$scenes"; } 2> /dev/null
  remove_groups
  rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 143' TERM INT HUP

# The folder of the scenes is within $work, and goes with it.
QUICKQ_ROOTS=$roots QUICKQ_PACKAGES=$work TMPDIR=$work TAP_NUMBER=$number \
  setpriv --pdeathsig KILL unshare --net --mount --propagation private --pid --fork --kill-child=KILL --mount-proc bash tests/packages/in-roots.sh &
scenes=$!
wait "$scenes"
code=$?
scenes=
exit $code
