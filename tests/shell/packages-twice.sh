#!/usr/bin/env bash
# The same source gives the same bytes. Always tried: what the compiler makes of the agent, whose log is written by a generator that does not keep to
# an order of files. With QUICKQ_LONG=1 (run.sh --long), which takes many minutes: two clean clones of the last commit, in folders of different names
# and depth, make the same packages to the byte, each from a build of its own.
set -uo pipefail
cd "$(dirname "$0")/../.."

. tests/tap.sh
compiles() {
  rm -rf "$work/artifacts"
  dotnet build agent -c Release --nologo -v quiet -p:ArtifactsPath="$work/artifacts" -p:ContinuousIntegrationBuild=true -p:DebugType=none > "$work/log" 2>&1 \
    && cp "$work/artifacts/bin/Quickq.Agent/release/quickq-agent.dll" "$work/$1.dll"
}

# Three times: four files in an order by chance are the same one time in 24.
compiles one && compiles two && compiles three && cmp "$work/one.dll" "$work/two.dll" >> "$work/log" 2>&1 && cmp "$work/one.dll" "$work/three.dll" >> "$work/log" 2>&1
report "the agent is the same bytes each time it is compiled" $?

if [ -z "${QUICKQ_LONG:-}" ]; then
  skip "two clones make the same packages" "takes many minutes: --long"
  finish_tap
fi

makes_packages() { git clone --quiet . "$1" && (cd "$1" && bash packaging/package.sh); }

mkdir -p "$work/another/folder"
makes_packages "$work/clone" > "$work/log" 2>&1
report "a clean clone makes every package" $?

[ "$(ls "$work/clone/dist" | grep -cE '\.(deb|rpm|whl|tar\.gz|nupkg|cdx\.json)$')" = 9 ] && (cd "$work/clone/dist" && sha256sum --check --strict SHA256SUMS) > "$work/log" 2>&1
report "there are two debs, two rpms, three for Python, one for NuGet and the list of components, and their checksums are right" $?

# The second one with another mode for new files, another time zone and another language.
(umask 077 && TZ=Asia/Tokyo LC_ALL=C.UTF-8 makes_packages "$work/another/folder/named-otherwise") > "$work/log" 2>&1
report "so does another" $?

diff "$work/clone/dist/SHA256SUMS" "$work/another/folder/named-otherwise/dist/SHA256SUMS" > "$work/log" 2>&1
report "the packages of both are the same bytes" $?

finish_tap
