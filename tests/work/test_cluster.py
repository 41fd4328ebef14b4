"""Work on a real Ray cluster of this machine, with real kills: the same files as without it, and nothing is lost."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

import pytest
from tests.helpers import running, wait_for
from tests.work.driver import IMAGES, SIZE, made

import kins
from kins.demo.toys import write_shapes
from kins.errors import KinsError
from kins.work.shards import How

# Not importorskip: Ray reads the token of the cluster when it is imported.
pytestmark = pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed")

ROOT = Path(__file__).parents[2]
START = """
import os, sys, tempfile
os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
import ray
ray.init(num_cpus=2, include_dashboard=False, object_store_memory=100 * 2**20, log_to_driver=False,
         logging_level="ERROR", _temp_dir=sys.argv[1])
print(ray.get_runtime_context().gcs_address, flush=True)
sys.stdin.read()
ray.shutdown()
"""


@pytest.fixture(scope="module")
def cluster():
    """Address of a cluster with two processors, which serves those who have the token."""
    folder = tempfile.mkdtemp(prefix="ray-", dir="/tmp")  # names of sockets must be short
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_AUTH_MODE", "token")
        patch.setenv("RAY_AUTH_TOKEN", secrets.token_hex(32))
        process = subprocess.Popen(
            [sys.executable, "-c", START, folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert process.stdin is not None
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.stdin.close()
        process.wait()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def wanted(tmp_path_factory):
    """The bytes of every shard, made without a cluster."""
    out = tmp_path_factory.mktemp("wanted") / "out"
    made(out)
    return shards(out)


def shards(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(out.glob("[!.]*.parquet"))}


def times(out: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in out.glob("[!.]*.parquet")}


def begun(out: Path, *command: object) -> subprocess.Popen[str]:
    """A command in a process of its own, when it has made a shard."""
    process = subprocess.Popen(
        [sys.executable, "-m", *map(str, command)], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    wait_for(lambda: times(out) or process.poll() is not None)
    return process


def started(out: Path, cluster: str) -> tuple[subprocess.Popen[str], Path]:
    """The driver, when it has made a shard, and the folder of its workers' numbers."""
    notes = Path(f"{out}.notes")
    notes.mkdir()
    return begun(out, "tests.work.driver", out, cluster), notes


def test_whoever_is_killed_only_what_is_missing_is_made(cluster, wanted, tmp_path):
    out = tmp_path / "out"
    process, notes = started(out, cluster)
    first = min(notes.iterdir(), key=lambda path: path.stat().st_mtime_ns)
    os.kill(int(first.name), signal.SIGKILL)
    more = len(times(out)) + 1
    wait_for(lambda: len(times(out)) > more or process.poll() is not None)
    process.kill()
    assert process.communicate() == ("", "")
    before = times(out)
    assert 0 < len(before) < len(wanted)
    assert wait_for(lambda: not any(running(int(path.name)) for path in notes.iterdir()))
    done = made(out)  # by this process: who makes the shards is no matter
    assert (done.images, done.failed) == (IMAGES, [])
    assert shards(out) == wanted
    assert times(out).items() >= before.items()


@pytest.mark.slow  # the test before does it, too, but for the end
def test_a_killed_worker_is_replaced(cluster, wanted, tmp_path):
    process, notes = started(tmp_path / "out", cluster)
    os.kill(int(next(notes.iterdir()).name), signal.SIGKILL)
    assert process.communicate() == ("", "")
    assert process.returncode == 0
    assert shards(tmp_path / "out") == wanted


def test_only_the_picture_that_workers_die_of_is_missing(cluster, wanted, tmp_path):
    items = [*range(SIZE), 100, -7, 1000, 101, *range(2 * SIZE, 3 * SIZE)]
    for before in (0, 3):
        done = made(tmp_path / "out", items, ray=cluster)
        assert (done.shards, done.before) == (3, before)
        assert done.failed == [
            "image -7: its worker died, twice; is there enough memory?",
            "image 1000: can't be read",
        ]
        assert list(kins.load(tmp_path / "out").images) == [k for k in items if 0 <= k < 1000]


