"""Variables which their place tells: a name after the word that announces it, what stands in brackets, values in lists
of pairs, quantities with units, and runs of variables.

Promises: `mask(joined)` takes a message whose tokens are masked and joined by single blanks, and masks what only the
neighbourhood of a token tells; linear in its length. It errs towards keeping words that say how things stand.
Not here: what the form of a token shows (`masks`).
"""

import re
from functools import lru_cache

WILD = "<*>"
STATE = (  # words that say how things stand: they are the message, not a value
    r"(?:active|inactive|up|down|on|off|true|false|yes|no|ok|none|null|nil|failed|failure|success|succeeded|error|warning"
    r"|critical|fatal|enabled|disabled|open|opened|closed|running|stopped|started|dead|alive|online|offline|degraded|healthy"
    r"|unhealthy|full|empty|read-only|primary|secondary|standby|lost)"
)

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
    rf"\[(?!(?i:{STATE}|enable|disable)\])[A-Za-z][\w-]*\](?![\w(])"
)
_ENCLOSED = re.compile(r"(?<!\S)(?P<open>[\[(])(?:[^\s()\[\]<>=]|<\*>)*+(?P<close>[\])])")
_BRACKETED_NAME = re.compile(
    rf"(?P<word>\b(?:for|[Ss]ervice|{_NOUN}) )\[(?!(?i:{STATE})\])[A-Za-z_][\w.@-]*\](?![\w(])"
)
_PAIRED = re.compile(  # `key: word` in a list of pairs, unless the key says that the word is the message
    r"(?P<key>(?<![\w.])(?!(?i:reason|errors?|err|cause|status|state|code|message|msg|results?|exception|type|kind|level"
    r"|severity|action|event|info|information|response|problem|warning|failure|note|hint|detail)\b)[A-Za-z_]\w*): "
    rf"(?!(?i:{STATE})\b)(?P<value>[A-Za-z][\w.-]*+)(?=[,;\])]|$)"
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
_EMPTY = re.compile(r"(?<=<\*> )\(\)")
_RUN = re.compile(r"<\*>(?:(?: ?[,;|] ?| )<\*>)+(?![\w/])")
_CYCLE = re.compile(r"(?<!\S)(<\*> \S+)(?: \1)+(?!\S)")
_REPEATED = re.compile(r"(?<!\S)(\S*<\*>[^\s,;]*)(?:[,;]? \1)+(?![^\s,;])")


@lru_cache(maxsize=1 << 11)
def mask(joined: str) -> str:
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
        joined = _BRACKETED_NAME.sub(rf"\g<word>[{WILD}]", _ELEMENT.sub(_element, joined))
    if joined.startswith("("):
        joined = _LEADER.sub(f"({WILD})", joined)
    if WILD not in joined:
        return joined
    if " IN " in joined:
        joined = _RECORD_TYPE.sub(WILD, joined)
    bracketed = "[" in joined or "(" in joined
    if bracketed or "{" in joined:
        joined = _HOLDS.sub(rf"\g<blank>{WILD}", _NOTHING.sub(rf"\g<blank>{WILD}", joined))
    if f": {WILD}" in joined:
        joined = _PAIRED.sub(rf"\g<key>: {WILD}", joined)
    if bracketed:
        joined = _ADDRESS.sub(WILD, _ENCLOSED.sub(_enclosed, joined))
    if f"{WILD}@" in joined:
        joined = _AT_HOST.sub(WILD, joined)
    if "+" in joined or " -" in joined:
        joined = _FLAGS.sub(_flags, joined)
    joined = _QUANTITY.sub(WILD, joined)
    if "port " in joined or f":{WILD}" in joined or " (" in joined:
        joined = _HOST_PLACE.sub(rf"\g<word> {WILD}", joined)
    if "()" in joined:
        joined = _EMPTY.sub(f"({WILD})", joined)
    if joined.count(WILD) < 2:
        return joined
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
