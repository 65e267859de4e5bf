"""What few collectors need is imported where it is needed: a library that is loaded stays in memory for good, and every
start waits for it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

COLLECTOR = Path(__file__).parents[2] / "collector" / "sitewarden_collector"
LATE = {
    "alembic": ("migrations",),
    "authlib": ("services/oidc.py",),
    "cramjam": (),
    "holidays": (),
    "httpx": ("services/oidc.py",),
    "icalendar": (),
    "joserfc": ("services/oidc.py",),
    "psycopg": ("store/moving.py",),
    "recurring_ical_events": (),
    "sitewarden_collector.services.oidc": (),
    "sitewarden_collector.store.moving": ("cli/db.py",),
}
"""Each with the files, or folders, that may import it when they are loaded."""


def imported(source: str) -> Iterator[str]:
    """What a module imports when it is loaded, dotted: not what functions import, nor what is for types alone."""
    waiting: list[ast.stmt] = list(ast.parse(source).body)
    while waiting:
        match waiting.pop():
            case ast.Import(names=names):
                yield from (one.name for one in names)
            case ast.ImportFrom(module=str(module), names=names):
                yield from (f"{module}.{one.name}" for one in names)
            case ast.If(test=ast.Name(id="TYPE_CHECKING"), orelse=otherwise):
                waiting += otherwise
            case ast.If(body=body, orelse=otherwise):
                waiting += body + otherwise
            case ast.Try(body=body, handlers=handlers):
                waiting += body + [one for handler in handlers for one in handler.body]
            case ast.ClassDef(body=body):
                waiting += body


def test_what_few_need_is_imported_late() -> None:
    early = [
        f"{path.relative_to(COLLECTOR)} imports {library} when it is loaded"
        for path in COLLECTOR.rglob("*.py")
        for name in imported(path.read_text(encoding="utf-8"))
        for library, allowed in LATE.items()
        if f"{name}.".startswith(f"{library}.") and not str(path.relative_to(COLLECTOR)).startswith(allowed)
    ]
    assert not early


def test_it_tells_early_from_late() -> None:
    late = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import a\ndef f():\n    import b\n"
    assert list(imported(late)) == ["typing.TYPE_CHECKING"]
    assert set(imported("try:\n    import a.b\nexcept ImportError:\n    from c import d\n")) == {"a.b", "c.d"}
