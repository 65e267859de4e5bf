"""Signing in with a second factor, being refused, and every page at a desk and on a phone without a complaint of the
browser."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser import walk
from tests.browser.walk import DESKTOP, PHONE, Desk

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240), pytest.mark.xdist_group("browser")]
PAGES_MAX = 45
# One page of each kind is enough; and what is no page, or ends the session.
OF_A_KIND = re.compile(r"(?<=/)((INC|SRQ|CMP|CHG|PRB|CON|RSK)-\d+|[0-9a-f-]{32,36})")
NO_PAGES = re.compile(r"/(signout|static|assets|files)|\.(csv|ics|json)$|/export")


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    walk.needs_browser()
    with walk.desk(tmp_path_factory.mktemp("desk") / "stage") as made:
        made.account("ada", "engineer")
        made.account("vera", "viewer")
        made.account("carl", "customer", customer="acme")
        for number, name in enumerate(("root", "grace")):
            made.account(name, "admin")
            made.report("shanghai-1", "acme", f"login is slow at desk {number}")
        yield made


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    walk.needs_browser()
    with walk.browser() as made:
        yield made


def test_an_administrator_enrols_an_app_and_signs_in_with_its_code(desk: Desk, browser: Browser) -> None:
    page = walk.open_page(browser, desk, PHONE, theme="dark")
    app = walk.enrol(page, desk, "root")
    walk.picture(page, "phone-8-enrolled")
    page.locator("details.menu > summary[aria-label=Account]").click()
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url(re.compile("/signin"))

    walk.give_password(page, desk, "root")
    page.wait_for_url(re.compile("/signin/code"))
    page.goto(f"{desk.url}/tickets")
    expect(page).to_have_url(re.compile("/signin"))  # the password alone opens nothing
    complaints = len(desk.complaints)
    page.goto(f"{desk.url}/signin/code")
    walk.give_code(page, "000000")
    expect(page.locator("[role=alert]")).to_contain_text("cannot be used")
    del desk.complaints[complaints:]  # the refusal itself
    walk.picture(page, "phone-9-wrong-code")
    walk.give_code(page, app.at(int(time.time()) + app.interval))  # the code of now was used up by enrolling
    page.wait_for_url(f"{desk.url}/")
    expect(page.locator("h1")).to_have_text("Board")
    page.context.close()
    assert desk.complaints == []


def test_who_only_looks_is_offered_nothing_and_refused(desk: Desk, browser: Browser) -> None:
    number = desk.report("shanghai-1", "acme", "the printer is slow")
    page = walk.open_page(browser, desk, DESKTOP)
    walk.sign_in(page, desk, "vera")
    page.goto(f"{desk.url}/tickets/{number}")
    expect(page.locator(".ticket-title")).to_have_text("the printer is slow")
    expect(page.locator(".ticket-acts button, .ticket-acts summary, #composer")).to_have_count(0)
    walk.picture(page, "desk-8-only-looks")
    token = page.locator("meta[name=csrf-token]").get_attribute("content") or ""
    answer = page.request.post(f"{desk.url}/tickets/{number}/acknowledge", headers={"X-CSRF-Token": token})
    assert answer.status == 403
    refused = page.goto(f"{desk.url}/admin")
    assert refused is not None
    assert refused.status == 403
    expect(page.locator("h1")).to_have_text("You may not do this")
    walk.picture(page, "desk-9-refused")
    page.context.close()
    assert _serious(desk) == []


def test_a_customer_sees_and_moves_their_own_and_nothing_else(desk: Desk, browser: Browser) -> None:
    mine = desk.report("shanghai-1", "acme", "our till is slow")
    other = desk.report("osaka-1", "globex", "a secret of somebody else")
    page = walk.open_page(browser, desk, PHONE)
    walk.sign_in(page, desk, "carl")
    expect(page.locator("[data-ticket]", has_text="our till is slow")).to_be_visible()
    expect(page.locator("body")).not_to_contain_text("somebody else")
    missing = page.goto(f"{desk.url}/tickets/{other}")
    assert missing is not None
    assert missing.status == 404
    expect(page.locator("h1")).to_have_text("There is no such page")
    walk.picture(page, "phone-10-of-somebody-else")
    page.goto(f"{desk.url}/tickets/{mine}")
    page.locator("#composer textarea").fill("It is slower still.")
    page.locator("#composer button[type=submit]").click()
    expect(page.locator("#ticket-timeline")).to_contain_text("It is slower still.")
    page.locator("[data-opens=attach]").click()
    page.locator("#attach input[type=file]").set_input_files(
        {"name": "till.log", "mimeType": "text/plain", "buffer": b"12:00 slow\n"}
    )
    page.locator("#attach button[type=submit]").click()
    expect(page.locator("#files")).to_contain_text("till.log")
    with page.expect_download() as saved:
        # In one go: news may put a fresh link in the place of this one between a mouse's down and up.
        page.locator("#files a").evaluate("link => link.click()")
    assert saved.value.path().read_bytes() == b"12:00 slow\n"
    walk.picture(page, "phone-11-customer")
    page.context.close()
    assert _serious(desk) == []


def test_what_is_seldom_done_to_a_ticket_is_done_in_dialogs(desk: Desk, browser: Browser) -> None:
    number = desk.report("shanghai-1", "acme", "the scanner of gate 4 is dead")
    twin = desk.report("shanghai-1", "acme", "gate 4: scanner dead, reported again")
    page = walk.open_page(browser, desk, DESKTOP, theme="dark")
    walk.sign_in(page, desk, "ada")
    page.goto(f"{desk.url}/tickets/{number}")

    _open(page, "priority")
    page.locator("#priority select[name=priority]").select_option("1")
    page.locator("#priority input[name=reason]").fill("the gate is closed")
    walk.picture(page, "desk-10-priority")
    _send(page, "priority")
    expect(page.locator(".ticket-marks")).to_contain_text("P1")
    _open(page, "visit")
    page.locator("#visit input[name=planned]").fill("2027-01-05T09:00")
    _send(page, "visit")
    page.locator("#visits").get_by_role("button", name="Arrived").click()
    page.locator("[data-opens=visit-leave]").click()
    page.locator("#visit-leave textarea").fill("The power supply was broken; replaced.")
    _send(page, "visit-leave")
    page.locator("[data-opens=visit-sign]").click()
    page.locator("#visit-sign input[name=signed_by]").fill("Mr Wu")
    _send(page, "visit-sign")
    expect(page.locator("#visits")).to_contain_text("signed by Mr Wu")
    _open(page, "problem")
    page.locator("#problem input[name=title]").fill("Power supplies of the scanners age")
    _send(page, "problem")
    expect(page.locator(".known")).to_contain_text("Power supplies of the scanners age")
    _open(page, "link")
    page.locator("#link input[name=to]").fill(twin)
    _send(page, "link")
    expect(page.locator("#related")).to_contain_text(twin)
    walk.picture(page, "desk-11-worked-on")

    page.goto(f"{desk.url}/tickets/{twin}")
    _open(page, "merge")
    page.locator("#merge input[name=into]").fill(number)
    _send(page, "merge")
    page.wait_for_url(f"{desk.url}/tickets/{number}")
    expect(page.locator("#related")).to_contain_text(f"Went into this one: {twin}")
    page.locator("#related").get_by_role("button", name="Undo the merge").click()
    expect(page.locator("#related")).not_to_contain_text("Went into this one")
    page.context.close()
    assert _serious(desk) == []


def test_no_page_complains_or_is_wider_than_a_phone(desk: Desk, browser: Browser) -> None:
    """From page to page by their links, as the role that sees most."""
    desk.complaints.clear()
    page = walk.open_page(browser, desk, DESKTOP)
    walk.enrol(page, desk, "grace")
    waiting, seen = ["/"], {"/"}
    wide: list[str] = []
    for path in waiting:
        before = len(desk.complaints)
        answer = page.goto(f"{desk.url}{path}")
        assert answer is not None
        assert answer.status == 200, path
        desk.complaints[before:] = [f"{path}: {one}" for one in desk.complaints[before:]]
        found = page.eval_on_selector_all("a[href]", "links => links.map((one) => one.getAttribute('href'))")
        for link in found:
            to = urlsplit(link)
            kind = OF_A_KIND.sub("ONE", to.path)
            if to.netloc or not to.path.startswith("/") or NO_PAGES.search(to.path) or kind in seen:
                continue
            if len(waiting) < PAGES_MAX:
                seen.add(kind)
                waiting.append(to.path)
        page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
        if page.evaluate("document.documentElement.scrollWidth") > PHONE[0]:
            wide.append(path)
        page.set_viewport_size({"width": DESKTOP[0], "height": DESKTOP[1]})
    page.context.close()
    assert {"/tickets/ONE", "/sites/shanghai-1", "/customers", "/oncall", "/admin"} <= seen
    assert desk.complaints == []
    assert wide == []


def _open(page: Page, dialog: str) -> None:
    walk.open_more(page)
    page.locator(f".ticket-acts .menu-box [data-opens={dialog}]").click()


def _send(page: Page, dialog: str) -> None:
    page.locator(f"#{dialog} button[type=submit]").click()
    expect(page.locator(f"#{dialog}")).to_be_hidden()


def _serious(desk: Desk) -> list[str]:
    """What browsers complained of, but for answers that the test asked for."""
    return [one for one in desk.complaints if "the server responded with a status of 40" not in one]
