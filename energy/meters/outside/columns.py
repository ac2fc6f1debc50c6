"""Which columns of a log, or which paths of its JSON, hold the time, the watts, the joules, a temperature."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from energy.meters.outside.options import Options
from energy.meters.outside.quantity import (
    JOULES,
    NAMELESS,
    WATTS,
    Quantity,
    meaning,
    number,
    unit,
    words,
    words_of,
)
from energy.meters.outside.times import find_times, unit_seconds

Row = Mapping[str, object]  # names and cells; the cells are None where there is but a header

MAX_WATTS = 200_000.0  # more than a rack draws: a sample above it is no sample, a counter's jump no energy
LABELS = words_of("entity_id entity field _field sensor metric name series topic")
NO_READING = words_of("unavailable unknown offline none null")
TAPO = frozenset(("current_power", "today_energy", "month_energy"))  # whose watts are milliwatts
COMMA = re.compile(r"\s*-?\d+,\d+\s*[^\W\d_]*\s*")
MOST_NAMES = 8


@dataclass(frozen=True)
class Sample:
    """What one line says.

    stamp: the time as it was written; None if the line has none, and is of when it came.
    values: of watts and joules, the value and its last digit (SI); empty if the device could not be read.
    """

    stamp: object
    values: Mapping[str, tuple[float, float]]
    celsius: float | None = None


@dataclass(frozen=True)
class Column:
    """One column and what it holds."""

    name: str
    quantity: Quantity

    @property
    def text(self) -> str:
        """The column as its log names it, with the unit where the name does not have it."""
        is_told = self.quantity.unit.lower() in (word.lower() for word in words(self.name))
        return self.name if is_told else f"{self.name} in {self.quantity.unit}"


@dataclass(frozen=True)
class Columns:
    """The columns that matter.

    times: one, or a date and a time; none if lines are of when they come.
    seconds: per unit of a time since the start.
    only: a column and its cell: rows of other entities are none of ours.
    comma: whether numbers have decimal commas.
    """

    times: tuple[str, ...]
    values: tuple[Column, ...]
    seconds: float = 1.0
    temperature: str | None = None
    only: tuple[str, str] | None = None
    comma: bool = False

    @property
    def since_start(self) -> bool:
        """Whether 00:01:30 is a minute and a half since the start, and no time of day."""
        return any({"elapsed", "relative", "duration"} & set(words(name.lower())) for name in self.times)

    @property
    def held(self) -> bool:
        """Whether a line is written when the value changes, so that it holds until the next."""
        return bool({"changed", "updated"} & {word.lower() for name in self.times for word in words(name)})

    @property
    def text(self) -> str:
        """What is read, for people."""
        return " and ".join(column.text for column in self.values)

    def sample(self, row: Row) -> Sample | None:
        """Read one row; None if it is of another entity.

        Raises:
            ValueError: a column is missing, or holds no number that it could hold.
        """
        if self.only and str(row.get(self.only[0])) != self.only[1]:
            return None
        names = [*self.times, *(column.name for column in self.values)]
        if not all(name in row for name in names):
            raise ValueError(f"expected {' and '.join(names)} as before, got {_listed(row)}")
        stamp = (
            row[self.times[0]]
            if len(self.times) == 1
            else " ".join(str(row[name]) for name in self.times) or None
        )
        if self.times and stamp is None:
            raise ValueError(f"{self.times[0]} is null, expected a time")
        if all(str(row[column.name]).strip().lower() in NO_READING for column in self.values):
            return Sample(stamp, {})
        return Sample(
            stamp,
            {column.quantity.kind: self._value(column, row) for column in self.values},
            self._celsius(row),
        )

    def _value(self, column: Column, row: Row) -> tuple[float, float]:
        digits, label = self._number(column.name, row)
        kind, scale = (unit(label) or ("", 0.0)) if label else (column.quantity.kind, column.quantity.scale)
        if kind != column.quantity.kind:
            raise ValueError(f"{column.name} is {row[column.name]!r}, expected {column.quantity.kind}")
        value = float(digits) * scale
        most = MAX_WATTS if column.quantity.kind == WATTS else math.inf
        if not 0 <= value <= most or math.isinf(value):
            limit = f" and at most {most:.0f} W" if most == MAX_WATTS else ""
            raise ValueError(f"{column.name} is {row[column.name]}, expected at least 0{limit}")
        exponent = digits.as_tuple().exponent
        assert isinstance(exponent, int), "the number is finite"
        return value, 10.0**exponent * scale

    def _celsius(self, row: Row) -> float | None:
        if self.temperature is None:
            return None
        value = float(self._number(self.temperature, row)[0])
        return (value - 32) / 1.8 if "F" in words(self.temperature) else value

    def _number(self, name: str, row: Row) -> tuple[Decimal, str | None]:
        try:
            return number(row.get(name), comma=self.comma)
        except ValueError as problem:
            raise ValueError(f"{name} is {problem}") from problem


def choose(rows: Sequence[Row], options: Options, *, timed: bool) -> Columns:
    """Choose the columns by their names, and by the cells of the first rows where there are any.

    Args:
        rows: the first rows; one without cells if there is but a header yet.
        options: what the user said of the columns.
        timed: whether a time is needed.

    Raises:
        ValueError: there is no such column, or it is not clear which is meant.
    """
    times = find_times(rows[0])
    if timed and not times:
        raise ValueError(f"no column is a time (time, timestamp, date ...): {_listed(rows[0])}")
    rest = [{name: cell for name, cell in row.items() if name not in times} for row in rows]
    values, only = _find_values(rest, options, held=Columns(times, ()).held)
    comma = any(isinstance(cell, str) and COMMA.fullmatch(cell) for row in rest for cell in row.values())
    temperature = _named(rows[0], options.temperature) if options.temperature else None
    return Columns(times, values, unit_seconds(times), temperature, only, comma)


def _find_values(
    rows: Sequence[Row], options: Options, *, held: bool
) -> tuple[tuple[Column, ...], tuple[str, str] | None]:
    if options.value:
        return (_stated(rows[0], options.value),), None
    if rows[0].keys() >= TAPO:
        return (Column("current_power", Quantity(WATTS, 1e-3, 1, "mW")),), None
    found = [Column(name, quantity) for name, cell in rows[0].items() if (quantity := _quantity(name, cell))]
    if not found:
        return _nameless(rows, held=held)
    return _whole(found), None


def _whole(found: Sequence[Column]) -> tuple[Column, ...]:
    """Choose the best columns of watts and of joules that are of the whole machine."""
    whole = [column for column in found if not column.quantity.part]
    if not whole:
        raise ValueError(
            f"{found[0].name!r} is of a part of the machine, and an outside meter must see all of it; "
            f"if it does, say so: value='{found[0].name}'"
        )
    chosen: list[Column] = []
    problems: list[ValueError] = []
    for kind in (WATTS, JOULES):
        try:
            chosen += _best(whole, kind)
        except ValueError as problem:  # that leaves the other kind
            problems.append(problem)
    if not chosen:
        raise problems[0]
    return tuple(chosen)


def _best(columns: Sequence[Column], kind: str) -> list[Column]:
    ranked = sorted((one for one in columns if one.quantity.kind == kind), key=lambda one: one.quantity.rank)
    best = [column for column in ranked if column.quantity.rank == ranked[0].quantity.rank]
    if len(best) > 1:
        names = _listed(one.name for one in best)
        raise ValueError(f"{len(best)} columns hold {kind}: {names}; say which: value='{best[0].name}'")
    return best


def _quantity(name: str, cell: object) -> Quantity | None:
    """Tell what a column holds from its name, or from the unit in its cells; None if those are no numbers."""
    label = None
    if cell is not None and str(cell).strip().lower() not in {"", *NO_READING}:
        try:
            label = number(cell, comma=True).unit
        except ValueError:
            return None
    return meaning(name, label if label and unit(label) else None)


def _stated(row: Row, wanted: str) -> Column:
    """Return the column that the user named, with the unit that he may have put behind it in brackets."""
    whole = wanted.lower() in (name.lower() for name in row)
    name, given = (wanted, "") if whole else wanted.partition("[")[::2]
    name = _named(row, name.strip())
    found = unit(given.rstrip("] "))
    quantity = Quantity(*found, 1, given.rstrip("] ")) if found else _quantity(name, row[name])
    if quantity is None:
        raise ValueError(f"{name!r} has no unit; state it: value='{name} [W]', or [kWh]")
    return Column(name, quantity)


def _nameless(rows: Sequence[Row], *, held: bool) -> tuple[tuple[Column, ...], tuple[str, str] | None]:
    """Find the values of exports whose rows say what they are of: Home Assistant, InfluxDB, Grafana."""
    name = next((one for one in rows[0] if words(one) and words(one)[-1].lower() in NAMELESS), None)
    label = next((one for one in rows[0] if one.lower() in LABELS), None)
    if name is None:
        raise ValueError(
            f"no column is a power (power, W, kW ...) or an energy (Wh, kWh, J): {_listed(rows[0])}"
        )
    found: dict[str, Column] = {}
    for row in rows:
        entity = str(row[label]) if label else name
        units = [str(cell) for cell in row.values() if isinstance(cell, str) and unit(cell.strip())]
        if quantity := meaning(entity, units[0] if units else None):
            found.setdefault(entity, Column(entity, quantity))
    if not found and held and label is None:  # a history of Home Assistant, whose power sensors have watts
        found[name] = Column(name, Quantity(WATTS, 1.0, 1, "W"))
    if not found:
        raise ValueError(f"{name!r} has no unit; state it: value='{name} [W]', or [kWh]")
    best = _whole(list(found.values()))[0]
    return (Column(name, best.quantity),), (label, best.name) if label else None


def _named(row: Iterable[str], wanted: str) -> str:
    found = [name for name in row if name.lower() == wanted.lower()]
    if len(found) != 1:
        raise ValueError(f"there is no column {wanted!r} (one of: {_listed(row)})")
    return found[0]


def _listed(names: Iterable[str]) -> str:
    found = list(names)
    return ", ".join(repr(name) for name in found[:MOST_NAMES]) + (" ..." if len(found) > MOST_NAMES else "")
