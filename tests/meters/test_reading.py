import pytest

from energy.reading import Count, Energy, Fault, Reading

GPU, OTHER = "GPU-5c8a1e60-0b5e-4d1f-9c43-7f2b8a90d1e2", "GPU-91d0c3aa-77de-4a1b-8a0f-3c5d2e4f6071"


def counter(joules, seconds, device=GPU, source="nvml_counter", **changes):
    return Count("gpu", device, source, "measured", joules, seconds, **changes)


def package(joules, seconds, device="package-0", **changes):
    return Count("cpu", device, "rapl", "measured", joules, seconds, **changes)


def model(joules, seconds, domain="cpu", source="codecarbon_cpu_load_model", **changes):
    return Count(domain, "machine", source, "modelled", joules, seconds, **changes)


def window(before, after, faults=()):
    return Reading(20.0, tuple(after), tuple(faults)) - Reading(10.0, tuple(before))


def gap(at, seconds, joules, source="nvml_counter", kind="gap"):
    return Fault(kind, source, GPU, at, seconds, joules, "told so by the test")


def test_a_window_is_one_reading_minus_another():
    spent = window([counter(100.0, 5.0)], [counter(1100.0, 15.0)])

    assert (spent.seconds, spent.joules(), spent.kind, spent.flags()) == (10.0, 1000.0, "measured", ())


def test_readings_in_the_wrong_order_are_refused():
    with pytest.raises(ValueError, match="subtract the earlier reading"):
        Reading(10.0, ()) - Reading(20.0, ())


def test_readings_of_meters_that_were_opened_apart_are_refused():
    with pytest.raises(ValueError, match="opened apart"):
        Reading(20.0, (), (), object()) - Reading(10.0, (), (), object())


def test_the_band_holds_gain_and_both_edges():
    spent = window(
        [counter(0.0, 0.0, low_factor=0.9, high_factor=1.2, edge_joules=3.0)],
        [counter(1000.0, 10.0, low_factor=0.9, high_factor=1.2, edge_joules=7.0)],
    )

    assert spent.band() == pytest.approx((0.9 * 990.0, 1.2 * 1010.0))


def test_sampling_widens_the_band_by_what_slipped_within_the_window():
    spent = window([counter(0.0, 0.0, sampling_joules=50.0)], [counter(1000.0, 10.0, sampling_joules=80.0)])

    assert spent.band() == (970.0, 1030.0)


def test_the_band_never_goes_below_zero():
    spent = window([counter(0.0, 0.0, edge_joules=9.0)], [counter(5.0, 10.0, edge_joules=9.0)])

    assert spent.band() == (0.0, 23.0)


def test_a_gap_raises_only_the_upper_bound():
    whole = window([counter(0.0, 0.0)], [counter(1000.0, 10.0)])
    holed = window([counter(0.0, 0.0)], [counter(1000.0, 10.0)], [gap(12.0, 1.0, 500.0)])

    assert whole.band() == (1000.0, 1000.0)
    assert holed.band() == (1000.0, 1500.0)
    assert holed.flags() == ("gap",)


def test_a_gap_outside_the_window_is_none_of_its_faults():
    spent = window(
        [counter(0.0, 0.0)], [counter(1000.0, 10.0)], [gap(5.0, 1.0, 500.0), gap(30.0, 1.0, 500.0)]
    )

    assert (spent.faults, spent.flags(), spent.band()) == ((), (), (1000.0, 1000.0))


def test_a_gap_with_unknown_stake_leaves_no_band():
    spent = window([counter(0.0, 0.0)], [counter(1000.0, 10.0)], [gap(12.0, 1.0, None)])

    assert (spent.joules(), spent.band()) == (1000.0, None)


def test_a_lost_gpu_is_never_zero():
    lost = counter(None, 3.0, reason="GPU is lost", last_joules=400.0)
    spent = window([counter(100.0, 0.0)], [lost], [gap(13.0, 0.0, None, kind="lost")])

    assert spent.joules() is None
    assert spent.band() is None
    assert spent.flags() == ("lost_device", "low_coverage")
    assert spent.domains[0].reason == "GPU is lost; 300.000 J had been counted in this window by then"


def test_a_loss_flags_every_window_that_ends_after_it():
    lost = counter(None, 3.0, reason="GPU is lost")
    spent = window([lost], [lost], [gap(1.0, 0.0, None, kind="lost")])

    assert "lost_device" in spent.flags()


def test_one_unknown_part_makes_the_total_unknown_but_not_the_other_parts():
    spent = window(
        [counter(0.0, 0.0), package(0.0, 0.0)], [counter(None, 0.0, reason="lost"), package(500.0, 10.0)]
    )

    assert (spent.joules(), spent.joules("gpu"), spent.joules("cpu")) == (None, None, 500.0)


