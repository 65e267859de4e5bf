"""The same fault has the same fingerprint everywhere, and different faults have different ones."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sitewarden_alerting import fingerprint
from sitewarden_alerting.fingerprint import masks, stacks

MASKED = {
    "connection from 10.0.0.1:5070 lost": "connection from <*> lost",
    "connection from fe80::1%eth0 lost": "connection from <*> lost",
    "host db-3.acme.example.com:5432 is away": "host <*> is away",
    "block blk_-123 received": "block blk_<*> received",
    "order 7f1c2d3e-0000-4000-8000-123456789abc is late": "order <*> is late",
    "device 00:0d:60:e9:23:6a joined": "device <*> joined",
    "wrote /var/lib/shop/a.db in 3.5 ms": "wrote <*> in <*>",
    r"wrote C:\Shop\a.db slowly": "wrote <*> slowly",
    "see https://a.example/b?c=1 now": "see <*> now",
    "mail to ann@example.org bounced": "mail to <*> bounced",
    "sent 4186 bytes (4.08 KB) of it": "sent <*> of it",
    "sent 512 bytes of it": "sent <*> of it",
    "disk is 93% full": "disk is <*> full",
    "since Sat Jul 16 08:14:04 2005 waiting": "since <*> waiting",
    "since 2026-03-05 10:00:00.123 waiting": "since <*> waiting",
    "uid=0 tty=ssh rhost= user=root": "uid=<*> tty=<*> rhost=<*> user=<*>",
    'reason="two words here" code=7': "reason=<*> code=<*>",
    "user alice logged in": "user <*> logged in",
    "for user bob from 10.0.0.1": "for user <*> from <*>",
    "user unknown": "user unknown",
    'relation "orders" is gone': "relation <*> is gone",
    "state is now 'Inactive'": "state is now 'Inactive'",
    "Failed password for invalid user web01 from 1.2.3.4 port 22 ssh2": (
        "Failed password for invalid user <*> from <*> port <*> ssh<*>"
    ),
    '"GET /a/b?c=d HTTP/1.1" status: 200': '"GET <*> HTTP/<*>" status: <*>',
    "nodes node-1 node-2 node-3 are down": "nodes <*> are down",
    "at 0x7fff5fbff8c8 in thread": "at <*> in thread",
    "hash a489c868f0c37da93b76227c91bb03908ac0e742 differs": "hash <*> differs",
    "pool-3-thread-12 stopped": "<*> stopped",
    "login of <user:0123456789abcdef> from <ip:fedcba9876543210>:22": "login of <*> from <*>",
    "no digits, no change": "no digits, no change",
    "statement: select * from orders where id = 7": "statement: <*>",
    "status installed libc6:amd64 2.36-9+deb12u7": "status installed <*>",
    "configure libfoo-dev:all 1.2-3 <none>": "configure <*>",
    "Received DISCONNECT from bob17": "Received DISCONNECT from <*>",
    "New client connected as pub3x (p2, c1)": "New client connected as <*> (p<*>, c<*>)",
    "queue orders-eu is away": "queue <*> is away",
    "volume data_main: mounted": "volume <*>: mounted",
    "no answer from [shard_A7] yet": "no answer from <*> yet",
    "short name (web12) unknown": "short name (<*>) unknown",
    "query[AAAA] a.example.com from 10.0.0.1": "query[<*>] <*> from <*>",
    "query: a.example.com IN AAAA +E(0)K (10.0.0.1)": "query: <*> IN <*> (<*>)",
    "(anna) CMD (/bin/true)": "(<*>) CMD (<*>)",
    "pool moved, size: 3, owner: shop, from: eu": "pool moved, size: <*>, owner: <*>, from: <*>",
    "auth(bob,10.0.0.1,<Uz+yfPRgDI8AAAB>): request finished": "auth(<*>): request finished",
    "login: user=<bob>, session=<a/b+c>": "login: user=<*>, session=<*>",
    "delivery to Ann <ann@example.org> deferred": "delivery to <*> deferred",
    "empty zone: HOME.ARPA": "empty zone: <*>",
    "Permission to reload NOT given to user NOT in sudoers": "Permission to reload NOT given to user NOT in sudoers",
}


@pytest.mark.parametrize(("line", "template"), MASKED.items(), ids=MASKED)
def test_what_varies_is_masked_and_words_are_kept(line: str, template: str) -> None:
    assert masks.template(line) == template


def test_masking_a_template_changes_nothing_further() -> None:
    for line in MASKED:
        once = masks.template(line)
        assert masks.template(once) == once


SAME = [
    (
        "order 7 of ann@example.org failed on db-1.acme.example",
        "order 99 of bob@example.com failed on db-22.globex.example",
    ),
    ("copied 3 bytes in 2 ms", "copied 3999 MB in 2.5 s"),
    ("connection from 10.0.0.1 (host.example.com)", "connection from 10.0.0.2 ()"),
    ("login of <user:0123456789abcdef> failed", "login of <user:aaaabbbbccccdddd> failed"),
    ('"GET /a HTTP/1.1" 502 612 "-" "curl"', '"GET /b HTTP/1.1" 503 10 "-" "wget"'),
    ("release 2.4.1 of the shop starts", "release 2.5.0-rc1 of the shop starts"),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_the_same_fault_has_the_same_id_for_other_hosts_users_and_releases(one: str, other: str) -> None:
    assert fingerprint.of(one).id == fingerprint.of(other).id


DIFFERENT = [
    ("connection to database lost", "connection to database opened"),
    ("service is now 'up'", "service is now 'down'"),
    ('"GET /a HTTP/1.1" took long', '"POST /a HTTP/1.1" took long'),
    ("java.io.IOException: refused by the peer", "java.io.EOFException: refused by the peer"),
    ("disk is full", "disk is empty"),
    ("link eth0 changed state=up speed=1000", "link eth0 changed state=down speed=1000"),
    ('"GET /a HTTP/1.1" 200 612 "-" "curl"', '"GET /a HTTP/1.1" 503 612 "-" "curl"'),
    ("request 7 failed err=ECONNREFUSED", "request 8 failed err=ETIMEDOUT"),
    ("query 7 failed: ORA-00942: no table", "query 7 failed: ORA-01017: no table"),
    ("query failed: SQLSTATE[42S02]: 1146", "query failed: SQLSTATE[HY000]: 1146"),
    ("node web_1 is lost: node not_ready", "node web_1 is lost: node out-of-memory"),
    ("device write_failed on sda1", "device read_failed on sda1"),
    ("wake[enabled] of the adapter", "wake[disabled] of the adapter"),
    ("sync ended, size: 3, reason: timeout", "sync ended, size: 3, reason: refused"),
    ("failed in main.c:12 of the server", "failed in store.c:12 of the server"),
    ("call of main.c:12 failed", "call of store.c:12 failed"),
]


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_different_faults_have_different_ids(one: str, other: str) -> None:
    assert fingerprint.of(one).id != fingerprint.of(other).id


def test_the_component_counts_only_where_the_message_tells_too_little() -> None:
    assert fingerprint.of("started", component="a.Shop").id != fingerprint.of("started", component="b.Mail").id
    long = "the connection to the database was lost"
    assert fingerprint.of(long, component="a.Shop").id == fingerprint.of(long, component="b.Mail").id


def test_an_id_names_the_version_of_its_algorithm() -> None:
    version, _, digest = fingerprint.of("disk is full").id.partition(":")
    assert version == fingerprint.VERSION
    assert len(digest) == 16
    assert int(digest, 16) >= 0


def test_ids_of_this_version_stay_what_they_are() -> None:
    # Tickets and known errors hang on these ids: when one changes, raise VERSION and ship an alias map.
    assert fingerprint.of("disk is full").id == "f1:58e184849ae86395"
    assert fingerprint.of(JAVA).id == "f1:0ffccdcd06096754"


def test_an_id_of_this_version_is_current() -> None:
    assert fingerprint.current("f1:0123456789abcdef") == "f1:0123456789abcdef"


JAVA = """order 7 is not paid
com.acme.PaymentException: payment 5007 failed
\tat com.acme.Orders.pay(Orders.java:12)
\tat com.acme.Orders$$Lambda$14/0x00007f.run(Unknown Source)
\tat java.base/java.util.concurrent.FutureTask.run(FutureTask.java:264)
Caused by: java.net.ConnectException: Connection refused
\tat java.base/sun.nio.ch.Net.pollConnect(Native Method)
\tat com.acme.Net.open(Net.java:9)
\t... 8 more"""
PYTHON = """order 7 is not saved
Traceback (most recent call last):
  File "/srv/shop-2.4/store.py", line 13, in save
    self.db.execute("insert", (1,))
  File "/usr/lib/python3.11/site-packages/db/core.py", line 3, in execute
    raise IntegrityError
