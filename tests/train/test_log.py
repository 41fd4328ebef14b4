"""Tables of a run that goes on, and what is shown while it works."""

import math
from pathlib import Path

import pytest

from kins.config import load_config
from kins.errors import KinsError
from kins.train.log import Pace, Progress, RunLog, step_of

CONFIG = load_config("tiny", ["train.log_every=1"])


def test_rows_after_the_last_checkpoint_are_cut_off(tmp_path: Path) -> None:
    for name in ("log.csv", "evaluations.csv"):
        (tmp_path / name).write_text(
            "step,seconds,loss\n1,1,3\n2,2,3\n²,2,3\n٣,3,3\n3,3\n-1,0,0\n" + "9" * 5000 + ",1,1\n4,4,3\n"
        )
    RunLog(tmp_path, CONFIG, 3, 1).close()
    assert (tmp_path / "log.csv").read_text().split() == ["step,seconds,loss", "1,1,3", "2,2,3"]
    assert (tmp_path / "evaluations.csv").read_text().split() == ["step,seconds,loss", "1,1,3"]


@pytest.mark.parametrize("content", [b"\xff\xfe\x00step", b'step\n"' + b"x" * 200_000 + b'"\n'])
def test_tables_that_are_none_are_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "log.csv").write_bytes(content)
    with pytest.raises(KinsError, match=r"^[^\n]*log\.csv: is no table of a run; remove it[^\n]*$"):
        RunLog(tmp_path, CONFIG, 1, 0)
    assert (tmp_path / "log.csv").read_bytes() == content


def test_the_place_in_the_schedule() -> None:
    now = Progress(120, 6000, 0.02, {}, 0.1, 1.0, 1.0)
    assert step_of(now) == "120 of 6000"
    assert step_of(Progress(120, None, 0.02, {}, 0.1, 1.0, 1.0)) == "120"


def test_the_first_steps_do_not_spoil_the_estimate() -> None:
    pace = Pace(batch=8)
    assert pace.step(50.0, 50.0, 0.01) == (8 / 50, math.inf)
    for _ in range(2):
        pace.step(1.0, 52.0, 0.03)
    speed, left = pace.step(1.0, 53.0, 0.04)
    assert speed == pytest.approx(8)
    assert left == pytest.approx(96)
