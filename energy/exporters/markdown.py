"""Markdown for a pull request's comment or a job's summary: the verdict first, then what changed.

With a base the table has the cases that did not simply stay unchanged, energy and Dice in one row, and the
session's own row; all cases, the environment and how to reproduce it are folded away. Without a base it has
all cases of the run. A text over --max-bytes loses first what is folded away, then rows from its end.
"""

from __future__ import annotations

from energy.exporters import Exported, ExportError, Request
from energy.exporters import _compared_page as compared_page
from energy.exporters import _run_page as run_page

OPTIONS = ("base", "max_bytes")


def export(request: Request) -> Exported:
    """Return the page.

    Raises:
        ExportError: not even its head fits into the size.
    """
    page = (
        run_page.write_page(request)
        if request.base is None
        else compared_page.write_page(request, request.base)
    )
    text = page.fitted(request.max_bytes)
    if text is None:
        least = len(page.head.encode())
        raise ExportError(
            f"--max-bytes {request.max_bytes} is too little: the verdict alone takes {least} bytes; give more"
        )
    return Exported({".md": text})
