#!/usr/bin/env bash
# Part of tests/shell/packages-in-roots.sh: what its scenes need, made outside of their namespaces. Uses its variable work.

roots=$PWD/artifacts/roots

make_packages_and_roots() {
  bash packaging/install-missing.sh debootstrap systemd-container dnsmasq-base rpm rabbitmq-server iproute2 util-linux
  [ -x dist/bin/quickq-agent ] || bash packaging/build.sh
  [ -x dist/bin-portable/quickq-agent ] || bash packaging/build.sh --portable
  QUICKQ_PACKAGE_VERSION=0.0.9 bash packaging/package.sh --no-build --fast --output "$work/old" deb rpm
  QUICKQ_PACKAGE_VERSION=1.0.0 bash packaging/package.sh --no-build --fast --output "$work/new" deb rpm
  base_root bookworm systemd,systemd-sysv,dbus,procps,libssl3,libstdc++6,ca-certificates,rpm
  base_root bullseye libssl1.1,libsqlite3-0,libstdc++6
}

# base_root SUITE EXTRA-PACKAGES: a root as debootstrap makes it, kept for the next run.
base_root() {
  local base=$roots/$1
  if [ ! -e "$base.done" ]; then
    rm -rf "$base"
    mkdir -p "$roots"
    debootstrap --variant=minbase --include="$2" "$1" "$base"
    touch "$base.done"
  fi
}

# Without a manager that it registers with, nspawn leaves its control groups behind.
remove_groups() {
  find /sys/fs/cgroup/systemd/payload /sys/fs/cgroup/systemd/supervisor /sys/fs/cgroup/unified/payload /sys/fs/cgroup/unified/supervisor \
    -depth -type d -exec rmdir {} \; 2> /dev/null
}
