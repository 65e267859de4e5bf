"""The header of a log line, found without configuration: when, how bad, by which part of the program, and where the
message starts.

The method is one small grammar instead of a list of formats. A header is a run of elements at the start of a line:
priority, time stamps, hosts, levels, threads, process numbers, loggers and tags, in any order that programs use. An
element counts as header only when something stronger (a stamp, a level, a tag) vouches for it, so that a message's
own first words stay in the message.

Promises: `read` never fails, is a function of its arguments alone, and never takes a whole line for header unless
nothing else is there.
Not here: the forms of stamps (`times`), JSON and logfmt (`structured`), what varies within a message (`fingerprint`).
"""

import re
from dataclasses import dataclass
from datetime import tzinfo

from sitewarden_alerting.reading import severity as severities
from sitewarden_alerting.reading import structured, times
from sitewarden_alerting.reading.severity import Severity

MAX_HEADER_CHARS = 400
"""No header reaches further into a line than this."""


@dataclass(frozen=True, slots=True)
class Header:
    """What stands before a message, and the message.

    `severity_stated` tells a level that the program wrote from one that was inferred. `details` are the further
    members of a structured record; they are evidence, but not part of what identifies the message.
    """

    time_ns: int | None
    severity: Severity
    severity_stated: bool
    component: str
    message: str
    details: str = ""


_LEVEL = (
    r"EMERGENCY|EMERG|ALERT|CRITICAL|CRIT|CRT|FATAL|FTL|PANIC|DPANIC|SEVERE|ERROR|ERR|EROR|FAILURE|WARNING|WARN|WRN|NOTICE"
    r"|INFORMATION|INFO|INF|LOG|AUDIT|CONFIG|STATEMENT|DETAIL|HINT|CONTEXT|QUERY|VERBOSE|DEBUG[1-5]?|DBUG|DBG|TRACE|TRC|FINEST|FINER|FINE"
)
_PARTS = ("STATEMENT", "DETAIL", "HINT", "CONTEXT", "QUERY")
_ANY_CASE = "(?i:NOTE|" + re.sub(r"\|(?:LOG|CONFIG|AUDIT|STATEMENT|DETAIL|HINT|CONTEXT|QUERY)\b", "", _LEVEL) + ")"

# Before the first stamp: things no sentence starts with.
_PRIORITY = re.compile(r"<(\d{1,3})>(?:1 (?=\d{4}-|- ))?")
_RFC5424 = re.compile(r"\s*(\S+) (\S+) (\S+) (\S+) (?:-|(?:\[(?:[^\]\\]|\\.)*\])+)(?: \ufeff?|$)")
_LEAD = re.compile(r"""(?:(?![\s])(?:[^\s\w]*\w*[\d.:_/\\@\-][^\s\[]*|[-|*+>])[ \t|]+){1,3}[\[(]?""")

