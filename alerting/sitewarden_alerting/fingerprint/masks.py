"""What varies from one occurrence of a message to the next: numbers, ids, addresses, hosts, paths, times, sizes,
names and values.

Promises: `template(message)` replaces every evident variable of one line by `<*>` and is a function of the line
alone, so that two sites which never met agree. It errs towards keeping words: a word is masked only where its form or
its place says that it is a value.
Not here: variables that only their place tells (`places`) or only a stream of messages (`grouping`); stack traces
(`stacks`).
"""

import re
from functools import lru_cache

from sitewarden_alerting.fingerprint import places
from sitewarden_alerting.fingerprint.places import STATE

WILD = places.WILD
MAX_TOKEN_CHARS = 200
"""Of a longer token only the beginning counts: it is data, and patterns must not take long over it."""

_TLD = (
    "com|net|org|edu|gov|mil|int|info|biz|io|dev|app|cloud|local|localdomain|internal|lan|intranet|corp|home|arpa|example|invalid|test"
    "|cn|hk|tw|jp|kr|sg|au|nz|uk|de|fr|nl|be|ch|at|it|es|pt|se|no|fi|dk|cz|ru|ua|br|mx|ar|ca|us|eu|tv|za|il|tr|gr|hu|ro|ie|th|vn|my|id|ir"
)
_FILE = (
    "log|txt|xml|json|ya?ml|toml|conf|cfg|ini|csv|gz|tgz|tar|zip|bz2|xz|zst|jar|war|ear|exe|dll|sys|tmp|bak|old|pid"
    "|sock|lock|db|sqlite3?|dat|bin|img|iso|png|jpe?g|gif|svg|ico|pdf|docx?|xlsx?|html?|css|php|aspx?|jsp|properties|deb|rpm"
    "|cab|pem|crt|key|sql|dump|swp|service|mount"
)
_SOURCES = (
    "c",
    "cc",
    "cpp",
    "cs",
    "erl",
    "ex",
    "go",
    "h",
    "java",
    "js",
    "kt",
    "lua",
    "php",
    "pl",
    "py",
    "rb",
    "rs",
    "ts",
)
_NO_SOURCE = "".join(
    rf"(?<!\.{ending})" for ending in _SOURCES
)  # `main.c:12` is a place in a program, `db-1:5432` a host
_ARCH = "amd64|i[3-6]86|x86_64|arm64|armhf|armel|aarch64|ppc64(?:el|le)?|s390x|riscv64|mips64el|noarch|all|any"

