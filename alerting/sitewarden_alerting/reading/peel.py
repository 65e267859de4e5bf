"""Peels the header off a line: the grammar over the elements.

Promises: `peel` moves the cursor past every element of the header and fills in what they say. An element counts only
when something stronger (a stamp, a level, a tag) vouches for it. Not here: what the elements look like (`elements`),
JSON and logfmt (`structured`).
"""

import re

from sitewarden_alerting.reading import elements, times
from sitewarden_alerting.reading import severity as severities
from sitewarden_alerting.reading.elements import Cursor
from sitewarden_alerting.reading.severity import Severity


def peel(cursor: Cursor) -> None:
    """Move past every element of the header."""
    line = cursor.line
    cursor.pos = len(line) - len(line.lstrip("\ufeff \t"))
    if line.startswith("<", cursor.pos):
        priority = elements.PRIORITY.match(line, cursor.pos)
        if priority is not None:
            cursor.severity = severities.of_syslog(int(priority[1]))
            cursor.pos = priority.end()
            if (
                priority[0].endswith("1 ")
                and cursor.stamp()
                and (rest := elements.RFC5424.match(line, cursor.pos)) is not None
            ):
                cursor.component = "" if rest[2] == "-" else rest[2]
                cursor.pos = rest.end()
                return
    if _access(cursor):
        return
    glog = elements.GLOG.match(line, cursor.pos)
    if glog is not None:
        _glog(cursor, glog)
        return
    if not (cursor.stamp() or cursor.lead()):
        _without_stamp(cursor)
        return
    stream = elements.STREAM.match(line, cursor.pos)
    if stream is not None:  # a container's log: what follows is a line of the program itself
        cursor.pos = stream.end()
        if not (cursor.stamp() or cursor.lead()):
            _without_stamp(cursor)
            return
    _after_stamp(cursor)


def _access(cursor: Cursor) -> bool:
    """Take client, user and time of a web server's access log; the message is the request and its status."""
    client = elements.WHOLE_ACCESS.match(cursor.line, cursor.pos)
    if client is None:
        return False
    cursor.pos, start = client.end() - 1, cursor.pos
    access = elements.ACCESS.search(cursor.line, cursor.pos) if cursor.stamp() else None
    if access is None:
        cursor.pos, cursor.time_ns = start, None
        cursor.stamps.clear()
        return False
    cursor.pos = access.start()
    if cursor.severity is None:
        cursor.severity = Severity.ERROR if access["status"][0] == "5" else Severity.INFO
    return True


def _glog(cursor: Cursor, glog: "re.Match[str]") -> None:
    cursor.severity = severities.of_letter(glog["letter"])
    form, year = ("iso", f"{glog['year']}-") if glog["year"] else ("nodate", "")
    stamp = f"{year}{glog['month']}-{glog['day']} {glog['clock']}"
    cursor.time_ns = times.resolve(form, stamp, default_zone=cursor.zone, now_ns=cursor.now_ns)
    cursor.pos = glog.end()
    _logger(cursor)


def _without_stamp(cursor: Cursor) -> None:
    line = cursor.line
    kernel = elements.KERNEL.match(line, cursor.pos)
    if kernel is not None:
        cursor.pos = kernel.end()
        return
    bare = elements.BARE.match(line, cursor.pos)
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
        cursor.severity = (
            severities.of_letter(letter) if letter else severities.of_word(elements.BARE_WORDS.get(word, word))
        )
        cursor.component = words["logger"] or words["category"] or words["tag"] or ""
        cursor.pos = bare.end()
        if cursor.stamp():
            _after_stamp(cursor)
        elif not cursor.component:
            _logger(cursor)
        return
    tag = elements.TAG.match(line, cursor.pos)
    if tag is not None and tag["pid"] and not tag["host"]:
        cursor.component = tag["name"]
        cursor.pos = tag.end()
        cursor.gap()


def _after_stamp(cursor: Cursor) -> None:
    """Take what follows the first stamp: further stamps, tag or level, threads, logger."""
    line = cursor.line
    if elements.MARKED.match(line) is not None and (mark := elements.MARK.match(line, cursor.pos)) is not None:
        cursor.severity = elements.MARKS[mark["mark"]]
        cursor.pos = mark.end()
        return
    for _ in range(4):
        cursor.gap()
        if cursor.stamp():
            continue
        date = elements.DATE.match(line, cursor.pos)
        if date is not None:
            cursor.pos = date.end()
            continue
        token = elements.ID_TOKEN.match(line, cursor.pos)
        if token is not None:
            before, cursor.pos = cursor.pos, token.end()
            if cursor.stamp():
                continue
            cursor.pos = before
        break
    threadtime = elements.THREADTIME.match(line, cursor.pos)
    if threadtime is not None:
        cursor.level(threadtime)
        tag = elements.LOGCAT_TAG.match(line, cursor.pos)
        if tag is not None:
            cursor.component, cursor.pos = tag["name"], tag.end()
        return
    said = elements.SAID_BY.match(line, cursor.pos)
    if said is not None:
        cursor.component = said["name"]
        cursor.severity = severities.of_word(said["lower"])
        cursor.pos = said.end()
        return
    if elements.HERE.match(line, cursor.pos) is None and _tag(cursor):
        return
    if _levels(cursor):
        _logger(cursor)
        return
    while (field := elements.FIELD.match(line, cursor.pos)) is not None:
        cursor.component = cursor.component or field["name"] or ""
        cursor.pos = field.end()


