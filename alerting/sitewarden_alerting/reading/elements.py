"""The elements of a header as patterns, and a cursor over one line that takes them.

Promises: a pattern matches at a position only, and matches nothing that could be the first words of a message. Not
here: which element may follow which (`peel`), the forms of stamps (`times`).
"""

import re
from datetime import tzinfo

from sitewarden_alerting.reading import severity as severities
from sitewarden_alerting.reading import times
from sitewarden_alerting.reading.severity import Severity

_LEVEL = (
    r"EMERGENCY|EMERG|ALERT|CRITICAL|CRIT|CRT|FATAL|FTL|PANIC|DPANIC|SEVERE|ERROR|ERR|EROR|FAILURE|WARNING|WARN|WRN|NOTICE"
    r"|INFORMATION|INFO|INF|LOG|AUDIT|CONFIG|STATEMENT|DETAIL|HINT|CONTEXT|QUERY|VERBOSE|DEBUG[1-5]?|DBUG|DBG|TRACE|TRC|FINEST|FINER|FINE"
)
PARTS = ("STATEMENT", "DETAIL", "HINT", "CONTEXT", "QUERY")
_ANY_CASE = "(?i:NOTE|" + re.sub(r"\|(?:LOG|CONFIG|AUDIT|STATEMENT|DETAIL|HINT|CONTEXT|QUERY)\b", "", _LEVEL) + ")"

# Before the first stamp: things no sentence starts with.
PRIORITY = re.compile(r"<([0-9]{1,3})>(?:1 (?=\d{4}-|- ))?")
RFC5424 = re.compile(r"\s*(\S+) (\S+) (\S+) (\S+) (?:-|(?:\[(?:[^\]\\]|\\.)*\])+)(?: \ufeff?|$)")
NUMBERED_RECORD = re.compile(r"\d+ (?P<names>(?:[^\s=]+ ){1,4}?)(?=1\d{9} )")  # a number, names, then epoch seconds
LEAD = re.compile(r"""(?:(?![\s])(?:[^\s\w]*\w*[\d.:_/\\@\-][^\s\[]*|[-|*+>])[ \t|]+){1,3}[\[(]?""")

