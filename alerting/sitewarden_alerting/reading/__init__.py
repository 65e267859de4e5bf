"""Reading: bytes of a log file to redacted events, in four steps that the agent and the collector share.

`lines` cuts bytes into records, `header` finds time, severity, component and message, `redact` takes out what is
personal, `event` joins them with the fingerprint. Everything here is a function of its arguments, on the standard
library alone: no file, no clock.
"""
