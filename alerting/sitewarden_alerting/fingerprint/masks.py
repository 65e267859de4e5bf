"""What varies from one occurrence of a message to the next: numbers, ids, addresses, hosts, paths, times, sizes,
names and values.

Promises: `template(message)` replaces every evident variable of one line by `<*>` and is a function of the line
alone, so that two sites which never met agree. It errs towards keeping words: a word is masked only where its form or
its place says that it is a value.
Not here: variables that look like any other word, which only a stream of messages can show (`grouping`); stack traces
(`stacks`).
"""

import re
from functools import lru_cache

WILD = "<*>"
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
_ARCH = "amd64|i[3-6]86|x86_64|arm64|armhf|armel|aarch64|ppc64(?:el|le)?|s390x|riscv64|mips64el|noarch|all|any"

_VARIABLE = re.compile(
    rf"""<[a-z]+(?:[_-][a-z]+)*:[0-9A-Za-z]{{4,64}}>(?:[.-][\w.-]*\w)?  # a pseudonym of the redactor
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
    |(?<![\w.$/-])[A-Za-z]\w*(?:[.-]\w+)+(?=:\d{{2,5}}(?![\w.:]))                # a host before a port
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
_RELEASE = re.compile(r"<\*>(?:[-+~][a-z]+<\*>)+")  # 2.5.0-rc1, 590-2.1~deb12u2
_ARGUMENTS = re.compile(r"(?<=\w)\((?=[^()\s]*<\*>)[^()\s,]*,[^()\s]*\)")
_OBJECT = re.compile(r"=<\*>(?:\{<\*>\}|\[<\*>\])")
_INSTANCE = re.compile(r"(?<![\w.<>*-])[A-Za-z]\w*(?:-(?:\w+|<\*>))*-<\*>(?![\w-])")
_COMPOUND = re.compile(r"""[^\w<]*(?P<core>[\w<].*?)[)\]}"',.:;!?]*$""")


def _piece(found: "re.Match[str]") -> str:
    """The mask of one match of `_VARIABLE`: a word with digits keeps its name, everything else is a value."""
    text = found[0]
    if not text.isalnum() or text[0] in "0123456789":
        return WILD
    if _NAMES.match(text) is not None:
        return text
    numbered = _NUMBERED.match(text)
    if numbered is not None:
        return WILD if _HEX.match(text) is not None else numbered[1] + WILD
    return text if _NAMED.match(text) is not None else WILD


@lru_cache(maxsize=1 << 13)
def mask(token: str) -> str:
    """Mask one token, that is, a part of a message without blanks."""
    if token.isalpha():
        return token if len(token) < 8 or _LETTER_HEX.match(token) is None else WILD
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
        return _CHAIN.sub(WILD, _OBJECT.sub(f"={WILD}", _VALUE.sub(f"={WILD}", masked)))
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
_STATE = (  # quoted words that say how things stand: they are the message, not a value
    r"(?:active|inactive|up|down|on|off|true|false|yes|no|ok|none|null|nil|failed|failure|success|succeeded|error|warning"
    r"|critical|fatal|enabled|disabled|open|opened|closed|running|stopped|started|dead|alive|online|offline|degraded|healthy"
    r"|unhealthy|full|empty|read-only|primary|secondary|standby|lost)"
)
_KEY = (
    r"(?!(?:(?<=[{,])|(?<=[{,]\s)|(?<=[{,]\s\s)|(?<=[{,]\s\s\s))(?:'[^']*'|\"[^\"]*\")\s?:)"  # a member's name in JSON
)
_DOUBLE = re.compile(rf"{_KEY}\"(?!(?i:{_STATE})\")(?:[^\"\s]*|[^\"]{{80,}})\"")
_SINGLE = re.compile(rf"(?:(?<![\w'])|(?<=\b[bur])){_KEY}'(?!(?i:{_STATE})')(?:[^'\s]*|[^']{{80,}})'(?![\w'])")
_MAILBOX = re.compile(r"\b(?P<word>to|from|by|for|of) [\w.-]+ (?=<(?:<mail:|[^<>\s@]+@))")  # `to Ann <ann@a.example>`
_BACK = re.compile(r"(?<![\w`])`[^`'\s]*['`](?!\w)")

