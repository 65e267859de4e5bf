"""CSV in and out: exact, harmless in a spreadsheet, and all of a file or nothing."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sitewarden_collector.errors import Invalid
from sitewarden_collector.services import contracts, customers, promises, spreadsheets
from sitewarden_collector.store import contacts, sites
from sitewarden_collector.store.contacts import Contact
from sitewarden_collector.store.contracts import Contract
from sitewarden_collector.store.engine import Database
from tests.cast import ACME, ACME_BERLIN, NOON, settle_site

EVIL = '=HYPERLINK("http://evil")'


def filled(db: Database) -> None:
    site = db.write_now(settle_site)
    db.write_now(customers.edit, ACME, tier="gold", notes=f'{EVIL}\nsecond "line", 多语言')
    db.write_now(customers.edit_site, ACME_BERLIN, address="-1 Ring", timezone="Europe/Berlin")
    who = Contact(
        site.customer_id, "Eve", site_id=site.id, phone="+49 30 1", mail="eve@acme.example", told_of=("outages",)
    )
    db.write_now(customers.put_contact, who, now_ns=NOON)
    made = Contract(
        customer_id=site.customer_id,
        customer=ACME,
        name="'=quoted",
        from_day="2026-01-01",
        until_day="2026-12-31",
        calendar="24x7",
        goals=promises.read_goals(["1:resolution=90m@24x7", "4:solution=none"], promises.DEFAULT_GOALS),
        pauses=promises.read_pauses("customer: solution; third_party: resolution"),
        included={"on_site": 4},
    )
    db.write_now(contracts.add, made, now_ns=NOON)


def test_what_goes_out_comes_in_exactly(db: Database) -> None:
    filled(db)
    before = {kind: db.read_now(spreadsheets.export, kind) for kind in spreadsheets.COLUMNS}
    for kind, text in before.items():
        assert db.write_now(spreadsheets.load, kind, text, now_ns=NOON) == 1
    assert {kind: db.read_now(spreadsheets.export, kind) for kind in spreadsheets.COLUMNS} == before
    assert [one.contact.phone for one in db.read_now(contacts.every)] == ["+49 30 1"]


def test_no_cell_is_a_formula_and_excel_sees_utf_8(db: Database) -> None:
    filled(db)
    for kind in spreadsheets.COLUMNS:
        text = db.read_now(spreadsheets.export, kind)
        assert text.startswith("\ufeff")
        cells = [cell for row in csv.reader(io.StringIO(text[1:], newline="")) for cell in row]
        assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for cell in cells)


def test_a_wide_sign_that_begins_a_formula_in_some_languages_is_kept_from_it_too(db: Database) -> None:
    text = "name,tier,locale,notes\r\nwide,gold,en,\uff1dcmd()\r\n"
    assert db.write_now(spreadsheets.load, "customers", text, now_ns=NOON) == 1
    assert "'\uff1dcmd()" in db.read_now(spreadsheets.export, "customers")


def test_a_file_with_one_mistake_changes_nothing_and_every_mistake_has_its_line(db: Database) -> None:
    text = 'name,tier,notes\r\ninitech,gold,"two\r\nlines"\r\nhooli,platinum,\r\n,gold,\r\n'
    with pytest.raises(Invalid) as caught:
        db.write_now(spreadsheets.load, "customers", text, now_ns=NOON)
    assert "line 4: 'platinum' is no tier" in str(caught.value)
    assert "line 5: a customer has a name" in str(caught.value)
    assert db.read_now(sites.every_customer) == []


@pytest.mark.parametrize(
    ("kind", "text", "says"),
    [
        ("customers", "name,colour\r\n", "'colour'"),
        ("customers", "tier\r\n", "names the columns"),
        ("customers", "name,tier\r\nx\r\n", "1 cells where"),
        ("sites", "name,customer,timezone\r\nx,nobody,UTC\r\n", "line 2: there is no customer"),
        ("contracts", "name,customer,from\r\nGold,acme,someday\r\n", "2026-12-31"),
        ("contracts", "name,customer,from,p1_solution\r\nGold,acme,2026-01-01,soon\r\n", "is no goal"),
        ("contracts", "number,name,customer,from\r\nCON-9,Gold,acme,2026-01-01\r\n", "no contract CON-9"),
        ("contacts", "customer,name,mail\r\nacme,Eve,nowhere\r\n", "no mail address"),
    ],
)
def test_what_makes_no_sense_is_refused_with_what_would(db: Database, kind: str, text: str, says: str) -> None:
    db.write_now(settle_site)
    with pytest.raises(Invalid, match=says):
        db.write_now(spreadsheets.load, kind, text, now_ns=NOON)


@given(st.text(alphabet=st.sampled_from("'=+-@\t\r\nab,\"")))
def test_a_cell_goes_out_and_in_as_it_is(cell: str) -> None:
    out = spreadsheets._out(cell)
    assert spreadsheets._in(out) == cell
    assert not out.startswith(("=", "+", "-", "@", "\t", "\r"))


def test_goals_read_as_they_are_written() -> None:
    goals: list[Any] = [(1800, ""), (14_400, "office"), (90, ""), None]
    assert [promises.read_goal(promises.write_goal(goal)) for goal in goals] == goals
