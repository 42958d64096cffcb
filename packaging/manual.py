"""Makes a manual page of a page of docs/: python3 packaging/manual.py PAGE.md NAME SECTION "WHAT IT IS" > NAME.SECTION

Understands what these pages use: headings, paragraphs, lists, tables, fenced code, and in a line `code`, **strong**, *emphasis*
and [links](to pages). A table becomes a list of terms: the first cell, then the others.
"""

import re
import sys

SUFFIXES = {"cli.md": "quickq-spool(1)", "agent.md": "quickq-agent(8)", "configuration.md": "quickq.json(5)", "spool-format.md": "quickq-spool(5)"}
SEE_ALSO = ("quickq-spool(1)", "quickq-agent(8)", "quickq.json(5)", "quickq-spool(5)")


def escape(text):
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("~", "\\(ti").replace("^", "\\(ha").replace("`", "\\(ga")
    return text.replace("'", "\\(aq")


def inline(text):
    """Text with marks as text with fonts; a line that would begin like a request is guarded."""
    parts = re.split(r"(`` .*? ``|`[^`]*`|\*\*[^*]+\*\*|(?<![\w*])\*[^*\s][^*]*\*(?!\w)|\[[^\]]+\]\([^)]+\))", text)
    made = []
    for part in parts:
        if len(part) > 1 and part[0] == "`":
            made.append("\\fB" + escape(part.strip("` ")) + "\\fR")
        elif part.startswith("**"):
            made.append("\\fB" + re.sub(r"\\f[BR]", "", inline(part[2:-2])) + "\\fR")
        elif len(part) > 2 and part[0] == "*" and part[-1] == "*":
            made.append("\\fI" + escape(part[1:-1]) + "\\fR")
        elif part.startswith("["):
            label, target = re.match(r"\[([^\]]+)\]\(([^)]+)\)", part).groups()
            made.append(inline(SUFFIXES.get(target.split("/")[-1].split("#")[0], label)))
        else:
            made.append(escape(part))
    line = "".join(made)
    return "\\&" + line if line[:1] in (".", "'") else line


def cells(row):
    inner = row.strip().strip("|").replace("\\|", "\0")
    return [cell.strip().replace("\0", "|") for cell in inner.split("|")]


def table(rows):
    head = [cell for cell in cells(rows[0]) if cell]
    for row in rows[2:]:
        first, rest = cells(row)[0], [cell for cell in cells(row)[1:] if cell]
        yield ".TP"
        yield inline(first)
        if len(rest) > 1 and len(head) == len(rest) + 1:
            rest = ["{}: {}".format(name, cell) for name, cell in zip(head[1:], rest)]
        yield inline("; ".join(rest)) if rest else "\\&"
    yield ".PP"


def blocks(lines):
    """The page as (kind, lines)."""
    kind, held = None, []
    fenced = False
    for line in lines:
        if line.lstrip().startswith("```"):
            if fenced:
                yield "code", held
            elif held:
                yield kind, held
            fenced, kind, held = not fenced, None, []
            continue
        if fenced:
            held.append(line)
            continue
        item = re.match(r"([-*]|\d+\.) +(.*)", line)
        now = ("blank" if not line.strip() else "heading" if line.startswith("#") else "table" if line.startswith("|")
               else "item" if item else "item" if kind == "item" and line.startswith("  ") else "text")
        if held and (now != kind or (item and now == "item")):
            yield kind, held
            held = []
        kind = now
        if now != "blank":
            held.append(line.strip())
    if held:
        yield kind, held


def page(lines, name, section, what):
    yield '.TH {} {} "" "Quickq" "Quickq manual"'.format(name.upper(), section)
    yield ".SH NAME"
    yield "{} \\- {}".format(escape(name), escape(what))
    described = False
    for kind, held in blocks(lines):
        if kind == "heading":
            marks, title = held[0].split(" ", 1)
            if len(marks) > 1:
                yield ".{} {}".format("SH" if len(marks) == 2 else "SS", inline(title.upper() if len(marks) == 2 and "-" not in title else title))
                described = True
            continue
        if not described:
            yield ".SH DESCRIPTION"
            described = True
        if kind == "text":
            yield ".PP"
            yield inline(" ".join(held))
        elif kind == "item":
            mark, rest = re.match(r"([-*]|\d+\.) +(.*)", " ".join(held)).groups()
            yield '.IP "{}" 4'.format("\\(bu" if mark in "-*" else mark)
            yield inline(rest)
        elif kind == "table":
            yield from table(held)
        elif kind == "code":
            yield ".PP"
            yield ".in +4"
            yield ".nf"
            yield from ("\\&" + escape(line) if line[:1] in (".", "'") else escape(line) for line in held)
            yield ".fi"
            yield ".in"
    yield '.SH "SEE ALSO"'
    own = "{}({})".format(name, section)
    yield ", ".join("\\fB{}\\fR({}".format(*escape(other).split("(")) for other in SEE_ALSO if other != own)


def main():
    source, name, section, what = sys.argv[1:5]
    with open(source, encoding="utf-8") as text:
        lines = text.read().split("\n")
    print("\n".join(page(lines, name, section, what)))


if __name__ == "__main__":
    main()