# After a stamp.
_GAP = re.compile(r"[\])]?(?:[\s|,;]|:(?=\s)|-{1,3}(?=\s))*")
_DATE = re.compile(r"\d{4}[-./]\d\d[-./]\d\d(?=[\s|])")
_ID_TOKEN = re.compile(r"[^\s\[\]=]*\d[^\s=]*\s+(?=[\[(]?\S)")
_HERE = re.compile(  # a level word which cannot be the beginning of a sentence
    rf"""\[\s*(?P<bracketed>{_ANY_CASE})\s*\](?::(?=\s))?
    |<(?P<angled>{_ANY_CASE})>:?
    |(?P<upper>{_LEVEL})(?=[\s:|,;\]]|$)(?::(?=\s|$))?
    |(?P<lower>{_ANY_CASE})(?=\s{{2,}}|\t|\s*[|]|\s-\s|:\s|\]|,\s)(?::(?=\s))?
    |[a-z]+\.(?P<channel>{_LEVEL}):(?=\s)
    |(?P<letter>[VDIWEFTC])(?=\s[\w.$-]+\s*:\s|\s?\||\s{{2,}}|/\S|\s-\s|\s[A-Z]+\s{{2,}}\[)
    |(?P<glog>[IWEFD])(?=\s\S+:\d+\]\s)""",
    re.VERBOSE,
)
_BEFORE = (  # what may stand between a stamp and a level: marks, brackets, names and ids, but no words of a sentence
    r"(?:-{1,3}|\||\[[^\]]{0,240}\]|\([^)]{0,80}\)|<[^>\s]{1,80}>"
    r"|[^\s=]*[\d./:$@_\#\\][^\s=]*(?<!:)|[A-Z]{2,}|[^\s=\"']+(?=\s+[-|]\s))"
)
_AHEAD = re.compile(
    rf"(?:{_BEFORE}[ \t|]+){{1,5}}?"
    rf"(?:(?P<upper>{_LEVEL})(?=[\s:|,;\]]|$):?|\[(?P<bracketed>{_ANY_CASE})\]|<(?P<angled>{_ANY_CASE})>)"
)
_THREADTIME = re.compile(
    r"(?:\S+\s+)?\d+[\s-]+\d+\s+(?:\S+\s+)?(?P<letter>[VDIWEF])\s+(?=\S)"
)  # logcat: pid tid level tag
_LOGCAT_TAG = re.compile(r"(?P<name>[^\s:]+)\s*:\s*(?=\S)")
_MARK = re.compile(r"(?P<mark>[.*#-])\s(?=\S)")  # Redis writes one sign for the level
_MARKS = {".": Severity.DEBUG, "-": Severity.DEBUG, "*": Severity.INFO, "#": Severity.WARNING}
_MARKED = re.compile(r"\d+:[A-Z] \d{1,2} [A-Z][a-z]{2} ")
_BRACKET = re.compile(r"\[(?P<inner>[^\[\]]{0,240})\](?::(?=\s))?|<\d[\d.]*>|\(\w*\d[\w-]*\)|\d+\#\d+:|\*\d+(?=\s)")
_INNER_LEVEL = re.compile(rf"(?:[\w.*-]*:|[^/\]]*/)?\s*(?P<level>{_ANY_CASE})(?:\s*[,|].*)?$")
_NAME = r"[A-Za-z_][\w.$/@*~+-]*"
_HOST = r"[A-Za-z0-9<][^\s\[\]=|,;\"']*(?<!:)"
_TAG = re.compile(
    rf"""(?:(?P<host>{_HOST})\s+(?:--\s+)?)?(?P<name>/?{_NAME}(?:\s[A-Z][A-Za-z]*|\s\d[\w.]*)*)(?:\([^)\s]*\))?
    (?:\[(?P<pid>[\w-]+)\])?(?:\s\([\w.\[\]-]+\))?:(?=\s|$)""",
    re.VERBOSE,
)
_LOGGER = re.compile(  # after a level
    rf"""(?P<colon>(?![a-z]+:){_NAME}(?::{_NAME})*(?:\[[\w.-]+\]|\([^()]{{0,60}}\))?(?::\d+)?):(?=\s)
    |(?P<dash>{_NAME}(?:::?[\w.$]+)*(?:\([^()]{{0,60}}\))?(?::\d+)?)\s+[-:|](?=\s)
    |(?P<dotted>[A-Za-z_][\w$-]*(?:(?:\.|::)[A-Za-z_$][\w$-]*)+)(?=\s)
    |(?P<column>{_NAME})(?=\s{{2,}}|\t)
    |(?P<close>[A-Za-z_][\w.$:-]*)\](?=\s)
    |(?P<glog>[\w./-]+\.(?:cc|cpp|c|go|py|rs|h|java|js|ts)):\d+\]?:?(?=\s)""",
    re.VERBOSE,
)
_CALLER = re.compile(r"[\w./-]+\.(?:go|rs|py|java|js|ts|cc|cpp|c):\d+\s+(?=\S)")
_IDLE = re.compile(
    r"\[(?:-|(?:[\w.:/<>*-]*[\d<][\w.:/<>*-]*|-)(?:[ ,](?:[\w.:/<>*-]*[\d<][\w.:/<>*-]*|-))*)\]\s+(?=\S)"
)
_NUMBER = re.compile(r"(?:0x)?\d+\s+(?=\S)")
_FIELD = re.compile(rf"(?P<name>{_NAME})\s*\|\s*|(?P<number>\d+)\s*\|\s*")

