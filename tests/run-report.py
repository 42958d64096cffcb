"""Part of run.sh: reads the report of an xUnit v3 program and prints `passed failed skipped`, then a line for each test that failed: its name and how its message begins."""
import sys
import xml.etree.ElementTree as ET

LONGEST_MESSAGE = 300


def main(report):
    assemblies = ET.parse(report).getroot().findall("assembly")
    if not assemblies:
        return 1

    def total(*names):
        return sum(int(assembly.get(name, 0)) for assembly in assemblies for name in names)

    print(total("passed"), total("failed", "errors"), total("skipped"))
    for assembly in assemblies:
        for test in assembly.iter("test"):
            if test.get("result") == "Fail":
                print("%s: %s" % (test.get("name"), beginning(test.findtext("failure/message"))))
        for error in assembly.iter("error"):
            print("%s: %s" % (error.get("name") or error.get("type"), beginning(error.findtext("failure/message"))))
    return 0


def beginning(message):
    return " ".join((message or "").split())[:LONGEST_MESSAGE]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
