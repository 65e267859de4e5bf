"""A desk to walk through in a real browser: a collector and a site as processes, accounts, and pages that remember what
went wrong in them.

Pictures of each step are kept in build/screenshots, so that somebody can look at what the test saw.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

from sitewarden_collector.demo.stage import Stage
from sitewarden_collector.services import accounts, passwords
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
    page.goto(f"{at.url}/signin")
    page.fill("input[name=name]", name)
    page.fill("input[name=password]", PASSWORD)
    page.click("button:has-text('Sign in')")
    page.wait_for_url(f"{at.url}/")


def picture(page: Page, name: str) -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=PICTURES / f"{name}.png")


def forget_pictures() -> None:
    shutil.rmtree(PICTURES, ignore_errors=True)
