"""The desk's texts: what people write, and what arrives by mail, from other monitoring and from a sign-in provider."""

from __future__ import annotations

import json
import tempfile
from argparse import ArgumentTypeError
from functools import cache
from pathlib import Path
from typing import Any

from joserfc.jwk import KeySet, OctKey
from sqlalchemy import Connection

from sitewarden_alerting.foreign import Unreadable, alertmanager, grafana, zabbix
from sitewarden_alerting.model import Policy
from sitewarden_alerting.servicelevels.calendars import BadCalendar, parse_week, write_week
from sitewarden_collector.cli import _common, _times
from sitewarden_collector.config import Oidc
from sitewarden_collector.errors import CollectorError, ConfigError, Forbidden, Invalid, NotFound, Permanent
from sitewarden_collector.services import (
    accounts,
    acknowledging,
    alerts_in,
    mail_replies,
    oidc,
    oncall,
    promises,
    second_factor,
    shift_calendars,
    spreadsheets,
)
from sitewarden_collector.services.desk import attaching, sniffing
from sitewarden_collector.services.mail_replies import Mail
from sitewarden_collector.store.base import tables
from sitewarden_collector.store.engine import Database
from tests.cast import ACME, ADA, NOON, settle_agent
from tests.fuzz.run import Target, must

ALERTS = Path(__file__).parents[2] / "data" / "alerts"
KEY = b"k" * 32
TOKEN = acknowledging.token(KEY, "018f0000-0000-7000-8000-000000000000", now_ns=NOON)
TOTP = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
READERS = {"alertmanager": alertmanager.read, "grafana": grafana.read, "zabbix": zabbix.read}
PROVIDER = Oidc(
    issuer="https://login.example.com",
    client_id="desk",
    roles={"admins": "admin", "buyers": "customer"},
    customers={"buyers": ACME},
    default_role="viewer",
)
CALENDAR = (
    b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:1@x\r\nSUMMARY:ada\r\n"
    b"DTSTART:20261125T090000Z\r\nDTEND:20261125T170000Z\r\nRRULE:FREQ=DAILY;COUNT=3\r\n"
    b"EXDATE:20261126T090000Z\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
)
CLAIMS = {
    "iss": "https://login.example.com",
    "sub": "42",
    "aud": "desk",
    "exp": 1795521700,
    "iat": 1795521600,
    "nonce": "n",
    "email": "ada@example.com",
    "email_verified": True,
    "groups": ["admins", "buyers"],
    "preferred_username": "ada",
}


@cache
def _desk() -> Database:
    database = Database(f"sqlite:///{tempfile.mkdtemp(prefix='sitewarden-fuzz-')}/collector.db")
    tables().create_all(database.engine)
    database.write_now(settle_agent)
    database.write_now(_settle)
    return database


def _settle(tx: Connection) -> None:
    accounts.add(tx, ADA, role="engineer", by="test", now_ns=NOON)
    oncall.add(tx, "support", zone="Europe/Berlin", managers=(ADA,), now_ns=NOON)


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace").replace("\0", "")


def read_alerts(data: bytes) -> str:
    """The first line says who tells, the rest is the payload. It is taken, or refused with a reason."""
    kind, _, rest = data.partition(b"\n")
    try:
        payload = json.loads(rest)
    except (ValueError, RecursionError):
        return "no json"
    try:
        found = READERS.get(kind.decode("latin-1"), alertmanager.read)(payload)
    except Unreadable as error:
        must(bool(str(error)), "refused without a reason")
        return "refused"

    def take(tx: Connection) -> int:
        placed = alerts_in.place(tx, found.alerts, default_site="acme-berlin", site_label="site")
        for part in placed.parts:
            alerts_in.take(tx, part, Policy(), now_ns=NOON)
        return len(placed.parts)

    return f"{min(_desk().read_now(take), 3)} parts"  # nothing of it stays


