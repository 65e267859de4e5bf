"""The labels of the sample logs: which records are the same event, told by hand.

Each program has the pattern of a line that starts a record, and its events in order: a name and a pattern that is
searched in the whole record. Programs whose records are single lines have `events.txt` instead: one shape a line, tried
in order, searched in the line; `*` is anything, `^` its beginning; the shape is the event's name. The names were given
by reading the logs; nothing here knows the code under test.
`python -m tests.data.logs.labels` writes `labels.csv` beside each sample; a test checks that they are current.

The logs are those of programs which really ran, worked and failed for this purpose; see README.md.
"""

import csv
import io
import re
from pathlib import Path

HERE = Path(__file__).parent
ISO = r"2026-\d\d-\d\d \d\d:\d\d:\d\d"

STARTS = {
    "redis": r"\d+:[A-Z] ",
    "postgresql": ISO,
    "nginx": r"2026/",
    "python": ISO,
    "sshd": r"",
    "mosquitto": r"\d{10}: ",
    "haproxy": r"Mar 12 ",
    "dnsmasq": r"Mar 12 ",
    "java": r"Mar 12, 2026|Exception in thread",
    "apache": r"\[Thu Mar 12",
    "dpkg": r"2025-",
    "node": r"\{\"level\"|/srv/\S+:\d+$",
}

