"""What a column of a log holds, told from its name and unit, and the numbers in it.

>>> meaning("Power (kW)").scale, meaning("total_wh").kind, meaning("Apparent Power"), meaning("apower").unit
(1000.0, 'joules', None, 'W')
>>> number("1.234,5 W", comma=True)
Number(value=Decimal('1234.5'), unit='W')
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from types import MappingProxyType
from typing import NamedTuple

WATTS, JOULES = "watts", "joules"
BASES: Mapping[str, tuple[str, float]] = MappingProxyType(
    {"w": (WATTS, 1.0), "wh": (JOULES, 3600.0), "j": (JOULES, 1.0)}
)
PREFIXES: Mapping[str, float] = MappingProxyType(
    {"": 1.0, "k": 1e3, "m": 1e-3, "u": 1e-6, "\u00b5": 1e-6, "\u03bc": 1e-6}
)
SPELT = (  # units in full, longest first
    (r"(?i:watt[\s_-]*(?:hour|stunde)[sn]?)(?![a-z])", "Wh"),
    (r"(?i:wattage)(?![a-z])", "power"),
    (r"(?i:watts?)(?![a-z])", "W"),
    (r"(?i:joules?)(?![a-z])", "J"),
    (r"(?i:kilo)[\s_-]*(?=(?:Wh|W|J)(?![a-z]))", "k"),
    (r"(?i:milli)[\s_-]*(?=(?:Wh|W|J)(?![a-z]))", "m"),
)


def words_of(text: str) -> frozenset[str]:
    """Return the words of a list."""
    return frozenset(text.split())


POWER = words_of("power apower leistung wirkleistung puissance potencia potenza moc vermogen effekt")
TOTAL = words_of("total sum sigma all system mains gesamt")
MEAN = words_of("avg average mean")
BRANCH = words_of("l phase ph channel outlet branch")  # of several that flow into one
# Not what flows now, or not what has flowed since the meter was made.
OTHER = words_of(
    "apparent aprt reactive react va factor pf limit limits cap capacity max maximum min minimum peak rated "
    "requested threshold setpoint target budget overpower cost price tariff ret returned export exported "
    "produced generation today yesterday daily day week month monthly year hour hourly period interval last "
    "start delta battery percent"
)
# Parts of a machine: what they draw is not what the machine draws.
PARTS = words_of(
    "cpu gpu gfx igpu dgpu package pkg core cores uncore dram dimm ram memory mem soc disk ssd hdd fan vdd "
    "vcc rail psu processor aip npu amdgpu nouveau ppt"
)
NAMELESS = words_of("state value mean reading")  # whose row or path says elsewhere what they are
KNOWN: Mapping[str, str] = MappingProxyType(  # paths whose unit only the device's documentation tells
    {"ENERGY.Total": "kWh", "aenergy.total": "Wh", "current_consumption": "W"}  # Tasmota, Shelly, Kasa
)


@dataclass(frozen=True)
class Quantity:
    """What a column holds: watts or joules, how many per unit, and how well it fits (0 is best).

    unit: as it was written, or "W" where the name alone tells; part: it is of a part of the machine.
    """

    kind: str
    scale: float
    rank: int
    unit: str
    part: bool = False


class Number(NamedTuple):
    """A number as it was printed, and its unit if it has one."""

    value: Decimal
    unit: str | None


def unit(text: str) -> tuple[str, float] | None:
    """Return what a unit is of and how many SI units it is; None if it is neither of power nor of energy."""
    found = re.fullmatch(r"([kKmMuU\u00b5\u03bc]?)([wW][hH]|[wW]|[jJ])", text)
    if not found:
        return None
    prefix, base = found.groups()
    kind, scale = BASES[base.lower()]
    mega = prefix == "M" and base in ("W", "Wh", "J")
    return kind, scale * (1e6 if mega else PREFIXES[prefix.lower()])


def words(name: str) -> list[str]:
    """Cut a name into its words, at spaces, signs, digits and capitals; units stay whole, in short.

    >>> words("PowerConsumedWatts"), words("Energie (kWh)"), words("total_kilowatt_hours")
    (['Power', 'Consumed', 'W'], ['Energie', 'kWh'], ['total', 'kWh'])
    """
    for spelt, short in SPELT:
        name = re.sub(spelt, short, name)
    found: list[str] = []
    for run in re.findall(r"[^\W\d_]+", name):
        whole = unit(run) or run.isupper() or run.islower()
        found += [run] if whole else re.findall(r"[A-Z]?[^\W\d_A-Z]+|[A-Z]+(?![^\W\d_A-Z])", run)
    return found


def meaning(name: str, given_unit: str | None = None) -> Quantity | None:
    """Tell what a column holds from its name, and its unit if that stands elsewhere; None if no one can."""
    for path, known in KNOWN.items():
        if name.endswith(path) and not name[: -len(path)][-1:].isalnum():
            given_unit = given_unit or known
            name = "total" if path.endswith("otal") else "power"
    name = name.lower() if name.isupper() and "_" in name else name  # POWER_MW is no megawatt
    parts = words(name)
    lower = {part.lower() for part in parts}
    own = words(name.rpartition(".")[2])  # the last of a path, if that says anything
    own = own if own and own[-1].lower() not in NAMELESS else parts
    units = [given_unit] if given_unit else [part for part in own if unit(part)]
    if not units and (
        POWER & {part.lower() for part in own} or (own and own[0].lower() == "p" and lower <= {"p", *TOTAL})
    ):
        units = ["W"]
    if not units or lower & OTHER or "/m" in name.lower():
        return None
    found = unit(units[-1])
    if found is None:
        return None
    rank = 0 if lower & TOTAL else 3 if lower & BRANCH else 2 if lower & MEAN else 1
    return Quantity(*found, rank, units[-1], bool(lower & PARTS))


def number(given: object, *, comma: bool = False) -> Number:
    """Read a number, with its unit if it has one.

    Args:
        given: text, or a number from JSON.
        comma: this log writes decimal commas.

    Raises:
        ValueError: it is no finite number, or 1,234 in a log that has not shown what its commas are.
    """
    if isinstance(given, bool) or not isinstance(given, str | int | Decimal):
        raise ValueError(f"{given!r}, expected a number")
    if not isinstance(given, str):
        return _finite(Decimal(given), given, None)
    text = given.strip()
    found = re.fullmatch(r"([+-]?[\d.,'\u00a0 ]*\d(?:[eE][+-]?\d+)?)\s*([^\W\d_]+)?\.?", text)
    if not found:
        return _finite(_decimal(text, given), given, None)
    digits, label = re.sub(r"[\s']", "", found[1]), found[2]
    if "," in digits and "." in digits:
        comma = digits.rfind(",") > digits.rfind(".")
    elif "," in digits and not comma:
        if re.fullmatch(r"[+-]?[1-9]\d{0,2}(,\d{3})+", digits):
            raise ValueError(f"{given!r}, expected a number without commas between its thousands")
        comma = True
    elif not re.fullmatch(r"[+-]?[1-9]\d{0,2}(\.\d{3})+", digits):
        comma = comma and "." not in digits
    digits = digits.replace(".", "").replace(",", ".") if comma else digits.replace(",", "")
    short = words(label)[-1] if label else None
    return _finite(_decimal(digits, given), given, short)


def _decimal(text: str, given: object) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation as problem:
        raise ValueError(f"{given!r}, expected a number") from problem


def _finite(value: Decimal, given: object, label: str | None) -> Number:
    if not value.is_finite():
        raise ValueError(f"{given}, expected a finite number")
    return Number(value, label)
