"""Finds personal data by its shape: mail addresses, phone numbers, identity and card numbers, IP addresses, user names.

Promises: what is evidently something else stays: versions, masks and loopback are no addresses, sizes and counters are
no phones, a file's name is no mail address. Time is linear in the text. Not here: secrets (`redact_secrets`).
"""

from __future__ import annotations

import ipaddress
import re
from typing import Final

from sitewarden_alerting.reading.redact_values import PSEUDONYM, SYSTEM_USERS, Token, words

_MAIL: Final = re.compile(
    r"(?<![\w.%+\-/])[A-Za-z0-9._%+\-]{1,64}+@((?:[A-Za-z0-9\-]{1,63}\.){1,8}[A-Za-z]{2,24})(?![\w@\-]|\.\w)",
    re.A,
)
_NOT_TOP_LEVEL: Final = words("""
    service socket timer mount automount scope slice target device swap path so jar war js ts py java go rb rs c h cpp
    html css png jpg svg json xml yaml yml toml sh log txt gz zip conf
""")
# ASCII only: a Chinese character before or behind a number or an address is no part of it.
# A pattern that begins with a character class is searched for several times faster than one that begins with a look
# behind; so the look behind stands after the first character and looks over it.
_ELEVEN_DIGITS: Final = re.compile(r"\d{11}")
_GROUPED_DIGITS: Final = re.compile(r"\d{3,4}[ \-]\d{3,4}")
_PHONE_BARE: Final = re.compile(r"1(?<![\w.\-+/].)[3-9]\d{9}(?![\w\-]|\.\d)", re.A)
_PHONE_GROUPED: Final = re.compile(r"1(?<![\w.\-+/].)[3-9]\d[ \-]\d{4}[ \-]\d{4}(?![\w\-]|\.\d)", re.A)
_PHONE_CHINA: Final = re.compile(
    r"[+8](?<![\w.\-+/].)(?:(?<=\+)8)?6[ \-]?(1[3-9]\d[ \-]?\d{4}[ \-]?\d{4})(?![\w\-]|\.\d)", re.A
)
_PHONE_GLOBAL: Final = re.compile(r"\+(?<![\w.+].)[1-9]\d{0,2}[ \-]?\(?\d{2,4}\)?(?:[ \-]?\d{2,4}){2,3}(?![\w\-]|\.\d)")
_PHONE_AMERICAN: Final = re.compile(r"[\d(](?<![\w.\-+/].)(?:(?<=\()\d{3}\) |(?<=\d)\d{2}-)\d{3}-\d{4}(?![\w\-]|\.\d)")
# What the word before an eleven-digit number says when the number is a size or a counter.
_COUNTS: Final = re.compile(
    r"(?:size|bytes?|len|length|offset|pos|position|count|total|used|free|avail\w{0,6}|limit|max|min|mem\w{0,6}|heap\w{0,6}|time|ts|at|seq\w{0,5}"
    r"|lsn|xid|zxid|id|block|index|idx|inode|addr\w{0,4}|sector|term|epoch|version|rev\w{0,5}|number|num|nr|port|pid|tid|code)[\"']?[\s:=#\[(]{0,4}$",
    re.I,
)
_UNIT: Final = re.compile(
    r"\s?(?:bytes?|b|kb|kib|mb|mib|gb|gib|ns|us|ms|s|sec\w{0,5}|rows?|records?|messages?|lines?|events?|items?|/)(?!\w)",
    re.I,
)
_ID_CHINESE: Final = re.compile(
    r"[1-9](?<![\w.].)(?:(?<=1)[1-5]|(?<=2)[1-3]|(?<=3)[1-7]|(?<=4)[1-6]|(?<=5)[0-4]|(?<=6)[1-5]|(?<=[78])[12]|(?<=9)1)"
    r"\d{4}(?:19|20)\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{3}[\dXx](?!\w)",
    re.A,
)
_CARD: Final = re.compile(
    r"[2-6](?<![\w.\-].)(?:(?<=4)\d{3}|(?<=5)[1-5]\d{2}|(?<=2)[2-7]\d{2}|(?<=6)[025]\d{2}|(?<=3)[47]\d{2})"
    r"(?:[ \-]?\d{4}){2}[ \-]?\d{1,7}(?![\w\-]|\.\d)",
    re.A,
)
_ID_AMERICAN: Final = re.compile(r"[0-8](?<![\w.\-+/].)\d{2}(?<!000)(?<!666)-(?!00)\d{2}-(?!0000)\d{4}(?![\w\-]|\.\d)")
_IPV4: Final = re.compile(r"\d(?<![\w.].)\d{0,2}\.\d{1,3}\.\d{1,3}\.\d{1,3}(?![\w]|\.\d|-\d)", re.A)
_IPV4_DASHED: Final = re.compile(r"\bip-((?:\d{1,3}-){3}\d{1,3})(?!\d)")
_FILE_ENDING: Final = re.compile(
    r"\.(?:jar|war|so|zip|gz|tgz|rpm|deb|dll|exe|whl|tar|js|css|min|el\d|x86_64|noarch)\b", re.I
)
_VERSION_BEFORE: Final = re.compile(
    r"(?:\bv(?:er(?:sion)?)?|\brelease|\bbuild|\brev(?:ision)?|\bupgrad\w{0,4}|(?:chrome|chromium|safari|firefox|edge?|opr|opera|version|webkit|trident|mozilla"
    r"|crios|fxios|electron|node|python|curl|java|jdk|openjdk|okhttp|nginx|apache))[\s\"':=/(]{0,3}$",
    re.I,
)
_VERSION_WORDS: Final = (
    *("v", "ver", "version", "release", "build", "rev", "revision", "chrome", "chromium", "safari", "firefox", "edg"),
    *("edge", "opr", "opera", "webkit", "trident", "mozilla", "crios", "fxios", "electron", "node", "python", "curl"),
    *("java", "jdk", "openjdk", "okhttp", "nginx", "apache"),
)
_IPV6: Final = re.compile(
    r"(?<![\w:.])(?=[0-9A-Fa-f:]{0,40}[0-9])[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7}(?:\d{1,3}(?:\.\d{1,3}){3})?(?![\w:]|\.\d)"
)
_PRIVATE: Final = re.compile(r"(?:10|127|192\.168|172\.(?:1[6-9]|2\d|3[01])|169\.254)\.")
# Where every digit is 0: what a number or an address could be made of, whichever its digits are.
HINGES_ON_DIGITS: Final = re.compile(r"0{11}|0{3,4}[ \-]0{3,4}|0{3}-00-0{4}|\+\d|::|ip-0", re.I)
MAY_BE_ADDRESS: Final = re.compile(r"0\.0{1,3}\.0{1,3}\.0")
_USER_IN_WORDS: Final = re.compile(
    r"(\b(?:(?:invalid|illegal|unknown|for) user"
    r"|(?:password|publickey|keyboard-interactive/pam|hostbased) for(?: invalid user)?+) )"
    r"([^\s'\"<>:,;()=\[\]]{1,64})(?=\s|$|[,;(\[])",
    re.I,
)
_USER_QUOTED: Final = re.compile(r"(\b(?:user|role|login|account) [\"'`])([^\s\"'`<>]{1,100})(?=[\"'`])", re.I)


