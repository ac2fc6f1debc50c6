"""CodeCarbon's tracker, built so that it asks nobody, tells nobody and writes nothing."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from energy.meters._meter import MeterUnavailable

PARKED_SECONDS = 1e6  # for its scheduler: 11 days


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
        measure_power_secs=PARKED_SECONDS,
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
    return tracker, latest


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
    """Stop the tracker, and its timers again: one that is just firing re-arms itself (its issue 1308)."""
    timers = [tracker._scheduler, tracker._scheduler_monitor_power]
    with silence():
        tracker.stop()
    for timer in timers:
        timer.stop()


@contextmanager
def silence() -> Iterator[None]:
    """Keep CodeCarbon's logger, which writes to stderr, quiet while it imports, starts and stops."""
    logger = logging.getLogger("codecarbon")
    before, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = before