EVENTS = {
    "redis": """
        accepted = Accepted 127
        client closed = Client closed connection
        client error = Reading from client:
        protocol error = Protocol error
        db saved = DB saved on disk
        cow rdb = Fork CoW for RDB
        cow aof = Fork CoW for AOF
        bgsave started = Background saving started
        bgsave ended = Background saving terminated
        sync started = MASTER <-> REPLICA sync started
        connecting = Connecting to MASTER
        sync refused = Error condition on socket for SYNC
        configuration loaded = Configuration loaded
        clock = monotonic clock
        starting = Redis is starting
        version = Redis version=
        mode = Running mode=
        initialized = Server initialized
        overcommit = Memory overcommit must be enabled
        ready = Ready to accept connections
        statistics = DB \\d+: \\d+ keys
        aof finished = Background AOF rewrite finished
        aof terminated = Background AOF rewrite terminated
        aof handler = Background AOF rewrite signal handler
        aof started = Background append only file rewriting started
        base created = Successfully created the temporary AOF base file
        base renamed = Successfully renamed the temporary AOF base file
        rdb memory = RDB memory usage when created
        rdb age = RDB age
        rdb version = Loading RDB produced by
        loaded = Done loading RDB
        bye = Redis is now ready to exit
        final save = Saving the final RDB
        shutdown = User requested shutdown
        sigterm = Received SIGTERM
        replica = REPLICAOF .* enabled
        master mode = MASTER MODE enabled
        becomes replica = Before turning into a replica
        discard = Discarding previously cached
        second id = Setting secondary replication ID
        remove base = Removing the history file .*base.rdb
        remove incr = Removing the history file .*incr.aof
        reading base = Reading RDB base file
        loaded aof = DB loaded from append only file
        loaded base = DB loaded from base file
        loaded disk = DB loaded from disk
        loaded incr = DB loaded from incr file
        fsync = Calling fsync
        rdb is base = RDB is base AOF
        incr on rewrite = Creating AOF incr file .* on background rewrite
        incr on start = Creating AOF incr file .* on server start
        base on start = Creating AOF base file .* on server start
        opening incr = Opening AOF incr file
        listen failed = Failed listening on port
        bind failed = Could not create server TCP
        bad rdb = Can't handle RDB format
        fatal load = Fatal error loading the DB
        crash killed = Killed by PID
        crash = crashed by signal
        crash place = Crashed running the instruction
        crash address = Accessing address
        wrong signature = Wrong signature trying to load
    """,
    "postgresql": """
        statement = STATEMENT:
        detail waits = DETAIL:  Process \\d+ waits for
        detail holds = DETAIL:  Process(es)? holding the lock
        detail key missing = DETAIL:  Key .* is not present
        detail key exists = DETAIL:  Key .* already exists
        detail row = DETAIL:  Failing row
        detail role = DETAIL:  Role
        detail password = DETAIL:  Connection matched
        detail running = DETAIL:  Failed process was running
        detail crash = DETAIL:  The postmaster has commanded
        hint log = HINT:  See server log
        hint postmaster = HINT:  Is another postmaster
        hint reconnect = HINT:  In a moment
        context tuple = CONTEXT:  while
        received = connection received
        authenticated = connection authenticated
        authorized = connection authorized
        disconnection = disconnection: session
        slow = duration: .* statement
        checkpoint complete = checkpoint complete
        checkpoint shutdown = checkpoint starting: shutdown
        checkpoint recovery = checkpoint starting: end-of-recovery
        checkpoint forced = checkpoint starting: immediate force
        checkpoint time = checkpoint starting: time
        socket = listening on Unix socket
        listening = listening on IPv4
        too many = too many clients
        starting = starting PostgreSQL
        ready = ready to accept connections
        is shut down = database system is shut down
        was shut down = database system was shut down
        not properly = was not properly shut down
        interrupted = was interrupted
        temporary = temporary file: path
        password = password authentication failed
        date = date/time field value out of range
        configuration = configuration file .* contains errors
        parameter = unrecognized configuration parameter
        waiting share = still waiting for ShareLock
        waiting access = still waiting for AccessShareLock
        acquired share = acquired ShareLock
        acquired access = acquired AccessShareLock
        deadlock found = detected deadlock while
        deadlock = deadlock detected
        division = division by zero
        timeout = due to statement timeout
        user cancel = due to user request
        relation = relation .* does not exist
        column = column .* does not exist
        database = database .* does not exist
        syntax = syntax error
        foreign key = violates foreign key
        unique = violates unique
        not null = violates not-null
        check = violates check constraint
        permission = permission denied
        integer = invalid input syntax
        sighup = received SIGHUP
        smart = received smart shutdown
        fast = received fast shutdown
        immediate = received immediate shutdown
        wal length = invalid record length
        shutting down = shutting down
        logical = logical replication launcher
        vacuum = automatic vacuum
        aggressive vacuum = automatic aggressive vacuum
        analyze = automatic analyze
        skipping = skipping (vacuum|analyze) of
        reinitializing = all server processes terminated
        terminating others = terminating any other
        killed = was terminated by signal
        aborting = aborting any active
        lock file = lock file
        redo done = redo done
        redo starts = redo starts
        redo not = redo is not required
        autovacuum stops = terminating autovacuum
        admin = terminating connection due to administrator
        lost = terminating connection because of crash
        terminated = could not receive data|unexpected EOF
    """,
    "nginx": """
        missing page = open\\(\\) ".*" failed \\(2: .*client
        missing file = open\\(\\) ".*" failed \\(2:
        limited = limiting requests
        delayed = delaying request
        reset in request = Connection reset by peer\\) while reading client request line.*request: "GET
        reset in line = Connection reset by peer\\) while reading client request line
        reset in headers = Connection reset by peer\\) while reading client request headers
        no live upstream = no live upstreams
        too large = too large body
        cycle = internal redirection cycle
        version = sent invalid version
        method = sent invalid method
        request = sent invalid request
        host header = sent invalid host header
        no host = without "Host" header
        reset idle = closed keepalive connection \\(
        closed idle = closed keepalive connection
        no user = was not found in
        mismatch = password mismatch
        forbidden = is forbidden
        refused = Connection refused\\) while connecting
        timed out = upstream timed out
        not http = upstream sent no valid
        premature = upstream prematurely closed
        disabled = upstream server temporarily disabled
        bind = bind\\(\\) to
        bind again = try again to bind
        bind given up = still could not bind
        event method = event method
        worker exited = worker process \\d+ exited
        workers = start worker processes
        worker = start worker process
        child = SIGCHLD
        sigio = SIGIO
        sighup = SIGHUP
        sigquit = SIGQUIT
        reconfiguring = reconfiguring
        gracefully = gracefully shutting
        signalled = signal process started
        exiting = exiting
        exit = : exit
        directive = unknown directive
        os = OS: Linux
        limits = getrlimit
        built = built by
        version line = nginx/
    """,
    "python": """
        order accepted = accepted, \\d+ items
        not reserved = could not be reserved.*OutOfStock
        not saved = is not saved.*IntegrityError
        basket json = bad basket from.*JSONDecodeError
        basket key = bad basket from.*KeyError
        basket index = bad basket from.*IndexError
        picked up = picked up mail
        mail server = does not answer
        queue = queue is long
        price list = price list
        product = GET /product
        session = session 0x
        gateway = payment gateway
        thread = thread .* died
        starts = starts, pid
        stops = shop stops
    """,
    "sshd": """
        connection = ^Connection from
        accepted key = ^Accepted key
        accepted = ^Accepted publickey
        postponed = ^Postponed publickey
        received disconnect = ^Received disconnect
        disconnected user = ^Disconnected from user
        disconnected invalid = ^Disconnected from invalid user
        child = ^User child is on pid
        disconnecting user = ^Disconnecting authenticating user .*Too many
        disconnecting invalid = ^Disconnecting invalid user .*Too many
        failed invalid = ^Failed password for invalid user
        failed = ^Failed password for
        failed none = ^Failed none for
        failed key invalid = ^Failed publickey for invalid user
        failed key = ^Failed publickey for
        session = ^Starting session
        close session = ^Close session
        closed user = ^Connection closed by authenticating user
        closed invalid = ^Connection closed by invalid user
        closed = ^Connection closed by \\d
        reset = ^Connection reset by
        maximum invalid = maximum authentication attempts exceeded for invalid user
        maximum = maximum authentication attempts exceeded
        invalid = ^Invalid user
        shadow = Could not get shadow
        kex = no matching key exchange
        cipher = no matching cipher
        mac = no matching MAC
        denied = because listed in DenyUsers
        root = ROOT LOGIN REFUSED
        listening = ^Server listening
        sighup = ^Received SIGHUP
        bind = Bind to port
        cannot bind = Cannot bind any
        no file = No such file
        banner = banner exchange
        protocol = Protocol major versions differ
        kex_exchange = kex_exchange_identification
        drop = drop connection
        refused = connect_to .* failed
        timeout = Timeout before authentication
        beginning = beginning MaxStartups
        exited = exited MaxStartups
        ssh_dispatch = ssh_dispatch_run_fatal
    """,
    "mosquitto": """
        connection = New connection from
        connected = New client connected
        connack = Sending CONNACK
        received disconnect = Received DISCONNECT
        not authorised = disconnected, not authorised
        protocol = disconnected due to protocol error
        disconnected = ^\\d+: Client .* disconnected\\.
        closed = closed its connection
        no will = No will message
        suback = Sending SUBACK
        subscribe = Received SUBSCRIBE
        got publish = Received PUBLISH
        got pubrel = Received PUBREL
        sent pubrec = Sending PUBREC
        sent pubcomp = Sending PUBCOMP
        sent publish = Sending PUBLISH
        sent puback = Sending PUBACK
        got puback = Received PUBACK
        denied = Denied PUBLISH
        version = Invalid protocol version
        subscription = \\(QoS \\d\\)
        grant = ^\\d+: \\S+ \\d \\S+$
        terminating = terminating
        starting = starting
        running = running
        saving = Saving in-memory
        config = Config loaded
        listening = Opening ipv4
        restore = Persistent|Couldn't open database
        reload = Reloading config
    """,
    "haproxy": """
        served = app/a\\d+ \\d+/\\d+/\\d+/\\d+/\\d+ (200|404|500) .* ----
        server timeout = sH--
        aborted by server = SH--
        no server = app/<NOSRV>
        denied = PR--
        bad request = BADREQ
        dead backend = dead/d1
        empty backend = empty/<NOSRV>
        empty server = empty/e1 .* SC--
        tcp failed = tcpin/t1 .* SC
        tcp = tcpin/t1
        check failed = Health check for server .* failed, reason: Layer4
        check socket = Health check for server .* failed, reason: Socket error
        check passed = Health check for server .* succeeded
        down = Server .* is DOWN
        up = Server .* is UP
        backend down = has no server available
        proxy stopped = Proxy .* stopped
    """,
    "dnsmasq": """
        query = query\\[
        forwarded = : forwarded
        reply name only = reply .* is <CNAME>
        reply nodata = reply .* is NODATA
        reply nxdomain = reply .* is NXDOMAIN
        reply servfail = reply error is SERVFAIL
        reply = reply .* is
        cached nodata = cached .* is NODATA
        cached nxdomain = cached .* is NXDOMAIN
        cached = cached .* is
        config nxdomain = config .* is NXDOMAIN
        config nodata = config .* is NODATA
        config = config .* is
        hosts = hosts \\S+ is
        read = read .* names
        server statistics = queries sent
        started = started, version
        options = compile time options
        local only = using only locally-known
        nameserver domain = using nameserver .* for
        nameserver = using nameserver
        cleared = cleared cache
        time = : time \\d
        cache size = cache size
        forwarded statistics = queries forwarded
        authoritative = queries for authoritative
        subqueries = DNSSEC per-query subqueries
        crypto = DNSSEC per-query crypto
        signature = DNSSEC per-RRSet
        children = child processes
        pool = pool memory
        table head = Host +Address
        table line = -----
        table row = ^Mar.*: \\S+ +\\S* +\\S* ?[!F46]* .*[HIC]
        exiting = exiting on receipt
    """,
    "java": """
        starts = starts on port
        order = of customer
        cache = Cache of
        mail = Sent mail
        not paid = is not paid
        step array = Step array gave up
        step stock = Step stock gave up
        step basket = Step basket gave up
        step price = Step price gave up
        worker pay = Worker failed.*ConnectException
        worker array = Worker failed.*ArrayIndexOutOfBounds
        worker stock = Worker failed.*NullPointer
        worker basket = Worker failed.*NoSuchFile
        worker price = Worker failed.*NumberFormat
        stops = stops after
        unpaid = orders unpaid
    """,
    "apache": """
        backend = failed to make connection to backend
        refused = attempt to connect to
        length = larger than the configured limit
        encoded slash = encoded '/'
        missing = File does not exist
        invalid path = invalid URI path
        permission = file permissions deny
        premature = Premature end of script
        end of output = End of script output
        no script = script not found
        exec = exec of
        reading = Error reading request entity
        index = Cannot serve directory
        denied = client denied
        no user = not found: /sec
        mismatch = Password Mismatch
        resuming = resuming normal operations
        built = Server built
        command line = Command line
        sigterm = caught SIGTERM
        graceful = Doing graceful restart
        pid file = removed PID file
    """,
    "dpkg": """
        configure = \\d configure
        install = \\d install
        startup = \\d startup
        half-configured = status half-configured
        half-installed = status half-installed
        installed = status installed
        pending = status triggers-pending
        unpacked = status unpacked
    """,
    "node": """
        listening = listening on port
        completed = request completed
        stock = StockError
        basket = is not JSON
        unexpected = unexpected error
        slow = slow query
        login = logged in from
        lost = database connection lost
        queue = queue .* is away
        crash = TypeError
    """,
}