_VARIABLE = re.compile(
    rf"""<[a-z]+(?:[_-][a-z]+)*:[0-9A-Za-z]{{4,64}}>(?:[.-][\w.-]*\w)?  # a pseudonym of the redactor
    |(?<![\w-])  # the code of an error
        (?P<code>(?:ORA|TNS|PLS|RMAN)-\d{{4,5}}|[A-Z]{{2,8}}-0\d{{3,5}}|[A-Z]{{3,8}}\d{{4,5}}[EW])(?![\w-])
    |(?i:(?<=sqlstate[\[=:]))(?P<state>[0-9A-Z]{{5}})(?!\w)
    |(?<![\w<])<(?=[^<>\s]*[\d+/=@:])[^<>\s]+>                                       # an id in angle brackets
    |(?<=[=>])<[^<>\s]*>                                                            # a value in angle brackets
    |(?<![A-Za-z0-9])[A-Za-z][A-Za-z0-9+.-]*://[^\s"'<>,;)\]}}]*                     # a URL
    |(?<![\w.+%-])[\w.+%-]+@[\w-]+(?:\.[\w-]+)+                                                   # an e-mail address
    |(?<![0-9A-Za-z])[0-9a-fA-F]{{8}}-(?:[0-9a-fA-F]{{4}}-){{3}}[0-9a-fA-F]{{12}}    # a UUID
    |(?<![0-9A-Za-z:])(?:[0-9a-fA-F]{{1,2}}[:-]){{5,}}[0-9a-fA-F]{{1,2}}(?![0-9A-Za-z])  # a MAC address
    |(?<![\w:.])(?:[0-9a-fA-F]{{0,4}}:){{2,7}}[0-9a-fA-F]{{0,4}}(?:%\w+)?(?![\w:])  # an IPv6 address
    |(?<![A-Za-z0-9])[A-Za-z]:[\\/][^\s"'<>|,;)\]]*|\\\\[\w.$-]+\\[^\s"'<>|,;)\]]*   # a path of Windows
    |(?<![\w.<>)\]*/])(?:~\w*|\.{{1,2}})?/[^\s"'<>,;:)\]}}|(]*                       # a path
    |(?<![\w/.@+-])[\w.@+-]+(?:/[\w.@%+~\#-]+){{2,}}/?                                   # a relative path
    |(?<![A-Za-z0-9])(?:0[xX][0-9a-fA-F]+|[xX]'[0-9a-fA-F]+')                        # a hexadecimal number
    |(?<![\w.$/-])(?!(?:com|org|net|io|edu|java|javax|android|kotlin|scala|akka|sun|jdk)\.)
        (?:[A-Za-z0-9_](?:[\w-]*[A-Za-z0-9])?\.)+(?:{_TLD})(?::\d+)?(?![\w$(]|\.\w)  # a host
    |(?<![\w.$/-])(?:[A-Z0-9_](?:[A-Z0-9_-]*[A-Z0-9])?\.)+(?:ARPA|COM|NET|ORG|LOCAL|LAN|CORP)(?![\w$(]|\.\w)  # a HOST
    |(?<![\w.$/-])[A-Za-z]\w*(?:[.-]\w+)+{_NO_SOURCE}(?=:\d{{2,5}}(?![\w.:]))                # a host before a port
    |(?<![\w:.+/-])[a-z0-9][\w.+-]*:(?:{_ARCH})(?![\w:.-])                          # a package for one architecture
    |(?<!\S)[<(](?:none|null|nil|unset|unknown|undefined|empty)[>)](?!\S)            # no value where one may stand
    |(?<![\w.-])localhost(?:\.localdomain)?(?![\w.-]\w)
    |(?<![\w.])[\w.+~-]*\w\.(?:{_FILE})(?:\.\d+)?(?![\w(]|\.\w)                      # a file of data
    |(?<![\w+/=-])(?=(?:[A-Za-z+/_-]*\d){{3}})(?=[\d+/_a-z-]*[A-Z])(?=[\d+/_A-Z-]*[a-z])[\w+/-]{{24,}}={{0,2}}(?![\w+/=-])
    |[A-Za-z]*[0-9][A-Za-z0-9]*                                                      # a word with digits
    """,
    re.VERBOSE,
)
_NAMES = re.compile(  # words with digits that name a thing instead of counting one
    r"(?:ipv[46]|utf8|http[23]|h2|sha1|sha256|sha512|md5|x86|base64|oauth2|s3|ec2|tls1|ssl3|log4j|p2p|b2b|k8s)$",
    re.IGNORECASE,
)
_NUMBERED = re.compile(r"([A-Za-z]+)[0-9]+$")
_NAMED = re.compile(r"[A-Za-z]{4,}[0-9]{1,2}[A-Za-z]{3,}$")
_HEX = re.compile(r"[0-9a-f]{7,}$|[0-9A-F]{7,}$")
_LETTER_HEX = re.compile(
    r"(?<![0-9A-Za-z_])(?:[0-9a-f]{8}|[0-9A-F]{8}|[0-9a-f]{12}|[0-9a-f]{16}|[0-9a-f]{32}|[0-9a-f]{40})(?![0-9A-Za-z_])"
)

