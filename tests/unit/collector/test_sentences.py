"""What rules, services and errors say is said in Chinese too; what programs say stays as it is."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from sitewarden_alerting.rules import Guide, NewFault, Rulebook
from sitewarden_collector.services import sentences
from sitewarden_collector.services.notifying import step
from sitewarden_collector.services.sentences import LETTERS_MIN, PAIRS, said, said_of_page
from sitewarden_collector.store import notices, people
from sitewarden_collector.store.engine import Database
from sitewarden_collector.store.people import Reachable, Road
from tests.cast import ACME_BERLIN, ADA, BOB, NOON
from tests.fakes.channels import FakeChannel
from tests.unit.collector.test_site_pages import open_ticket

ROOT = Path(__file__).parents[3]
ERRORS = {"Invalid", "Conflict", "NotFound", "Forbidden"}
# Commands and the road to agents speak to operators and programs in English alone.
APART = ("cli", "grpc_api", "demo", "simulate", "migrations")
HAN = re.compile(r"[\u4e00-\u9fff]")


def _template(node: ast.expr) -> str | None:
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr():
            return "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)
        case ast.BinOp(op=ast.Add()):
            left, right = _template(node.left), _template(node.right)
            return None if left is None and right is None else f"{left or '{}'}{right or '{}'}"
    return None


def _said_in(folder: Path) -> Iterator[tuple[str, Path]]:
    """Every sentence that an error of the desk is raised with."""
    for path in folder.rglob("*.py"):
        if path.relative_to(folder).parts[0] in APART or path.name in ("config.py", "pki.py"):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ERRORS):
                continue
            if node.args and (text := _template(node.args[0])) is not None:
                yield text, path


def test_every_error_of_the_desk_is_said_in_chinese() -> None:
    known = {english for english, _ in PAIRS}
    missing = {text: path.name for text, path in _said_in(ROOT / "collector" / "sitewarden_collector")}
    missing |= {text: path.name for text, path in _said_in(ROOT / "alerting" / "sitewarden_alerting")}
    assert {text: name for text, name in missing.items() if text not in known} == {}


def test_both_sides_of_a_pair_have_the_same_gaps() -> None:
    for english, chinese in PAIRS:
        places = {int(place) for place in re.findall(r"\{(\d+)\}", chinese)}
        assert places == set(range(english.count("{}"))), english
        assert HAN.search(chinese) or not re.search(r"[A-Za-z]", english), english


def test_no_sentence_stands_twice() -> None:
    english = [one for one, _ in PAIRS]
    assert len(english) == len(set(english))


def test_each_sentence_is_found_by_its_shape() -> None:
    wrong = {}
    for english, chinese in PAIRS:
        if "\n" in english or sum(character.isalpha() for character in english.replace("{}", "")) < LETTERS_MIN:
            continue
        values = [f"<{number}>" for number in range(english.count("{}"))]
        line = english
        for value in values:
            line = line.replace("{}", value, 1)
        if said(line, "zh") != chinese.format(*values):
            wrong[line] = said(line, "zh")
    assert wrong == {}


def test_a_sentence_in_a_sentence_is_said_too() -> None:
    line = "back 12 min after it was resolved: 60 events within 60 s; 50 are too many"
    assert said(line, "zh") == "解决后 12 分钟再次出现：60 秒内 60 个事件；50 个即为过多"
    assert said(line, "en") == line


def test_what_nobody_knows_stays_as_it_is() -> None:
    for line in ("pg_ctl: could not start server", "connection to db-1 refused", "", "x", "Verbindung getrennt"):
        assert said(line, "zh") == line


def test_a_page_keeps_the_programs_own_words() -> None:
    own = "ERROR in main loop\nthere is no ticket 5; look for it among the tickets"
    body = (
        "CRITICAL at acme-berlin (acme), first seen 2026-11-24 03:10:09 UTC.\nERROR in /var/log/shop.log on web-1\n\n"
        f"{own}\n\nLook:  sitewarden ticket show INC-7\nTake:  sitewarden ticket ack INC-7 --by YOUR-NAME"
    )
    told = said_of_page(body, "zh")
    assert told.startswith(
        "严重：acme-berlin（acme），首次出现于 2026-11-24 03:10:09 UTC。\n错误，位于 /var/log/shop.log on web-1\n"
    )
    assert own in told
    assert told.endswith("接手：sitewarden ticket ack INC-7 --by 您的名字")
    assert said_of_page(body, "en") == body


def test_a_long_line_of_gaps_takes_no_time() -> None:
    for line in ("is " * 20_000, "is " * 1_300, " events within " * 250, "a: " * 1_300):
        assert said(line, "zh")
    assert sentences.PARTS_MAX >= 3


async def test_a_page_is_sent_in_the_language_of_whoever_gets_it(db: Database) -> None:
    title = "nginx refuses its configuration: unknown directive"
    rule = NewFault(name="nginx-config", title="nginx refuses its configuration", zh=Guide(title="nginx 拒绝其配置"))
    ticket = await db.run(open_ticket, ACME_BERLIN, title=title, rule=rule.name)
    body = "ERROR at acme-berlin (acme), first seen 2026-11-24 12:00:00 UTC.\nfirst to be asked\n\nthere is no ticket 5"
    await db.run(people.save, Reachable(ADA, (Road("phone"),), locale="zh"))
    for person in (ADA, BOB):
        await db.run(
            notices.add,
            kind="page",
            person=person,
            channel="phone",
            subject=f"[{ticket.number}] acme-berlin: again: {title}",
            body=body,
            ticket_id=ticket.id,
            dedup_key=person,
            now_ns=NOON,
        )
    phone = FakeChannel("phone")
    below = "\n\nAcknowledge: https://desk.example/a/x"
    await step(db, {"phone": phone}, lambda: NOON, footer=lambda _: below, rulebook=Rulebook((rule,)))
    told = {notice.person: notice for notice in phone.taken}
    assert told[BOB].subject.endswith(f"acme-berlin: again: {title}")
    assert told[BOB].body.endswith(below)
    assert told[ADA].subject.endswith("acme-berlin: 再次：nginx 拒绝其配置: unknown directive")
    assert told[ADA].body.startswith("错误：acme-berlin（acme），首次出现于 2026-11-24 12:00:00 UTC。\n首先呼叫\n\n")
    assert told[ADA].body.endswith("确认：https://desk.example/a/x")
