"""What programs say of a failure without a level, or at a level that hides it.

PostgreSQL tells a crash of its server at the level LOG, Apache one of a process as a notice; systemd and the kernel
name no level in a file, Postfix and OpenSSH write failures as they write success. `least(message)` is how bad such a
message is at least; None when it is none of these. A level that a program states is believed, but for the texts of
DESPITE_LEVEL. It looks for fixed texts, so that a scan of whole blocks can look for the same (`prefilter`). The texts
hold no digits and no quotes: digits are no part of a record's shape, and JSON escapes quotes.

Only what no program says in a good hour belongs here: every text makes an agent send records. Not here: words that mean
a severity in every program (`severity`), and what becomes of it (the rule packs).
"""

from sitewarden_alerting.reading.severity import Severity

TEXTS = {
    Severity.CRITICAL: (
        "was terminated by signal",  # PostgreSQL
        "has no server available",  # HAProxy
        "Out of memory: Killed process",  # Linux
        "Memory cgroup out of memory",
        "Kernel panic",
        "Found one Java-level deadlock",  # JVM
        "no hostkeys available",  # OpenSSH
        "Start request repeated too quickly",  # systemd
    ),
    Severity.ERROR: (
        "ddress already in use",
        "oo many open files",
        "o space left on device",
        "archive command failed",  # PostgreSQL
        "exit signal ",  # Apache
        "Syntax error on line",
        "Invalid command '",
        "Bad configuration option",
        " is DOWN. ",  # HAProxy
        " is DOWN, reason",
        "SERVER_ERROR ",  # memcached
        "http: panic serving",  # Go
        "Unable to load application",  # Puma
        "VCL compilation failed",  # Varnish
        "unable to configure the Docker daemon",
        "cannot be opened: MDB_",  # OpenLDAP
        "bi_db_open failed",
        "unknown directive <",
        "TLS init def ctx failed",
        "invalid path: ",
        "auth failed on module",  # rsync
        "nknown module ",
        "chdir failed",
        "chdir /",
        "change_dir ",
        "write failed on ",
        "send_files failed to open",
        "failed to connect to ",
        "connection unexpectedly closed",
        "bad command line options",  # dnsmasq
        "failed to load names from",
        "unknown interface ",
        "cannot read /",
        "(NoMethodError)",  # Ruby
        "(ArgumentError)",
        "(RuntimeError)",
        "(NameError)",
        "(SystemStackError)",
        "(LoadError)",
        "(SocketError)",
        "(Errno::",
        "Deadlock? (fatal)",
        "UnhandledPromiseRejection",  # Node.js
        "Could not open NTP socket",  # chrony
        "general protection fault",  # Linux
        "blocked for more than",
        "EXT4-fs error",
        "I/O error",
        "Remounting filesystem read-only",
        "Aborting journal on device",
        "failed with result",  # systemd
        "operation timed out. Terminating",
        "Watchdog timeout (limit",
        "Failed with result",
    ),
    Severity.WARNING: (
        "Maximum number of concurrent DNS queries",  # dnsmasq
        "failure trying primary",  # BIND
        "denied: max_connections exceeded",  # Mosquitto
        " SC-- ",  # HAProxy
        " sQ-- ",
        " sH-- ",
        "Starting crash recovery",  # MariaDB
        "Can't synchronise",  # chrony
        "System clock wrong by",
        "Failed password for",  # OpenSSH
        "Authentication refused",
        "MaxStartups throttling",
        "status=deferred",  # Postfix
        "status=bounced",
    ),
}
DESPITE_LEVEL = frozenset(
    (
        "was terminated by signal",
        "archive command failed",
        "exit signal ",
        "failure trying primary",
        "Starting crash recovery",
    )
)
_BY_TEXT = tuple((text, severity) for severity, texts in TEXTS.items() for text in texts)
HEAD_CHARS = 400
"""No text counts that stands further on: there it is detail."""


def least(message: str, *, stated: bool) -> Severity | None:
    """The severity that the message has at least by one of the texts; the worst of them. `stated`: its program named a
    level."""
    head = message[:HEAD_CHARS]
    for text, severity in _BY_TEXT:
        if text in head and (not stated or text in DESPITE_LEVEL):
            return severity
    return None