# java.util.logging: stamp, class and method on one line, level and message on the next.
_JUL = re.compile(r"(?P<level>SEVERE|WARNING|INFO|CONFIG|FINE|FINER|FINEST): ")
_JUL_PLACE = re.compile(r"[\w$.]+\.[\w$]+ [\w$<>]+\s*$")

# Without any stamp.
_BARE = re.compile(
    rf"""\s*(?:\[\s*(?P<bracketed>{_ANY_CASE})\s*\]:?\s+(?=\S)
    |<(?P<angled>{_ANY_CASE})>:?\s+(?=\S)
    |(?P<python>DEBUG|INFO|WARNING|ERROR|CRITICAL):(?P<logger>[\w.-]+):(?=\S|$)
    |(?P<upper>{_LEVEL})(?=\s|:\s|\s?\|)(?:\s*[:|\]-]\s|\s)\s*(?=\S)
    |(?P<dotnet>info|warn|fail|crit|dbug|trce):\s(?P<category>[\w.]+)(?:\[\d+\])?(?=\s|$)
    |(?P<letter>[VDIWEF])/(?P<tag>[^(:\s]+)\s*(?:\(\s*\d+\))?:\s
    |(?:npm\ )(?P<npm>ERR!|WARN|notice|verb)\s)""",
    re.VERBOSE,
)
_KERNEL = re.compile(r"\[\s*\d+\.\d{6}\](?:\[\s*[TC]\d+\])?\s+")
_GLOG = re.compile(
    r"(?P<letter>[IWEFD])(?:(?P<year>\d{4})(?=\d{4}\s))?(?P<month>\d\d)(?P<day>\d\d)\s+(?P<clock>\d\d:\d\d:\d\d(?:\.\d+)?)\s+(?:\d+\s+)?"
)
_STREAM = re.compile(r"\s(?:stdout|stderr) [FP] ")
_ACCESS = re.compile(r'"(?P<request>[^"]*)"\s+(?P<status>[1-5]\d\d)\s')
_WHOLE_ACCESS = re.compile(r"(?P<client>\S+)\s(?P<ident>\S+)\s(?P<user>\S+|\"[^\"]*\")\s\[")
_STATUS = re.compile(
    r"\bstatus(?:[ _]?code)?[\"']?\s?[:=]\s?[\"']?(?P<status>5\d\d)\b|HTTP/\d(?:\.\d)?\"\s(?P<access>5\d\d)\s"
)


class _Reading:
    """One line being read: the position and what was found so far."""

    __slots__ = ("component", "line", "now_ns", "pos", "severity", "time_ns", "zone")

    def __init__(self, line: str, zone: tzinfo, now_ns: int) -> None:
        self.line = line
        self.zone = zone
        self.now_ns = now_ns
        self.pos = 0
        self.time_ns: int | None = None
        self.severity: Severity | None = None
        self.component = ""

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
        self.pos = found.end()
        if line.startswith((":",), self.pos) and pos == found.start():
            self.pos += 1
        return True

    def lead(self) -> bool:
        """Take up to three tokens that no sentence starts with, when a stamp follows them."""
        line = self.line
        found = _LEAD.match(line, self.pos)
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
                if text in _PARTS:  # PostgreSQL: not a level but what this part of a report is; the message keeps it
                    self.pos = found.start(name)
                    return
        self.pos = found.end()

    def gap(self) -> None:
        found = _GAP.match(self.line, self.pos)
        if found is not None:
            self.pos = found.end()