_CHAIN = re.compile(r"<\*>(?:[-.:,/_#|+x@~=%&;^\\]{0,3}<\*>)+")
_SIGN = re.compile(r"(?:(?<![\w>)\]])|(?<=_))[-+#*$€£~≈]+<\*>|(?<![\w>=<-])[<>]=?<\*>(?!>)")
_PERCENT = re.compile(r"<\*>(?:%|°C?|\+(?!\w))")
_CONDITION = (  # `state=down` and `state=up` are two faults, `user=ann` and `user=bob` are one
    r"(?i:up|down|ok|failed|failure|success|error|warning|critical|fatal|online|offline|dead|alive|degraded|healthy"
    r"|unhealthy|lost|running|stopped)"
)
_VALUE = re.compile(
    rf"(?<=[\w\])\"'])=(?!=|{_CONDITION}(?![\w.-]))"
    r"(?:[^\s,;()\[\]{}&|=<>\"']+|<\*>|(?=[,;)\]}\s]|$))(?:<\*>|[^\s,;()\[\]{}&|=<>]|\|(?!\w+=))*"
)
_SAYS_WHY = re.compile(r"(?i)(?:err(?:or|no)?|(?:err(?:or)?_?)?code|reason|cause|exception|sqlstate)$")
_RELEASE = re.compile(r"<\*>(?:[-+~][a-z]+<\*>)+")  # 2.5.0-rc1, 590-2.1~deb12u2
_ARGUMENTS = re.compile(r"(?<=\w)\((?=[^()\s]*<\*>)[^()\s,]*,[^()\s]*\)")
_OBJECT = re.compile(r"=<\*>(?:\{<\*>\}|\[<\*>\])")
_INSTANCE = re.compile(r"(?<![\w.<>*-])[A-Za-z]\w*(?:-(?:\w+|<\*>))*-<\*>(?![\w-])")
_COMPOUND = re.compile(r"""[^\w<]*(?P<core>[\w<].*?)[)\]}"',.:;!?]*$""")


def _piece(found: "re.Match[str]") -> str:
    """The mask of one match of `_VARIABLE`: a word with digits keeps its name, everything else is a value."""
    text = found[0]
    if found.lastgroup is not None:  # the code of an error says which one it is
        return text
    if not text.isalnum() or text[0] in "0123456789":
        return WILD
    if _NAMES.match(text) is not None:
        return text
    numbered = _NUMBERED.match(text)
    if numbered is not None:
        return WILD if _HEX.match(text) is not None else numbered[1] + WILD
    return text if _NAMED.match(text) is not None else WILD


def _value(found: "re.Match[str]") -> str:
    """The mask of a value, unless its key says that it tells why: `err=ENOENT` and `err=EPERM` are two faults."""
    value = found[0][1:]
    if value.replace("_", "").isalpha() and _SAYS_WHY.search(found.string, max(0, found.start() - 16), found.start()):
        return found[0]
    return f"={WILD}"


@lru_cache(maxsize=1 << 13)
def mask(token: str) -> str:
    """Mask one token, that is, a part of a message without blanks."""
    if token.isalpha():
        return token if len(token) < 8 or _LETTER_HEX.match(token) is None else WILD
    if token.isdecimal():
        return WILD
    if len(token) > MAX_TOKEN_CHARS:
        token = token[:MAX_TOKEN_CHARS]
    masked, ids = _VARIABLE.subn(_piece, token)
    if WILD in masked:
        masked = _CHAIN.sub(WILD, masked.replace(f"<{WILD}>", WILD))
        masked = _SIGN.sub(WILD, masked)
        masked = _PERCENT.sub(WILD, masked)
        if "," in masked and "(" in masked:
            masked = _ARGUMENTS.sub(f"({WILD})", masked)
        if "-<" in masked:
            masked = _INSTANCE.sub(WILD, masked)
    if "=" in masked:
        return _CHAIN.sub(WILD, _OBJECT.sub(f"={WILD}", _VALUE.sub(_value, masked)))
    if ((ids >= 4 and masked.count(WILD) >= 2) or masked.count(WILD) >= 3) and "(" not in masked and "{" not in masked:
        # So many ids in one token: the token as a whole is one compound id.
        core = _COMPOUND.match(masked)
        if core is not None:
            return masked[: core.start("core")] + WILD + masked[core.end("core") :]
    return _RELEASE.sub(WILD, masked)


