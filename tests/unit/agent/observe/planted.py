"""Secrets and the writings in which programs put them into logs, for the proof that none survives."""

from __future__ import annotations

import base64
import html
import json
import random
import string
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from sitewarden_alerting import reading
from sitewarden_alerting.reading import redact_rules
from tests.unit.alerting.samples_of import sample_of

NAMES = (
    *("password", "passwd", "db.password", "secret", "client_secret", "token", "access_token", "refresh_token"),
    *("api_key", "apikey", "X-Api-Key", "private_key", "secret_key", "access-key", "sessionid", "csrf_token"),
    *("passphrase", "credentials", "smtp_pass", "redis.pwd", "encryption_key", "signing-key", "auth_key", "otp"),
)
_TAKEN = 10
"""So many characters of a secret in one piece are too many."""


@dataclass(frozen=True, slots=True)
class Secret:
    """A value, and the name it stands under; without one its own shape tells it."""

    value: str
    name: str = ""

    @property
    def said(self) -> str:
        return f"{self.name}={self.value}" if self.name else self.value


@dataclass(frozen=True, slots=True)
class Planted:
    """A record, and what must not be seen of it: the secret as it is written there."""

    text: str
    needles: tuple[str, ...]

    @property
    def pieces(self) -> tuple[str, ...]:
        """Any of these shows that a part survived: the end of each needle, and the whole of a short one."""
        return tuple(needle[-_TAKEN:] for needle in self.needles)


def secrets(seed: int = 1) -> list[Secret]:
    """Passwords and tokens under names, Chinese and other numbers of persons, and tokens that show by their shape."""
    chance = random.Random(seed)
    found = [Secret(password(chance), name) for name in NAMES for _ in range(4)]
    ours = redact_rules.parse(Path(reading.__file__).with_name("secret_rules.toml").read_text(encoding="utf-8"))
    for rule in ours:
        if rule.name.startswith("cli-") or rule.entropy:
            continue  # these show by what stands around them, or not always
        whole, groups = sample_of(rule.pattern, chance)
        value = groups.get(rule.group, whole)
        if (
            not rule.group
            and len(value) >= 16
            and value.isascii()
            and not set(value) & set("\"'\\ \t\n<>&%|;,*:=/@$+{}")
        ):
            found.append(Secret(value))
    return found


def password(chance: random.Random) -> str:
    letters = string.ascii_letters + string.digits
    return "".join(chance.choice(letters) for _ in range(chance.randint(12, 28))) + chance.choice("7294")


def _b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _unicode(text: str) -> str:
    return "".join(rf"\u{ord(c):04x}" if c in "\"'={}:" else c for c in text)


def _pair(secret: Secret) -> str:
    name = secret.name or "value"
    return json.dumps({name: secret.value})


def _dump(text: str) -> str:
    raw = text.encode()
    return "\n".join(
        f"\t{at:08x}: {' '.join(raw[at + i : at + i + 2].hex() for i in range(0, len(raw[at : at + 16]), 2))}"
        for at in range(0, len(raw), 16)
    )


Writing = Callable[[Secret], tuple[str, tuple[str, ...]]]


def _plainly(form: str) -> Writing:
    return lambda s: (form.format(n=s.name or "value", v=s.value, s=s.said), (s.value,))