def read_spreadsheet(data: bytes) -> str:
    """The first line says what the file holds. What is taken in goes out and comes in again as it was."""
    kind, _, rest = data.partition(b"\n")
    what = kind.decode("latin-1") if kind.decode("latin-1") in spreadsheets.COLUMNS else "customers"

    def take(tx: Connection) -> str:
        try:
            spreadsheets.load(tx, what, _text(rest), now_ns=NOON)
        except Permanent as error:
            must(bool(str(error)), "refused without a reason")
            return "refused"
        out = spreadsheets.export(tx, what)
        spreadsheets.load(tx, what, out, now_ns=NOON)
        must(spreadsheets.export(tx, what) == out, "what went out did not come in as it was")
        return "taken"

    return _desk().read_now(take)


def read_calendar(data: bytes) -> str:
    def take(tx: Connection) -> str:
        try:
            return f"{min(shift_calendars.take_in(tx, 'support', data, by=ADA, now_ns=NOON), 3)} shifts"
        except CollectorError:
            return "refused"

    return _desk().read_now(take)


def read_mail(data: bytes) -> str:
    """Subject, a header, then the text. A mail is an acknowledgement only with a token in it."""
    subject, _, rest = _text(data).partition("\n")
    header, _, text = rest.partition("\n")
    name, _, value = header.partition(":")
    token = mail_replies.token_in(Mail(subject, text, {name.lower(): value.strip()}))
    must(token is None or "/a/" in subject + text, "a token out of nowhere")
    return "nothing" if token is None else "token"


def read_link(data: bytes) -> str:
    """No token but the one that was made opens anything."""
    text = _text(data)
    try:
        acknowledging.notice_of(KEY, text, now_ns=NOON)
    except NotFound:
        return "refused"
    must(text.rstrip("=")[:-1] == TOKEN[:-1], "another token opens the notice")  # the last letter has spare bits
    return "opened"


