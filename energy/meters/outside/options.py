"""What a user says of an outside meter, in words before its source: `accuracy=0.1% tz=UTC plug.csv`."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

ACCURACY = 0.05  # MLPerf Training's power rules: a meter within 5 %
WORD = re.compile(r"(tz|accuracy|patience|temperature|value)=(\"[^\"]*\"|'[^']*'|\S+)")


@dataclass(frozen=True)
class Options:
    """How a log is read.

    accuracy: the meter's own error as a share: 0.05 is 5 %.
    patience_seconds: how late the log may be; None: by what it is seen to be.
    zone: of stamps that state none; None: found out.
    temperature, value: names of columns; "state [kWh]" states the unit, too.
    """

    accuracy: float = ACCURACY
    patience_seconds: float | None = None
    zone: tzinfo | None = None
    temperature: str | None = None
    value: str | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.accuracy < 1:
            raise ValueError(
                f"accuracy is {self.accuracy}, expected a share: at least 0 and below 1 (0.05 or 5 %)"
            )


def read_options(source: str, options: Options | None = None) -> tuple[str, Options]:
    """Return a source without the words before it, or behind a file's name, and what they say.

    Raises:
        ValueError: a word says what cannot be.
    """
    given: dict[str, str] = {}
    source = source.strip()
    while found := re.match(rf"{WORD.pattern}(\s+|$)", source):
        given[found[1]], source = found[2], source[found.end() :]
    while not source.startswith("!") and (found := re.search(rf"\s+{WORD.pattern}$", source)):
        given[found[1]], source = found[2], source[: found.start()]
    result = options or Options()
    for name, text in given.items():
        result = _changed(result, name, text[1:-1] if text[0] in "\"'" else text)
    return source, result


def _changed(options: Options, name: str, text: str) -> Options:
    try:
        if name == "accuracy":
            return replace(
                options, accuracy=float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
            )
        if name == "patience":
            return replace(options, patience_seconds=float(text.removesuffix("s")))
        if name == "tz":
            return replace(options, zone=_zone(text))
        return replace(options, temperature=text) if name == "temperature" else replace(options, value=text)
    except ValueError as problem:
        expected = {"accuracy": "0.1% or 0.001", "patience": "seconds", "tz": "UTC, +02:00 or Europe/Warsaw"}
        raise ValueError(f"{name}={text}: expected {expected[name]}") from problem


def _zone(text: str) -> tzinfo:
    if re.fullmatch(r"[+-]\d{2}:?\d{2}", text):
        zone = datetime.fromisoformat(f"2000-01-01T00:00:00{text}").tzinfo
        assert zone is not None, text
        return zone
    try:
        return UTC if text.upper() == "UTC" else ZoneInfo(text)
    except (ZoneInfoNotFoundError, OSError) as problem:  # a folder of the zones is no zone
        raise ValueError(f"there is no time zone {text!r}") from problem