def test_what_nobody_metered_is_unknown_not_zero():
    spent = window([package(0.0, 0.0)], [package(500.0, 10.0)])

    assert (spent.joules("gpu"), spent.band("gpu")) == (None, None)
    assert (Energy(1.0, ()).joules(), Energy(1.0, ()).kind) == (None, None)


def test_a_count_that_is_missing_at_one_end_is_unknown():
    spent = window([package(0.0, 0.0)], [package(500.0, 10.0), counter(900.0, 10.0)])

    assert spent.joules() is None
    assert next(part.reason for part in spent.domains if part.domain == "gpu") == (
        "not read at the start of the window"
    )


def test_a_count_that_went_back_is_unknown_not_negative():
    spent = window([package(500.0, 0.0)], [package(100.0, 10.0)])

    assert spent.joules() is None
    assert "went back from 500.000 to 100.000 J" in spent.domains[0].reason


def test_an_unknown_count_must_say_why():
    with pytest.raises(AssertionError, match="needs a reason"):
        counter(None, 1.0)


def test_the_counter_is_the_headline_and_the_integral_its_witness():
    power = counter(0.0, 0.0, source="nvml_power"), counter(980.0, 10.0, source="nvml_power")
    spent = window([power[0], counter(0.0, 0.0)], [power[1], counter(1000.0, 10.0)])

    assert [part.source for part in spent.headline()] == ["nvml_counter"]
    assert spent.joules() == 1000.0
    assert [part.source for part in spent.domains if part.witness] == ["nvml_power"]


def test_each_gpu_has_a_headline_of_its_own():
    before = [
        counter(0.0, 0.0),
        counter(0.0, 0.0, source="nvml_power"),
        counter(0.0, 0.0, OTHER, "nvml_power"),
    ]
    after = [
        counter(1000.0, 10.0),
        counter(990.0, 10.0, source="nvml_power"),
        counter(500.0, 10.0, OTHER, "nvml_power"),
    ]

    spent = window(before, after)

    assert {part.device: part.source for part in spent.headline()} == {
        GPU: "nvml_counter",
        OTHER: "nvml_power",
    }
    assert spent.joules("gpu") == 1500.0


def test_codecarbon_s_sum_of_gpus_is_no_figure_beside_ours():
    both = f"{GPU},{OTHER}"
    before = [counter(0.0, 0.0), counter(0.0, 0.0, OTHER), counter(0.0, 0.0, both, "codecarbon_gpu")]
    after = [
        counter(1000.0, 10.0),
        counter(500.0, 10.0, OTHER),
        counter(1490.0, 10.0, both, "codecarbon_gpu"),
    ]

    assert window(before, after).joules() == 1500.0


def test_both_packages_count_and_the_model_of_them_does_not():
    before = [package(0.0, 0.0), package(0.0, 0.0, "package-1"), model(0.0, 0.0)]
    after = [package(300.0, 10.0), package(200.0, 10.0, "package-1"), model(120.0, 10.0)]

    spent = window(before, after)

    assert (spent.joules("cpu"), spent.kind) == (500.0, "measured")


def test_measured_and_modelled_together_are_mixed():
    before = [package(0.0, 0.0), model(0.0, 0.0, "ram", "codecarbon_ram_model")]
    after = [package(300.0, 10.0), model(200.0, 10.0, "ram", "codecarbon_ram_model")]

    spent = window(before, after)

    assert (spent.joules(), spent.kind) == (500.0, "mixed")


def test_a_lost_package_is_not_replaced_by_a_model():
    before = [package(0.0, 0.0), model(0.0, 0.0)]
    after = [package(None, 3.0, reason="the zone is gone"), model(120.0, 10.0)]

    assert window(before, after).joules("cpu") is None


@pytest.mark.parametrize(("edge", "flags"), [(10.0, ()), (10.1, ("window_too_short",))])
def test_a_window_is_too_short_when_an_edge_may_be_wrong_by_more_than_one_percent(edge, flags):
    spent = window([counter(0.0, 0.0, edge_joules=edge)], [counter(1000.0, 10.0, edge_joules=2.0)])

    assert spent.flags() == flags


@pytest.mark.parametrize(("covered", "flags"), [(9.95, ()), (9.5, ("low_coverage",))])
def test_a_hole_in_the_window_is_flagged(covered, flags):
    spent = window([counter(0.0, 0.0)], [counter(1000.0, covered)])

    assert spent.flags() == flags
    assert spent.domains[0].coverage == pytest.approx(covered / 10)


def test_the_time_between_two_meters_is_no_hole_of_a_short_window():
    spent = Reading(0.1, (counter(30.0, 0.08),)) - Reading(0.0, (counter(0.0, 0.0),))

    assert spent.flags() == ()