def read_claims(data: bytes) -> str:
    """Whatever a provider claims, somebody gets in by the rules, or is refused."""
    try:
        told = json.loads(data)
    except (ValueError, RecursionError):
        told = None
    keys = KeySet([OctKey.import_key(KEY)])
    try:
        oidc.check(_text(data), keys, PROVIDER, nonce="n", now_s=NOON // 10**9)
    except Forbidden:
        pass
    else:
        raise AssertionError("a token that nobody signed lets somebody in")
    if not isinstance(told, dict) or not isinstance(told.get("sub"), str) or not told["sub"]:
        return "nobody"

    def enter(tx: Connection) -> str:
        try:
            return str(oidc.account_of(tx, PROVIDER, told, now_ns=NOON).role)
        except (Forbidden, Invalid):
            return "refused"

    return _desk().read_now(enter)


def read_code(data: bytes) -> str:
    text = _text(data)
    step = second_factor._step_of(TOTP, text, after=0, now_ns=NOON)
    must(step is None or len("".join(text.split())) == 6, "a code of another length")
    return "wrong" if step is None else "right"


def read_hours(data: bytes) -> str:
    """A week, a goal and pauses: understood, and then written as they are read; or refused."""
    text, said = _text(data), []
    try:
        week = parse_week(text)
        must(parse_week(write_week(week)) == week or not any(week), "a week that changes when it is written")
        said.append("week")
    except BadCalendar:
        pass
    try:
        goal = promises.read_goal(text)
        must(promises.read_goal(promises.write_goal(goal)) == goal, "a goal that changes when it is written")
        said += ["goal"] if goal else []
    except Invalid:
        pass
    try:
        pauses = promises.read_pauses(text)
        must(promises.read_pauses(promises.write_pauses(pauses)) == pauses, "pauses that change when they are written")
        said += ["pauses"] if pauses else []
    except Invalid:
        pass
    for read in (lambda: promises.read_goals([text], promises.DEFAULT_GOALS), lambda: promises.read_day(text, "from")):
        try:
            read()
            said.append("more")
        except Invalid:
            pass
    return " ".join(said) or "refused"


def read_times(data: bytes) -> str:
    """A time, a time of the day and a length as commands take them: understood, or a complaint."""
    text, said = _text(data), []
    for name, read in (("time", _times.instant_ns), ("minute", _times.minute_of), ("length", _common.duration_s)):
        try:
            found = read(text)
        except (ConfigError, ArgumentTypeError):
            continue
        must(name != "minute" or 0 <= found <= 24 * 60, "a minute that no day has")
        said.append(name)
    return " ".join(said) or "complaint"


def read_attachment(data: bytes) -> str:
    """The first line is the name. What is taken is of a kind that is taken, under a name that breaks out of nothing."""
    name, _, content = data.partition(b"\n")
    try:
        plain = attaching._name(name.decode("utf-8", "replace"))
        found = sniffing.media_type(plain, content)
    except Invalid:
        return "refused"
    must(plain.isprintable() and not set(plain) & set('"/\\') and plain not in (".", ".."), "a name that breaks out")
    must("html" not in found and "svg" not in found and "script" not in found, "something that a browser runs")
    return found


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()


TARGETS = (
    Target(
        "alerts of others",
        tuple(path.name.split("_")[0].encode() + b"\n" + path.read_bytes() for path in sorted(ALERTS.glob("*.json"))),
        read_alerts,
    ),
    Target(
        "spreadsheet",
        (
            b'customers\nname,tier,locale,notes\r\nacme,gold,en,"a, note"\r\nglobex,silver,zh,\'=1+1\r\n',
            b"sites\nname,customer,address,timezone\r\nacme-rome,acme,Via 1,Europe/Rome\r\n",
            b"contacts\ncustomer,site,name,role,phone,mail,language,told_of\r\nacme,,Wang,lead,+49 1,,en,\r\n",
            b"contracts\ncustomer,name,from,until,calendar,p1_resolution,pauses\r\n"
            b"acme,Support,2026-01-01,2026-12-31,24x7,4h,customer: resolution\r\n",
        ),
        read_spreadsheet,
    ),
    Target("calendar of shifts", (CALENDAR, CALENDAR.replace(b"DAILY;COUNT=3", b"WEEKLY;BYDAY=MO,TU")), read_calendar),
    Target(
        "reply by mail",
        (
            f"Re: page\nFrom: ada\nack\n\nOn Tue wrote:\n> Acknowledge: https://desk/a/{TOKEN}\n".encode(),
            f"Re: page /a/{TOKEN}\nAuto-Submitted: auto-replied\n确认\n-----Original-----\n".encode(),
        ),
        read_mail,
    ),
    Target("link of one tap", (TOKEN.encode(), TOKEN.encode()[:-4], b"AAAA"), read_link),
    Target(
        "claims of a provider", (_json(CLAIMS), _json(CLAIMS | {"groups": "buyers", "aud": ["desk", "x"]})), read_claims
    ),
    Target("code of a second factor", (b"123456", b" 12 34 56", b"abcd-efgh-jkmn-pqrs"), read_code),
    Target(
        "hours and goals",
        (
            b"mon-fri 09:00-12:30 13:30-18:00; sat 10:00-14:00",
            b"24x7",
            b"4h@office",
            b"customer: solution resolution; third_party: resolution",
            b"1:resolution=4h@office",
            b"2026-12-31",
        ),
        read_hours,
    ),
    Target("times of commands", (b"2026-11-24T09:00", b"+2h", b"22:30", b"2026-11-24T09:00+08:00", b"90m"), read_times),
    Target(
        "attachment",
        (
            b"trace.log\nhello",
            b"picture.png\n\x89PNG\r\n\x1a\n",
            b"..\\..\\a.zip\nPK\x03\x04",
            b"x.html\n<script>",
            b"x.webp\nRIFF0000WEBP",
        ),
        read_attachment,
    ),
)