# Variables whose place tells them, masked in the joined template.
_UNIT = (
    r"(?:[kKMGTP]i?[Bb](?:its?)?(?:/s|ps)?|[Bb]ytes?(?:/s(?:ec)?)?|B(?:/s)?|bits?|pages|sectors|blocks|[mnuµ]?s|[mM]in(?:ute)?s?|[hH](?:ou)?rs?|days?|weeks?"
    r"|(?:milli|micro|nano)?sec(?:ond)?s?|msecs?|usecs?|jiffies|[kMG]?[Hh]z|[MG]HZ|percent|[kKMG])"
)
_QUANTITY = re.compile(rf"<\*> ?{_UNIT}(?![\w/=(])(?: ?\(<\*>(?: ?{_UNIT})?\))?")
_STOP = (  # words after "user" that are no names
    r"(?:is|was|has|had|have|are|were|be|been|being|not|no|unknown|name|names|id|ids|ID|data|does|did|do|in|on|at|by"
    r"|to|from|for|with|of|as|and|or|the|a|an|this|that|but|if|it|its|can|could|cannot|may|must|will|would|should"
    r"|requested|request|agent|account|accounts|list|space|mode|input|level|group|groups|session|sessions|process"
    r"|processes|service|interface|profile|password|info|information|limit|limits|permissions?|authentication"
    r"|authorization|login|logins|logged|log|error|errors|failed|failure|successful|successfully|success|succeeded"
    r"|already|exists?|found|lookup|creation|created|deleted|removed|added|changed|update[ds]?|set|get|check"
    r"|parameter|table|defined|invalid|denied|disconnected|connected|closed|opened|open|close|disabled|enabled"
    r"|locked|ignoring|ignored|timed|timeout|count|type|types|accessed|attempted|tried|using|used|who|which|when"
    r"|while|after|before|via|over|into|through|authenticated|authorized|name=|token|tokens|code|codes|key|keys"
    r"|cache|config|event|events|store|\*)"
)
_PERSON = re.compile(
    r"\b(?P<word>(?:[Uu]ser(?:name)?|USER|[Ll]ogin name|[Pp]rincipal|[Aa]ccount name|[Cc]ustomer|[Tt]enant)"
    r"(?:[:=]| is| was| named)?)"
    rf" (?!(?i:{_STOP})(?![\w.@-]))"
    r"(?P<name>[A-Za-z_][\w.@\\-]*(?:<\*>)?[\w.@-]*(?:<\*>)?)(?![\w(*])"
)
_FOR_FROM = re.compile(
    r"\b(?P<for>for(?: invalid user| illegal user| user)?) (?!the |a |an |all |any )[A-Za-z_][\w.@\\-]* (?=from <\*>)"
)
_NOUN = (  # what has a name
    r"[Kk]ey|[Tt]opic|[Qq]ueue|[Ee]xchange|[Vv]host|[Dd]atabase|[Tt]able|[Ii]ndex|[Cc]ollection|[Bb]ucket|[Pp]ackage"
    r"|[Uu]nit|[Vv]olume|[Pp]od|[Nn]amespace|[Cc]ontainer|[Ii]mage|[Jj]ob|[Rr]ole|[Dd]omain|[Rr]ealm|[Pp]artition"
    r"|[Cc]onsumer|[Ii]nterface|[Dd]evice|[Ss]erver|[Hh]ost|[Nn]ode|[Mm]ember|[Pp]eer|[Cc]lient|[Tt]enant|[Uu]ser"
    r"|[Aa]ccount|[Gg]roup|[Ss]hard|[Rr]eplica|[Ss]hare|[Pp]rinter|[Mm]ailbox|[Dd]ataset|[Pp]ool|[Cc]luster|[Rr]egion"
    r"|[Ii]nstance|[Cc]hannel|[Ss]ubscription"
)
_PLACED = re.compile(
    rf"(?<![\w<.-])(?P<word>{_NOUN}|(?P<near>from|to|of|by|for|as|via|name|named|called|program|process|task|thread))"
    r" (?P<name>[A-Za-z_](?:[\w.@:/-]|<\*>)*+)(?![(\[])"
)
_PREFIXED = re.compile(  # words with hyphens that say how, not which
    r"(?i:read|write|non|un|re|pre|post|auto|half|self|semi|out|up|in|not|over|multi|single|first|last|low|high|long"
    r"|short|well|hard|soft|time|end|client|server|real|per|on|off|cross|two|one|so|built|user|run|end|side)-"
)
_TELLING = re.compile(  # parts of joined words that say how things stand
    r"(?i)(?:^|[\W_])(?:"
    r"not|no|never|failed|fail|failure|failing|error|errors|timeout|timed|ready|full|empty|busy|lost|found"
    r"|missing|denied|refused|rejected|invalid|unknown|memory|crash|crashed|oom|loop|down|up|off|dead|alive"
    r"|stopped|started|running|closed|opened|open|killed|expired|exceeded|unreachable|unavailable|unhealthy"
    r"|healthy|degraded|disabled|enabled|success|ok"
    r")(?![^\W_])"
)
_SOURCE = re.compile(r"\.[a-z]{1,4}:<\*>|::|\.[A-Z]\w+$")
_LEADER = re.compile(r"^\([a-z_][\w.-]*\)(?= [A-Z])")
_ELEMENT = re.compile(
    r"(?<![\w<])(?!(?i:err|error|errno|code|status|state|reason|sqlstate|exception|panic|signal)\b)[A-Za-z]\w*"
    rf"\[(?!(?i:{_STATE}|enable|disable)\])[A-Za-z][\w-]*\](?![\w(])"
)
_ENCLOSED = re.compile(r"(?<!\S)(?P<open>[\[(])(?:[^\s()\[\]<>=]|<\*>)*+(?P<close>[\])])")
_BRACKETED_NAME = re.compile(r"(?<=\bfor )\[[A-Za-z_][\w.@-]*\]")
_PAIRED = re.compile(  # `key: word` in a list of pairs, unless the key says that the word is the message
    r"(?P<key>(?<![\w.])(?!(?i:reason|errors?|err|cause|status|state|code|message|msg|results?|exception|type|kind|level"
    r"|severity|action|event|info|information|response|problem|warning|failure|note|hint|detail)\b)[A-Za-z_]\w*): "
    rf"(?!(?i:{_STATE})\b)(?P<value>[A-Za-z][\w.-]*+)(?=[,;\])]|$)"
)
_NOTHING = re.compile(r"(?<=[=:])(?P<blank> ?)(?:\[\]|\(\)|\{\})(?=[\s,;)\]]|$)")
_HOLDS = re.compile(r"(?<=[=:])(?P<blank> ?)(?:\[<\*>\]|\(<\*>\)|\{<\*>\})(?=[\s,;)\]]|$)")
_ADDRESS = re.compile(r"(?<!\S)\[<\*>\](?=[\s,;.]|$)")
_AT_HOST = re.compile(r"<\*>@[\w.-]*+(?:<\*>)?")
_FLAGS = re.compile(r"(?<!\S)[+-][A-Z](?:\w|[()]|<\*>)*(?!\S)")
_RECORD_TYPE = re.compile(
    r"(?<=\bIN )(?:A|AAAA|ANY|CAA|CNAME|DNSKEY|DS|HTTPS|MX|NAPTR|NS|NSEC|PTR|SOA|SRV|SVCB|TLSA|TXT|[AI]XFR)\b"
)
_HOST_PLACE = re.compile(
    r"\b(?P<word>(?:[Ff]rom|[Tt]o|[Hh]ost|[Ss]erver|[Cc]lient|[Pp]eer|[Nn]ode))"
    r" (?P<name>[\w-]+(?:\.[\w-]+)+|[A-Za-z][\w]*-[\w-]+)(?= \((?:<\*>)?\)| port <\*>|:<\*>)"
)
_STATEMENT = re.compile(r"\bstatement: .*", re.IGNORECASE)
_METHOD = re.compile(r"\b(GET|POST|PUT|DELETE|HEAD|OPTIONS|PATCH|CONNECT|TRACE|PROPFIND) \S+(?= HTTP/)")
_EMPTY = re.compile(r"(?<=<\*> )\(\)")
_RUN = re.compile(r"<\*>(?:(?: ?[,;|] ?| )<\*>)+(?![\w/])")
_CYCLE = re.compile(r"(?<!\S)(<\*> \S+)(?: \1)+(?!\S)")
_REPEATED = re.compile(r"(?<!\S)(\S*<\*>[^\s,;]*)(?:[,;]? \1)+(?![^\s,;])")
_SERVER_ERROR = re.compile(
    r"(HTTP/\d(?:\.\d)?\" |\bstatus: )5\d\d\b"
)  # a 503 is a fault, a 200 none: never one template