def read(text: str, *, default_zone: tzinfo, now_ns: int) -> Header:
    """Read the header of a record (of its first line).

    `default_zone` holds for stamps without a zone; `now_ns` (UTC nanoseconds) settles the year of stamps without one.
    """
    line, newline, rest = text.partition("\n")
    fields = structured.read(line)
    if fields is None and line.startswith("{") and newline:
        fields = structured.read(text)  # pretty-printed over several lines
        rest = newline = ""
    if fields is not None:
        return _structured(fields, newline + rest, default_zone, now_ns)
    reading = _Reading(line[:MAX_HEADER_CHARS], default_zone, now_ns)
    _peel(reading)
    start = reading.pos
    message = line[start:].strip()
    if not message:
        message = rest.lstrip("\n") if rest.strip() else line.strip()
        newline = rest = ""
    if rest and (found := _JUL.match(rest)) is not None and _JUL_PLACE.match(message) is not None:
        reading.severity = severities.of_word(found["level"])
        reading.component = message.partition(" ")[0]
        message, newline, rest = rest[found.end() :].partition("\n")
    stated = reading.severity is not None
    severity = reading.severity
    if severity is None:
        severity = _inferred(message, rest)
    return Header(reading.time_ns, severity, stated, reading.component, message + newline + rest)


def _inferred(message: str, rest: str) -> Severity:
    found = severities.evident(message)
    if found is None and rest:
        found = severities.evident(rest[:400])
    if found is None and ("HTTP/" in message or "status" in message) and _STATUS.search(message) is not None:
        found = Severity.ERROR
    return found if found is not None else Severity.INFO


def _structured(fields: structured.Fields, rest: str, zone: tzinfo, now_ns: int) -> Header:
    level = fields.level.strip().strip('"')
    severity = severities.of_word(level)
    if severity is None and level.isdigit():
        severity = severities.of_number(int(level))
    if severity is None and len(level) == 1:
        severity = severities.of_letter(level)
    time_ns = None
    stamp = fields.time.strip()
    if stamp.isdigit() and len(stamp) in (16, 19):
        time_ns = int(stamp.ljust(19, "0"))
    else:
        found = times.STAMP.match(stamp)
        if found is not None and found.lastgroup is not None:
            time_ns = times.resolve(found.lastgroup, found[0], default_zone=zone, now_ns=now_ns)
    stated = severity is not None
    if severity is None:
        severity = _inferred(fields.message, "")
    return Header(time_ns, severity, stated, fields.component, fields.message + rest, fields.details)


def _peel(reading: _Reading) -> None:
    """Move past every element of the header."""
    line = reading.line
    reading.pos = len(line) - len(line.lstrip("\ufeff \t"))
    if line.startswith("<", reading.pos):
        priority = _PRIORITY.match(line, reading.pos)
        if priority is not None:
            reading.severity = severities.of_syslog(int(priority[1]))
            reading.pos = priority.end()
            if (
                priority[0].endswith("1 ")
                and reading.stamp()
                and (rest := _RFC5424.match(line, reading.pos)) is not None
            ):
                reading.component = "" if rest[2] == "-" else rest[2]
                reading.pos = rest.end()
                return
    if _access(reading):
        return
    glog = _GLOG.match(line, reading.pos)
    if glog is not None:
        _glog(reading, glog)
        return
    if not (reading.stamp() or reading.lead()):
        _without_stamp(reading)
        return
    stream = _STREAM.match(line, reading.pos)
    if stream is not None:  # a container's log: what follows is a line of the program itself
        reading.pos = stream.end()
        if not (reading.stamp() or reading.lead()):
            _without_stamp(reading)
            return
    _after_stamp(reading)


def _access(reading: _Reading) -> bool:
    """Take client, user and time of a web server's access log; the message is the request and its status."""
    client = _WHOLE_ACCESS.match(reading.line, reading.pos)
    if client is None:
        return False
    reading.pos, start = client.end() - 1, reading.pos
    access = _ACCESS.search(reading.line, reading.pos) if reading.stamp() else None
    if access is None:
        reading.pos, reading.time_ns = start, None
        return False
    reading.pos = access.start()
    if reading.severity is None:
        reading.severity = Severity.ERROR if access["status"][0] == "5" else Severity.INFO
    return True


