"""The example notebook does what it shows, on the committed results, and holds no output in git."""

from pathlib import Path

import nbclient
import nbformat
import pytest

NOTEBOOKS = sorted((Path(__file__).parents[2] / "examples").glob("*.ipynb"))


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.name)
def notebook(request):
    return nbformat.read(request.param, as_version=4)


def test_a_notebook_holds_no_output(notebook):
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]

    assert cells
    assert all(cell.outputs == [] and cell.execution_count is None for cell in cells)


@pytest.mark.slow
def test_a_notebook_runs_from_top_to_bottom(notebook):
    place = {"metadata": {"path": str(NOTEBOOKS[0].parent)}}

    nbclient.NotebookClient(notebook, timeout=120, kernel_name="python3", resources=place).execute()

    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    text = "".join(str(output) for output in outputs)
    assert not [output for output in outputs if output.output_type == "error"]
    assert "attention_squeeze_unet" in text
    assert "image/svg+xml" in text
    assert "energy_ratio" in text