def test_a_full_disk_of_workers_is_one_line_and_loses_nothing(cluster, wanted, tmp_path):
    with pytest.raises(KinsError, match=r"-of-00010\.parquet: can't be written") as error:
        made(tmp_path / "out", ray=cluster, shards=2)
    assert "\n" not in str(error.value)
    before = times(tmp_path / "out")
    assert 2 <= len(before) < len(wanted)
    assert not list((tmp_path / "out").glob(".*.parquet"))
    made(tmp_path / "out")
    assert shards(tmp_path / "out") == wanted
    assert times(tmp_path / "out").items() >= before.items()


@pytest.mark.slow
def test_convert_and_synth_go_on_when_they_were_killed(cluster, tmp_path):
    """Whole commands; what they leave is what they would have made at once."""
    write_shapes(tmp_path / "pictures", 300, (40, 60)).save(tmp_path / "truth.json")
    convert = ["convert", tmp_path / "truth.json", "OUT", "--to", "parquet", "--images", tmp_path / "pictures"]
    convert += ["--pictures", "--shard", "1"]
    synth = ["synth", "OUT", "--train", "40", "--size", "192x64", "--quality", "fast", "--shard", "1"]
    for name, command, inner in (("a.parquet", convert, ""), ("b.parquet", synth, "training")):
        words = [str(tmp_path / name) if word == "OUT" else word for word in command]
        out = tmp_path / name / inner
        process = begun(out, "kins", *words, "--ray", cluster, "--workers", "2")
        process.kill()
        assert process.communicate() == ("", "")
        before = times(out)
        assert 0 < len(before) < (300 if name == "a.parquet" else 40)
        again = subprocess.run([sys.executable, "-m", "kins", *map(str, words)], capture_output=True, text=True)
        assert (again.returncode, again.stderr) == (0, "")
        assert times(out).items() >= before.items()
        whole = [str(tmp_path / "whole" / name) if word == "OUT" else str(word) for word in command]
        subprocess.run([sys.executable, "-m", "kins", *whole], check=True, capture_output=True)
        assert shards(out) == shards(tmp_path / "whole" / name / inner)


def test_complete_gives_the_same_files(cluster, tmp_path, monkeypatch):
    from kins.complete.shards import complete_shards

    monkeypatch.chdir(tmp_path)
    write_shapes("pictures", 6, (40, 60)).save("truth.json")
    for out, how in (("here", How(2)), ("there", How(2, cluster, 2))):
        complete_shards("truth.json", out, how, method="convex-order")
    here, there = shards(Path("here")), shards(Path("there"))
    assert len(here) == 3
    assert here == there


@pytest.mark.parametrize(
    ("address", "said"),
    [("127.0.0.1:9", "no cluster answers there"), ("nowhere", "is no address"), ("127.0.0.1:99999", "no cluster")],
)
def test_an_unreachable_cluster_is_one_line(tmp_path, address, said):
    with pytest.raises(KinsError, match=f"--ray {address}: {said}") as error:
        made(tmp_path / "out", ray=address)
    assert "\n" not in str(error.value)


@pytest.mark.slow
def test_streets_are_the_same(cluster, tmp_path):
    pytest.importorskip("mitsuba")
    from kins.streets import Settings, generate

    settings, counts = Settings(seed=3, width=192, height=64, quality="fast"), {"training": 2, "testing": 1}
    generate(tmp_path / "here", counts, settings, workers=1)
    generate(tmp_path / "there", counts, settings, 2, cluster)
    here, there = (
        {
            path.relative_to(tmp_path / name): path.read_bytes()
            for path in (tmp_path / name).rglob("*.*")
            if path.is_file()
        }
        for name in ("here", "there")
    )
    assert len(here) > 9
    assert here == there
