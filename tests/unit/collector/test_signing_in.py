"""Signing in, step by step, as a browser does it."""

from __future__ import annotations

import logging
import re

import httpx
import pyotp
import pytest

from sitewarden_collector.config import Config, Console, SignIn
from sitewarden_collector.console import app as console_app
from sitewarden_collector.services import accounts as accounting
from sitewarden_collector.services import passwords, second_factor, signing_in
from sitewarden_collector.services.secrets import opened
from sitewarden_collector.store import accounts, audit, web_sessions
from sitewarden_collector.store.engine import Database
from tests.cast import NOON, SECOND, FakeClock
from tests.desk import SECRET, make_context, signed_in

GOOD = "seven green herons at noon"
HASH = passwords.make_hash(GOOD)


def browser(db: Database, clock: FakeClock | None = None, *, config: Config | None = None) -> httpx.AsyncClient:
    chosen = config or Config(sign_in=SignIn(second_factor_roles=("admin",)))
    app = console_app.make(make_context(db, config=chosen, now_ns=(clock or FakeClock()).now_ns))
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://desk", headers={"Accept": "text/html"}
    )


def enter(db: Database, name: str = "ada", role: str = "engineer", **more: object) -> accounts.Account:
    return db.write_now(
        accounting.add,
        name,
        role=role,
        password_hash=HASH,
        by="test",
        now_ns=NOON,
        **more,  # type: ignore[arg-type]
    )


def token_in(page: httpx.Response) -> str:
    return str(re.findall(r'name="csrf_token" value="([0-9a-f]+)"', page.text)[0])


async def send(client: httpx.AsyncClient, path: str, **fields: str) -> httpx.Response:
    page = await client.get(path)
    return await client.post(path, data={"csrf_token": token_in(page)} | fields)


