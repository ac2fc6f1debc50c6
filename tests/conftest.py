"""What every test stands on: meters that claim simulated devices disturb nobody who measures real ones."""

import pytest

from energy import claims
from energy.__main__ import main


@pytest.fixture(autouse=True)
def _own_claims(tmp_path_factory):
    # Not by `monkeypatch`, which would then be undone after every other fixture of the test.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(claims, "FOLDER", tmp_path_factory.getbasetemp() / "claims")
        yield


@pytest.fixture
def joulebench(capsys):
    """The command line in this process: arguments go in; exit code, stdout and stderr come out."""

    def call(*arguments):
        code = main(arguments)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call