class Finder:
    """Replaces the kinds asked for."""

    def __init__(self, kinds: frozenset[str]) -> None:
        self._kinds = kinds

    def replace(self, text: str, lowered: str, token: Token) -> str:
        """`text` with personal data replaced. `lowered` is `text.lower()`."""
        kinds = self._kinds
        if "mail" in kinds and "@" in lowered:
            text = _MAIL.sub(
                lambda m: m[0] if m[1].rpartition(".")[2].lower() in _NOT_TOP_LEVEL else token("mail", m[0].lower()),
                text,
            )
        if "user" in kinds and ("user" in lowered or " for " in lowered or "role" in lowered):
            text = _USER_IN_WORDS.sub(lambda m: m[1] + _user(m[2], token), text)
            text = _USER_QUOTED.sub(lambda m: m[1] + _user(m[2], token), text)
        text = self._numbers(text, token)
        return self.addresses(text, token)

    def addresses(self, text: str, token: Token) -> str:
        """`text` with IP addresses replaced, if these were asked for, and nothing else."""
        if "ip" not in self._kinds:
            return text
        if "." in text:
            text = _IPV4.sub(lambda m: _address(m, token), text)
        if "::" in text or text.count(":") >= 7:
            text = _IPV6.sub(lambda m: _address6(m, token), text)
        if "ip-" in text or "IP-" in text:
            text = _IPV4_DASHED.sub(lambda m: token("ip", m[1].replace("-", ".")), text)
        return text

    def _numbers(self, text: str, token: Token) -> str:
        long, grouped = _ELEVEN_DIGITS.search(text), _GROUPED_DIGITS.search(text)
        if "id" in self._kinds:
            if long:
                text = _ID_CHINESE.sub(lambda m: _number("id", m, token), text)
            if long or grouped:
                text = _CARD.sub(lambda m: _number("id", m, token) if _luhn(m[0]) else m[0], text)
            if "-" in text:
                text = _ID_AMERICAN.sub(lambda m: _number("id", m, token), text)
        if "phone" in self._kinds:
            if long:
                text = _PHONE_BARE.sub(lambda m: m[0] if _is_a_count(m) else _number("phone", m, token), text)
            if grouped:
                text = _PHONE_GROUPED.sub(lambda m: _number("phone", m, token), text)
                text = _PHONE_AMERICAN.sub(lambda m: _number("phone", m, token), text)
            if "86" in text:
                text = _PHONE_CHINA.sub(lambda m: _number("phone", m, token, m[1]), text)
            if "+" in text:
                text = _PHONE_GLOBAL.sub(lambda m: _number("phone", m, token), text)
        return text


