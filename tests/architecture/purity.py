"""Looks for what code of a layer may not do. Reads source text, imports nothing of it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Taboo:
    """What a layer may not do. Modules are judged by their first name; `imports_only` is None where all may be had."""

    imports_only: frozenset[str] | None = None
    no_imports: frozenset[str] = frozenset()
    no_calls: frozenset[str] = frozenset()  # by the name called
    no_methods: frozenset[str] = frozenset()  # by the last name of what is called
    no_attributes: frozenset[str] = frozenset()  # as `os.fork`, whether called or not


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Alerting decides from its arguments alone (DESIGN, laws 1 and 2).
PURE = Taboo(
    imports_only=_words(
        """
        __future__ base64 binascii bisect collections dataclasses datetime decimal difflib enum fnmatch fractions
        functools hashlib heapq hmac ipaddress itertools json math numpy operator re sitewarden_alerting statistics
        string struct textwrap tomllib types typing unicodedata urllib zoneinfo
        """
    ),
    no_calls=_words("open print input eval exec breakpoint __import__"),
    no_methods=_words("now utcnow today urlopen"),
)

# The long-lived processes of the agent start nothing (law 7). `supervise` does, and is neither of them.
STARTS_NOTHING = Taboo(
    no_imports=_words("subprocess multiprocessing pty concurrent.futures.process"),
    no_calls=_words("eval exec __import__"),
    no_methods=_words("create_subprocess_exec create_subprocess_shell subprocess_exec subprocess_shell"),
    no_attributes=_words(
        """
        os.system os.popen os.fork os.forkpty os.posix_spawn os.posix_spawnp os.startfile asyncio.subprocess
        os.execl os.execle os.execlp os.execlpe os.execv os.execve os.execvp os.execvpe
        os.spawnl os.spawnle os.spawnlp os.spawnlpe os.spawnv os.spawnve os.spawnvp os.spawnvpe
        """
    ),
)


def offences(source: str, taboo: Taboo) -> Iterator[str]:
    """Every place in `source` that breaks `taboo`, as `line: what`."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=names):
                for alias in names:
                    yield from _import(alias.name, node.lineno, taboo)
            case ast.ImportFrom(module=module, names=names, level=0):
                for alias in names:
                    yield from _import(f"{module}.{alias.name}", node.lineno, taboo)
            case ast.Call(func=ast.Name(id=name)) if name in taboo.no_calls | taboo.no_methods:
                yield f"{node.lineno}: calls {name}"
            case ast.Call(func=ast.Attribute(attr=name)) if name in taboo.no_methods:
                yield f"{node.lineno}: calls .{name}"
            case ast.Attribute(value=ast.Name(id=owner), attr=name) if f"{owner}.{name}" in taboo.no_attributes:
                yield f"{node.lineno}: uses {owner}.{name}"
            case _:
                pass


def _import(name: str, line: int, taboo: Taboo) -> Iterator[str]:
    first = name.partition(".")[0]
    if taboo.imports_only is not None and first not in taboo.imports_only:
        yield f"{line}: imports {first}"
    roads = {name.rsplit(".", cut)[0] for cut in range(name.count(".") + 1)}
    if roads & (taboo.no_imports | taboo.no_attributes):
        yield f"{line}: imports {name}"
