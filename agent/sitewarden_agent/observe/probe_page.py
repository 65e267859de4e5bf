"""Whether an HTTP page is as it should be: its status, text, pattern, what its JSON says, and how soon it came."""

from __future__ import annotations

import importlib
import time
from typing import Any

from sitewarden_agent.config import HttpProbe
from sitewarden_agent.observe.looks import Bad, Look
from sitewarden_agent.observe.probe_http import BODY_MAX_BYTES, Asking, Page, get

_SHOWN_MAX = 60


async def look_at_page(probe: HttpProbe) -> Look:
    """Raises OSError, Bad."""
    reads = bool(probe.expect_text or probe.expect_pattern or probe.expect_json)
    began_ns = time.monotonic_ns()
    page = await get(
        probe.url,
        Asking(
            verify=probe.verify,
            ca_file=probe.ca_file,
            expected=probe.expect_status,
            body_max_bytes=BODY_MAX_BYTES if reads else 0,
        ),
    )
    spent_ns = time.monotonic_ns() - began_ns
    complaint = _complaint(probe, page)
    if not complaint and probe.latency_max_s is not None and spent_ns > probe.latency_max_s * 1e9:
        complaint = (
            f"status {page.status}, but only after {spent_ns / 1e9:.3f} s; {probe.latency_max_s:g} s are allowed"
        )
    return Look(not complaint, complaint or f"status {page.status}", spent_ns, page.certificate_expires_ns)


def _complaint(probe: HttpProbe, page: Page) -> str:
    if page.status not in probe.expect_status:
        return f"status {page.status} instead of {' or '.join(map(str, probe.expect_status))}"
    if probe.expect_text.encode() not in page.body:
        return f"status {page.status}, but the expected text is missing"
    if probe.expect_pattern and not _is_found(probe.expect_pattern, page.body.decode("utf-8", "replace")):
        return f"status {page.status}, but the expected pattern is not found"
    if probe.expect_json:
        try:
            return _json_complaint(probe, page)
        except Bad as error:
            return f"status {page.status}, but {error}"
    return ""


def _is_found(pattern: str, text: str) -> bool:
    """By RE2, which takes time linear in the text whatever the pattern says: a page may hold anything. Raises Bad."""
    re2 = importlib.import_module("re2")
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(pattern, options).search(text) is not None
    except re2.error:
        raise Bad("RE2 does not understand expect_pattern; write it without look-around") from None


def _json_complaint(probe: HttpProbe, page: Page) -> str:
    import json

    try:
        document = json.loads(page.body)
    except (ValueError, RecursionError):
        raise Bad("the answer is no JSON" if page.whole else "the JSON is longer than 64 KiB") from None
    for path, wanted in probe.expect_json.items():
        found = at(document, path)
        if found != wanted or isinstance(found, bool) is not isinstance(wanted, bool):
            raise Bad(f"{path} is {_shown(found)} instead of {_shown(wanted)}")
    return ""


def at(document: Any, path: str) -> Any:
    """What a JSON document holds at steps with dots between them; a number is a place in a list. Raises Bad."""
    here = document
    for step in path.split("."):
        if isinstance(here, dict) and step in here:
            here = here[step]
        elif isinstance(here, list) and step.isascii() and step.isdigit() and len(step) < 9 and int(step) < len(here):
            here = here[int(step)]
        else:
            raise Bad(f"{path} is missing")
    return here


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN_MAX else text[:_SHOWN_MAX] + "..."