# After a stamp.
GAP = re.compile(r"[\])]?(?:[\s|,;]|:(?=\s)|-{1,3}(?=\s))*")
DATE = re.compile(r"\d{4}[-./]\d\d[-./]\d\d(?=[\s|])")
ID_TOKEN = re.compile(r"[^\s\[\]=]*\d[^\s=]*\s+(?=[\[(]?\S)")
HERE = re.compile(  # a level word which cannot be the beginning of a sentence
    rf"""\[\s*(?P<bracketed>{_ANY_CASE})\s*\](?::(?=\s))?
    |<(?P<angled>{_ANY_CASE})>:?
    |(?P<upper>{_LEVEL})(?=[\s:|,;\]]|$)(?::(?=\s|$))?
    |(?P<lower>{_ANY_CASE})(?=\s{{2,}}|\t|\s*[|]|\s-\s|:\s|\]|,\s)(?::(?=\s))?
    |[a-z]+\.(?P<channel>{_LEVEL}):(?=\s)
    |(?P<letter>[VDIWEFTC])(?=[ \t][\w.$-]+\s*:\s|[ \t]?\||[ \t]{{2}}|/\S|[ \t]-\s|[ \t][A-Z]+\s{{2,}}\[)
    |(?P<glog>[IWEFD])(?=[ \t]\S+:[0-9]+\][ \t])""",
    re.VERBOSE,
)
SAID_BY = re.compile(  # `category: level: message`, `program(user)<session>: level: message`
    r"(?P<name>[A-Za-z][\w./-]*)(?:\([^()\s]{0,80}\)|<[^<>\s]{0,80}>|\[[^\[\]\s]{0,80}\]){0,4}:\s"
    rf"(?P<lower>{_ANY_CASE}):\s(?=\S)"
)
_BEFORE = (  # what may stand between a stamp and a level: marks, brackets, names and ids, but no words of a sentence
    r"(?:-{1,3}|\||\[[^\]]{0,240}\]|\([^)]{0,80}\)|<[^>\s]{1,80}>"
    r"|(?=[^\s=|]*[\d./:$@_\#\\])[^\s=|]*+(?<!:)|[A-Z]{2,}|[^\s=\"']+(?=\s+[-|]\s))"
)
LEVEL_SOMEWHERE = re.compile(rf"(?<![A-Za-z])(?:{_LEVEL})(?![A-Za-z])|[\[<]\s*{_ANY_CASE}\s*[\]>]")
AHEAD = re.compile(
    rf"(?:{_BEFORE}[ \t|]+){{1,5}}?"
    rf"(?:(?P<upper>{_LEVEL})(?=[\s:|,;\]]|$):?|\[(?P<bracketed>{_ANY_CASE})\]|<(?P<angled>{_ANY_CASE})>)"
)
THREADTIME = re.compile(
    r"(?:\S+\s+)?[0-9]+[ \t-]+[0-9]+[ \t]+(?:\S+[ \t]+)?(?P<letter>[VDIWEF])[ \t]+(?=\S)"
)  # logcat: pid tid level tag
LOGCAT_TAG = re.compile(r"(?P<name>[^\s:]+)\s*:\s*(?=\S)")
MARK = re.compile(r" (?P<mark>[.*#-]) (?=\S)")  # Redis writes one sign for the level
MARKS = {".": Severity.DEBUG, "-": Severity.DEBUG, "*": Severity.INFO, "#": Severity.WARNING}
MARKED = re.compile(r"[0-9]+:[A-Z] [0-9]{1,2} [A-Z][a-z]{2} ")
BRACKET = re.compile(
    r"\[(?P<inner>(?:[^\[\]]|\[[^\[\]]{0,80}\]){0,240})\](?::(?=\s))?|<\d[\d.]*>|\(\w*\d[\w-]*\)|\d+\#\d+:|\*\d+(?=\s)"
)
INNER_LEVEL = re.compile(rf"(?:[\w.*-]*:|[^/\]]*/)?\s*(?P<level>{_ANY_CASE})(?:\s*[,|].*)?$")
_NAME = r"[A-Za-z_][\w.$/@*~+-]*"
_HOST = r"[A-Za-z0-9<][^\s\[\]=|,;\"']*(?<!:)"
TAG = re.compile(
    rf"""(?:(?P<host>{_HOST})\s+(?:--\s+)?)?(?P<name>/?{_NAME}(?:\s[A-Z][A-Za-z]*|\s\d[\w.]*)*)(?:\([^)\s]*\))?
    (?:\[(?P<pid>[\w-]+)\])?(?:\s\([\w.\[\]-]+\))?:(?=\s|$)""",
    re.VERBOSE,
)
LOGGER = re.compile(  # after a level
    rf"""(?P<colon>(?![a-z]+:){_NAME}(?::{_NAME})*(?:\[[\w.-]+\]|\([^()]{{0,60}}\))?(?::\d+)?):(?=\s)
    |(?P<dash>{_NAME}(?:::?[\w.$]+)*(?:\([^()]{{0,60}}\))?(?::\d+)?)\s+[-:|](?=\s)
    |(?P<dotted>[A-Za-z_][\w$-]*(?:(?:\.|::)[A-Za-z_$][\w$-]*)+)(?=\s)
    |(?P<column>{_NAME})(?=\s{{2,}}|\t)
    |(?P<close>[A-Za-z_][\w.$:-]*)\](?=\s)
    |(?P<glog>[\w./-]+\.(?:cc|cpp|c|go|py|rs|h|java|js|ts)):\d+\]?:?(?=\s)""",
    re.VERBOSE,
)
CALLER = re.compile(r"[\w./-]+\.(?:go|rs|py|java|js|ts|cc|cpp|c):\d+\s+(?=\S)")
_ID = r"(?:(?=[\w.:/<>*-]*[\d<])[\w.:/<>*-]++|-)"  # looked ahead and taken whole: one way to read it
IDLE = re.compile(rf"\[{_ID}(?:[ ,]{_ID})*\]\s+(?=\S)")
NUMBER = re.compile(r"(?:0x)?\d+\s+(?=\S)")
FIELD = re.compile(rf"(?P<name>{_NAME})\s*\|\s*|(?P<number>\d+)\s*\|\s*")