def _tag(cursor: Cursor) -> bool:
    """Take `host program[pid]:` or `program[pid]:`, and what a program's own header adds after it."""
    line = cursor.line
    tag = elements.TAG.match(line, cursor.pos)
    if tag is None:
        return _lonely_host(cursor)
    if tag["host"] is None and tag["pid"] is None:
        return False
    cursor.component = tag["name"]
    cursor.pos = tag.end()
    cursor.gap()
    if cursor.stamp():
        stated = cursor.component
        _after_stamp(cursor)
        cursor.component = stated
    else:
        here = elements.HERE.match(line, cursor.pos)
        if here is not None and (
            here["upper"] is None or line.startswith((":", " "), here.end() - (line[here.end() - 1] == ":"))
        ):
            cursor.level(here)
            cursor.gap()
    return True


def _lonely_host(cursor: Cursor) -> bool:
    """A syslog line whose message has no tag (`host --- last message repeated 2 times ---`)."""
    line = cursor.line
    if elements.SYSLOG_STAMP.match(line) is None:
        return False
    host = elements.LONELY.match(line, cursor.pos)
    if host is None:
        return False
    cursor.pos = host.end()
    return True


def _levels(cursor: Cursor) -> bool:
    """Take the level, with brackets, numbers and names before it. False when the line states none."""
    line = cursor.line
    for _ in range(4):
        here = elements.HERE.match(line, cursor.pos)
        if here is not None:
            cursor.level(here)
            cursor.gap()
            _threads(cursor)
            return True
        bracket = elements.BRACKET.match(line, cursor.pos)
        if bracket is None:
            break
        inner = bracket["inner"] or ""
        level = elements.INNER_LEVEL.match(inner)
        if level is not None:
            cursor.severity = severities.of_word(level["level"])
            module = inner.partition(":")[0] if ":" in inner else ""
            cursor.component = cursor.component or module
            cursor.pos = bracket.end()
            cursor.gap()
            _threads(cursor)
            return True
        if ": " in inner or "=" in inner:
            break
        ahead = _level_ahead(cursor)
        if ahead is None and (not inner or not any(c.isdigit() for c in inner)):
            break
        if ahead is None:
            cursor.pos = bracket.end()
            cursor.gap()
            continue
        _name_before(cursor, line[cursor.pos : ahead.start(ahead.lastgroup or 0)])
        cursor.level(ahead)
        cursor.gap()
        _threads(cursor)
        return True
    ahead = _level_ahead(cursor)
    if ahead is None:
        return False
    _name_before(cursor, line[cursor.pos : ahead.start(ahead.lastgroup or 0)])
    cursor.level(ahead)
    cursor.gap()
    _threads(cursor)
    return True


def _level_ahead(cursor: Cursor) -> "re.Match[str] | None":
    """A level behind names and ids. Most lines without one are told cheaply, by having no level word at all."""
    if elements.LEVEL_SOMEWHERE.search(cursor.line, cursor.pos) is None:
        return None
    return elements.AHEAD.match(cursor.line, cursor.pos)


def _name_before(cursor: Cursor, text: str) -> None:
    """A logger that stands before the level: `- name - LEVEL -`, `RAS KERNEL INFO`."""
    outside = re.sub(r"\[[^\]]*\]|\([^)]*\)|\S*@\S*", " ", text)
    names = elements.WORD_NAME.findall(outside)
    if names and not cursor.component:
        cursor.component = " ".join(names)


def _threads(cursor: Cursor) -> None:
    """After a level: take process numbers and threads in brackets, but not a bracket that says something."""
    line = cursor.line
    for _ in range(5):
        number = elements.NUMBER.match(line, cursor.pos)
        if number is not None and (
            elements.BRACKET.match(line, number.end())
            or line.startswith("---", number.end())
            or elements.LOGGER.match(line, number.end())
        ):
            cursor.pos = number.end()
            cursor.gap()
            continue
        bracket = elements.BRACKET.match(line, cursor.pos)
        if bracket is None or ": " in (bracket["inner"] or "") or bracket.end() >= len(line.rstrip()):
            return
        cursor.pos = bracket.end()
        cursor.gap()


def _logger(cursor: Cursor) -> None:
    """After a level: take the logger, and the ids in brackets after it."""
    line = cursor.line
    found = elements.LOGGER.match(line, cursor.pos)
    if found is not None and found.end() < len(line.rstrip()):
        name = found["colon"] or found["dash"] or found["dotted"] or found["column"] or found["close"] or found["glog"]
        if severities.of_word(name) is None:
            cursor.component = cursor.component or re.sub(r"[(\[].*|:\d+$", "", name)
            cursor.pos = found.end()
            if line.startswith(":", cursor.pos):
                cursor.pos += 1
            cursor.gap()
            caller = elements.CALLER.match(line, cursor.pos)
            if caller is not None:
                cursor.pos = caller.end()
    idle = elements.IDLE.match(line, cursor.pos)
    if idle is not None:
        cursor.pos = idle.end()
