"""Service levels: what a contract promises, and the clocks that say how much of it is left.

Nothing here counts. A clock is computed from the history of its ticket, the agreement and the calendars, all of them
arguments, so every minute of it can be explained, and a correction of the past is one more event of the history.

    calendars   working hours in a time zone, with holidays and extra working days as data, in numbered versions
    intervals   working time between two instants, and the instant at which some working time is over
    targets     what is promised: goals by priority and target, and what pauses them
    periods     how a ticket stood over time, out of its history
    clock       the clocks of one ticket
    explain     what a clock did, in words
"""