@pytest.mark.parametrize(("witness", "flags"), [(951.0, ()), (940.0, ("meters_disagree",))])
def test_counter_and_integral_that_differ_by_more_than_the_gain_error_disagree(witness, flags):
    power = counter(0.0, 0.0, source="nvml_power"), counter(witness, 10.0, source="nvml_power")

    assert window([counter(0.0, 0.0), power[0]], [counter(1000.0, 10.0), power[1]]).flags() == flags


def test_meters_do_not_disagree_by_what_their_edges_explain():
    power = counter(0.0, 0.0, source="nvml_power"), counter(900.0, 10.0, source="nvml_power", edge_joules=8.0)
    before, after = counter(0.0, 0.0, edge_joules=8.0), counter(1000.0, 10.0, edge_joules=8.0)
    loose = counter(900.0, 10.0, source="nvml_power", edge_joules=40.0)

    assert window([before, power[0]], [after, power[1]]).flags() == ("meters_disagree",)
    assert window([before, power[0]], [after, loose]).flags() == ()


def test_faults_of_a_witness_do_not_speak_against_the_headline():
    power = counter(0.0, 0.0, source="nvml_power"), counter(900.0, 9.0, source="nvml_power")
    fault = gap(12.0, 1.0, 700.0, source="nvml_power")

    spent = window([counter(0.0, 0.0), power[0]], [counter(1000.0, 10.0), power[1]], [fault])

    assert (spent.flags(), spent.band(), spent.faults) == ((), (1000.0, 1000.0), (fault,))


def test_a_fault_of_a_whole_meter_is_a_fault_of_each_of_its_counts():
    """The thread that polls a meter does not know which of its devices failed."""
    fault = Fault("gap", "nvml", "", 12.0, 3.0, 500.0, "poll failed")
    before = Reading(10.0, (Count("gpu", "GPU-0", "nvml_counter", "measured", 0.0, 10.0),))
    after = Reading(20.0, (Count("gpu", "GPU-0", "nvml_counter", "measured", 3000.0, 20.0),), (fault,))

    energy = after - before

    assert energy.flags() == ("gap",)
    assert energy.band() == (3000.0, 3500.0)


@pytest.mark.parametrize(("slipped", "flags"), [(50.0, ()), (51.0, ("undersampled",))])
def test_power_that_changed_too_much_between_samples_is_flagged(slipped, flags):
    spent = window([counter(0.0, 0.0)], [counter(1000.0, 10.0, sampling_joules=slipped)])

    assert spent.flags() == flags


@pytest.mark.parametrize(
    ("kind", "flag"),
    [
        ("suspend", "host_suspended"),
        ("clock_step", "clock_step"),
        ("paused", "paused"),
    ],
)
def test_what_the_clocks_saw_speaks_against_the_window_and_hides_no_joules(kind, flag):
    fault = Fault(kind, "clock", "", 12.0, 3.0, 0.0, "told so by the test")

    spent = window([package(0.0, 0.0)], [package(1000.0, 10.0)], [fault])

    assert (spent.flags(), spent.band()) == ((flag,), (1000.0, 1000.0))


@pytest.mark.parametrize(
    ("kind", "flag"),
    [
        ("double", "billed_twice"),
        ("throttled", "throttled"),
        ("shared", "shared_device"),
    ],
)
def test_a_fault_of_a_device_speaks_against_whatever_reads_it_and_no_other(kind, flag):
    fault = Fault(kind, "claims", GPU, 12.0, 3.0, 0.0, "told so by the test")

    mine = window([counter(0.0, 0.0)], [counter(1000.0, 10.0)], [fault])
    other = window([counter(0.0, 0.0, OTHER)], [counter(1000.0, 10.0, OTHER)], [fault])

    assert (mine.flags(), other.flags()) == ((flag,), ())


@pytest.mark.parametrize(("seconds", "flags"), [(2.0, ()), (0.0, ("shared_device",))])
def test_strangers_who_have_left_do_not_speak_against_later_windows_but_a_mig_board_always_does(
    seconds, flags
):
    fault = Fault("shared", "nvml_counter", GPU, 1.0, seconds, 0.0, "told so by the test")

    assert window([counter(0.0, 0.0)], [counter(1000.0, 10.0)], [fault]).flags() == flags


def test_a_second_opinion_is_compared_with_all_the_figures_that_it_is_of():
    before = [package(0.0, 0.0), package(0.0, 0.0, "package-1"), model(0.0, 0.0)]
    after = [package(600.0, 10.0), package(400.0, 10.0, "package-1"), model(1250.0, 10.0)]

    spent = window(before, after)

    (witness,) = [part for part in spent.domains if part.witness]
    assert spent.disagreement(witness) == pytest.approx(0.25)
    assert spent.flags() == ()  # a model that is off is no measurement that disagrees