def _glog(reading: _Reading, glog: "re.Match[str]") -> None:
    reading.severity = severities.of_letter(glog["letter"])
    form, year = ("iso", f"{glog['year']}-") if glog["year"] else ("nodate", "")
    stamp = f"{year}{glog['month']}-{glog['day']} {glog['clock']}"
    reading.time_ns = times.resolve(form, stamp, default_zone=reading.zone, now_ns=reading.now_ns)
    reading.pos = glog.end()
    _logger(reading)


def _without_stamp(reading: _Reading) -> None:
    line = reading.line
    kernel = _KERNEL.match(line, reading.pos)
    if kernel is not None:
        reading.pos = kernel.end()
        return
    bare = _BARE.match(line, reading.pos)
    if bare is not None:
        words = bare.groupdict()
        letter = words["letter"]
        word = (
            words["bracketed"]
            or words["angled"]
            or words["python"]
            or words["upper"]
            or words["dotnet"]
            or words["npm"]
        )
        reading.severity = severities.of_letter(letter) if letter else severities.of_word(_BARE_WORDS.get(word, word))
        reading.component = words["logger"] or words["category"] or words["tag"] or ""
        reading.pos = bare.end()
        if reading.stamp():
            _after_stamp(reading)
        elif not reading.component:
            _logger(reading)
        return
    tag = _TAG.match(line, reading.pos)
    if tag is not None and tag["pid"] and not tag["host"]:
        reading.component = tag["name"]
        reading.pos = tag.end()
        reading.gap()


_BARE_WORDS = {"fail": "error", "dbug": "debug", "trce": "trace", "ERR!": "error", "verb": "debug", "notice": "info"}


def _after_stamp(reading: _Reading) -> None:
    """Take what follows the first stamp: further stamps, tag or level, threads, logger."""
    line = reading.line
    for _ in range(4):
        reading.gap()
        if reading.stamp():
            continue
        date = _DATE.match(line, reading.pos)
        if date is not None:
            reading.pos = date.end()
            continue
        token = _ID_TOKEN.match(line, reading.pos)
        if token is not None:
            before, reading.pos = reading.pos, token.end()
            if reading.stamp():
                continue
            reading.pos = before
        break
    threadtime = _THREADTIME.match(line, reading.pos)
    if threadtime is not None:
        reading.level(threadtime)
        tag = _LOGCAT_TAG.match(line, reading.pos)
        if tag is not None:
            reading.component, reading.pos = tag["name"], tag.end()
        return
    if _MARKED.match(line) is not None and (mark := _MARK.match(line, reading.pos - 2)) is not None:
        reading.severity = _MARKS[mark["mark"]]
        reading.pos = mark.end()
        return
    if _HERE.match(line, reading.pos) is None and _tag(reading):
        return
    if _levels(reading):
        _logger(reading)
        return
    while (field := _FIELD.match(line, reading.pos)) is not None:
        reading.component = reading.component or field["name"] or ""
        reading.pos = field.end()


def _tag(reading: _Reading) -> bool:
    """Take `host program[pid]:` or `program[pid]:`, and what a program's own header adds after it."""
    line = reading.line
    tag = _TAG.match(line, reading.pos)
    if tag is None:
        return _lonely_host(reading)
    if tag["host"] is None and tag["pid"] is None:
        return False
    reading.component = tag["name"]
    reading.pos = tag.end()
    reading.gap()
    if reading.stamp():
        stated = reading.component
        _after_stamp(reading)
        reading.component = stated
    else:
        here = _HERE.match(line, reading.pos)
        if here is not None and (
            here["upper"] is None or line.startswith((":", " "), here.end() - (line[here.end() - 1] == ":"))
        ):
            reading.level(here)
            reading.gap()
    return True


_SYSLOG_STAMP = re.compile(r"(?:<\d+>)?[A-Z][a-z]{2}\s+\d{1,2}\s\d\d:\d\d:\d\d\s")
_LONELY = re.compile(r"(?=[\w.-]*[\d.-])[\w.-]+\s+(?=-{2,}\s|last\smessage|message\srepeated)")


