"""The processor's own counters, opened for each thread: a kernel that the test plays."""

import errno
import os
import struct

import pytest

from energy.meters.cpu_model.pmu import NoCountersError, Pmu

INSTRUCTIONS, MISSES = 1, 3  # PERF_COUNT_HW_INSTRUCTIONS, PERF_COUNT_HW_CACHE_MISSES


class Kernel:
    """Gives out events; `counts` says what each has counted, of how long it was enabled and counting."""

    def __init__(self, counts, refusal=None, events=99):
        self.counts, self.refusal, self.left = counts, refusal, events
        self.open_files = {}

    def open(self, event, thread):
        if self.refusal or not self.left:
            raise self.refusal or OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        self.left -= 1
        file = 100 + len(self.open_files)
        self.open_files[file] = event
        return file

    def read(self, file):
        return struct.pack("=QQQ", *self.counts[self.open_files[file]])

    def close(self, file):
        del self.open_files[file]

    def pmu(self, threads=(7, 8)):
        return Pmu(self.open, self.read, threads, self.close)


def test_the_counts_of_all_threads_add_up():
    kernel = Kernel({INSTRUCTIONS: (1000, 5, 5), MISSES: (10, 5, 5)})

    assert kernel.pmu().counts() == {"instructions": 2000, "llc_misses": 20}


def test_a_counter_that_was_shared_is_made_up_to_the_whole_time():
    kernel = Kernel({INSTRUCTIONS: (1000, 8, 2), MISSES: (10, 5, 5)})

    assert kernel.pmu(threads=[7]).counts()["instructions"] == 4000


def test_a_counter_that_was_never_given_to_us_is_unknown_and_not_0():
    kernel = Kernel({INSTRUCTIONS: (0, 8, 0), MISSES: (10, 5, 5)})
    pmu = kernel.pmu()

    with pytest.raises(NoCountersError, match="other programs hold all counters"):
        pmu.counts()


def test_an_event_that_has_not_begun_has_counted_nothing():
    kernel = Kernel({INSTRUCTIONS: (0, 0, 0), MISSES: (0, 0, 0)})

    assert kernel.pmu().counts() == {"instructions": 0, "llc_misses": 0}


@pytest.mark.parametrize("number", [errno.ENOENT, errno.EACCES, errno.ENOSYS])
def test_where_the_kernel_refuses_the_reason_is_told(number):
    with pytest.raises(NoCountersError, match=os.strerror(number)):
        Kernel({}, OSError(number, os.strerror(number))).pmu()


def test_events_opened_before_one_was_refused_are_closed():
    kernel = Kernel({}, events=3)

    with pytest.raises(NoCountersError):
        kernel.pmu()

    assert kernel.open_files == {}


def test_closing_twice_closes_each_once():
    kernel = Kernel({INSTRUCTIONS: (1, 1, 1), MISSES: (1, 1, 1)})
    pmu = kernel.pmu()
    pmu.close()
    pmu.close()

    assert kernel.open_files == {}


def opened():
    """Return the counters of this machine, or None, and why there are none."""
    try:
        return Pmu(), ""
    except NoCountersError as problem:
        return None, str(problem)


def test_here_the_counters_either_count_or_say_why_not():
    """Most virtual machines have none; a processor that has them counts what this test does."""
    pmu, why = opened()
    before = 0 if pmu is None else pmu.counts()["instructions"]
    sum(range(100_000))
    counted = 0 if pmu is None else pmu.counts()["instructions"] - before

    assert (counted > 100_000) != why.startswith("the processor's counters cannot be used: ")
