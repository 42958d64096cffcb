#!/usr/bin/env bash
# What the programs are built from: lock files that are complete and are obeyed, and a list of components that names all of it.
set -uo pipefail
cd "$(dirname "$0")/../.."

. tests/tap.sh
export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1 SOURCE_DATE_EPOCH=1000000000

projects_without_lock_files() {
  local project file
  git ls-files '*.csproj' | while read -r project; do
    file=$(dirname "$project")/packages.lock.json
    git ls-files --error-unmatch "$file" > "$work/tracked" 2>&1 || echo "$project: $file is not committed"
  done
  for file in {spool,spool-cli,agent}/packages.{ahead-of-time,portable}.lock.json; do
    git ls-files --error-unmatch "$file" > "$work/tracked" 2>&1 || echo "$file is not committed"
  done
}

# restores_locked FOLDER: the library as CI restores it.
restores_locked() { dotnet restore "$1/spool" --force -v quiet -p:RestoreLockedMode=true -p:ArtifactsPath="$work/artifacts" > "$work/log" 2>&1; }

projects_without_lock_files > "$work/log" 2>&1 && [ ! -s "$work/log" ]
report "every project has its lock file" $?

[ "$(dotnet msbuild spool -nologo -getProperty:NuGetAudit -getProperty:NuGetAuditMode 2> "$work/log" | tr -d ' \n')" = '{"Properties":{"NuGetAudit":"true","NuGetAuditMode":"all"}}' ]
report "packages that are known to be unsafe are told where an index knows them" $?

mkdir "$work/copy"
git ls-files -z | xargs -0 cp --parents -t "$work/copy"
restores_locked "$work/copy"
report "the library is restored as its lock file says" $?

# A package that has the name and the version, but another content.
sed -i -E '/"Microsoft.Data.Sqlite"/,/contentHash/s|("contentHash": ")....|\1AAAA|' "$work/copy/spool/packages.lock.json"
! restores_locked "$work/copy" && grep -q 'NU1403' "$work/log"
report "a package with another content is refused" $?

cp spool/packages.lock.json "$work/copy/spool/"
sed -i -E 's|(Include="Microsoft.Data.Sqlite" Version=")[^"]*|\110.0.0|' "$work/copy/Directory.Packages.props"
! restores_locked "$work/copy" && grep -q 'NU1004' "$work/log"
report "a version that the lock file does not name is refused" $?

python3 packaging/sbom.py 1.2.3 > "$work/one" 2> "$work/log" && (cd "$work/copy" && PYTHONHASHSEED=7 TZ=Asia/Tokyo python3 packaging/sbom.py 1.2.3) > "$work/two" 2>> "$work/log" \
  && cmp "$work/one" "$work/two" >> "$work/log" 2>&1
report "the list of components is the same bytes each time" $?

components_are_complete() {
  python3 - "$work/one" << 'PY'
import json, sys
bom = json.load(open(sys.argv[1]))
assert (bom["bomFormat"], bom["specVersion"]) == ("CycloneDX", "1.5")
listed = {part["purl"] for part in bom["components"]}
for program in ("spool-cli", "agent"):
    for build in ("ahead-of-time", "portable"):
        for group in json.load(open("%s/packages.%s.lock.json" % (program, build)))["dependencies"].values():
            for name, entry in group.items():
                assert entry["type"] == "Project" or "pkg:nuget/%s@%s" % (name, entry["resolved"]) in listed, name
for needed in ("SQLite", "RabbitMQ.Client", "Microsoft.NETCore.App.Runtime.NativeAOT.linux-x64", "Microsoft.NETCore.App.Runtime.linux-x64"):
    assert any(part["name"] == needed and part["scope"] == "required" for part in bom["components"]), needed
references = listed | {bom["metadata"]["component"]["bom-ref"]}
for edge in bom["dependencies"]:
    assert edge["ref"] in references and set(edge["dependsOn"]) <= references, edge["ref"]
PY
}
components_are_complete > "$work/log" 2>&1
report "it names every package of the lock files, .NET and SQLite" $?

finish_tap
