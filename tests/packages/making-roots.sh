#!/usr/bin/env bash
# Part of tests/shell/packages-in-roots.sh: what its scenes need, made outside of their namespaces. Uses its variable work.

roots=$PWD/artifacts/roots

# The last commit of version 0.1.0.
last_release=dee32ad

make_packages_and_roots() {
  bash packaging/install-missing.sh debootstrap systemd-container dnsmasq-base rpm rabbitmq-server iproute2 util-linux
  [ -x dist/bin/quickq-agent ] || bash packaging/build.sh
  [ -x dist/bin-portable/quickq-agent ] || bash packaging/build.sh --portable
  QUICKQ_PACKAGE_VERSION=0.0.9 bash packaging/package.sh --no-build --fast --output "$work/old" deb rpm
  QUICKQ_PACKAGE_VERSION=1.0.0 bash packaging/package.sh --no-build --fast --output "$work/new" deb rpm
  make_release
  ln -s "$roots/release" "$work/release"
  base_root bookworm systemd,systemd-sysv,dbus,procps,libssl3,libstdc++6,ca-certificates,rpm
  base_root bullseye libssl1.1,libsqlite3-0,libstdc++6
}

# The packages of version 0.1.0, made from its commit and kept for the next run. Not within this tree, whose Directory.Build.* the build would read.
make_release() {
  [ ! -e "$roots/release.done" ] || return 0
  rm -rf "$roots/release"
  git clone --quiet --no-checkout . "$work/source"
  git -C "$work/source" checkout --quiet "$last_release"
  (cd "$work/source" && bash packaging/build.sh && bash packaging/package.sh --no-build --fast --output "$roots/release" deb rpm)
  rm -rf "$work/source"
  touch "$roots/release.done"
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