def _user(name: str, token: Token) -> str:
    if name.isdigit() or name.lower() in SYSTEM_USERS or PSEUDONYM.fullmatch(name) or "@" in name:
        return name
    return token("user", name)


def _number(kind: str, match: re.Match[str], token: Token, digits: str | None = None) -> str:
    if _inside_a_pseudonym(match):
        return match[0]
    return token(kind, "".join(c for c in digits or match[0] if c.isalnum()).upper())


def _inside_a_pseudonym(match: re.Match[str]) -> bool:
    """The 16 hex characters of a token may all be digits."""
    return match.string[match.start() - 1 : match.start()] == ":" and match.string[match.end() : match.end() + 1] == ">"


def _is_a_count(match: re.Match[str]) -> bool:
    before = match.string[max(0, match.start() - 24) : match.start()]
    return _COUNTS.search(before) is not None or _UNIT.match(match.string, match.end()) is not None


def _luhn(text: str) -> bool:
    digits = [int(c) for c in text if c.isdigit()]
    if not 15 <= len(digits) <= 19:
        return False
    doubled = sum(sum(divmod(2 * digit, 10)) for digit in digits[-2::-2])
    return (doubled + sum(digits[-1::-2])) % 10 == 0


def _address(match: re.Match[str], token: Token) -> str:
    text, found = match.string, match[0]
    octets = found.split(".")
    for octet in octets:
        if len(octet) > 1 and (octet[0] == "0" or (len(octet) == 3 and octet > "255")):
            return found
    if octets[0] in ("0", "127", "255") or found == "255.255.255.255":
        return found  # any, loopback, masks: the same at every site
    before = text[max(0, match.start() - 16) : match.start()]
    if before.endswith("-") and not _PRIVATE.match(found):
        return found  # `libfoo-1.2.3.4`; `db-10.159.14.1` is an address
    if _may_be_a_version(before) or _FILE_ENDING.match(text, match.end()):
        return found
    return token("ip", found)


def _may_be_a_version(before: str) -> bool:
    """Most words before an address are told apart by their ends, many times faster than by the pattern."""
    word = before.rstrip(" \t\r\n\"':=/(").lower()
    return (word.endswith(_VERSION_WORDS) or "upgrad" in word) and _VERSION_BEFORE.search(before) is not None


def _address6(match: re.Match[str], token: Token) -> str:
    found = match[0]
    try:
        address = ipaddress.IPv6Address(found)
    except ValueError:
        return found  # a time, a MAC address, a C++ name
    if address.is_loopback or address.is_unspecified:
        return found
    return token("ip", address.compressed)
