"""Finds values by the name they stand under: JSON, YAML, key=value, query strings, headers, XML, command options.

Promises: the key stays and its value goes, whole, quoted or not, so that the template of a line stays; time linear in
the text (repeats are bounded or possessive). Placeholders, pseudonyms and words like `null` or `invalid` are no values.
Not here: secrets that show by their own shape (`redact_secrets`), the tokens (`redact`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Final

Token = Callable[[str, str], str]


def words(text: str) -> frozenset[str]:
    return frozenset(text.split())


def _joined(text: str) -> frozenset[str]:
    """Pairs of words in each way of writing them as one: `apikey`, `api_key`, `api-key`, `api.key`."""
    return frozenset(joint.join(pair.split("+")) for pair in text.split() for joint in ("", "_", "-", "."))


# Keys whose value is a secret, by how the key ends. Not `key` alone nor `tokens`: too much else is called that.
SECRET_KEYS: Final = words(
    """
    password passwd passwort passphrase passcode pwd pass pw secret token otp pin cvv csrf xsrf signature sig jwt
    credential credentials authorization cookie sessid storepass keypass bindpw bindpasswd rootpw userpw
    密码 口令 令牌 密钥 私钥 暗号 密碼 金鑰 パスワード 비밀번호 пароль contraseña senha
    """
) | _joined(
    """
    api+key access+key private+key secret+key account+key signing+key encryption+key auth+key subscription+key
    master+key shared+key session+id connection+string user+password
    """
)
SECRET_NEEDLES: Final = (
    *("pass", "pwd", "secret", "token", "key", "credential", "authorization", "cookie", "sess", "csrf", "xsrf", "otp"),
    *("pin", "cvv", "sig", "connectionstring", "connection_string", "pw", "identified", "-u ", "密", "口令", "令牌"),
    *("connection-string", "connection.string", "jwt", "私钥", "暗号", "金鑰", "パス", "비밀", "пароль", "contrase"),
    "senha",
)
USER_KEYS: Final = words("""
    user username user_name user-name userid user_id login login_name loginname logname ruser account_name 用户 用户名
""")
USER_NEEDLES: Final = ("user", "login", "logname", "account_name", "用户")


# Accounts that every host has are nobody in person, and worth reading.
SYSTEM_USERS: Final = words("""
    root admin administrator system nobody anonymous guest daemon www-data nginx apache postgres mysql redis oracle git
    hadoop hdfs yarn hive spark kafka zookeeper elastic mongodb rabbitmq sa service localservice networkservice bin sys
    sync games man lp mail news uucp proxy backup irc gnats sshd ftp cyrus named rpc ntp dbus polkitd mapred hbase
""")
_HEADERS: Final = ("authorization", "cookie")
_SHORT: Final = 7  # a key word of up to this many letters counts only as a word of its own: `bypass` is no `pass`
_NO_VALUE: Final = words("""
    null none nil true false undefined empty missing invalid expired required unset unknown incorrect wrong failed
    failure success succeeded ok error n/a na yes no not is was has must should cannot can too does changed reset for
    from by with and or of to in at on the a an redacted hidden masked filtered removed protected string unauthorized
    denied
