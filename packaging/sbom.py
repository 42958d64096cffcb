"""Lists what the programs consist of, as CycloneDX 1.5: python3 packaging/sbom.py VERSION > quickq-VERSION.cdx.json

Reads the lock files that the programs are restored from, so the list is what was built. The same source gives the same bytes.
"""

import datetime
import json
import os
import re
import sys
import uuid

# How the packages are built: the lock file, and the .NET packs that are downloaded beside it.
BUILDS = {
    "ahead-of-time": ("Microsoft.NETCore.App.Runtime.NativeAOT.linux-x64",),
    "portable": ("Microsoft.NETCore.App.Runtime.linux-x64",),
}
PROGRAMS = ("spool-cli", "agent")
# Needed to build, not part of the programs.
BUILD_ONLY = re.compile(r"(Meziantou\.Analyzer|Microsoft\.CodeAnalysis\.BannedApiAnalyzers|Microsoft\.NET\.ILLink\.Tasks|.*Microsoft\.DotNet\.ILCompiler)$")


def purl(name, version):
    return "pkg:nuget/{}@{}".format(name, version)


def runtime_version():
    with open("Directory.Build.props", encoding="utf-8") as props:
        return re.search(r"<QuickqRuntimeVersion>(.*)</QuickqRuntimeVersion>", props.read()).group(1)


def locked(program, build):
    """The packages of a program, by name in lower case: all frameworks and runtimes of the file together."""
    packages = {}
    with open("{}/packages.{}.lock.json".format(program, build), encoding="utf-8") as file:
        for group in json.load(file)["dependencies"].values():
            for name, entry in group.items():
                if entry["type"] != "Project":
                    packages[name.lower()] = (name, entry)
    return packages


def collect():
    components, edges = {}, {}
    for build, packs in BUILDS.items():
        for program in PROGRAMS:
            packages = locked(program, build)
            found = {name: purl(title, entry["resolved"]) for name, (title, entry) in packages.items()}
            for name, (title, entry) in packages.items():
                component = components.setdefault(found[name], describe(title, entry["resolved"], entry["contentHash"]))
                component["used"].add(build + "/" + program)
                edges.setdefault(found[name], set()).update(found[other.lower()] for other in entry.get("dependencies", {}) if other.lower() in found)
            for pack in packs:
                component = components.setdefault(purl(pack, runtime_version()), describe(pack, runtime_version(), None))
                component["used"].add(build + "/" + program)
    return components, edges


def describe(name, version, content_hash):
    return {"name": name, "version": version, "hash": content_hash, "used": set()}


def component_json(reference, found):
    made = {"type": "library", "bom-ref": reference, "name": found["name"], "version": found["version"], "purl": reference,
            "scope": "excluded" if BUILD_ONLY.match(found["name"]) else "required"}
    properties = [{"name": "quickq:used-in", "value": use} for use in sorted(found["used"])]
    if found["hash"]:
        properties.append({"name": "nuget:contentHash", "value": found["hash"]})
    made["properties"] = properties
    return made


def main():
    version = sys.argv[1]
    components, edges = collect()
    root = "pkg:generic/quickq@" + version
    made = datetime.datetime.fromtimestamp(int(os.environ["SOURCE_DATE_EPOCH"]), datetime.timezone.utc)
    bom = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "timestamp": made.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "component": {"type": "application", "bom-ref": root, "name": "quickq", "version": version, "purl": root,
                          "licenses": [{"license": {"id": "MIT"}}]},
        },
        "components": [component_json(reference, components[reference]) for reference in sorted(components)],
        "dependencies": [{"ref": root, "dependsOn": sorted(components)}]
        + [{"ref": reference, "dependsOn": sorted(edges.get(reference, ()))} for reference in sorted(components)],
    }
    bom["serialNumber"] = "urn:uuid:" + str(uuid.uuid5(uuid.NAMESPACE_URL, json.dumps(bom, sort_keys=True)))
    json.dump(bom, sys.stdout, indent=2, sort_keys=True)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
