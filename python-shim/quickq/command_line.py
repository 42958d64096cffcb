"""What ``python -m quickq`` is asked to run: which command, which spool, and which files it reads and writes."""

from .errors import QuickqError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import List, Optional

#: The commands of ``quickq-spool``. Their names are never taken for a message.
COMMANDS = frozenset((
    "add", "backup", "cancel", "check", "export", "forget", "health", "help", "history", "hold", "import", "list", "metrics", "pause",
    "purge", "release", "replay", "resume", "retry", "serve", "show", "status", "upgrade", "wait",
))

#: The options whose value is the next word, unless it follows an equals sign.
_VALUED = frozenset((
    "--topic", "-t", "--routing-key", "--exchange", "-x", "--metadata", "-m", "--header", "-H", "--content-type", "--ttl", "--priority",
    "--id", "--server", "--state", "--contains", "--since", "--until", "--limit", "-n", "--older-than", "--rate", "--timeout", "--max-age",
    "--max-full", "--output", "--socket",
))
_LONGEST_MISTYPED, _NEAR = 10, 0.75
_ASKING = frozenset(("cancel", "forget", "hold", "purge", "release", "replay", "retry"))
_STANDARD_INPUT = (None, "-", "/dev/stdin")


class CommandLine:
    """``words`` for ``quickq-spool``, without what this side of the socket does itself.

    >>> line = CommandLine(["--spool", "/srv/spool.db", "-t", "a.b", "hello"])
    >>> line.words, line.spool, line.reads_input(False)
    (['add', '-t', 'a.b', 'hello'], '/srv/spool.db', False)
    >>> CommandLine(["import", "--file=x"]).words
    ['import', '--file', '-']
    >>> line = CommandLine(["--lines", "--skip-invalid=bad.ndjson"])
    >>> line.words, line.skipped
    (['add', '--lines', '--skip-invalid=-'], 'bad.ndjson')
    >>> CommandLine(["--", "status"]).words
    ['add', '--', 'status']
    """

    def __init__(self, words: "List[str]") -> None:
        self.words = []  # type: List[str]
        self.spool = None  # type: Optional[str]
        self.file = None  # type: Optional[str]
        self.skipped = None  # type: Optional[str]
        self._plain = []  # type: List[str]
        command = self._read(list(words))
        if command is None and not set(self.words) & {"--help", "-h", "--version"}:
            command = "add"
        if command is not None:
            self.words.insert(0, command)  # options may stand before it, here
        self.command = command

    def reads_input(self, is_terminal: bool) -> bool:
        """Whether the command reads standard input, or the file that stands for it. Nothing else may be taken from a script's input."""
        if "--help" in self.words or "-h" in self.words:
            return False
        if self.command == "add":
            return not self._plain
        return self.command == "import" or (is_terminal and self.command in _ASKING and "--yes" not in self.words)

    def reads_standard_input(self) -> bool:
        """Whether what it reads is standard input."""
        return self.file in _STANDARD_INPUT

    def _read(self, rest: "List[str]") -> "Optional[str]":
        """Takes the words apart; returns the command if one is named."""
        command = None  # type: Optional[str]
        while rest:
            word = rest.pop(0)
            name, equals, value = word.partition("=")
            if word == "--":
                self.words += [word] + rest
                self._plain += rest
                break
            if name in ("--spool", "--file") and (equals or (rest and (not rest[0].startswith("-") or (name, rest[0]) == ("--file", "-")))):
                value = value if equals else rest.pop(0)
                if name == "--spool":
                    self.spool = value
                else:
                    self.file = value
                    self.words += [name, "-"]
                continue
            if name == "--skip-invalid" and equals:
                self.skipped = value
                self.words.append("--skip-invalid=-")
                continue
            if command is None and not self._plain and word in COMMANDS:
                command = word
                continue
            if command is None and not self.words:
                _refuse_mistyped(word)
            self.words.append(word)
            if name in _VALUED and not equals and rest and not rest[0].startswith("-"):
                self.words.append(rest.pop(0))
            elif not word.startswith("-"):
                self._plain.append(word)
        return command


def _refuse_mistyped(word: str) -> None:
    """A mistyped command must never become a message: not where it comes first, alone or with options behind it."""
    if not word.isalpha() or len(word) > _LONGEST_MISTYPED:
        return
    from difflib import get_close_matches

    near = get_close_matches(word, sorted(name for name in COMMANDS if name[0] == word[0]), 1, _NEAR)
    if near:
        raise QuickqError("Usage", "unknown command '{}'".format(word), "did you mean {}? A message goes after '--'".format(near[0]))