db.IntegrityError: UNIQUE constraint failed

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "/srv/shop-2.4/shop.py", line 17, in order
    store.save(1, "ann")
RuntimeError: could not save order 1"""
TRACES = {
    "java": (JAVA, ("com.acme.PaymentException", "java.net.ConnectException"), ("com.acme.Net.open",)),
    "python": (PYTHON, ("db.IntegrityError", "RuntimeError"), ("store.save",)),
    "node": (
        "not paid\nTypeError: x is undefined\n    at total (/srv/shop/shop.js:8:29)\n"
        "    at Timeout._onTimeout (/srv/shop/shop.js:22:36)\n    at listOnTimeout (node:internal/timers:581:17)",
        ("TypeError",),
        ("shop.total", "shop.Timeout._onTimeout"),
    ),
    "dotnet": (
        "Unhandled exception. System.InvalidOperationException: not paid\n"
        "   at System.Linq.Enumerable.First(IEnumerable`1 source)\n"
        "   at Shop.Orders.<Pay>d__3.MoveNext() in /srv/shop/Orders.cs:line 3",
        ("System.InvalidOperationException",),
        ("Shop.Orders.Pay",),
    ),
    "go": (
        "panic: runtime error: index out of range [5] with length 3\n\ngoroutine 1 [running]:\n"
        "main.order(0x5, {0xc000012345, 0x2})\n\t/srv/shop/main.go:8 +0x1d\nmain.main()\n\t/srv/shop/main.go:3 +0x1d",
        ("panic",),
        ("main.order", "main.main"),
    ),
    "ruby": (
        "/srv/shop/order.rb:2:in `pay': refused (RuntimeError)\n\tfrom /srv/shop/order.rb:5:in `block in run'\n"
        "\tfrom /usr/lib/ruby/3.1.0/set.rb:9:in `each'",
        ("RuntimeError",),
        ("order.pay", "order.run"),
    ),
    "php": (
        "PHP Fatal error:  Uncaught RuntimeException: refused in /srv/shop/order.php:3\nStack trace:\n"
        "#0 /srv/shop/order.php(7): pay()\n#1 {main}\n  thrown in /srv/shop/order.php on line 3",
        ("RuntimeException",),
        ("order.pay",),
    ),
    "rust": (
        "thread 'main' panicked at src/main.rs:2:5:\nindex out of bounds\nstack backtrace:\n   0: rust_begin_unwind\n"
        "   1: core::panicking::panic_fmt\n   2: shop::order::h0123456789abcdef\n             at ./src/main.rs:2:5",
        ("thread 'main' panicked",),
        ("shop::order",),
    ),
}


@pytest.mark.parametrize(("record", "types", "frames"), TRACES.values(), ids=TRACES)
def test_a_trace_is_known_by_its_exceptions_and_own_frames(
    record: str, types: tuple[str, ...], frames: tuple[str, ...]
) -> None:
    stack = stacks.read(record.split("\n"))
    assert stack is not None
    assert (stack.types, stack.frames) == (types, frames)


def test_a_record_without_a_trace_has_none() -> None:
    assert stacks.read(["order 7 is not paid", "  because: the gateway said no"]) is None


def test_line_numbers_releases_and_generated_names_do_not_change_the_id() -> None:
    other = (
        JAVA.replace(":12)", ":99)").replace("Lambda$14/0x00007f", "Lambda$77/0x0000ab").replace("order 7", "order 8")
    )
    assert fingerprint.of(other).id == fingerprint.of(JAVA).id
    assert fingerprint.of(PYTHON.replace("2.4", "2.5").replace("line 13", "line 14")).id == fingerprint.of(PYTHON).id


def test_another_exception_or_another_place_changes_the_id() -> None:
    assert fingerprint.of(JAVA.replace("ConnectException", "BindException")).id != fingerprint.of(JAVA).id
    assert fingerprint.of(JAVA.replace("Net.open", "Net.close")).id != fingerprint.of(JAVA).id
    assert fingerprint.of(PYTHON.replace("in save", "in load")).id != fingerprint.of(PYTHON).id


def test_an_indented_block_that_is_no_trace_does_not_change_the_id() -> None:
    one = fingerprint.of("the request could not be served\n  header: a\n  body: 1")
    assert one.id == fingerprint.of("the request could not be served\n  header: b").id


@given(st.text(max_size=300))
def test_no_text_makes_it_fail(text: str) -> None:
    found = fingerprint.of(text, component=text[:20])
    assert found.id.startswith(f"{fingerprint.VERSION}:")
    assert fingerprint.of(text, component=text[:20]) == found


@given(st.integers(0, 10**12), st.integers(0, 10**12))
def test_numbers_never_change_the_id(one: int, other: int) -> None:
    assert (
        fingerprint.of(f"order {one} is late by {one} s").id == fingerprint.of(f"order {other} is late by {other} s").id
    )


def test_each_unit_that_systemd_speaks_of_is_a_fault_of_its_own_and_its_instances_are_one() -> None:
    def failed(unit: str) -> str:
        return fingerprint.of(f"{unit}: Failed with result 'exit-code'.").id

    assert failed("nginx.service") != failed("postgresql.service")
    assert failed("user@1000.service") == failed("user@1001.service")
    assert failed("run-r8f3a2b9cdeadbeef0.service") == failed("run-r0123456789abcdef.service")
    assert (
        fingerprint.of("Job nginx.service/start failed.").id == fingerprint.of("Job exim4.service/start failed.").id
    ), "not what is spoken of"