def enrolled(db: Database, account: accounts.Account, *, at_ns: int = NOON) -> tuple[str, tuple[str, ...]]:
    """The secret of a second factor that the account has, and its recovery codes."""
    offered = second_factor.offer(SECRET, account)
    secret = second_factor.secret_of(SECRET, account, offered)
    code = pyotp.TOTP(secret).at(at_ns // SECOND)
    return secret, db.write_now(second_factor.confirm, SECRET, account.id, offered, code, now_ns=at_ns)


async def test_the_right_password_opens_the_console(db: Database) -> None:
    enter(db)
    async with browser(db) as client:
        answer = await send(client, "/signin?next=/sites", name="Ada", password=GOOD)
        assert (answer.status_code, answer.headers["location"]) == (303, "/sites")
        cookie = answer.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=lax" in cookie
        assert (await client.get("/account")).status_code == 200


async def test_over_https_the_cookie_is_secure_and_of_this_host_alone(db: Database) -> None:
    enter(db)
    config = Config()
    async with browser(db, config=config) as plain:
        client = httpx.AsyncClient(transport=plain._transport, base_url="https://desk")
        answer = await send(client, "/signin", name="ada", password=GOOD)
    assert "__Host-sitewarden=" in answer.headers["set-cookie"]
    assert "Secure" in answer.headers["set-cookie"]
    assert "max-age" in answer.headers["strict-transport-security"]


async def test_nobody_is_sent_to_another_site_after_signing_in(db: Database) -> None:
    enter(db)
    for there in ("//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)"):
        async with browser(db) as client:
            page = await client.get("/signin", params={"next": there})
            fields = {"csrf_token": token_in(page), "name": "ada", "password": GOOD}
            answer = await client.post("/signin", params={"next": there}, data=fields)
            assert answer.headers["location"] == "/", there


async def test_a_wrong_password_and_a_name_that_is_not_there_are_answered_alike(db: Database) -> None:
    enter(db)
    async with browser(db) as client:
        wrong = await send(client, "/signin", name="ada", password="wrong")
        nobody = await send(client, "/signin", name="eve", password="wrong")
    strip = re.compile(r'value="(ada|eve)"|value="[0-9a-f]{64}"|content="[0-9a-f]{64}"')
    assert wrong.status_code == nobody.status_code == 401
    assert strip.sub("", wrong.text) == strip.sub("", nobody.text)


async def test_after_six_attempts_even_the_right_password_waits_and_then_works(db: Database) -> None:
    enter(db)
    clock = FakeClock()
    async with browser(db, clock) as client:
        answers = [await send(client, "/signin", name="ada", password="wrong") for _ in range(6)]
        assert {answer.status_code for answer in answers} == {401}
        refused = await send(client, "/signin", name="ada", password=GOOD)
        assert refused.status_code == 429
        clock.now += 31 * SECOND
        assert (await send(client, "/signin", name="ada", password=GOOD)).status_code == 303


async def test_one_address_may_not_try_many_names(db: Database) -> None:
    def tries(tx: object) -> None:
        for number in range(signing_in.OF_ADDRESS + 1):
            signing_in.attempt(tx, f"name-{number}", "10.0.0.1", now_ns=NOON)  # type: ignore[arg-type]

    with pytest.raises(signing_in.TooOften):
        db.write_now(tries)


async def test_a_form_of_another_site_signs_nobody_in(db: Database) -> None:
    enter(db)
    async with browser(db) as client:
        answer = await client.post("/signin", data={"name": "ada", "password": GOOD})
    assert answer.status_code == 403


async def test_with_a_second_factor_the_password_alone_opens_nothing(db: Database) -> None:
    secret, _codes = enrolled(db, enter(db))
    clock = FakeClock(NOON + 60 * SECOND)
    async with browser(db, clock) as client:
        answer = await send(client, "/signin", name="ada", password=GOOD)
        assert answer.headers["location"] == "/signin/code"
        assert (await client.get("/account")).status_code == 303
        before = client.cookies["sitewarden"]
        code = pyotp.TOTP(secret).at(clock.now // SECOND)
        wrong = await send(client, "/signin/code", code="000000" if code != "000000" else "111111")
        assert wrong.status_code == 401
        assert (await send(client, "/signin/code", code=code)).status_code == 303
        assert client.cookies["sitewarden"] != before
        assert (await client.get("/account")).status_code == 200
    async with browser(db, clock) as other:
        await send(other, "/signin", name="ada", password=GOOD)
        assert (await send(other, "/signin/code", code=code)).status_code == 401  # each code is taken once


def test_a_code_may_be_a_step_late_or_early_and_no_more(db: Database) -> None:
    account = enter(db)
    secret, _codes = enrolled(db, account)
    at = NOON + 3600 * SECOND
    for drift, taken in ((-60, False), (60, False), (-30, True), (30, True), (0, False)):
        code = pyotp.TOTP(secret).at(at // SECOND + drift)
        assert db.write_now(second_factor.take, SECRET, account.id, code, now_ns=at) is taken, drift


def test_a_recovery_code_works_once(db: Database) -> None:
    account = enter(db)
    _secret, codes = enrolled(db, account)
    assert db.write_now(second_factor.take, SECRET, account.id, codes[3].upper(), now_ns=NOON)
    assert not db.write_now(second_factor.take, SECRET, account.id, codes[3], now_ns=NOON)
    assert len(db.read_now(accounts.by_name, "ada").recovery) == 9


async def test_a_role_that_must_have_a_second_factor_sets_one_up_before_anything_else(db: Database) -> None:
    enter(db, "root", "admin")
    async with browser(db) as client:
        answer = await send(client, "/signin", name="root", password=GOOD)
        assert answer.headers["location"] == "/signin/enrol"
        page = await client.get("/signin/enrol")
        assert "<svg" in page.text
        offered = re.findall(r'name="offered" value="([^"]+)"', page.text)[0]
        secret = opened(SECRET, offered).split()[1]
        fields = {"csrf_token": token_in(page), "offered": offered, "code": pyotp.TOTP(secret).at(NOON // SECOND)}
        codes = await client.post("/signin/enrol", data=fields)
        assert len(re.findall(r"<li><code>", codes.text)) == 10
        assert (await client.get("/account")).status_code == 200


async def test_a_one_time_link_sets_a_password_once(db: Database) -> None:
    enter(db)
    link = db.write_now(accounting.make_reset, "ada", by="root", now_ns=NOON)
    async with browser(db) as client:
        fields = {"password": "quiet rivers run deep", "again": "quiet rivers run deep"}
        short = await send(client, f"/signin/reset/{link}", password="short", again="short")
        assert short.status_code == 422
        assert (await send(client, f"/signin/reset/{link}", **fields)).status_code == 303
        assert (await client.get(f"/signin/reset/{link}")).status_code == 404
        assert (await send(client, "/signin", name="ada", password=GOOD)).status_code == 401
        assert (await send(client, "/signin", name="ada", password=fields["password"])).status_code == 303


async def test_changing_the_password_signs_out_everywhere_else(db: Database) -> None:
    account = enter(db)
    elsewhere = signed_in(db, name="ada")
    async with browser(db) as client:
        await send(client, "/signin", name="ada", password=GOOD)
        page = await client.get("/account")
        fields = {"csrf_token": token_in(page), "old": GOOD, "password": "quiet rivers run deep"}
        answer = await client.post("/account/password", data=fields | {"again": fields["password"]})
        assert answer.status_code == 303
        assert (await client.get("/account")).status_code == 200
    async with browser(db) as other:
        assert (await other.get("/account", headers=elsewhere)).status_code == 303
    assert len(db.read_now(web_sessions.of_account, account.id)) == 1


async def test_who_signs_out_is_out(db: Database) -> None:
    headers = signed_in(db, "engineer")
    async with browser(db) as client:
        assert (await client.post("/signout", headers=headers)).status_code == 303
        assert (await client.get("/account", headers=headers)).status_code == 303


async def test_with_a_public_url_other_hosts_are_not_served(db: Database) -> None:
    config = Config(console=Console(public_url="https://desk.example.com"))
    async with browser(db, config=config) as client:
        assert (await client.get("/signin", headers={"Host": "evil.example"})).status_code == 421
        assert (await client.get("/signin", headers={"Host": "desk.example.com"})).status_code == 200


async def test_a_body_that_is_too_large_is_not_read(db: Database) -> None:
    async with browser(db) as client:
        assert (await client.post("/signin", content=b"x" * 300_000)).status_code == 413


async def test_no_page_allows_scripts_or_styles_in_it_nor_frames(db: Database) -> None:
    async with browser(db) as client:
        page = await client.get("/signin")
    policy = page.headers["content-security-policy"]
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert page.headers["x-content-type-options"] == "nosniff"
    assert "camera=()" in page.headers["permissions-policy"]
    assert not re.search(r"<script(?![^>]*src)|<style|\sstyle=|\son[a-z]+=", page.text)


async def test_no_secret_is_in_any_log(db: Database, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    account = enter(db)
    secret, codes = enrolled(db, account)
    link = db.write_now(accounting.make_reset, "ada", by="root", now_ns=NOON)
    db.write_now(accounting.set_password, account.id, HASH, by="root", now_ns=NOON)
    clock = FakeClock(NOON + 60 * SECOND)
    code = pyotp.TOTP(secret).at(clock.now // SECOND)
    async with browser(db, clock) as client:
        await client.get(f"/signin/reset/{link}")
        await send(client, "/signin", name="ada", password="not-the-password")
        await send(client, "/signin", name="ada", password=GOOD)
        await send(client, "/signin/code", code=code)
        cookie = client.cookies["sitewarden"]
    ours = "\n".join(f"{one.getMessage()} {one.__dict__}" for one in caplog.records if one.name != "httpx")
    for secret_text in (GOOD, "not-the-password", secret, *codes, cookie, HASH, account.password_hash):
        assert secret_text not in ours
    for row in db.read_now(audit.some):
        assert not any(one in f"{row.who} {row.what} {row.data}" for one in (GOOD, secret, cookie, link, *codes))


@pytest.mark.parametrize(
    "password", ["short", "password1234!", "123456789012", "aaaaaaaaaaaaaa", "ada-lovelace-1", "Changeme2026!"]
)
def test_passwords_that_are_tried_first_are_refused(password: str) -> None:
    with pytest.raises(Exception, match="password"):
        passwords.check(password, name="Ada Lovelace", shortest=12)


@pytest.mark.parametrize("password", [GOOD, "六只绿色苍鹭正午飞过河面啊啊", "x8#kQ0pL!vR2mN"])
def test_passwords_of_any_characters_are_fine(password: str) -> None:
    passwords.check(password, name="ada", shortest=12)
