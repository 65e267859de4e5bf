"""What the observing process does side by side: one module a job. `process` makes them all and keeps them going.

    job      `Job`, which each of them is, and `Ground`, which they stand on together
    logs     follows the logs; `journals` the systemd journal
    health   samples of the host and of whatever else has samples, closed into blocks
    limits   keeps what all processes take within the configured limits
    probing  the probes' looks
    remote   a configuration from headquarters, from its coming to its outcome
    site     the inventory of the host, and what changed there
    status   the note that `sitewarden-agent status` shows

A new job is one class here and one line in `process.jobs`.
"""