def programs() -> list[str]:
    """Every program that has a sample."""
    return sorted(folder.name for folder in HERE.iterdir() if (folder / "sample.log").exists())


def events(program: str) -> list[tuple[str, re.Pattern[str]]]:
    """The events of a program, in the order in which they are tried."""
    shapes = HERE / program / "events.txt"
    if shapes.exists():
        return [(shape, _shape(shape)) for shape in shapes.read_text().splitlines()]
    pairs = (line.strip().split(" = ", 1) for line in EVENTS[program].strip().splitlines())
    return [(name, re.compile(pattern, re.DOTALL)) for name, pattern in pairs]


def _shape(shape: str) -> re.Pattern[str]:
    anchored = shape.startswith("^")
    return re.compile(("^" if anchored else "") + re.escape(shape[anchored:]).replace(r"\*", ".*"))


def label(program: str) -> list[tuple[int, str]]:
    """(offset of the record, event) for every record of a program's sample. ValueError where no event fits."""
    start = re.compile(STARTS.get(program, ""))
    records: list[tuple[int, str]] = []
    offset = 0
    for line in (HERE / program / "sample.log").read_bytes().splitlines(keepends=True):
        text = line.decode()
        if start.match(text) is not None and text.strip():
            records.append((offset, text))
        elif records:
            records[-1] = (records[-1][0], records[-1][1] + text)
        offset += len(line)
    return [(at, _event(program, text.strip())) for at, text in records]


def _event(program: str, text: str) -> str:
    for name, pattern in events(program):
        if pattern.search(text) is not None:
            return name
    raise ValueError(f"{program}: no event for {text[:120]!r}")


def table(program: str) -> str:
    """`labels.csv` of a program."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([("offset", "event"), *label(program)])
    return text.getvalue()


def main() -> None:
    for program in programs():
        (HERE / program / "labels.csv").write_text(table(program))


if __name__ == "__main__":
    main()
