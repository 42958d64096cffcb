#!/usr/bin/env bash
# Part of package.sh: one function a kind of package. Uses its variables dist, bin, portable, version, fast, work and fail.

maintainer=${QUICKQ_MAINTAINER:-Quickq developers <quickq@users.noreply.github.com>}

has_programs() { [ -x "$1/quickq-agent" ] && [ -x "$1/quickq-spool" ]; }

# The installed file system of a package in folder $1, with the programs of folder $2.
stage() {
  local root=$1 programs=$2 doc=$1/usr/share/doc/quickq page
  rm -rf "$root"
  mkdir -p "$root"
  cp -r packaging/root/. "$root/"
  mkdir -p "$root/usr/bin" "$root/usr/sbin" "$root/usr/lib/quickq" "$root/var/lib/quickq"
  cp "$programs"/* "$root/usr/lib/quickq/"
  ln -s ../lib/quickq/quickq-spool "$root/usr/bin/quickq-spool"
  ln -s ../lib/quickq/quickq-agent "$root/usr/sbin/quickq-agent"
  cp docs/install.md docs/security.md "$doc/"
  python3 packaging/sbom.py "$version" > "$doc/sbom.cdx.json" || fail "the list of components cannot be made"
  gzip -9n < CHANGELOG.md > "$doc/CHANGELOG.md.gz"
  manual cli.md quickq-spool 1 'hands messages to RabbitMQ through a spool on this machine'
  manual agent.md quickq-agent 8 'delivers spooled messages to RabbitMQ servers'
  manual configuration.md quickq.json 5 'configuration of quickq-agent'
  manual spool-format.md quickq-spool 5 'the spool file of Quickq'
  find "$root" -type d -exec chmod 755 {} +
  find "$root" -type f -exec chmod 644 {} +
  chmod 755 "$root/usr/lib/quickq/quickq-agent" "$root/usr/lib/quickq/quickq-spool" "$root/usr/lib/quickq/set-permissions"
  chmod 640 "$root/etc/quickq/quickq.json"
  chmod 750 "$root/etc/quickq"
}

# manual PAGE NAME SECTION TEXT: a page of docs/ as a manual page.
manual() {
  local folder=$root/usr/share/man/man$3
  mkdir -p "$folder"
  python3 packaging/manual.py "docs/$1" "$2" "$3" "$4" | gzip -9n > "$folder/$2.$3.gz"
}

same_times() { find "$1" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +; }

package_deb() {
  command -v dpkg-deb > /dev/null || fail "dpkg-deb is not here: debs are made on Debian or Ubuntu" 69
  local common='libgcc-s1, libstdc++6, passwd'
  rm -f "$dist"/quickq_*.deb
  ! has_programs "$bin" || make_deb "$bin" "$version" "libc6 (>= 2.34), libssl3 | libssl3t64, $common"
  ! has_programs "$portable" || make_deb "$portable" "$version~deb11" "libc6 (>= 2.28), libssl3 | libssl1.1, libsqlite3-0 (>= 3.26), $common"
}

# make_deb PROGRAMS VERSION DEPENDENCIES
make_deb() {
  local root=$work/deb file=$dist/quickq_$2_amd64.deb strength=6
  [ "$fast" = no ] || strength=0
  stage "$root" "$1"
  mkdir -p "$root/usr/share/lintian/overrides" "$root/DEBIAN"
  install -m 644 packaging/deb/overrides "$root/usr/share/lintian/overrides/quickq"
  {
    printf 'quickq (%s) stable; urgency=medium\n\n  * What changed is in CHANGELOG.md.gz beside this file.\n\n' "$2"
    printf ' -- %s  %s\n' "$maintainer" "$(date -R -d "@$SOURCE_DATE_EPOCH")"
  } | gzip -9n > "$root/usr/share/doc/quickq/changelog.gz"
  sed -e "s#@VERSION@#$2#; s#@MAINTAINER@#$maintainer#; s#@DEPENDS@#$3#" \
    -e "s|@SIZE@|$(du -sk --apparent-size --exclude=DEBIAN "$root" | cut -f1)|" packaging/deb/control > "$root/DEBIAN/control"
  printf '%s\n' /etc/default/quickq /etc/quickq/quickq.json > "$root/DEBIAN/conffiles"
  (cd "$root" && find etc usr -type f | sort | xargs md5sum | grep -v ' etc/') > "$root/DEBIAN/md5sums"
  chmod 644 "$root/DEBIAN"/*
  install -m 755 packaging/deb/preinst packaging/deb/postinst packaging/deb/prerm packaging/deb/postrm "$root/DEBIAN/"
  same_times "$root"
  dpkg-deb --root-owner-group --threads-max=1 -Zxz "-z$strength" --build "$root" "$file" > "$work/deb.log" || fail "$(cat "$work/deb.log")"
  echo "$file"
}

package_rpm() {
  command -v rpmbuild > /dev/null || bash packaging/install-missing.sh rpm
  rm -f "$dist"/quickq-*.rpm
  ! has_programs "$bin" || make_rpm "$bin" "" 1 w19.zstdio
  ! has_programs "$portable" || make_rpm "$portable" .el8 0 w6.xzdio
}

# make_rpm PROGRAMS TAG BUNDLED COMPRESSION. Rocky 8 does not read zstd in every release.
make_rpm() {
  local root=$work/rpm file=$dist/quickq-$version$2.x86_64.rpm compression=$4
  [ "$fast" = no ] || compression=w1.gzdio
  stage "$root" "$1"
  mv "$root/etc/default" "$root/etc/sysconfig"
  same_times "$root"
  sed "s#@RPMDATE@#$(date -d "@$SOURCE_DATE_EPOCH" '+%a %b %d %Y')#; s#@MAINTAINER@#$maintainer#" packaging/rpm/quickq.spec > "$work/quickq.spec"
  rpmbuild -bb --quiet --target x86_64-linux \
    --define "_topdir $work/rpmbuild" --define "_rpmdir $work/rpms" --define '_rpmfilename made.rpm' \
    --define "version $version" --define "staged $root" --define "bundled $3" ${2:+--define "dist_tag $2"} \
    --define "_binary_payload $compression" --define '_buildhost localhost' \
    --define 'use_source_date_epoch_as_buildtime 1' --define 'clamp_mtime_to_source_date_epoch 1' \
    "$work/quickq.spec" > "$work/rpm.log" 2>&1 || { cat "$work/rpm.log" >&2; fail "rpmbuild refuses"; }
  mv "$work/rpms/made.rpm" "$file"
  echo "$file"
}

package_python() {
  command -v python3 > /dev/null || fail "python3 is not in PATH" 69
  local programs=()
  if has_programs "$portable"; then
    programs=("$portable")
  else
    echo "package.sh: no programs in $portable (packaging/build.sh --portable makes them): without the wheel ssec-quickq-agent" >&2
  fi
  rm -f "$dist"/ssec_quickq-*.tar.gz "$dist"/ssec_quickq-*.whl "$dist"/ssec_quickq_agent-*.whl
  python3 packaging/python/wheels.py "$dist" ${programs[@]+"${programs[@]}"} | sed "s|^|$dist/|"
}

package_nuget() {
  command -v dotnet > /dev/null || fail "the .NET SDK 10 is not in PATH (https://dot.net)" 69
  rm -f "$dist"/Quickq.Spool.*.nupkg
  dotnet pack spool -c Release --nologo -v quiet -p:ArtifactsPath="$PWD/artifacts/pack" -p:ContinuousIntegrationBuild=true \
    -o "$work/nuget" > "$work/nuget.log" 2>&1 || { grep -E 'error' "$work/nuget.log" >&2 || cat "$work/nuget.log" >&2; fail "Quickq.Spool cannot be packed"; }
  local file
  for file in "$work"/nuget/*.nupkg; do
    [ -e "$file" ] || fail "dotnet pack made no package of spool/"
    python3 packaging/same-zip.py "$file" "$dist/$(basename "$file")"
    echo "$dist/$(basename "$file")"
  done
}

# What the programs consist of: the same list is in each deb and rpm.
package_sbom() {
  rm -f "$dist"/quickq-*.cdx.json
  python3 packaging/sbom.py "$version" > "$dist/quickq-$version.cdx.json" || fail "the list of components cannot be made"
  echo "$dist/quickq-$version.cdx.json"
}

write_checksums() {
  (cd "$dist" && find . -maxdepth 1 -type f \( -name '*.deb' -o -name '*.rpm' -o -name '*.whl' -o -name '*.tar.gz' -o -name '*.nupkg' -o -name '*.cdx.json' \) -printf '%f\n' \
    | sort | xargs -r sha256sum) > "$work/SHA256SUMS"
  mv "$work/SHA256SUMS" "$dist/SHA256SUMS"
  echo "$dist/SHA256SUMS"
}
