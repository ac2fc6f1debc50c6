"""What the tests of the zoo share: slices written once, and torchao's patterns, exported once."""

import copy

import pytest


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    """Slices of discs, 16 px wide, in train, val and test: for all tests, none of which may change a file."""
    from tests.simulated.tiny_slices import slices  # here, as not every test of the zoo needs torch

    return slices(tmp_path_factory.mktemp("slices"))


@pytest.fixture(scope="session")
def patterns_exported_once():
    """Let torchao export each of its patterns once in a test run, not once in each conversion.

    A conversion exports 112 of them: half a minute each time, for graphs that are always the same. Those of
    1-d and of transposed convolutions, which no network of these tests has, are left out.
    """
    from torch.nn.functional import conv2d
    from torchao.quantization.pt2e import qat_utils, utils

    export, done = qat_utils._get_aten_graph_module_for_pattern, {}

    def exported(pattern, example_inputs, is_cuda=False, **kwargs):
        function = pattern.fn
        cells = tuple(repr(cell.cell_contents) for cell in function.__closure__ or ())
        shapes = tuple(repr(getattr(value, "shape", value)) for value in (*example_inputs, *kwargs.values()))
        key = (function.__qualname__, cells, shapes, tuple(kwargs), is_cuda)
        if key not in done:
            done[key] = export(pattern, example_inputs, is_cuda, **kwargs)
        return copy.deepcopy(done[key])

    def only_in_two_dimensions(helper):
        return lambda graph, kind, *rest, **more: (
            helper(graph, kind, *rest, **more) if kind is conv2d else graph
        )

    with pytest.MonkeyPatch.context() as patch:
        for name in ("_fuse_conv_bn_qat_helper", "_fold_conv_bn_qat_helper"):
            patch.setattr(qat_utils, name, only_in_two_dimensions(getattr(qat_utils, name)))
        for module in (qat_utils, utils):
            patch.setattr(module, "_get_aten_graph_module_for_pattern", exported)
        yield