# Variables that reach over blanks, masked before the message is cut into tokens.
_MONTHS = "Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec"
_DATE = re.compile(
    rf"""(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*,?\s+)?
    (?:(?:{_MONTHS})[a-z]*\s+\d{{1,2}},?(?:\s+\d{{4}})?|\d{{1,2}}[\s-](?:{_MONTHS})[a-z]*[\s-]\d{{2,4}}|\d{{2,4}}[-/.]\d\d[-/.]\d{{2,4}})
    [\s,T]+\d{{1,2}}:\d\d(?::\d\d)?(?:[.,]\d+)?(?:\s?[AP]M)?(?:\s(?:[A-Z]{{3,4}}|[+-]\d{{4}})(?![\w:]))?(?:\s(?:19|20)\d\d(?![\w:]))?""",
    re.VERBOSE,
)
_CLOCK_HINT = re.compile(r"\d:\d\d")
_QUOTED_VALUE = re.compile(r"(?<=\w)=\s?(?:\"[^\"]*\"|'[^']*'(?!\w))")
_KEY = (
    r"(?!(?:(?<=[{,])|(?<=[{,]\s)|(?<=[{,]\s\s)|(?<=[{,]\s\s\s))(?:'[^']*'|\"[^\"]*\")\s?:)"  # a member's name in JSON
)
_DOUBLE = re.compile(rf"{_KEY}\"(?!(?i:{STATE})\")(?:[^\"\s]*|[^\"]{{80,}})\"")
_SINGLE = re.compile(rf"(?:(?<![\w'])|(?<=\b[bur])){_KEY}'(?!(?i:{STATE})')(?:[^'\s]*|[^']{{80,}})'(?![\w'])")
_MAILBOX = re.compile(r"\b(?P<word>to|from|by|for|of) [\w.-]+ (?=<(?:<mail:|[^<>\s@]+@))")  # `to Ann <ann@a.example>`
_BACK = re.compile(r"(?<![\w`])`[^`'\s]*['`](?!\w)")
_STATEMENT = re.compile(r"\bstatement: .*", re.IGNORECASE)
_METHOD = re.compile(r"\b(GET|POST|PUT|DELETE|HEAD|OPTIONS|PATCH|CONNECT|TRACE|PROPFIND) \S+(?= HTTP/)")
_UNIT = re.compile(r"(?P<name>[A-Za-z][\w.@:\\-]{0,200})(?P<kind>\.(?:service|socket|timer|mount)): (?=[A-Z])")
"""A unit that systemd speaks of, at the beginning of its message: each that fails is a fault of its own."""
_PARTS = re.compile(r"([^\W_]+)")
_SERVER_ERROR = re.compile(r"(HTTP/\d(?:\.\d)?\" |\bstatus: )5\d\d\b")  # a 503 is a fault, a 200 none: never one


def template(line: str) -> str:
    """The line with every evident variable as `<*>` and single blanks between its tokens."""
    unit = _UNIT.match(line)
    return _masked(line) if unit is None else f"{_unit(unit['name'])}{unit['kind']}: {_masked(line[unit.end() :])}"


def _masked(line: str) -> str:
    if "HTTP/" in line:
        line = _METHOD.sub(rf"\1 {WILD}", line)
        line = _SERVER_ERROR.sub(r"\1server-error", line)
    if "tatement: " in line or "STATEMENT: " in line:
        line = _STATEMENT.sub(lambda found: f"{found[0][:10]} {WILD}", line)
    if '"' in line:
        line = _QUOTED_VALUE.sub(f"={WILD}", line)
        line = _DOUBLE.sub(WILD, line)
    if "'" in line:
        line = _QUOTED_VALUE.sub(f"={WILD}", line)
        line = _SINGLE.sub(WILD, line)
        if "`" in line:
            line = _BACK.sub(WILD, line)
    if " <" in line and ("@" in line or "<mail:" in line):
        line = _MAILBOX.sub(rf"\g<word> {WILD} ", line)
    if _CLOCK_HINT.search(line) is not None:
        line = _DATE.sub(WILD, line)
    return places.mask(" ".join(map(mask, line.split())))


def _unit(name: str) -> str:
    """A unit's name without what varies from one instance to the next: `user@1000`, `run-r8f3a`."""
    return _CHAIN.sub(WILD, "".join(mask(part) if part.isalnum() else part for part in _PARTS.split(name)))


def forget() -> None:
    """Empty the caches of tokens and templates, for measurements."""
    mask.cache_clear()
    places.mask.cache_clear()
