"""One function reads a record for agent and collector: header, redaction, fingerprint, in this order."""

import time
from datetime import UTC

import pytest

from sitewarden_alerting.reading import event
from sitewarden_alerting.reading.event import Event
from sitewarden_alerting.reading.lines import Record
from sitewarden_alerting.reading.redact import Redactor
from sitewarden_alerting.reading.severity import Severity

NOW_NS = 1_773_273_600_000_000_000


def read(text: str, redactor: Redactor | None = None) -> Event:
    record = Record(offset=7, end=7 + len(text), text=text, lines=1, truncated=0)
    redact = (redactor or Redactor(b"a site")).redact
    return event.read(record, redact=redact, default_zone=UTC, now_ns=NOW_NS)


def test_an_event_has_what_the_record_says() -> None:
    found = read("2026-03-05 10:00:00,123 [main] ERROR com.acme.Orders - order 7 is not paid")
    assert (found.offset, found.severity, found.component) == (7, Severity.ERROR, "com.acme.Orders")
    assert (found.message, found.template) == ("order 7 is not paid", "order <*> is not paid")
    assert event.iso(found.time_ns or 0) == "2026-03-05T10:00:00.123Z"


def test_a_time_has_as_many_digits_as_it_needs() -> None:
    noon = 1_772_712_000 * 10**9
    assert event.iso(noon) == "2026-03-05T12:00:00Z"
    assert event.iso(noon + 500_000_000) == "2026-03-05T12:00:00.5Z"
    assert event.iso(noon + 1) == "2026-03-05T12:00:00.000000001Z"
    assert event.iso(-1) == "1969-12-31T23:59:59.999999999Z"


def test_a_time_before_all_years_is_none() -> None:
    assert read("0001-01-01 00:00:00+08:00 ERROR the clock of this host is lost").time_ns is None


def test_nothing_secret_is_in_any_part_of_an_event() -> None:
    found = read('2026-03-05 10:00:00 ERROR login of ann@example.org failed, password="hunter2"\n\tat a.B.c(D.java:1)')
    assert "hunter2" not in repr(found)
    assert "ann@example.org" not in repr(found)


def test_the_fingerprint_is_the_same_under_the_keys_of_two_sites() -> None:
    line = "2026-03-05 10:00:00 ERROR payment of ann@example.org from 10.1.2.3 refused by gateway"
    one, other = read(line, Redactor(b"one site")), read(line, Redactor(b"another site"))
    assert one.message != other.message
    assert (one.fingerprint, one.template) == (other.fingerprint, other.template)


def test_the_further_members_of_a_structured_record_are_evidence_but_not_identity() -> None:
    one = read('{"level":"error","msg":"order is not paid","order":7}')
    other = read('{"level":"error","msg":"order is not paid","order":8,"retry":true}')
    assert one.message == "order is not paid\norder=7"
    assert one.fingerprint == other.fingerprint


def test_what_redaction_raises_is_the_callers_to_handle() -> None:
    def refuse(text: str) -> str:
        raise RuntimeError(text)

    record = Record(offset=0, end=1, text="x", lines=1, truncated=0)
    with pytest.raises(RuntimeError):
        event.read(record, redact=refuse, default_zone=UTC, now_ns=NOW_NS)


def test_a_row_has_every_key_also_when_a_record_states_nothing() -> None:
    assert event.row(read("hello world of logs"), file="shop.log") == {
        "file": "shop.log",
        "offset": 7,
        "time": None,
        "severity": "info",
        "component": "",
        "message": "hello world of logs",
        "template": "hello world of logs",
        "fingerprint": read("hello world of logs").fingerprint,
        "count": 1,
    }


UNITS = [
    "a",
    "1",
    ".",
    "-",
    "/",
    "[",
    "(",
    "<",
    '"',
    "'",
    ":",
    "=",
    "a-",
    "a.",
    "a/",
    "foo-1-",
    "a=b|",
    "::",
    "at a(",
    "user ",
]


@pytest.mark.parametrize("unit", UNITS)
def test_no_line_takes_long(unit: str) -> None:
    # A bound far above what any of them takes, and far below what one pattern that backtracks would take.
    started = time.process_time()
    for line in (unit * 5_000, f"2026-03-05 10:00:00 {unit * 5_000}", "\n".join([unit * 100] * 100)):
        record = Record(offset=0, end=1, text=line, lines=1, truncated=0)
        event.read(record, redact=str, default_zone=UTC, now_ns=NOW_NS)
    assert time.process_time() - started < 2
