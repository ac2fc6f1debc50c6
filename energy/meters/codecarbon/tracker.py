"""CodeCarbon's tracker, built so that it asks nobody, tells nobody and writes nothing."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from energy.meters._meter import MeterUnavailable

NEVER_SECONDS = 1e6  # the period of a scheduler that does not run: 11 days


def build(gpu_indices: list[int]) -> tuple[Any, Any]:
    """Build a tracker that asks nobody, tells nobody and writes nothing, and the handler of its totals.

    Every setting that has a name in CodeCarbon's configuration is given, or the environment would decide. Not
    save_to_file=False, which is deprecated: under -W error the constructor would swallow that and be half
    built. GPUs are given as indices: its own handling of UUIDs bills all boards from the second tracker on.
    """
    package = _import()
    latest = _latest_handler()
    tracker = package.OfflineEmissionsTracker(
        allow_multiple_runs=True,  # False would write a lock file and install signal handlers
        api_call_interval=-1,
        api_endpoint=None,
        api_key=None,
        cloud_provider=None,
        cloud_region=None,
        country_2letter_iso_code=None,
        country_iso_code="POL",  # any known country: its grams of CO2 are not used
        electricitymaps_api_token=None,
        emissions_endpoint=None,
        experiment_id=None,
        experiment_name=None,
        force_carbon_intensity_g_co2e_kwh=None,
        force_cpu_power=None,
        force_mode_cpu_load=False,
        force_ram_power=None,
        gpu_ids=gpu_indices,
        log_level="critical",
        logger_preamble="",
        logging_logger=None,
        measure_power_secs=NEVER_SECONDS,
        metadata=None,
        on_csv_write="append",
        output_dir=str(Path(__file__).parent),  # must exist; nothing is written
        output_file="",
        output_handlers=[latest],
        output_methods=[],
        project_name="",
        prometheus_url=None,
        pue=1.0,
        rapl_include_dram=False,
        rapl_prefer_psys=False,
        region=None,
        tracking_mode="machine",
        wue=0.0,
    )
    if getattr(tracker, "_scheduler", None) is None:  # its constructor suppresses every exception
        raise MeterUnavailable(
            "CodeCarbon's tracker was not built.",
            "Look for a broken ~/.codecarbon.config or ./.codecarbon.config.",
        )
    _park(tracker)
    return tracker, latest


def _park(tracker: Any) -> None:
    """Keep its two timers from ever starting: our sampler does their work.

    Measuring at the same time as we do would corrupt its sums, and a timer that is stopped while it fires
    re-arms itself (its issue 1308). Its threads would also make every fork warn (Python 3.12 and later).
    """
    for timer in (tracker._scheduler, tracker._scheduler_monitor_power):
        timer.start = _stay_parked


def _stay_parked(from_run: bool = False) -> None:
    """Stand in for PeriodicScheduler.start, which would arm a timer."""


def look(tracker: Any) -> None:
    """Do what its monitor thread does every second: sample the CPU load, and the power of some GPUs."""
    tracker._monitor_power()


def _latest_handler() -> Any:
    """Return an output handler that keeps the last totals."""
    from codecarbon.output_methods.base_output import BaseOutput

    class Latest(BaseOutput):
        total: Any = None

        def out(self, total: Any, delta: Any) -> None:  # noqa: ARG002 -- its signature
            self.total = total

    return Latest()


def _import() -> Any:
    try:
        import codecarbon
    except ImportError:
        raise MeterUnavailable("CodeCarbon is not installed.", "`pip install codecarbon`") from None
    return codecarbon


def stop(tracker: Any) -> None:
    """Stop the tracker; without timers there is nothing that could outlive it."""
    with silence():
        tracker.stop()


@contextmanager
def silence() -> Iterator[None]:
    """Keep CodeCarbon's logger, which writes to stderr, quiet while it imports, starts and stops."""
    logger = logging.getLogger("codecarbon")
    before, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = before
