#!/usr/bin/env bash
# Lets afl-fuzz, which follows what the code does with its input, look for frames of the spool service's protocol that end the programs that read them.
#
#   tests/fuzz/run.sh [SECONDS]     600 where none are named; what it finds is kept in artifacts/fuzz/found/default/crashes and .../hangs
set -euo pipefail
cd "$(dirname "$0")/../.."
seconds=${1:-600}
case $seconds in '' | *[!0-9]*) echo "run.sh: not a number of seconds: $seconds" >&2; exit 64 ;; esac

bash packaging/install-missing.sh afl++ python3
export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1
place=artifacts/fuzz
rm -rf "$place"
mkdir -p "$place"
dotnet publish tests/fuzz -c Release -v quiet --nologo -o "$place/program"
dotnet tool install SharpFuzz.CommandLine --version 2.3.0 --tool-path "$place/tool" > "$place/tool.log" 2>&1 || { cat "$place/tool.log" >&2; exit 1; }
"$place/tool/sharpfuzz" "$place/program/Quickq.Spool.dll"

# Where it begins: what clients said and heard in the recorded conversations.
python3 - "$place/begin" << 'EOF'
import glob, json, os, sys

os.mkdir(sys.argv[1])
for path in glob.glob("tests/vectors/protocol-*/*.json"):
    said, heard = b"", b""
    for step in json.load(open(path)):
        if "send" in step:
            said += bytes.fromhex(step["send"])
        elif "json" in step:
            answer = json.dumps(step["json"]).encode()
            heard += (len(answer) + 1).to_bytes(4, "big") + step["receive"].encode() + answer
    for kind, data in (("said", said), ("heard", heard)):
        if 0 < len(data) <= 4096:
            with open(os.path.join(sys.argv[1], path.split(os.sep)[-2] + "-" + os.path.basename(path) + "." + kind), "wb") as out:
                out.write(data)
EOF

export AFL_SKIP_CPUFREQ=1 AFL_I_DONT_CARE_ABOUT_MISSING_CRASHES=1 AFL_SKIP_BIN_CHECK=1 AFL_NO_UI=1 AFL_NO_AFFINITY=1
afl-fuzz -i "$place/begin" -o "$place/found" -t 5000 -m none -V "$seconds" dotnet "$place/program/Quickq.Fuzz.dll" > "$place/log" 2>&1 || { tail -n 20 "$place/log" >&2; exit 1; }
grep -E '^(execs_done|execs_per_sec|corpus_count|edges_found|saved_crashes|saved_hangs) ' "$place/found/default/fuzzer_stats"
[ -z "$(find "$place/found/default/crashes" "$place/found/default/hangs" -name 'id:*')" ]