""")
PSEUDONYM: Final = re.compile(r"<[a-z]{2,10}:[0-9a-f]{16}>")
_PLACEHOLDER: Final = re.compile(
    r"[*x.•#\-_]+|[\[<({*]{1,3}[a-z_ -]{1,40}[\]>)}*]{1,3}|\$\{[\w.:-]{1,100}\}|%\(?\w{0,40}\)?[sdrv]|\{\w{0,40}\}"
    r"|\d{1,3}",
    re.I,
)
_PAIR: Final = re.compile(
    r"(?<![\w.\-])(?P<key>[\w.\-]{1,200}+)(?P<quote>\\{0,3}[\"'`])?"
    r"(?P<separator>[ \t]{1,4}(?:=>|:=|==|=|:)[ \t]{0,8}|(?:=>|:=|:)[ \t]{0,8}|==?|%3[Dd]|[ \t]{0,4}[：＝][ \t]{0,8})"
    r"(?P<bytes>b(?=['\"]))?"
)
_COMPLAINT: Final = re.compile(
    r"\b(?:unexpected|invalid|illegal|unknown|missing|bad|expected|expecting|next|last|near|end)\s{1,3}$", re.I
)
_OPENING_QUOTE: Final = re.compile(r"\\{0,3}[\"'`]")
_QUOTED: Final = {
    '"': re.compile(r'(?:[^"\\]|\\.)*+', re.S),
    "'": re.compile(r"(?:[^'\\]|\\.)*+", re.S),
    "`": re.compile(r"[^`]*+", re.S),
}
_SCHEME: Final = re.compile(r"(?:bearer|basic|digest|token|negotiate|ntlm|apikey)[ \t]{1,4}", re.I)
_LINE: Final = re.compile(r"[^\r\n\"']++")
# A line that begins with a pair is a list of pairs, as structured records are shown: values there may hold blanks.
_LIST: Final = re.compile(r"[\w.\-]{1,200}+=(?!=)")
_TO_NEXT_PAIR: Final = re.compile(r"[^\r\n]*?(?=\s{1,4}[\w.\-]{1,200}+=|[\r\n]|$)")
_BRACKETED: Final = re.compile(r"[\[({<]([^\[\](){}<>=:\s]{1,512})[\])}>]")
_BARE: Final = re.compile(r"[^\s\"'`<>]++")
_END_OF_BARE: Final = re.compile(r"[,;&|)}\]](?=[,;)}\]]|[\w.\-]{1,60}[=:]|\\?$)|\\[nrt\"']|\.$|[,;:]$")
# What programs print for an object of theirs: `token=AppWindowToken{9f4ef63`, `sessionid: 0x14ede63a5a70001`.
_HANDLE: Final = re.compile(r"(?:[A-Z][a-z]+){2,6}\{|0x[0-9a-fA-F]{1,16}\b")
_BLOCK: Final = re.compile(  # YAML: the indented lines after | or >, or the one word on the next line
    r"[|>][+-]?[ \t]{0,8}\r?\n(?P<indent>[ \t]{1,40})(?![ \t])(?P<body>[^\n]++(?:\n(?P=indent)[^\n]++)*+)"
    r"|[ \t]{0,8}\r?\n[ \t]{1,40}(?P<word>[^\s:=(]{1,512}+)(?=\s|$)"
)
_XML: Final = re.compile(r"<([\w:.\-]{1,80}+)(\s[^<>]{0,200}+)?>([^<]{1,4096}+)(?=</)")
_SQL: Final = re.compile(r"\b(identified\s{1,4}by|password)(\s{1,4})'((?:[^'\\]|\\.){1,512}+)'", re.I)
_CURL_USER: Final = re.compile(r"(?<!\S)(-u[ \t]{0,4}[^\s:'\"]{1,100}+:)([^\s'\"]{1,512}+)")
_OPTION: Final = re.compile(r"(?<!\S)(--?[a-z][\w.\-]{0,60}+)([ \t]{1,4})(?![\-=:<])([^\s\"']{1,512}+)", re.I)


class Keys:
    """Key names, matched by how a key ends: `db.password`, `dbPassword`, `X-Api-Key`, `PASSWORD1`."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = tuple(sorted({name.strip().lower() for name in names if name.strip()}, key=len, reverse=True))

    def __contains__(self, key: object) -> bool:
        assert isinstance(key, str)
        key = key.rstrip("0123456789.-_")
        lowered = key.lower()
        if not lowered.endswith(self._names):
            return False
        return any(lowered.endswith(name) and _stands_alone(key, name) for name in self._names)


def _stands_alone(key: str, name: str) -> bool:
    before = key[: -len(name)]
    if not before or not before[-1].isalnum() or len(name) > _SHORT:
        return True
    first = key[-len(name)]
    return first.isupper() and not before[-1].isupper()  # camelCase


def replace_secret_values(text: str, keys: Keys, token: Token) -> str:
    """The values under `keys`, in every notation known here, replaced by `secret` tokens."""
    if "'" in text:
        text = _SQL.sub(lambda m: f"{m[1]}{m[2]}'{once(m[3], token)}'", text)
    if "</" in text:
        text = _XML.sub(lambda m: f"<{m[1]}{m[2] or ''}>{once(m[3], token)}" if m[1] in keys else m[0], text)
    text = replace_values(text, keys, lambda value: once(value, token))
    if "-u" in text:
        text = _CURL_USER.sub(lambda m: m[0] if m[2].isdigit() else f"{m[1]}{once(m[2], token)}", text)
    if "-" in text:
        text = _OPTION.sub(
            lambda m: f"{m[1]}{m[2]}{once(m[3], token)}" if m[1] in keys and len(m[1]) > 2 else m[0], text
        )
    return text


