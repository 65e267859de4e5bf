"""Addresses of pages whose last part is a name, which may hold anything."""

from __future__ import annotations

from urllib.parse import quote


def customer_page(name: str) -> str:
    return f"/customers/{quote(name, safe='')}"


def calendar_page(name: str) -> str:
    return f"/calendars/{quote(name, safe='')}"
