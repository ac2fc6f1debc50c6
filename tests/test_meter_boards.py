"""Which boards CUDA_VISIBLE_DEVICES and UUIDs mean."""

import pytest

from energy.meters._boards import load, resolve
from energy.meters._meter import MeterUnavailable
from tests.simulated.machine import Machine
from tests.simulated.nvml import GPU_IS_LOST, LIBRARY_NOT_FOUND, NO_PERMISSION, Gpu, Library, NVMLError

A = "GPU-5c8a1e60-0b5e-4d1f-9c43-7f2b8a90d1e2"
B = "GPU-5c91d0c3-77de-4a1b-8a0f-3c5d2e4f6071"
C = "GPU-e07b44d2-19af-4c66-b1d5-62a0c8f7935e"
MIG = "MIG-0b1c2d3e-4f50-6172-8394-a5b6c7d8e9f0"


def library(name_of_c="NVIDIA H200"):
    """Three boards, of which CUDA's order (PCI bus) is C, A, B and NVML's is A, B, C."""
    gpus = [Gpu(A, bus=0x3B), Gpu(B, bus=0x65, mig=(MIG,)), Gpu(C, bus=0x17, name=name_of_c)]
    fake = Library(Machine(), gpus)
    fake.nvmlInit()
    return fake


def visible(devices, order=None, name_of_c="NVIDIA H200"):
    environ = {"CUDA_VISIBLE_DEVICES": devices} if devices is not None else {}
    if order:
        environ["CUDA_DEVICE_ORDER"] = order
    return [board.uuid for board in resolve(library(name_of_c), None, environ)]


@pytest.mark.parametrize(
    ("devices", "uuids"),
    [
        (None, [A, B, C]),
        ("", []),
        ("-1", []),
        ("NoDevFiles", []),
        ("0", [C]),
        ("1,2", [A, B]),
        (" 2 , 0 ", [B, C]),
        ("0,-1,1", [C]),
        ("0,9,1", [C]),
        ("0,0", [C]),
        (A, [A]),
        (f"{C},{A}", [C, A]),
        ("GPU-e07b", [C]),
        ("GPU-5c", []),
        ("GPU-5c9,GPU-5c8", [B, A]),
        (f"{A},GPU-ffff,{C}", [A]),
        (MIG, [B]),
        (f"MIG-{B}/1/0", [B]),
        ("MIG-ffff", []),
    ],
)
def test_cuda_visible_devices_is_read_as_cuda_reads_it(devices, uuids):
    assert visible(devices) == uuids


def test_indices_of_unlike_boards_need_the_bus_order():
    assert visible("0", "PCI_BUS_ID", name_of_c="NVIDIA T400") == [C]
    with pytest.raises(MeterUnavailable, match="CUDA_DEVICE_ORDER=PCI_BUS_ID"):
        visible("0", name_of_c="NVIDIA T400")


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