def replace_user_values(text: str, keys: Keys, token: Token) -> str:
    """The names of persons under `keys` replaced by `user` tokens. Numbers, system accounts and mail addresses stay."""

    def one(value: str) -> str:
        if value.isdigit() or len(value) > 100 or value.lower() in SYSTEM_USERS or ("@" in value and "." in value):
            return value
        return once(value, token, "user")

    return replace_values(text, keys, one)


def once(value: str, token: Token, kind: str = "secret") -> str:
    """The token of `value`, or `value` itself where it is none: a placeholder, a pseudonym, a word like `null`."""
    if not value.strip() or value.lower() in _NO_VALUE or _PLACEHOLDER.fullmatch(value) or PSEUDONYM.fullmatch(value):
        return value
    return token(kind, value)


def replace_values(text: str, keys: Keys, replace: Callable[[str], str]) -> str:
    """Each value that stands under one of `keys`, passed through `replace`."""
    parts: list[str] = []
    done = position = 0
    while match := _PAIR.search(text, position):
        position = match.end()
        if match["key"] not in keys or _is_no_secret(text, match) or PSEUDONYM.match(text, max(0, match.start() - 1)):
            continue
        start, end = _value(text, match)
        if end > start:
            parts += (text[done:start], replace(text[start:end]))
            done = position = end
    return "".join(parts) + text[done:] if parts else text


def _is_no_secret(text: str, match: re.Match[str]) -> bool:
    """`Unexpected token: }` is about a parser's token, `PWD=/srv` about the folder a shell is in."""
    if match["key"] in ("PWD", "OLDPWD") and match.string.startswith("/", match.end()):
        return True
    if match["quote"] is not None or not match["key"].lower().endswith(("token", "signature")):
        return False
    return _COMPLAINT.search(text[max(0, match.start() - 24) : match.start()]) is not None


def _value(text: str, match: re.Match[str]) -> tuple[int, int]:
    """Start and end of the value behind a key; equal where there is none."""
    start = match.end()
    if opening := _OPENING_QUOTE.match(text, start):
        return _quoted(text, opening)
    if match["quote"] is None and match["key"].lower().endswith(_HEADERS):
        if scheme := _SCHEME.match(text, start):
            start = scheme.end()
        line = _LINE.match(text, start)
        return (start, line.end()) if line else (start, start)
    if scheme := _SCHEME.match(text, start):
        start = scheme.end()
    if match["separator"].startswith(":") and (block := _BLOCK.match(text, start)):
        span = block.span("body" if block["body"] is not None else "word")
        return (start, start) if PSEUDONYM.match(text, span[0]) else span
    if bracketed := _BRACKETED.match(text, start):
        return (start, start) if PSEUDONYM.match(text, start) else bracketed.span(1)
    if text.startswith(("${", "{", "[", "("), start):
        return start, start  # a placeholder or a structure; the keys inside it speak for themselves
    bare = _BARE.match(text, start)
    if bare is None:
        return start, start
    if bare[0].endswith("=") and text[bare.end() : bare.end() + 1] in tuple("<\"'`"):
        return start, start  # `Login: user=<ann>`: the value is a pair of its own
    if match["separator"] == "=" and _LIST.match(text, text.rfind("\n", 0, match.start()) + 1):
        whole = _TO_NEXT_PAIR.match(text, start)
        assert whole is not None
        if whole.end() > bare.end():
            return whole.span()
    if _HANDLE.match(bare[0]) and match["key"].lower().endswith(("token", "sessionid", "session_id")):
        return start, start
    end = _END_OF_BARE.search(bare[0], 1)
    return start, start + end.start() if end else bare.end()


def _quoted(text: str, opening: re.Match[str]) -> tuple[int, int]:
    start = opening.end()
    quote = opening[0]
    if len(quote) == 1:
        inside = _QUOTED[quote].match(text, start)
        return start, inside.end() if inside else start
    end = text.find(quote, start)  # the quotes themselves are escaped: JSON inside a JSON string
    return start, end if end >= 0 else len(text)