@lru_cache(maxsize=1 << 11)
def _finish(joined: str) -> str:
    """Mask what only the neighbourhood of a token tells."""
    if (
        "ser" in joined
        or "ustomer" in joined
        or "enant" in joined
        or "rincipal" in joined
        or "USER" in joined
        or "name" in joined
    ):
        joined = _PERSON.sub(rf"\g<word> {WILD}", joined)
    if "for " in joined:
        joined = _FOR_FROM.sub(rf"\g<for> {WILD} ", joined)
    if WILD in joined:
        joined = _REPEATED.sub(r"\1", joined)
    joined = _PLACED.sub(_placed, joined)
    if "[" in joined:
        joined = _BRACKETED_NAME.sub(f"[{WILD}]", _ELEMENT.sub(_element, joined))
    if joined.startswith("("):
        joined = _LEADER.sub(f"({WILD})", joined)
    if WILD not in joined:
        return joined
    if " IN " in joined:
        joined = _RECORD_TYPE.sub(WILD, joined)
    if "[" in joined or "(" in joined or "{" in joined:
        joined = _HOLDS.sub(rf"\g<blank>{WILD}", _NOTHING.sub(rf"\g<blank>{WILD}", joined))
    if f": {WILD}" in joined:
        joined = _PAIRED.sub(rf"\g<key>: {WILD}", joined)
    joined = _AT_HOST.sub(WILD, _ENCLOSED.sub(_enclosed, joined))
    joined = _ADDRESS.sub(WILD, joined)
    joined = _FLAGS.sub(_flags, joined)
    joined = _QUANTITY.sub(WILD, joined)
    joined = _HOST_PLACE.sub(rf"\g<word> {WILD}", joined)
    joined = _EMPTY.sub(f"({WILD})", joined)
    return _CYCLE.sub(r"\1", _REPEATED.sub(r"\1", _RUN.sub(WILD, joined)))


def _placed(found: "re.Match[str]") -> str:
    """A name after the word that announces it: one with digits after any such word, a joined one only after a noun."""
    name = found["name"]
    core = name.rstrip(".:/-")
    if ".." in core or _SOURCE.search(core) is not None:
        return found[0]
    if WILD not in core and (
        found["near"] is not None
        or core.strip("_").isalnum()
        or _PREFIXED.match(core) is not None
        or _TELLING.search(core) is not None
    ):
        return found[0]
    return f"{found['word']} {WILD}{name[len(core) :]}"


def _element(found: "re.Match[str]") -> str:
    return f"{found[0].partition('[')[0]}[{WILD}]"


def _enclosed(found: "re.Match[str]") -> str:
    """One word with digits that stands alone in brackets is an id."""
    return f"{found['open']}{WILD}{found['close']}" if WILD in found[0] else found[0]


def _flags(found: "re.Match[str]") -> str:
    return WILD if WILD in found[0] else found[0]


def template(line: str) -> str:
    """The line with every evident variable as `<*>` and single blanks between its tokens."""
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
    return _finish(" ".join(map(mask, line.split())))


def forget() -> None:
    """Empty the caches of tokens and templates, for measurements."""
    mask.cache_clear()
    _finish.cache_clear()
