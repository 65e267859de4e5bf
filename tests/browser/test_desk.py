"""An engineer's night in a real browser, at a desk and on a phone: a ticket arrives, is worked on, is solved."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser import walk
from tests.browser.walk import DESKTOP, PHONE, Desk

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240), pytest.mark.xdist_group("browser")]


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    walk.needs_browser()
    with walk.desk(tmp_path_factory.mktemp("desk") / "stage") as made:
        made.account("ada", "engineer")
        yield made


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    walk.needs_browser()
    with walk.browser() as made:
        yield made


def _act(page: Page, name: str) -> None:
    """Press one of the ticket's actions."""
    page.locator(".ticket-acts").get_by_role("button", name=name, exact=True).click()


def _in_course(page: Page, text: str) -> None:
    expect(page.locator("#ticket-timeline")).to_contain_text(text)


@pytest.mark.parametrize(("size", "theme"), [(DESKTOP, "light"), (PHONE, "dark")], ids=["at-a-desk", "on-a-phone"])
def test_a_ticket_arrives_live_and_is_worked_on_until_it_is_solved(
    desk: Desk, browser: Browser, size: tuple[int, int], theme: str
) -> None:
    where = "desk" if size == DESKTOP else "phone"
    page = walk.open_page(browser, desk, size, theme=theme)
    walk.sign_in(page, desk, "ada")
    expect(page.locator("html")).to_have_attribute("data-live", "on")
    page.evaluate("window.same = true")
    walk.picture(page, f"{where}-1-board")

    desk.fail(f"payment gateway of the {where} refused the connection")
    row = page.locator("[data-ticket]", has_text=f"gateway of the {where}")
    expect(row).to_be_visible()
    expect(row).to_have_class(re.compile("row-new"))
    assert page.evaluate("window.same"), "the board was loaded anew"
    walk.picture(page, f"{where}-2-arrived")

    row.locator(".cell-title a").click()
    expect(page.locator(".ticket-title")).to_contain_text(f"gateway of the {where}")
    expect(page.locator("#evidence, .evidence").first).to_be_visible()
    _act(page, "Acknowledge")
    _in_course(page, "Acknowledged")
    walk.open_more(page)
    page.get_by_role("button", name="Assign to somebody").click()
    page.locator("#assign select[name=to]").select_option("ada")
    page.locator("#assign button[type=submit]").click()
    expect(page.locator(".ticket-where")).to_contain_text("ada")
    _act(page, "Start work")
    expect(page.locator(".ticket-marks")).to_contain_text("In progress")

    page.locator("#composer textarea").fill("the firewall was changed at noon")
    page.locator("#composer button[type=submit]").click()
    _in_course(page, "the firewall was changed at noon")
    page.locator("#composer label.to-customer").click()
    page.locator("#composer textarea").fill("We see it too and work on it.")
    walk.picture(page, f"{where}-3-to-the-customer")
    page.locator("#composer button[type=submit]").click()
    _in_course(page, "We see it too and work on it.")
    expect(page.locator("#composer textarea")).to_have_value("")

    page.locator("[data-opens=propose]").click()
    page.locator("#propose textarea").fill("Open port 443 to the new gateway.")
    walk.picture(page, f"{where}-4-proposal")
    page.locator("#propose button[type=submit]").click()
    expect(page.locator("#ticket-solution")).to_contain_text("Open port 443 to the new gateway.")
    page.locator("[data-opens=resolve]").click()
    page.locator("#resolve textarea").fill("Port 443 is open again.")
    page.locator("#resolve button[type=submit]").click()
    expect(page.locator(".ticket-marks")).to_contain_text("Resolved")
    walk.picture(page, f"{where}-5-solved")

    page.locator("details.menu > summary[aria-label=Account]").click()
    page.get_by_role("link", name="中文").click()
    expect(page.locator(".ticket-marks")).to_contain_text("已解决")
    page.goto(f"{desk.url}/")
    expect(page.locator("h1")).to_have_text("看板")
    walk.picture(page, f"{where}-6-chinese")
    page.goto(f"{desk.url}/?lang=en")
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0], "the page is wider than the screen"
    page.context.close()
    assert desk.complaints == []


def test_the_keyboard_alone_is_enough(desk: Desk, browser: Browser) -> None:
    desk.fail("the queue for the keyboard is full")
    page = walk.open_page(browser, desk, DESKTOP)
    walk.sign_in(page, desk, "ada")
    page.keyboard.press("?")
    expect(page.locator("#keys")).to_be_visible()
    walk.picture(page, "desk-7-keys")
    page.keyboard.press("Escape")
    page.keyboard.press("g")
    page.keyboard.press("t")
    page.wait_for_url(f"{desk.url}/tickets")
    expect(page.locator("html")).to_have_attribute("data-live", "on")  # its scripts are there now
    expect(page.locator("[data-row]").first).to_be_visible()
    page.keyboard.press("j")
    expect(page.locator(".row-at")).to_have_count(1)
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/tickets/INC-\d+"))
    page.context.close()


def test_two_windows_see_the_same(desk: Desk, browser: Browser) -> None:
    one, other = (walk.open_page(browser, desk, DESKTOP) for _ in range(2))
    for page in (one, other):
        walk.sign_in(page, desk, "ada")
    desk.fail("queue of the two windows is full")
    row = one.locator("[data-ticket]", has_text="two windows")
    expect(row).to_be_visible()
    href = row.locator(".cell-title a").get_attribute("href")
    for page in (one, other):
        page.goto(f"{desk.url}{href}")
        expect(page.locator("html")).to_have_attribute("data-live", "on")
    _act(one, "Acknowledge")
    _in_course(other, "Acknowledged")
    for page in (one, other):
        page.context.close()


def test_the_page_asks_no_other_host(desk: Desk, browser: Browser) -> None:
    page = walk.open_page(browser, desk, DESKTOP)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    walk.sign_in(page, desk, "ada")
    page.goto(f"{desk.url}/tickets")
    page.context.close()
    assert asked
    assert [url for url in asked if not url.startswith((desk.url, "data:"))] == []
