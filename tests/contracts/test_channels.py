"""Every channel, the fake included, keeps the promises of `channels.base`."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from sitewarden_collector.channels import open_channel
from sitewarden_collector.channels.base import Channel, Notice
from sitewarden_collector.channels.bots import BotChannel
from sitewarden_collector.channels.terminal import StdoutChannel
from sitewarden_collector.errors import ChannelRejected, ChannelUnavailable, ConfigError
from tests.fakes.channels import FakeChannel
from tests.fakes.mail import MailService
from tests.fakes.web import WebService

SECRET = "hunter2secret"
NOTICE = Notice(
    id="01939f7e-0000-7000-8000-000000000001",
    kind="page",
    urgency="high",
    person="ada",
    subject="INC-1001 error at acme: 数据库连接失败",
    body="OrderService: cannot reach the database\nseen 3 times since 15:02 UTC",
    created_ns=1_764_000_000_000_000_000,
)


@dataclass(frozen=True, slots=True)
class Bench:
    """One channel with the service behind it. The two switches are None where a service cannot fail that way."""

    channel: Channel
    arrived: Callable[[], list[str]]
    stumble: Callable[[], None] | None
    refuse: Callable[[], None] | None


def _web_bench(stack: ExitStack, kind: str) -> Bench:
    web = stack.enter_context(WebService())
    bot_codes = {
        "dingtalk": (130101, 310000),
        "wecombot": (45009, 93000),
        "feishu": (11232, 19024),
        "lark": (11232, 19021),
    }
    key = "errcode" if kind in ("dingtalk", "wecombot") else "code"
    channel: Channel
    match kind:
        case "webhook":
            channel = open_channel("desk", f"webhook+http://sitewarden:{SECRET}@127.0.0.1:{web.port}/in?key={SECRET}")
        case "apprise":
            channel = open_channel("desk", f"json://sitewarden:{SECRET}@127.0.0.1:{web.port}/in")
        case "dingtalk":
            channel = BotChannel("desk", f"dingtalk://SEC{SECRET}@{SECRET * 4}", origin=web.origin)
        case "feishu" | "lark" | "wecombot":
            channel = BotChannel("desk", f"{kind}://{SECRET}", origin=web.origin)
        case _:
            raise AssertionError(kind)

    def answer(status: int, code: int) -> Callable[[], None]:
        def switch() -> None:
            web.status, web.answer = status, json.dumps({key: code, "errmsg": SECRET}).encode()

        return switch

    answer(200, 0)()
    if kind in bot_codes:  # these say no with status 200
        passing, lasting = bot_codes[kind]
        return Bench(channel, lambda: _texts(web), answer(200, passing), answer(200, lasting))
    return Bench(channel, lambda: _texts(web), answer(503, 0), answer(403, 0))


def _texts(web: WebService) -> list[str]:
    return [json.dumps(json.loads(request.body), ensure_ascii=False) for request in web.requests]


def _mail_bench(stack: ExitStack) -> Bench:
    mail = stack.enter_context(MailService())
    url = f"mailto://127.0.0.1:{mail.port}?from=sitewarden@example.com&to=ada@example.com"

    def reply(words: str) -> Callable[[], None]:
        return lambda: setattr(mail, "reply", words)

    def arrived() -> list[str]:
        return [f"{m['subject']}\n{m.get_content()}" for m in mail.messages]

    return Bench(open_channel("mail", url), arrived, reply("451 try later"), reply("550 no such person"))


def _fake_bench() -> Bench:
    fake = FakeChannel()
    return Bench(
        fake,
        lambda: [f"{n.subject} {n.id}" for n in fake.taken],
        lambda: fake.failures.append(ChannelUnavailable("busy")),
        lambda: fake.failures.append(ChannelRejected("no")),
    )


def _stdout_bench() -> Bench:
    screen = io.StringIO()
    return Bench(StdoutChannel("screen", stream=screen), lambda: [screen.getvalue()], screen.close, None)


@pytest.fixture(params=["fake", "stdout", "webhook", "apprise", "mail", "dingtalk", "wecombot", "feishu", "lark"])
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    with ExitStack() as stack:
        match request.param:
            case "fake":
                yield _fake_bench()
            case "stdout":
                yield _stdout_bench()
            case "mail":
                yield _mail_bench(stack)
            case kind:
                yield _web_bench(stack, kind)


def test_a_notice_arrives_with_its_subject(bench: Bench) -> None:
    assert bench.channel.send(NOTICE).detail
    [text] = bench.arrived()
    assert "INC-1001" in text
    assert "数据库连接失败" in text


def test_the_same_notice_may_be_sent_twice(bench: Bench) -> None:
    bench.channel.send(NOTICE)
    bench.channel.send(NOTICE)
    assert "".join(bench.arrived()).count("INC-1001") == 2


def test_a_receiver_can_tell_a_repeat_by_the_id(bench: Bench) -> None:
    if isinstance(bench.channel, StdoutChannel):
        return  # a person reads it
    bench.channel.send(NOTICE)
    assert NOTICE.id in bench.arrived()[0]


def test_what_may_pass_is_unavailable(bench: Bench) -> None:
    assert bench.stumble is not None
    bench.stumble()
    with pytest.raises(ChannelUnavailable):
        bench.channel.send(NOTICE)


def test_what_will_not_pass_is_rejected(bench: Bench) -> None:
    if bench.refuse is None:
        return  # a terminal refuses nothing
    bench.refuse()
    with pytest.raises(ChannelRejected):
        bench.channel.send(NOTICE)


class _Log(logging.Handler):
    """What a log of the collector would hold at its most talkative."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.text = ""

    def emit(self, record: logging.LogRecord) -> None:
        self.text += self.format(record) + "\n"


@pytest.fixture
def log() -> Iterator[_Log]:
    root, handler = logging.getLogger(), _Log()
    before = root.level
    root.setLevel(logging.DEBUG)
    root.addHandler(handler)
    yield handler
    root.removeHandler(handler)
    root.setLevel(before)


def test_no_error_and_no_log_line_holds_the_secret(bench: Bench, log: _Log) -> None:
    for fail in (bench.stumble, bench.refuse):
        if fail is not None:
            fail()
            with pytest.raises((ChannelUnavailable, ChannelRejected)) as told:
                bench.channel.send(NOTICE)
            assert SECRET not in str(told.value)
    assert SECRET not in log.text


@pytest.mark.parametrize(
    "url",
    [
        f"nosuchservice://{SECRET}",
        f"https://hooks.example/{SECRET}",
        f"webhook+https:///{SECRET}",
        f"slack://{SECRET}",
        "",
    ],
)
def test_a_url_that_cannot_be_used_is_refused_without_quoting_it(url: str) -> None:
    with pytest.raises(ConfigError, match="channel desk") as told:
        open_channel("desk", url)
    assert SECRET not in str(told.value)


def test_every_kind_of_channel_can_be_opened_from_its_url() -> None:
    assert open_channel("a", "stdout://").name == "a"
    assert open_channel("b", "log:").name == "b"
    assert open_channel("c", f"dingtalk://{SECRET * 4}").name == "c"
    for url in (
        "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ",
        "workflows://prod-1.example.com:443/workflow/signature",
        "twilio://AC" + "0" * 32 + ":" + "1" * 32 + "@15551230000/15551230001",
        "mailtos://ada:pass@mail.example.com?to=bob@example.com",
    ):
        assert open_channel("d", url).deadline_s > 0
