"""Finds secrets that show by their own shape: key blocks, credentials in URLs, tokens of known services, hashes.

Promises: a rule runs only where one of its needles is in the text, and in time linear in it. Not here: secrets that
show by the name they stand under (`redact_values`), personal data (`redact_personal`).
"""

from __future__ import annotations

import re
from typing import Final

from sitewarden_alerting.reading.redact_rules import Rule, Shapes
from sitewarden_alerting.reading.redact_values import Token, once

_PEM: Final = re.compile(r"-----BEGIN (?!CERTIFICATE|PUBLIC)([A-Z0-9 ]{1,40})-----.*?(?:-----END \1-----|\Z)", re.S)
# One line of a key block that was torn into lines. Must hold lower case, upper case and a digit: rulers are no keys.
_BASE64_LINE: Final = re.compile(
    r"^(?=[^\n]{0,75}[a-z])(?=[^\n]{0,75}[A-Z])(?=[^\n]{0,75}[0-9])[A-Za-z0-9+/]{60,76}+={0,2}(?=\r?$)", re.M
)
_URL_LOGIN: Final = re.compile(r"(?<=://)([^\s/:@'\"<>]{0,256}+):([^\s/'\"<>]{1,512})@(?=[\w\[.<-])")
_DATABASE_LOGIN: Final = re.compile(  # here a password may hold a slash, which in other URLs begins the path
    r"((?:postgres(?:ql)?|mysql|mariadb|mongodb|rediss?|amqps?|mssql|oracle|ldaps?|s?ftp|smtps?)(?:\+\w{1,20})?"
    r"://[^\s/:@'\"<>]{0,256}+):([^\s'\"<>?]{1,512})@(?=[\w\[.<-])",
    re.I,
)
_URL_TOKEN: Final = re.compile(r"(?<=://)(?=[A-Za-z_.~-]{0,200}[0-9])([A-Za-z0-9_.~-]{20,512}+)@(?=[\w\[.-])")

# Tokens that show what they are, for whoever gives no rules: those seen most in logs. `secret_rules.toml` has them all.
COMMON: Final = tuple(
    Rule(f"common-{number}", pattern, keywords)
    for number, (keywords, pattern) in enumerate(
        (
            (("eyj",), r"eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]{0,4000})?"),  # JWT
            (("akia", "asia"), r"A[KS]IA[A-Z0-9]{16}"),  # AWS
            (("ltai",), r"LTAI[A-Za-z0-9]{12,30}"),  # Alibaba Cloud
            (("akid",), r"AKID[A-Za-z0-9]{32}"),  # Tencent Cloud
            (("ghp_", "gho_", "ghu_", "ghs_", "ghr_"), r"gh[pousr]_[A-Za-z0-9]{30,255}"),  # GitHub
            (("github_pat_",), r"github_pat_[A-Za-z0-9_]{22,255}"),
            (("glpat-",), r"glpat-[A-Za-z0-9_-]{20,255}"),  # GitLab
            (("xox",), r"xox[abeoprs]-[A-Za-z0-9-]{10,255}"),  # Slack
            (("xapp-",), r"xapp-[A-Za-z0-9-]{10,255}"),
            (("hooks.slack.com",), r"hooks\.slack\.com/(?:services|workflows)/[A-Za-z0-9/_-]{10,255}"),
            (("open-apis/bot",), r"open-apis/bot/v2/hook/[A-Za-z0-9-]{10,100}"),  # Feishu
            (("webhook/send?key",), r"webhook/send\?key=[A-Za-z0-9-]{10,100}"),  # WeCom
            (("aiza",), r"AIza[A-Za-z0-9_-]{35}"),  # Google
            (("ya29.",), r"ya29\.[A-Za-z0-9_-]{20,}"),
            (("gocspx-",), r"GOCSPX-[A-Za-z0-9_-]{20,64}"),
            (("_live_", "_test_"), r"(?:sk|rk|pk)_(?:live|test)_[A-Za-z0-9]{10,255}"),  # Stripe
            (("whsec_",), r"whsec_[A-Za-z0-9+/=]{20,255}"),
            (("sk-",), r"(?<![A-Za-z0-9])sk-(?=[A-Za-z_-]{0,200}[0-9])[A-Za-z0-9_-]{20,255}"),  # OpenAI, Anthropic
            (("npm_",), r"npm_[A-Za-z0-9]{30,64}"),
            (("pypi-",), r"pypi-[A-Za-z0-9_-]{50,255}"),
            (("hf_",), r"hf_[A-Za-z0-9]{30,64}"),
            (("sg.",), r"SG\.[A-Za-z0-9_-]{16,32}\.[A-Za-z0-9_-]{32,64}"),  # SendGrid
            (("dop_v1_",), r"dop_v1_[a-f0-9]{64}"),  # DigitalOcean
            (("swt1_",), r"swt1_[A-Za-z0-9_=-]{20,}"),  # our own enrolment tokens
            (
                ("$2", "$5$", "$6$", "$y$", "$argon2", "$scrypt", "$pbkdf2"),
                r"\$(?:2[abxy]?|5|6|y|argon2id?|scrypt|pbkdf2-sha\d{1,3})\$[^\s\"':,;<>]{20,255}",  # password hashes
            ),
            (("{ssha",), r"\{SSHA\d{0,3}\}[A-Za-z0-9+/=]{20,255}"),
        )
    )
)
_BEARER: Final = re.compile(
    r"(?<![A-Za-z0-9])(bearer[ ]{1,4})(?=[A-Za-z_.~+/=-]{0,400}[0-9])([A-Za-z0-9_.~+/=-]{12,4000}+)", re.I
)


def replace_secrets(text: str, lowered: str, token: Token, *, shapes: Shapes) -> str:
    """`text` with every such secret replaced. `lowered` is `text.lower()`; `shapes` are of tokens that are known."""
    if "-----begin" in lowered:
        text = _PEM.sub(lambda m: token("secret", m[0]), text)
    if len(text) >= 60:
        text = _BASE64_LINE.sub(lambda m: token("secret", m[0]), text)
    if "://" in lowered and "@" in lowered:
        text = _DATABASE_LOGIN.sub(lambda m: f"{m[1]}:{once(m[2], token)}@", text)
        text = _URL_LOGIN.sub(lambda m: f"{m[1]}:{once(m[2], token)}@", text)
        text = _URL_TOKEN.sub(lambda m: f"{token('secret', m[1])}@", text)
    text = shapes.replace(text, lowered, token)
    if "bearer " in lowered:
        text = _BEARER.sub(lambda m: f"{m[1]}{token('secret', m[2])}", text)
    return text
