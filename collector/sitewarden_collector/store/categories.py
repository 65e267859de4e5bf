"""What tickets can be about: categories and components, each with its name in both languages.

While nobody changed a list it is the one that is shipped. A name with a slash stands under the one before the slash.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Column, Connection, String, Table, delete, insert, select

from sitewarden_collector.errors import Invalid, NotFound
from sitewarden_collector.store.base import metadata

KINDS = ("category", "component")

categories = Table(
    "categories",
    metadata,
    Column("kind", String(16), primary_key=True),
    Column("name", String(100), primary_key=True),
    Column("en", String(200), nullable=False),
    Column("zh", String(200), nullable=False),
)


@dataclass(frozen=True, slots=True)
class Category:
    """`kind` is category or component; `name` is what tickets keep, as `database/replication`."""

    kind: str
    name: str
    en: str
    zh: str


_SHIPPED = {
    "category": (
        ("outage", "Outage", "服务中断"),
        ("performance", "Performance", "性能"),
        ("defect", "Defect in the product", "产品缺陷"),
        ("configuration", "Configuration", "配置"),
        ("capacity", "Capacity", "容量"),
        ("security", "Security", "安全"),
        ("data", "Data", "数据"),
        ("upgrade", "Upgrade", "升级"),
        ("question", "Question", "咨询"),
        ("feature", "Feature request", "功能需求"),
        ("service", "Quality of service", "服务质量"),
    ),
    "component": (
        ("application", "Application", "应用程序"),
        ("database", "Database", "数据库"),
        ("network", "Network", "网络"),
        ("storage", "Storage", "存储"),
        ("host", "Host and operating system", "主机与操作系统"),
        ("certificate", "Certificate", "证书"),
        ("agent", "Agent", "代理程序"),
        ("third_party", "Another vendor's system", "第三方系统"),
    ),
}


def every(tx: Connection, kind: str = "") -> list[Category]:
    """The list of a kind, or of both, by name."""
    rows = [Category(**row._mapping) for row in tx.execute(select(categories))]
    found: list[Category] = []
    for each in [kind] if kind else KINDS:
        kept = [one for one in rows if one.kind == each]
        found += sorted(kept, key=lambda one: one.name) or [Category(each, *one) for one in _SHIPPED[each]]
    return found


def check(tx: Connection, kind: str, name: str) -> None:
    """Raise Invalid when `name` is neither empty nor in the list of its kind."""
    known = [one.name for one in every(tx, kind)]
    if name and name not in known:
        raise Invalid(f"there is no {kind} {name!r}; known: {', '.join(known)}; `sitewarden category set` adds one")


def put(tx: Connection, category: Category) -> None:
    """Add one or change its names; the shipped list becomes this desk's own."""
    if category.kind not in KINDS:
        raise Invalid(f"{category.kind!r} is neither category nor component")
    _own(tx, category.kind)
    _drop(tx, category.kind, category.name)
    tx.execute(insert(categories).values({name: getattr(category, name) for name in Category.__slots__}))


def remove(tx: Connection, kind: str, name: str) -> None:
    """Take one out of the list; tickets that have it keep it. Raises NotFound."""
    _own(tx, kind)
    if not _drop(tx, kind, name):
        raise NotFound(f"there is no {kind} {name!r}; `sitewarden category list` shows them")


def _own(tx: Connection, kind: str) -> None:
    if tx.execute(select(categories.c.name).where(categories.c.kind == kind).limit(1)).first() is None:
        tx.execute(
            insert(categories), [{"kind": kind, "name": name, "en": en, "zh": zh} for name, en, zh in _SHIPPED[kind]]
        )


def _drop(tx: Connection, kind: str, name: str) -> bool:
    return bool(tx.execute(delete(categories).where(categories.c.kind == kind, categories.c.name == name)).rowcount)
