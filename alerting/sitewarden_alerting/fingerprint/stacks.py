"""Stack traces: the chain of exceptions and the frames that identify a fault, whatever the language.

Promises: `read(lines)` gives the types of the chain in their order and the frames next to the throw, own code before
that of frameworks, each as module and function without line numbers, addresses, generated names and versions; None
when the lines hold no trace.
Not here: which lines belong to a record (`reading.lines`), the message before the trace (`masks`).
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

MAX_FRAMES = 4
"""Frames that count: enough to tell two places, few enough to survive a change of the callers."""


@dataclass(frozen=True, slots=True)
class Stack:
    """What identifies a trace. `types`: outermost and root exception in the order of the text; `frames`: the throw
    first.
    """

    types: tuple[str, ...]
    frames: tuple[str, ...]


@dataclass(slots=True)
class _Section:
    """The part of a trace under one exception."""

    type: str
    frames: list[tuple[str, bool]]


_AT = re.compile(r"\s*at (?:async )?(?:new )?(?P<call>[^(]+?)\s*\((?P<where>[^)]*)\)")
_AT_BARE = re.compile(r"\s*at (?:async )?(?P<path>(?:file://|/|[A-Za-z]:\\|node:)?(?!\S+\.rs:)[^\s()]+?):\d+(?::\d+)?$")
_PYTHON = re.compile(r'[\s|]*File "(?P<path>[^"]+)", line \d+(?:, in (?P<call>.+))?$')
_GO = re.compile(
    r"(?:created by )?(?P<call>[\w./~-]+\.(?:\(\*?[\w\[\].]+\)\.)?[\w.·]+(?:\[\.\.\.\])?)(?:\(.*\)| in goroutine \d+)$"
)
_RUBY = re.compile(
    r"\s*(?:\d+: )?(?:from )?(?P<path>[^\s:]+\.(?:rb|erb|rake|ru)|[^\s:]+/bin/[\w-]+|-e):\d+:in ['`](?P<call>[^']+)'"
)
_PHP = re.compile(
    r"#\d+ (?P<path>[^\s(]+|\[internal function\])(?:\(\d+\))?: (?P<call>[\w\\{}]+(?:(?:->|::)[\w{}]+)?)\(?"
)
_NATIVE = re.compile(r"#\d+\s+(?:0x[0-9a-f]+ in )?(?P<call>[\w:~<>]+)\s?(?:\(.*\))?\s*(?:(?:at|from) (?P<path>\S+))?$")
_RUST = re.compile(r"\s*\d+: +(?:0x[0-9a-f]+ - )?(?P<call>[A-Za-z_<][\w:<>{}#$. &*]*)$")

_TYPE = r"(?:[A-Za-z_$][\w$]*(?:\.|::|\\))*[A-Za-z_$][\w$]*"
_NAMED_TYPE = re.compile(
    r"""(?:\s*(?:Caused\ by|--->|Suppressed|Wrapped\ by|Nested\ exception|cause):?\s
        |.{0,200}?(?:Exception\ in\ thread\ "[^"]*"|[Uu]nhandled\ exception[.:]|[Uu]ncaught(?:\ exception)?:?)\s
        |.{0,300}?(?<![\w.$]))?
    (?P<type>(?:[A-Za-z_$][\w$]*(?:\.|::|\\))*[A-Z][\w$]*?
        (?:Exception|Error|Throwable|Failure|Fault|Exit|Interrupt|Warning|Iteration))
    (?=[:\s(]|$)""",
    re.VERBOSE,
)
_LINK = re.compile(rf"\s*(?:Caused by|--->|Wrapped by):? (?P<type>{_TYPE})")
_CLOSING = re.compile(rf"[\s|]*(?P<type>{_TYPE})(?::\s|$)")
_SUPPRESSED = re.compile(r"\s+Suppressed: ")
_RUBY_TYPE = re.compile(r"\((?P<type>(?:[A-Z]\w*::)*[A-Z]\w*)\)\s*$")
_PANIC = re.compile(r"(?P<type>panic|fatal error|thread '[^']*' panicked)\b")
_FOREIGN = re.compile(
    r"""(?:java|javax|jakarta|sun|jdk|com\.sun|kotlin|kotlinx|scala|groovy|clojure|akka|reactor|rx|io\.(?:netty|vertx|reactivex|grpc|undertow|micrometer)|okhttp3|org\.(?:springframework|apache
    |hibernate|eclipse|junit|jboss|postgresql|mariadb|codehaus|slf4j|gradle|aspectj|quartz|mockito|h2|jooq)|ch\.qos|com\.(?:zaxxer|mysql|fasterxml|google\.common|mongodb|rabbitmq|datastax|microsoft|oracle))\.
    |(?:System|Microsoft|Npgsql|Newtonsoft)\.|(?:runtime|testing|net/http|reflect|sync|syscall|database/sql|encoding/\w+|net|os|io|bufio|internal/\w+)\.|panic\b
    |<?(?:std|core|alloc|tokio|backtrace|rust_begin_unwind|__rust|futures|hyper)(?:::|_|$|\ as)""",
    re.VERBOSE,
)
_FOREIGN_PATH = re.compile(
    r"site-packages|dist-packages|/lib/python\d|lib\\python|<frozen|<string>|importlib|node_modules|^node:|internal/"
    r"|/gems/|/lib/ruby/|/vendor/|\[internal function\]|/rustc/|\.cargo|/usr/lib/|/usr/local/go/|\\lib\\"
)
_GENERATED = (
    (re.compile(r"\$\$Lambda.*?(?=\.|$)"), "$$Lambda"),
    (re.compile(r"\$\$(?:EnhancerBy|FastClassBy|SpringCGLIB|KeyFactoryBy)\w*(?:\$\$\w+)*"), ""),
    (re.compile(r"lambda\$(\w+?)\$\d+"), r"lambda$\1"),
    (
        re.compile(
            r"(\$Proxy|GeneratedMethodAccessor|GeneratedConstructorAccessor|GeneratedSerializationConstructorAccessor)\d+"
        ),
        r"\1",
    ),
    (re.compile(r"<(\w+)>[a-z]__\w+(?:\|\d+_\d+)?"), r"\1"),
    (re.compile(r"<>c(?:__DisplayClass\w+)?"), "closure"),
    (re.compile(r"\.MoveNext$"), ""),
    (re.compile(r"<locals>\."), ""),
    (re.compile(r"::h[0-9a-f]{16}$|::\{\{closure\}\}|\{\{closure\}\}::"), ""),
    (re.compile(r"\.func\d+(?:\.\d+)*"), ".func"),
    (re.compile(r"(?:block(?: \(\d+ levels\))?|rescue|ensure) in "), ""),
    (re.compile(r"`\d+(?:\[[^\]]*\])?|\[\.\.\.\]|<[^<>]*>(?=\.|$)"), ""),
    (re.compile(r"\$\d+(?=\.|\$|$)"), "$"),
    (re.compile(r" \[as [^\]]+\]|^(?:[\w.-]+/)+(?=[\w.$]+$)|^[\w.]+@[\w.]+/"), ""),
    (re.compile(r"\d{3,}|0x[0-9a-f]+"), "N"),
)


def _name(call: str) -> str:
    call = call.strip()
    for pattern, to in _GENERATED:
        call = pattern.sub(to, call)
    return call


def _module(path: str) -> str:
    """The name of a source file without folders, version and extension: the same wherever the program is installed."""
    base = re.split(r"[\\/]", path.partition("?")[0])[-1]
    return re.sub(r"[-.]?[0-9a-f]{8,}|[-_.]v?\d[\d.]*", "", base.rpartition(".")[0] or base)


@lru_cache(maxsize=1 << 11)  # the frames of one program are few, and every trace of it has the same ones
def _frame(line: str) -> tuple[str, bool] | None:
    """The frame in a line, and whether it belongs to the program itself rather than to a framework."""
    found = _AT.match(line)
    if found is not None:
        call, where = found["call"], found["where"]
        foreign = _FOREIGN.match(call.rpartition("/")[2]) is not None or _FOREIGN_PATH.search(where) is not None
        if "/" in where or "\\" in where or where.startswith(("file:", "node:")):
            return f"{_module(re.sub(r'(?::[0-9]+)+$', '', where))}.{_name(call)}", not foreign
        return _name(call), not foreign
    found = _PYTHON.match(line)
    if found is not None:
        return f"{_module(found['path'])}.{_name(found['call'] or '?')}", _FOREIGN_PATH.search(found["path"]) is None
    found = _AT_BARE.match(line) or _RUBY.match(line) or _PHP.match(line)
    if found is not None:
        call = _name(found.groupdict().get("call") or "")
        return f"{_module(found['path'])}.{call}".rstrip("."), _FOREIGN_PATH.search(found["path"]) is None
    found = _NATIVE.match(line) or _RUST.match(line) or _GO.match(line)
    if found is not None:
        path = found.groupdict().get("path") or ""
        return _name(found["call"]), _FOREIGN.match(found["call"]) is None and _FOREIGN_PATH.search(path) is None
    return None


def forget() -> None:
    """Empty the cache of frames, for measurements."""
    _frame.cache_clear()


def read(lines: Iterable[str]) -> Stack | None:
    """The trace in the lines of one record, or None when there is none."""
    sections: list[_Section] = []
    python = False
    suppressed = False
    type_before = ""
    for line in lines:
        if _SUPPRESSED.match(line) is not None:
            suppressed = True
            continue
        frame = _frame(line)
        if frame is not None:
            if suppressed:
                continue
            if not sections or (not python and type_before):
                sections.append(_Section(type_before, []))
                type_before = ""
            python = python or _PYTHON.match(line) is not None
            ruby = _RUBY_TYPE.search(line)
            if ruby is not None and not sections[-1].type:
                sections[-1].type = ruby["type"]
            if not sections[-1].frames or sections[-1].frames[-1] != frame:  # recursion counts once
                sections[-1].frames.append(frame)
            continue
        if "Traceback (most recent call last)" in line:
            python = True
            sections.append(_Section("", []))
            continue
        if python and sections and sections[-1].frames and not sections[-1].type and not line[:1].isspace():
            closing = _CLOSING.match(line)
            if closing is not None:
                sections[-1].type = closing["type"]
                continue
        found = _LINK.match(line) or _NAMED_TYPE.match(line) or _PANIC.match(line) or _RUBY_TYPE.search(line)
        if found is not None and not python:
            if _LINK.match(line) is not None:
                suppressed = False
            elif type_before and _PANIC.match(line) is None and line[:1].isspace():
                continue
            type_before = found["type"]
    if not any(section.frames for section in sections):
        return None
    if type_before and not python:
        sections.append(_Section(type_before, []))
    if python:  # the root comes first and the throw last
        root, types = sections[0], [section.type for section in sections]
        for section in sections:
            section.frames.reverse()
    else:
        root, types = sections[-1] if sections[-1].frames else sections[0], [section.type for section in sections]
    types = [kind.rpartition("$$")[0] or kind for kind in types if kind]
    ends = tuple(dict.fromkeys((types[0], types[-1]))) if types else ()
    own = [name for name, mine in root.frames if mine]
    if not own:
        own = [name for section in sections for name, mine in section.frames if mine]
    if not own:
        own = [name for name, _ in (root.frames or sections[0].frames)]
    return Stack(ends, tuple(own[:MAX_FRAMES]))