WRITINGS: dict[str, Writing] = {
    "plain": _plainly("ERROR cannot log in with {s}"),
    "in a sentence": _plainly("ERROR backend refused: {s}, trying again"),
    "JSON": lambda s: (json.dumps({"level": "error", "msg": "refused", "request": json.loads(_pair(s))}), (s.value,)),
    "JSON in JSON": lambda s: (json.dumps({"level": "error", "msg": f"body was {_pair(s)}"}), (s.value,)),
    "JSON in JSON in text": lambda s: (f"ERROR body was {json.dumps(json.dumps(_pair(s)))}", (s.value,)),
    "unicode escapes": lambda s: (f"ERROR body was {_unicode(_pair(s))}", (s.value,)),
    "URL-encoded": lambda s: (f"ERROR POST body {quote(s.said + '&x=1', safe='')} refused", (s.value,)),
    "URL-encoded twice": lambda s: (f"ERROR body {quote(quote(s.said + '&x=1', safe=''), safe='')}", (s.value,)),
    "query of a URL": _plainly("ERROR GET https://api.example.com/v1/login?{s}&page=2 gave 500"),
    "base64": lambda s: (f"ERROR payload {_b64(s.said)} refused", (_b64(s.said),)),
    "Basic": lambda s: (f"ERROR Authorization: Basic {_b64('ann:' + s.value)}", (_b64("ann:" + s.value),)),
    "base64 without a word": lambda s: (f"ERROR sent {_b64('ann:' + s.value)} to proxy", (_b64("ann:" + s.value),)),
    "quoted": _plainly("ERROR refused: {n}='{v}' given"),
    "stack trace": _plainly(
        "ERROR request failed\njava.lang.IllegalStateException: refused {s}\n\tat com.acme.Login.run(Login.java:12)"
    ),
    "several lines": _plainly("ERROR settings are wrong:\n  user: ann\n  {n}:\n    {v}\n  port: 1"),
    "YAML": _plainly('ERROR settings are wrong:\n  host: db\n  {n}: "{v}"\n  port: 1'),
    "XML": _plainly("ERROR request was <login><{n}>{v}</{n}></login>"),
    "XML attribute": _plainly('ERROR request was <login {n}="{v}" retry="1"/>'),
    "command line": _plainly("ERROR exited with 1: /usr/bin/tool --{n} {v} --verbose"),
    "command line with =": _plainly("ERROR exited with 1: /usr/bin/tool --{n}={v} --verbose"),
    "dump of the environment": _plainly("ERROR died, environment:\n  PATH=/bin\n  APP_{n}={v}\n  HOME=/root"),
    "upper case name": lambda s: (f"ERROR {s.name.upper() or 'VALUE'}={s.value}", (s.value,)),
    "header": _plainly("ERROR request had {n}: {v}\n  accept: */*"),
    "cookie": _plainly("ERROR request had Cookie: theme=dark; {n}={v}; lang=en"),
    "login in a URL": lambda s: (f"ERROR cannot reach amqp://ann:{s.value}@mq.example.com:5672/x", (s.value,)),
    "connection string": _plainly("ERROR cannot open Server=db;Database=x;Uid=ann;Pwd={v};{n}={v};Timeout=3"),
    "HTML": lambda s: (f"ERROR page was {html.escape(_pair(s))}", (s.value,)),
    "HTML numbers": lambda s: (f"ERROR page was {_pair(s).replace(chr(34), '&#34;')}", (s.value,)),
    "hexadecimal": lambda s: (f"ERROR packet {s.said.encode().hex()} refused", (s.said.encode().hex(),)),
    "hexadecimal with blanks": lambda s: (f"ERROR packet {s.said.encode().hex(' ')}", (s.said.encode().hex(" "),)),
    "dump": lambda s: (f"ERROR packet:\n{_dump(s.said)}", tuple(_dump(s.said).splitlines()[-2:-1])),
    "Python": _plainly("ERROR refused {{'{n}': '{v}', 'retry': True}}"),
    "Ruby": _plainly('ERROR refused {{"{n}"=>"{v}", "retry"=>true}}'),
    "logfmt": _plainly('level=error msg="refused" {n}={v} retry=1'),
    "escapes of C": lambda s: (f"ERROR body was {_pair(s).replace(chr(34), chr(92) + 'x22')}", (s.value,)),
    "Chinese": _plainly("ERROR 登录失败，密码：{v}，{n}={v}"),
}


def planted(found: list[Secret]) -> list[tuple[str, Planted]]:
    """Each secret in each writing that it can stand in."""
    return [(name, Planted(*write(secret))) for secret in found for name, write in WRITINGS.items()]
