"""What NVML shows of every GPU: counter, power of all kinds and scopes, temperature, clocks, throttling."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from energy.meters._recording import Raw, Raws
from energy.meters.nvml.visible import load

# nvml.h: NVML_FI_DEV_POWER_AVERAGE, _INSTANT; NVML_POWER_SCOPE_GPU, _MODULE, _MEMORY
FIELDS = (185, 186)
SCOPES = (0, 1, 2)
TEMPERATURE_GPU, CLOCK_SM, CLOCK_MEMORY = 0, 1, 2


def open_raws(library: Any = None) -> Raws:
    """Find all GPUs and what each of them answers.

    Raises:
        MeterUnavailable: NVML does not work here.
    """
    library = load(library)
    sensors: list[Raw] = []
    gpus = []
    for number in range(library.nvmlDeviceGetCount()):
        handle, name = library.nvmlDeviceGetHandleByIndex(number), f"gpu-{number}"
        found = [raw for raw in _raws(library, handle, name) if _answers(raw, library)]
        sensors += found
        gpus.append({"id": name, **_facts(library, handle)})
    driver = _text(_try(library, library.nvmlSystemGetDriverVersion))
    return Raws("nvml", sensors, {"driver": driver, "gpus": gpus}, library.nvmlShutdown)


def _raws(library: Any, handle: Any, name: str) -> Iterator[Raw]:
    def raw(call: str, unit: str, *arguments: int, state: bool = False) -> Raw:
        words = "/".join((name, call, *map(str, arguments)))
        return Raw(words, unit, lambda: int(getattr(library, call)(handle, *arguments)), state)

    yield raw("nvmlDeviceGetTotalEnergyConsumption", "mJ")
    yield raw("nvmlDeviceGetPowerUsage", "mW")
    for field in FIELDS:
        for scope in SCOPES:
            ask = _field(library, handle, field, scope)
            yield Raw(f"{name}/nvmlDeviceGetFieldValues/{field}/{scope}", "mW", ask)
    yield raw("nvmlDeviceGetTemperature", "C", TEMPERATURE_GPU, state=True)
    yield raw("nvmlDeviceGetClockInfo", "MHz", CLOCK_SM, state=True)
    yield raw("nvmlDeviceGetClockInfo", "MHz", CLOCK_MEMORY, state=True)
    yield raw("nvmlDeviceGetCurrentClocksEventReasons", "bits", state=True)


def _field(library: Any, handle: Any, field: int, scope: int) -> Callable[[], int]:
    def ask() -> int:
        (value,) = library.nvmlDeviceGetFieldValues(handle, [(field, scope)])
        if value.nvmlReturn != 0:
            raise library.NVMLError(value.nvmlReturn)
        return int(value.value.uiVal)

    return ask


def _facts(library: Any, handle: Any) -> dict[str, Any]:
    """Return what replaying a GPU needs, and nothing that tells one from another of its kind."""
    limits = _try(library, lambda: library.nvmlDeviceGetPowerManagementLimitConstraints(handle))
    mig = _try(library, lambda: library.nvmlDeviceGetMigMode(handle))
    return {
        "name": _text(library.nvmlDeviceGetName(handle)),
        "architecture": _try(library, lambda: library.nvmlDeviceGetArchitecture(handle)),
        "limits_mw": None if limits is None else [int(limit) for limit in limits],
        "enforced_limit_mw": _try(library, lambda: library.nvmlDeviceGetEnforcedPowerLimit(handle)),
        "mig": None if mig is None else bool(mig[0]),
    }


def _answers(raw: Raw, library: Any) -> bool:
    return _try(library, raw.ask) is not None


def _try(library: Any, question: Callable[[], Any]) -> Any:
    """Return the answer; None where the board or its driver has none."""
    try:
        return question()
    except (library.NVMLError, AttributeError):  # bindings older than the call
        return None


def _text(text: Any) -> Any:
    return text.decode() if isinstance(text, bytes) else text
