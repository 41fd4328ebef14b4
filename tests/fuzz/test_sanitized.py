"""The compiled part under address and undefined-behaviour sanitizers, for a moment. Longer: `make sanitize`."""

import subprocess
import sys
from pathlib import Path

import pytest
from tests.fuzz import sanitized

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or sanitized.runtime() is None, reason="gcc with libasan is not on this machine"
)


def test_random_calls_leave_the_sanitizers_silent() -> None:
    done = sanitized.run(calls=3000, seed=1)
    assert done.returncode == 0, done.stderr
    assert "no report" in done.stdout


def test_a_fault_would_be_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One place too many is written by a changed copy of the source."""
    text = sanitized.SOURCE.read_text()
    changed = text.replace(
        "for (int64_t k = 0; k < count; k += 2) memset", "for (int64_t k = 0; k <= count; k += 2) memset"
    )
    assert changed != text
    (tmp_path / "spans.c").write_text(changed)
    monkeypatch.setattr(sanitized, "SOURCE", tmp_path / "spans.c")
    done: subprocess.CompletedProcess[str] = sanitized.run(calls=3000, seed=1)
    assert done.returncode != 0
    assert "AddressSanitizer" in done.stderr
