"""A desk to walk through in a real browser: a collector and a site as processes, accounts, and pages that remember what
went wrong in them.

Pictures of each step are kept in build/screenshots, so that somebody can look at what the test saw.
"""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pyotp
import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

from sitewarden_collector.demo.stage import Stage
from sitewarden_collector.services import accounts, passwords
from sitewarden_collector.services.desk import reporting
from sitewarden_collector.store import sites
from sitewarden_collector.store.engine import Database

CHROMIUM = "/usr/bin/chromium"
FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
)
PICTURES = Path(__file__).parents[2] / "build" / "screenshots"
PASSWORD = "correct horse battery staple"
AGENT = """
[[logs]]
name = "shop"
paths = ["{folder}/shop/*.log"]
from = "start"

[health]
interval_s = 1.0
"""
DESKTOP = (1440, 900)
PHONE = (390, 844)


def needs_browser() -> None:
    if not Path(CHROMIUM).exists():
        pytest.skip("needs: chromium (Debian: apt-get install chromium fonts-noto-cjk)")


@dataclass
class Desk:
    """One collector with one site. `fail` has the site's product write an error, which becomes a ticket."""

    stage: Stage
    log: Path
    complaints: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.stage.http_port}"

    def account(self, name: str, role: str, *, customer: str = "") -> None:
        with closing(Database(f"sqlite:///{self.stage.folder / 'collector' / 'collector.db'}")) as db:
            kept = passwords.make_hash(PASSWORD)
            db.write_now(
                accounts.add, name, role=role, customer=customer, password_hash=kept, by="test", now_ns=time.time_ns()
            )

    def report(self, site: str, customer: str, title: str) -> str:
        """A ticket of a customer's site, which is made where it is new; its number."""
        with closing(Database(f"sqlite:///{self.stage.folder / 'collector' / 'collector.db'}")) as db:
            if db.read_now(sites.find, site) is None:
                owner = db.write_now(sites.ensure_customer, customer, now_ns=time.time_ns())
                db.write_now(sites.add, site, customer_id=owner, now_ns=time.time_ns())
            return db.write_now(reporting.report, site, title, by="ada", now_ns=time.time_ns()).number

    def fail(self, words: str) -> None:
        with self.log.open("a") as log:
            stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime())
            log.write(f"{stamp}Z ERROR [shop.payment] {words}\n")


@contextmanager
def desk(folder: Path) -> Iterator[Desk]:
    """A desk from start to stop."""
    (folder / "shop").mkdir(parents=True)
    log = folder / "shop" / "app.log"
    log.write_text("")
    stage = Stage(folder, agent_toml=AGENT.format(folder=folder))
    try:
        stage.open()
        yield Desk(stage, log)
    finally:
        stage.close()


@contextmanager
def browser() -> Iterator[Browser]:
    with sync_playwright() as driver:
        made = driver.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        try:
            yield made
        finally:
            made.close()


def open_page(made: Browser, at: Desk, size: tuple[int, int], *, theme: str = "light") -> Page:
    """A window of its own, signed in by nobody. What its scripts complain of is kept."""
    context = made.new_context(
        viewport={"width": size[0], "height": size[1]},
        color_scheme="dark" if theme == "dark" else "light",
        locale="en-GB",
        timezone_id="Asia/Shanghai",
    )
    page = context.new_page()
    page.set_default_timeout(20_000)

    def complained(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            at.complaints.append(message.text)

    page.on("console", complained)
    page.on("pageerror", lambda error: at.complaints.append(str(error)))
    return page


def sign_in(page: Page, at: Desk, name: str) -> None:
    give_password(page, at, name)
    page.wait_for_url(f"{at.url}/")


def give_password(page: Page, at: Desk, name: str) -> None:
    """The first half of signing in."""
    page.goto(f"{at.url}/signin")
    page.fill("input[name=name]", name)
    page.fill("input[name=password]", PASSWORD)
    page.click("button:has-text('Sign in')")


def enrol(page: Page, at: Desk, name: str) -> pyotp.TOTP:
    """Sign in as somebody whose role must have a second factor and set it up, as the app on a phone would."""
    give_password(page, at, name)
    page.wait_for_url(re.compile("/signin/enrol"))
    app = pyotp.TOTP(page.locator("code").first.inner_text().replace(" ", ""))
    page.fill("input[name=code]", app.now())
    page.click("button:has-text('Go on')")
    page.click("a:has-text('I have kept them')")
    page.wait_for_url(f"{at.url}/")
    return app


def give_code(page: Page, code: str) -> None:
    """The second half of signing in."""
    page.wait_for_url(re.compile("/signin/code"))
    page.fill("input[name=code]", code)
    page.click("button:has-text('Go on')")


def open_more(page: Page) -> None:
    """Open what else can be done to a ticket. News that come between press and release take the click with them, as
    they put another button in its place: then it is pressed again, as somebody at the desk would."""
    menu = page.locator(".ticket-acts details.menu")
    for _ in range(3):
        if menu.get_attribute("open") is None:
            menu.locator("summary").click()
        with suppress(AssertionError):
            expect(menu).to_have_attribute("open", "", timeout=2000)
            return
    raise AssertionError("the menu did not open")


def picture(page: Page, name: str) -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=PICTURES / f"{name}.png")


def forget_pictures() -> None:
    shutil.rmtree(PICTURES, ignore_errors=True)