# Without any stamp.
BARE = re.compile(
    rf"""\s*(?:\[\s*(?P<bracketed>{_ANY_CASE})\s*\]:?\s+(?=\S)
    |<(?P<angled>{_ANY_CASE})>:?\s+(?=\S)
    |(?P<python>DEBUG|INFO|WARNING|ERROR|CRITICAL):(?P<logger>[\w.-]+):(?=\S|$)
    |(?P<upper>{_LEVEL})(?=\s|:\s|\s?\|)(?:\s*[:|\]-]\s|\s)\s*(?=\S)
    |(?P<dotnet>info|warn|fail|crit|dbug|trce):\s(?P<category>[\w.]+)(?:\[\d+\])?(?=\s|$)
    |(?P<letter>[VDIWEF])/(?P<tag>[^(:\s]+)\s*(?:\(\s*\d+\))?:\s
    |(?:npm\ )(?P<npm>ERR!|WARN|notice|verb)\s)""",
    re.VERBOSE,
)
KERNEL = re.compile(r"\[\s*\d+\.\d{6}\](?:\[\s*[TC]\d+\])?\s+")
GLOG = re.compile(
    r"(?P<letter>[IWEFD])(?:(?P<year>[0-9]{4})(?=[0-9]{4}[ \t]))?(?P<month>[0-9]{2})(?P<day>[0-9]{2})"
    r"[ \t]+(?P<clock>\d\d:\d\d:\d\d(?:\.\d+)?)\s+(?:\d+\s+)?"
)
STREAM = re.compile(r"\s(?:stdout|stderr) [FP] ")
ACCESS = re.compile(r'"(?P<request>[^"]*)"[ \t]+(?P<status>[1-5][0-9]{2})\s')
WHOLE_ACCESS = re.compile(r"(?P<client>\S+)\s(?P<ident>\S+)\s(?P<user>\S+|\"[^\"]*\")\s\[")


BARE_WORDS = {"fail": "error", "dbug": "debug", "trce": "trace", "ERR!": "error", "verb": "debug", "notice": "info"}
SYSLOG_STAMP = re.compile(r"(?:<\d+>)?[A-Z][a-z]{2}\s+\d{1,2}\s\d\d:\d\d:\d\d\s")
LONELY = re.compile(r"(?=[\w.-]*[\d.-])[\w.-]+\s+(?=-{2,}\s|last\smessage|message\srepeated)")
WORD_NAME = re.compile(r"(?<![^\s\[(|])[A-Za-z_][A-Za-z_.$]*(?![^\s\])|:,])")


class Cursor:
    """One line being read: the position and what was found so far."""

    __slots__ = ("component", "line", "now_ns", "pos", "severity", "stamps", "time_ns", "zone")

    def __init__(self, line: str, zone: tzinfo, now_ns: int) -> None:
        self.line = line
        self.zone = zone
        self.now_ns = now_ns
        self.pos = 0
        self.time_ns: int | None = None
        self.severity: Severity | None = None
        self.component = ""
        self.stamps: list[tuple[int, int, str]] = []
        """Start, end and form of each stamp that was taken."""

    def stamp(self) -> bool:
        """Take a time stamp at the position, with the bracket around it."""
        line, pos = self.line, self.pos
        if line.startswith(("[", "("), pos):
            pos += 1
        found = times.STAMP.match(line, pos)
        if found is None or found.lastgroup is None:
            return False
        if self.time_ns is None or found.lastgroup not in ("epoch", "clock"):
            at = times.resolve(found.lastgroup, found[0], default_zone=self.zone, now_ns=self.now_ns)
            self.time_ns = at if at is not None else self.time_ns
        self.stamps.append((found.start(), found.end(), found.lastgroup))
        self.pos = found.end()
        if line.startswith((":",), self.pos) and pos == found.start():
            self.pos += 1
        return True

    def lead(self) -> bool:
        """Take up to three tokens that no sentence starts with, when a stamp follows them."""
        line = self.line
        numbered = NUMBERED_RECORD.match(line, self.pos)
        if numbered is not None:
            self.component = " ".join(name for name in numbered["names"].split() if name.isalpha() or "." in name)
            self.pos = numbered.end()
            return self.stamp()
        found = LEAD.match(line, self.pos)
        if found is None:
            return False
        start = self.pos
        for token in re.finditer(r"\S+[ \t|]+", line[start : found.end()]):
            self.pos = start + token.end()
            if self.stamp():
                return True
        self.pos = start
        return False

    def level(self, found: "re.Match[str]") -> None:
        """Take the level which a pattern found."""
        for name, text in found.groupdict().items():
            if text and name in ("letter", "glog"):
                self.severity = severities.of_letter(text)
            elif text and name in ("bracketed", "angled", "upper", "lower", "channel"):
                self.severity = severities.of_word(text)
                if text in PARTS:  # PostgreSQL: not a level but what this part of a report is; the message keeps it
                    self.pos = found.start(name)
                    return
        self.pos = found.end()

    def gap(self) -> None:
        found = GAP.match(self.line, self.pos)
        if found is not None:
            self.pos = found.end()
