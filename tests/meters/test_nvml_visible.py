"""Which boards CUDA_VISIBLE_DEVICES and UUIDs mean."""

import pytest

from energy.meters._meter import MeterUnavailable
from energy.meters.nvml.visible import load, resolve
from tests.simulated.machine import Machine
from tests.simulated.nvml import GPU_IS_LOST, LIBRARY_NOT_FOUND, NO_PERMISSION, Gpu, Library, NVMLError

A = "GPU-5c8a1e60-0b5e-4d1f-9c43-7f2b8a90d1e2"
B = "GPU-5c91d0c3-77de-4a1b-8a0f-3c5d2e4f6071"
C = "GPU-e07b44d2-19af-4c66-b1d5-62a0c8f7935e"
MIG = "MIG-0b1c2d3e-4f50-6172-8394-a5b6c7d8e9f0"
MIG_2 = "MIG-7d3f9a10-0c2b-5e4d-9f81-1a2b3c4d5e6f"


def library(name_of_c="NVIDIA H200"):
    """Three boards, of which CUDA's order (PCI bus) is C, A, B and NVML's is A, B, C."""
    gpus = [Gpu(A, bus=0x3B), Gpu(B, bus=0x65, mig=(MIG, MIG_2)), Gpu(C, bus=0x17, name=name_of_c)]
    fake = Library(Machine(), gpus)
    fake.nvmlInit()
    return fake


def visible(devices, order=None, name_of_c="NVIDIA H200"):
    environ = {"CUDA_VISIBLE_DEVICES": devices} if devices is not None else {}
    if order:
        environ["CUDA_DEVICE_ORDER"] = order
    return [board.uuid for board in resolve(library(name_of_c), None, environ)]


FORMS = {
    "not set: all": (None, [A, B, C]),
    "empty: none": ("", []),
    "-1: none": ("-1", []),
    "not a number: none": ("NoDevFiles", []),
    "an index is CUDA's, not NVML's": ("0", [C]),
    "several": ("1,2", [A, B]),
    "all, in an order of its own": ("2,0,1", [B, C, A]),
    "blanks around entries": (" 2 , 0 ", [B, C]),
    "a sign": ("+1", [A]),
    "letters after a number, as C reads it": ("1gpu2,2ampere", [A, B]),
    "-1 ends the list": ("0,-1,1", [C]),
    "an index too high ends the list": ("0,9,1", [C]),
    "an empty entry ends the list": ("0,,1", [C]),
    "a word ends the list": ("0,cuda,1", [C]),
    "a repeated index: none": ("0,0", []),
    "a repeated index later: none": ("0,1,0", []),
    "a repetition after the end is not read": ("0,9,0", [C]),
    "a full UUID": (A, [A]),
    "full UUIDs in order": (f"{C},{A}", [C, A]),
    "a UUID in capitals": (A.upper(), [A]),
    "the beginning of a UUID": ("GPU-e07b", [C]),
    "a beginning of two UUIDs: none": ("GPU-5c", []),
    "beginnings": ("GPU-5c9,GPU-5c8", [B, A]),
    "an unknown UUID ends the list": (f"{A},GPU-ffff,{C}", [A]),
    "a bare prefix: none": ("GPU-", []),
    "a UUID without its prefix: none": (A.removeprefix("GPU-"), []),
    "a UUID and its beginning are one board, repeated: none": (f"{A},GPU-5c8", []),
    "numbers end a list of UUIDs": (f"{A},1", [A]),
    "UUIDs end a list of numbers": (f"0,{A}", [C]),
    "a MIG instance": (MIG, [B]),
    "two MIG instances of one board": (f"{MIG},{MIG_2}", [B]),
    "a repeated MIG instance: none": (f"{MIG},{MIG}", []),
    "a MIG instance by its old name": (f"MIG-{B}/1/0", [B]),
    "old names of two instances": (f"MIG-{B}/1/0,MIG-{B}/2/0", [B]),
    "an unknown MIG instance: none": ("MIG-ffff", []),
    "a MIG instance of an unknown board: none": ("MIG-GPU-ffff/1/0", []),
}


@pytest.mark.parametrize("form", FORMS)
def test_cuda_visible_devices_is_read_as_cuda_reads_it(form):
    devices, uuids = FORMS[form]

    assert visible(devices) == uuids


@pytest.mark.parametrize("order", ["PCI_BUS_ID", "FASTEST_FIRST", None])
def test_like_boards_are_numbered_by_their_bus_in_every_order(order):
    assert visible("0,1,2", order) == [C, A, B]


@pytest.mark.parametrize("entry", ["2", "GPU-5c9", MIG, f"MIG-{B}/1/0"])
def test_a_board_in_slices_is_shared_however_it_was_named(entry):
    (board,) = resolve(library(), None, {"CUDA_VISIBLE_DEVICES": entry})

    assert (board.uuid, board.shared) == (B, True)


def test_boards_that_are_not_in_slices_are_not_shared():
    shared = {board.uuid for board in resolve(library(), None, {}) if board.shared}

    assert shared == {B}


def test_indices_of_unlike_boards_need_the_bus_order():
    assert visible("0", "PCI_BUS_ID", name_of_c="NVIDIA T400") == [C]
    with pytest.raises(MeterUnavailable, match="CUDA_DEVICE_ORDER=PCI_BUS_ID"):
        visible("0", name_of_c="NVIDIA T400")
    with pytest.raises(MeterUnavailable, match="CUDA_DEVICE_ORDER=PCI_BUS_ID"):
        visible("0", "FASTEST_FIRST", name_of_c="NVIDIA T400")


def test_uuids_of_unlike_boards_need_no_order():
    assert visible(C, name_of_c="NVIDIA T400") == [C]


@pytest.mark.parametrize("given", [C, C.removeprefix("GPU-"), C.upper().replace("GPU-", "")])
def test_a_uuid_is_known_with_and_without_prefix(given):
    """torch.cuda.get_device_properties(0).uuid has no prefix."""
    assert [board.uuid for board in resolve(library(), [given], {})] == [C]


@pytest.mark.parametrize("given", [MIG, MIG.removeprefix("MIG-"), f"MIG-{B}/1/0"])
def test_a_mig_instance_stands_for_its_board_which_is_shared(given):
    (board,) = resolve(library(), [given], {})

    assert (board.uuid, board.index, board.shared) == (B, 1, True)


def test_two_instances_of_one_board_are_that_board_once():
    assert len(resolve(library(), [MIG, f"MIG-{B}/1/0", B], {})) == 1


def test_a_uuid_of_another_machine_is_named_with_those_here():
    nvml = library()

    with pytest.raises(MeterUnavailable, match=f"'GPU-ffff'.*{A}, {B}, {C}"):
        resolve(nvml, ["GPU-ffff"], {})

    assert nvml.users == 0


def test_a_board_that_cannot_be_listed_is_no_traceback():
    nvml = library()

    def lost(index):
        raise NVMLError(GPU_IS_LOST)

    nvml.nvmlDeviceGetHandleByIndex = lost

    with pytest.raises(MeterUnavailable, match="NVML cannot list the GPUs: GPU is lost") as problem:
        resolve(nvml, None, {})

    assert (problem.value.device, nvml.users) == ("all", 0)


@pytest.mark.parametrize(("error", "device"), [(LIBRARY_NOT_FOUND, ""), (NO_PERMISSION, "all")])
def test_a_driver_that_refuses_is_another_matter_than_none(error, device):
    with pytest.raises(MeterUnavailable) as problem:
        load(Library(Machine(), init_error=error))

    assert problem.value.device == device