def _lonely_host(reading: _Reading) -> bool:
    """A syslog line whose message has no tag (`host --- last message repeated 2 times ---`)."""
    line = reading.line
    if _SYSLOG_STAMP.match(line) is None:
        return False
    host = _LONELY.match(line, reading.pos)
    if host is None:
        return False
    reading.pos = host.end()
    return True


def _levels(reading: _Reading) -> bool:
    """Take the level, with brackets, numbers and names before it. False when the line states none."""
    line = reading.line
    for _ in range(4):
        here = _HERE.match(line, reading.pos)
        if here is not None:
            reading.level(here)
            reading.gap()
            _threads(reading)
            return True
        bracket = _BRACKET.match(line, reading.pos)
        if bracket is None:
            break
        inner = bracket["inner"] or ""
        level = _INNER_LEVEL.match(inner)
        if level is not None:
            reading.severity = severities.of_word(level["level"])
            module = inner.partition(":")[0] if ":" in inner else ""
            reading.component = reading.component or module
            reading.pos = bracket.end()
            reading.gap()
            _threads(reading)
            return True
        if ": " in inner or "=" in inner:
            break
        ahead = _AHEAD.match(line, reading.pos)
        if ahead is None and (not inner or not any(c.isdigit() for c in inner)):
            break
        if ahead is None:
            reading.pos = bracket.end()
            reading.gap()
            continue
        _name_before(reading, line[reading.pos : ahead.start(ahead.lastgroup or 0)])
        reading.level(ahead)
        reading.gap()
        _threads(reading)
        return True
    ahead = _AHEAD.match(line, reading.pos)
    if ahead is None:
        return False
    _name_before(reading, line[reading.pos : ahead.start(ahead.lastgroup or 0)])
    reading.level(ahead)
    reading.gap()
    _threads(reading)
    return True


_WORD_NAME = re.compile(r"(?<![^\s\[(|])[A-Za-z_][A-Za-z_.$]*(?![^\s\])|:,])")


def _name_before(reading: _Reading, text: str) -> None:
    """A logger that stands before the level: `- name - LEVEL -`, `RAS KERNEL INFO`."""
    outside = re.sub(r"\[[^\]]*\]|\([^)]*\)|\S*@\S*", " ", text)
    names = _WORD_NAME.findall(outside)
    if names and not reading.component:
        reading.component = " ".join(names)


def _threads(reading: _Reading) -> None:
    """After a level: take process numbers and threads in brackets, but not a bracket that says something."""
    line = reading.line
    for _ in range(5):
        number = _NUMBER.match(line, reading.pos)
        if number is not None and (
            _BRACKET.match(line, number.end())
            or line.startswith("---", number.end())
            or _LOGGER.match(line, number.end())
        ):
            reading.pos = number.end()
            reading.gap()
            continue
        bracket = _BRACKET.match(line, reading.pos)
        if bracket is None or ": " in (bracket["inner"] or "") or bracket.end() >= len(line.rstrip()):
            return
        reading.pos = bracket.end()
        reading.gap()


def _logger(reading: _Reading) -> None:
    """After a level: take the logger, and the ids in brackets after it."""
    line = reading.line
    found = _LOGGER.match(line, reading.pos)
    if found is not None and found.end() < len(line.rstrip()):
        name = found["colon"] or found["dash"] or found["dotted"] or found["column"] or found["close"] or found["glog"]
        if severities.of_word(name) is None:
            reading.component = reading.component or re.sub(r"[(\[].*|:\d+$", "", name)
            reading.pos = found.end()
            if line.startswith(":", reading.pos):
                reading.pos += 1
            reading.gap()
            caller = _CALLER.match(line, reading.pos)
            if caller is not None:
                reading.pos = caller.end()
    idle = _IDLE.match(line, reading.pos)
    if idle is not None:
        reading.pos = idle.end()
