"""Alerts of other monitoring: from their payloads to signals.

    alertmanager.read(payload), grafana.read(payload), zabbix.read(payload)  -> Read
    follow(alert, known)   what an alert is, seen against what is known of it: begins, goes on, ends, or nothing new
    signal(alert, ...)     the signal for triage

An alert has an identity, the same when it fires and when it is over, and an episode, which grows each time it begins
anew: so that a repeat changes nothing, and neither does what arrives late or twice. Payloads are others' words: every
text is cut, every list is bounded, and what cannot be read is a complaint beside the rest. Not here: which site an
alert belongs to, and keeping what is known.
"""

from sitewarden_alerting.foreign.alerts import Alert, Known, News, Read, Unreadable, follow, signal, storm

__all__ = ["Alert", "Known", "News", "Read", "Unreadable", "follow", "signal", "storm"]
