"""When a line was written: every instant that its stamp may mean, and which of them a log means.

A stamp without a zone may be UTC (MLPerf's PTDaemon) or local time (most plugs), and 01/02/2026 two days. A
log is followed while it is written, so the meaning that puts its newest line just before now is its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal

from energy.meters.outside.quantity import number, words, words_of

NEAR_SECONDS = 1800.0  # half of the least difference between two zones: no two meanings are both so near
AHEAD_SECONDS = 60.0
SAME_SECONDS = 1.0
UNIX = ((1e9, "seconds", 1.0), (1e12, "milliseconds", 1e-3), (1e15, "microseconds", 1e-6), (1e18, "ns", 1e-9))
ELAPSED = "seconds since the logger's start"
STATED = "offset from UTC stated"
UNSTATED = ("UTC", "local time")
EXPECTED = "a date and time (2026-01-31 13:59:59), a Unix time, or seconds since the start"
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
CLOCK = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?\s*([ap]\.?m\.?)?", re.IGNORECASE)
ZONE = re.compile(r"\s*(?:(UTC|GMT|Z)\b|([+-])(\d{2}):?(\d{2})?\b|[A-Z]{3,5}\b)")  # CET is unknown to us
DATE = re.compile(r"(\d{1,4})([-/.])(\d{1,2})\2(\d{1,4})\.?")
TIME = words_of(
    "time timestamp stamp date datetime ts epoch unix unixtime elapsed zeit datum uhrzeit zeitstempel heure "
    "fecha changed updated seen at ctime"
)
NO_TIME = words_of(
    "total start end run running remaining up on off minute today zone offset uptime runtime "
    "downtime lifetime"
)
TIME_ALONE = words_of("t ts s sec secs seconds ms utc")
SECONDS = {"ms": 1e-3, "msec": 1e-3, "us": 1e-6, "\u00b5s": 1e-6, "min": 60.0, "minutes": 60.0, "h": 3600.0}
DAY = re.compile(r"\d+[-/.]\d+[-/.]\d+\.?")
TIME_OF_DAY = re.compile(r"\d+:\d+(:\d+([.,]\d+)?)?( ?[ap]\.?m\.?)?", re.IGNORECASE)


def instants(
    given: object, now: float, zone: tzinfo | None = None, scale: float = 1.0
) -> dict[str, set[float]]:
    """Return what a stamp may mean (Unix seconds), by how it is read; two instants if local time is repeated.

    Args:
        given: the stamp, as text or as a number.
        now: the wall clock, for stamps without a date (Unix seconds).
        zone: of stamps that state none; None: UTC and local time are both possible.
        scale: seconds per unit of a time since the start.

    Raises:
        ValueError: it is no time.
    """
    try:
        value = float(number(given).value) if isinstance(given, int | Decimal) or _is_digits(given) else None
        if value is None:
            return _dated(str(given).strip().strip('"'), now, zone)
    except (ValueError, OverflowError, OSError) as problem:
        raise ValueError(f"time is {given!r}, expected {EXPECTED}") from problem
    for least, name, factor in UNIX:
        if least <= value < 100 * least:
            return {f"Unix {name}": {value * factor}}
    if not 0 <= value < UNIX[0][0]:
        raise ValueError(f"time is {given}, expected {EXPECTED}")
    return {ELAPSED: {value * scale}}


def is_stamp(text: str) -> bool:
    """Say whether a text is a time."""
    try:
        return bool(instants(text, 0.0))
    except ValueError:
        return False


class Stamps:
    """How one log writes its times: found out from its newest line, and kept to."""

    def __init__(self, zone: tzinfo | None, scale: float, *, since_start: bool = False) -> None:
        self.how = "none yet"
        self.near = True  # whether the newest line was written just before it came
        self._zone, self._scale, self._since_start = zone, scale, since_start
        self._meant: set[str] = set()
        self._start = 0.0  # wall clock when a log of elapsed seconds began

    @property
    def elapsed(self) -> bool:
        """Whether the log has no clock, so that its newest line is taken to have come just now."""
        return ELAPSED in self._meant

    def begin(self, newest: object, now: float) -> None:
        """Find out what the stamps mean, from the newest of the lines that are there at `now` (Unix s).

        Raises:
            ValueError: no meaning of it is near now.
        """
        found = self._instants(newest, now)
        late = {
            how: [now - wall for wall in walls if wall <= now + AHEAD_SECONDS] for how, walls in found.items()
        }
        near = {how: min(abs(one) for one in walls) for how, walls in late.items() if walls}
        self.near = any(one <= NEAR_SECONDS for one in near.values())
        if len(found) > 1:
            near = {how: one for how, one in near.items() if one <= NEAR_SECONDS}
            if not near:
                raise ValueError(
                    f"its newest time is {newest!r}, which is near now neither as {' nor as '.join(found)}: "
                    "state its zone (tz=Europe/Warsaw, tz=UTC) before the source, or set the logger's clock"
                )
            self._meant = {how for how, one in near.items() if one <= min(near.values()) + SAME_SECONDS}
            self.how = f"no zone stated, taken as {sorted(self._meant, reverse=True)[0]}"
        else:
            self._meant = set(found)
            (self.how,) = found
        if self.elapsed:
            self._start = now - max(found[ELAPSED])

    def walls(self, given: object, now: float) -> set[float]:
        """Return the instants (Unix s) that a stamp of this log may mean; two where local time is repeated.

        Raises:
            ValueError: it is no time, or one of another kind than before.
        """
        found = self._instants(given, now)
        meant = [walls for how, walls in found.items() if how in self._meant]
        if not meant:
            raise ValueError(f"time is {given!r} ({', '.join(found)}), expected {self.how} as before")
        return {wall + (self._start if self.elapsed else 0.0) for walls in meant for wall in walls}

    def _instants(self, given: object, now: float) -> dict[str, set[float]]:
        clock = CLOCK.fullmatch(str(given).strip()) if self._since_start else None
        if clock is None:
            return instants(given, now, self._zone, self._scale)
        hours, minutes, seconds, part, _ = clock.groups()
        return {ELAPSED: {3600.0 * int(hours) + 60.0 * int(minutes) + float(f"{seconds or 0}.{part or 0}")}}


def _is_digits(given: object) -> bool:
    return isinstance(given, str) and re.fullmatch(r"\s*\d+([.,]\d+)?([eE]\+?\d+)?\s*", given) is not None


def _dated(text: str, now: float, zone: tzinfo | None) -> dict[str, set[float]]:
    found: dict[str, set[float]] = {}
    for order, moment in _moments(text, now):
        for name, walls in _walls(moment, zone):
            found.setdefault(", ".join(part for part in (name, order) if part), set()).update(walls)
    if not found:
        raise ValueError("no date")
    return found


def _walls(moment: datetime, zone: tzinfo | None) -> Iterator[tuple[str, set[float]]]:
    """Yield by whose clock it may be, and when that was; twice in the hour that is repeated."""
    if moment.tzinfo is not None:
        yield STATED, {moment.timestamp()}
    elif zone is not None:
        yield str(zone), {moment.replace(tzinfo=zone, fold=fold).timestamp() for fold in (0, 1)}
    else:
        utc, local = UNSTATED
        yield utc, {moment.replace(tzinfo=UTC).timestamp()}
        yield local, {moment.replace(fold=fold).timestamp() for fold in (0, 1)}


def _moments(text: str, now: float) -> Iterator[tuple[str, datetime]]:
    """Yield the moments that a text may name, each with the order of its date where that is not clear."""
    try:
        yield "", datetime.fromisoformat(text)
        return
    except ValueError:
        pass  # other than ISO 8601
    clock = CLOCK.search(text)
    if clock is None:
        yield from ((order, datetime.combine(day, time())) for order, day in _dates(text, now))
        return
    offset = ZONE.match(text, clock.end())
    rest = f"{text[: clock.start()]} {text[(offset or clock).end() :]}".strip(" T,")
    for order, day in _dates(rest, now):
        yield order, datetime.combine(day, _clock(clock), _offset(offset))


def _dates(text: str, now: float) -> Iterator[tuple[str, date]]:
    today = datetime.fromtimestamp(now, UTC).date()
    if not text:  # a time of day: today's, or that of a neighbouring day in another zone, or after midnight
        yield from (("", today + timedelta(days=days)) for days in (-1, 0, 1))
    elif found := DATE.fullmatch(text):
        yield from _numeric(*found.groups())
    else:
        (month,) = [
            MONTHS.index(one[:3]) + 1 for one in re.findall(r"[a-z]+", text.lower()) if one[:3] in MONTHS
        ]
        first, *more = [int(one) for one in re.findall(r"\d+", text)]
        day, year = (more[0], first) if first > 31 else (first, more[0] if more else today.year)
        yield "", date(year + (2000 if year < 100 else 0), month, day)


def _numeric(first: str, sign: str, second: str, third: str) -> Iterator[tuple[str, date]]:
    if len(first) == 4:
        yield "", date(int(first), int(second), int(third))
        return
    year = int(third) + (2000 if len(third) < 4 else 0)
    orders = {"" if sign == "." else "day first": (int(second), int(first))}
    orders |= {} if sign == "." else {"month first": (int(first), int(second))}
    for order, (month, day) in orders.items():
        if month <= 12 and day <= 31:
            yield order, date(year, month, day)


def _clock(found: re.Match[str]) -> time:
    hour, minute, second, part, half = found.groups()
    shift = 0 if not half else int(hour) % 12 + (12 if half.lower().startswith("p") else 0) - int(hour)
    return time(int(hour) + shift, int(minute), int(second or 0), int((part or "0").ljust(6, "0")[:6]))


def _offset(found: re.Match[str] | None) -> tzinfo | None:
    if found is None or not (found[1] or found[2]):
        return None
    offset = timedelta(hours=int(found[3] or 0), minutes=int(found[4] or 0))
    return timezone(-offset if found[2] == "-" else offset)


def is_time(name: str) -> bool:
    """Say whether a name is that of a time."""
    found = [word.lower() for word in words(name)]
    if not found or NO_TIME & set(found) or name[0].isdigit():
        return False
    known = TIME & {found[0], found[-1]} or found[-1].endswith(("time", "stamp", "zeit"))
    return bool(known) or "".join(found) in TIME_ALONE or "yyyy" in name.lower()


def find_times(row: Mapping[str, object]) -> tuple[str, ...]:
    """Return the column of the time, or those of the date and the time of day; the clearest of several."""
    cells = {name: None if cell is None else str(cell).strip() for name, cell in row.items() if is_time(name)}
    if any(cells.values()):
        days = [name for name, cell in cells.items() if cell and DAY.fullmatch(cell)]
        clocks = [name for name, cell in cells.items() if cell and TIME_OF_DAY.fullmatch(cell)]
    else:
        days = [
            name
            for name in cells
            if [word.lower() for word in words(name)] in (["date"], ["datum"], ["fecha"])
        ]
        clocks = [name for name in cells if name not in days] if days else []
    ranks = {name: _clearness(row[name]) for name in cells if name not in days and name not in clocks}
    whole = [
        name
        for name, rank in ranks.items()
        if rank is not None and rank == min(one for one in ranks.values() if one is not None)
    ]
    if whole:
        return (whole[0],)
    return (days[0], clocks[0]) if days and clocks else tuple((days or clocks)[:1])


def _clearness(cell: object) -> int | None:
    """Return 0 for one instant, 1 if its zone is unknown, 2 for seconds since a start; None for no time."""
    if cell is None:
        return 0
    try:
        ways = instants(cell, 0.0)
    except ValueError:
        return None
    return 2 if ELAPSED in ways else int(len(ways) > 1)


def unit_seconds(times: Iterable[str]) -> float:
    """Return how many seconds one of a log's units of time is, from the names of its columns."""
    return next(
        (SECONDS[word.lower()] for name in times for word in words(name) if word.lower() in SECONDS), 1.0
    )
