#!/usr/bin/env bash
# What is in the packages: manual and completion know every verb and option, the unit is strict, the shipped configuration is right;
# and, where dist/bin or dist/bin-portable has programs, deb and rpm made of them are sound, reproducible, and run on the oldest C library promised.
set -uo pipefail
cd "$(dirname "$0")/../.."

. tests/tap.sh
. tests/packages/contents.sh

bash packaging/install-missing.sh man-db groff-base systemd lintian rpm rpmlint binutils > "$work/log" 2>&1
report "what checks packages is installed" $?

units=packaging/root/usr/lib/systemd/system
spool_cli=${QUICKQ_SPOOL_CLI:-artifacts/bin/Quickq.SpoolCli/debug/quickq-spool}
agent=${QUICKQ_AGENT:-artifacts/bin/Quickq.Agent/debug/quickq-agent}

undocumented_words "$spool_cli" "$agent" > "$work/log" 2>&1 && [ ! -s "$work/log" ]
report "manual and completion have every verb and option of --help" $?

undocumented_settings "$agent" > "$work/log" 2>&1 && [ ! -s "$work/log" ]
report "quickq.json(5) has every setting" $?

unrendered_pages > "$work/log" 2>&1 && [ ! -s "$work/log" ]
report "the manual pages are set without a warning" $?

faulty_units > "$work/log" 2>&1 && [ ! -s "$work/log" ]
report "systemd finds no fault in the units" $?

unpromised_units > "$work/log" 2>&1 && [ ! -s "$work/log" ]
report "the units have what the documentation promises" $?

for unit in quickq-agent quickq-spool; do
  systemd-analyze security --offline=true --threshold=20 "$units/$unit.service" > "$work/log" 2>&1
  report "the exposure of $unit is 2.0 or less" $?
done

for unit in "$units"/*; do unreasoned_lines "$unit"; done > "$work/log" && [ ! -s "$work/log" ]
report "every line of the units has its reason above it" $?

configuration_is_right "$agent" > "$work/log" 2>&1
report "the configuration that is shipped is right, and its examples too" $?

careless_scripts > "$work/log" 2>&1 && [ ! -s "$work/log" ]
report "the scripts of the deb know every action of dpkg and refuse others" $?

followed_links > "$work/log" 2>&1
[ ! -s "$work/log" ]
report "no script of a package follows links, or opens the spool as root" $?

unsafe_recipes > "$work/log" 2>&1 && [ ! -s "$work/log" ]
report "no page tells to open a spool with sqlite3 that runs what is in it" $?

if [ ! -x dist/bin/quickq-agent ] && [ ! -x dist/bin-portable/quickq-agent ]; then
  skip "deb and rpm are sound" "no programs in dist/bin (packaging/build.sh makes them)"
else
  for folder in one two; do
    bash packaging/package.sh --no-build --fast --output "$work/$folder" deb rpm > "$work/log" 2>&1 || break
    # The second time neither the time of day nor the mode that files get here is the same.
    umask 077
  done
  umask 022
  diff -r "$work/one" "$work/two" >> "$work/log" 2>&1
  report "deb and rpm are the same bytes each time" $?

  (cd "$work/one" && sha256sum -c SHA256SUMS && [ "$(grep -c . SHA256SUMS)" = "$(ls | grep -cv SHA256SUMS)" ]) > "$work/log" 2>&1
  report "the checksums are those of the packages" $?

  loose_files "$work/one" > "$work/log" 2>&1 && [ ! -s "$work/log" ]
  report "files belong to root or have the owner that the documentation promises, and no one else may write them" $?

  lintian --fail-on error --tag-display-limit 0 "$work"/one/*.deb > "$work/log" 2>&1
  report "lintian finds no error" $?

  rpmlint --config tests/packages/rpmlint.toml "$work"/one/*.rpm > "$work/log" 2>&1
  report "rpmlint finds no error" $?

  too_new_symbols "$work/one" > "$work/log" 2>&1 && [ ! -s "$work/log" ]
  report "every program and library runs on the oldest C library promised" $?
fi

finish_tap
