"""The session in docs/ is what a client of the SDK gets now."""

from __future__ import annotations

import os
import sys

import pytest

pytest.importorskip("mcp", reason="needs kcsearch[mcp]")

from tools import mcp_session
from tools.readme import comparable

if not mcp_session.PAGE.is_file():
    pytest.skip("docs/ is not beside the tests", allow_module_level=True)


def test_the_session_is_as_it_is_written_down(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a change of the tools or of the model: `python -m tools.mcp_session --write`."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(path for path in sys.path if path))
    found = comparable(mcp_session.written())
    assert found == comparable(mcp_session.PAGE.read_text(encoding="utf-8"))
