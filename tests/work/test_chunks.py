"""Several processes give what one gives. Each test runs in a process of its own, in which no thread has started."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.helpers import running, wait_for

from kins import KinsError
from kins.work import CHUNK, in_chunks, processes

IMAGES = 5 * CHUNK - 7

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are forked on Linux only")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Three overlapping objects an image, everywhere a little different; faults of several kinds here and there."""
    rows: list[dict[str, Any]] = []
    for image in range(IMAGES):
        for k in range(3):
            x, y, right = 5 + 9 * k, 4 + image % 11, 5 + 9 * k + 8 + (image + k) % 9
            edge = [x, y, right, y, right, y + 12 + k, x, y + 12 + k]
            seen = min(x + 8, right - 1) if image % 3 and k else x
            part = [seen, y, right, y, right, y + 12 + k, seen, y + 12 + k]
            row = {"id": len(rows) + 1, "image_id": image, "category_id": 1 + k % 2, "iscrowd": 0}
            rows.append(row | {"a_segm": [edge], "i_segm": [part], "oco_id": 0, "ico_id": (image + k) % 3})
            rows[-1]["a_area"] = 1 if image % 50 == 3 else (right - x) * (12 + k)
    rows[400]["id"] = rows[20]["id"]
    rows[500]["category_id"] = 9
    images = [{"id": i, "file_name": f"{i}.png", "height": 40, "width": 60} for i in range(IMAGES)]
    path = tmp_path / "set.json"
    categories = [{"id": 1, "name": "car"}, {"id": 2, "name": "van"}]
    path.write_text(json.dumps({"images": images, "annotations": rows, "categories": categories}))
    return path


def fresh(script: str, *arguments: object) -> list[str]:
    """Lines that a script prints in a new process."""
    command = [sys.executable, "-c", script, *map(str, arguments)]
    environment = {key: value for key, value in os.environ.items() if key != "OMP_NUM_THREADS"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, env=environment)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_results_come_in_sequence_from_other_processes(file: Path) -> None:
    script = """if True:
        import os, sys, kins
        dataset = kins.load(sys.argv[1])
        one, two = (dataset.each(lambda s: (s.image.id, [i.amodal.rle for i in s]), workers=n) for n in (1, 2))
        assert one == two and [image_id for image_id, _ in one] == list(dataset.images)
        pids = [set(dataset.each(lambda scene: os.getpid(), workers=n)) for n in (1, 2)]
        print(pids[0] == {os.getpid()}, os.getpid() in pids[1], 1 <= len(pids[1]) <= 2)
        """
    assert fresh(script, file) == ["True False True"]


def test_order_statistics_and_validation_are_the_same(file: Path, tmp_path: Path) -> None:
    script = """if True:
        import sys, kins
        from kins.occlusion.datasets import derive_order
        from kins.work import processes
        from kins.statistics import statistics
        from kins.validate import validate
        dataset = kins.load(sys.argv[1])
        assert processes(5, 2) == 2
        found = []
        for workers in (1, 2):
            ordered, summary = derive_order(dataset, workers=workers)
            ordered.save(f"{sys.argv[2]}/ordered{workers}.json")
            report = validate(sys.argv[1], repaired=f"{sys.argv[2]}/repaired{workers}.json", workers=workers)
            found.append((summary.as_json(), statistics(dataset, workers=workers).as_json(), report.as_json()))
        assert found[0] == found[1]
        print(summary.edges > 0, sorted(report.found))
        """
    (line,) = fresh(script, file, tmp_path)
    assert line.startswith("True")
    assert "annotation-id-twice" in line
    assert "order-disagrees" in line
    for name in ("ordered", "repaired"):
        assert (tmp_path / f"{name}1.json").read_bytes() == (tmp_path / f"{name}2.json").read_bytes()


def test_an_error_names_file_and_place(file: Path) -> None:
    content = json.loads(file.read_text())
    for position in (700, 300):
        content["annotations"][position]["a_segm"] = [[1, 2, 3]]
    file.write_text(json.dumps(content))
    script = """if True:
        import sys, kins
        for workers in (1, 2):
            try:
                kins.load(sys.argv[1]).each(lambda scene: [i.amodal.area for i in scene], workers=workers)
            except kins.KinsError as error:
                print(error)
        """
    first, second = fresh(script, file)
    assert first == second
    assert first.startswith(f"{file}: annotations[300].a_segm[0]: has 3 numbers")


def test_evaluation_shares_its_images(file: Path) -> None:
    script = """if True:
        import os, sys, threading, time, kins
        from kins.evaluation import evaluate, evaluator
        evaluator.BATCH = 32
        dataset = kins.load(sys.argv[1])
        found = dataset.map(lambda s: s.replace(instances=tuple(i.replace(score=1 / i.id) for i in s)))
        compare = evaluator.compare
        def watched(*arguments):
            open(f"{sys.argv[1]}.{os.getpid()}", "w").close()
            return compare(*arguments)
        evaluator.compare = watched
        one, two = (evaluate(dataset, found, workers=n).to_dict() for n in (1, 2))
        threading.Thread(target=time.sleep, args=(60,), daemon=True).start()  # no more forking
        print(one == two == evaluate(dataset, found, workers=2).to_dict(), one["amodal"]["overall"]["AP50"] > 50)
        """
    assert fresh(script, file) == ["True True"]
    assert len(list(file.parent.glob("set.json.*"))) in (2, 3)


def test_a_process_that_dies_is_an_error(file: Path) -> None:
    script = """if True:
        import os, sys, kins
        try:
            kins.load(sys.argv[1]).each(lambda scene: scene.image.id == 99 and os._exit(1), workers=2)
        except kins.KinsError as error:
            print(error)
        """
    assert fresh(script, file) == [f"{file}: images: a process died; is there enough memory? Fewer processes need less"]


@pytest.mark.parametrize(
    "start",
    [
        "hotcoco.mask.iou(masks, masks, [0] * len(masks))  # a library's own threads, which Python knows nothing of",
        "threading.Thread(target=time.sleep, args=(30,), daemon=True).start()",
        "sys.modules['torch'] = sys",
    ],
)
def test_nothing_is_forked_once_there_are_threads(file: Path, start: str) -> None:
    script = f"""if True:
        import hotcoco.mask, os, sys, threading, time, kins
        dataset = kins.load(sys.argv[1])
        masks = [instance.amodal.rle for scene in dataset for instance in scene]
        print(len(set(dataset.each(lambda scene: os.getpid(), workers=2)) - {{os.getpid()}}) > 0)
        {start}
        print(set(dataset.each(lambda scene: os.getpid(), workers=2)) == {{os.getpid()}})
        """
    assert fresh(script, file) == ["True", "True"]


@pytest.mark.parametrize("start", ["pass", "sys.modules['torch'] = sys"])
def test_slow_work_is_shared_even_where_forking_is_not_safe(tmp_path: Path, start: str) -> None:
    (tmp_path / "work_of_one.py").write_text("import os\ndef where(items): return items, os.getpid()\n")
    script = f"""if True:
        import os, sys
        sys.path.insert(0, sys.argv[1])
        from work_of_one import where
        from kins.work import in_chunks, processes
        {start}
        found = list(in_chunks(where, "abcd", "letters", 2, chunk=1, slow=True))
        print("".join(items for items, _ in found), os.getpid() in {{process for _, process in found}})
        print(processes(2, 2, slow=True), processes(1, 2, slow=True), processes(2, 2))
        """
    assert fresh(script, tmp_path) == ["abcd False", "2 1 1"]


ENDLESS = "import os, time\ndef wait(items):\n    open(str(os.getpid()), 'w').close()\n    time.sleep(100)\n"


@pytest.mark.parametrize("start", ["pass", "sys.modules['torch'] = sys"])
def test_processes_end_with_their_parent(tmp_path: Path, start: str) -> None:
    (tmp_path / "endless.py").write_text(ENDLESS)
    script = f"""if True:
        import sys
        sys.path.insert(0, "")
        from endless import wait
        from kins.work import in_chunks
        {start}
        list(in_chunks(wait, "abcd", "letters", 2, chunk=1, slow=True))
        """
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(map(os.path.abspath, sys.path))}
    parent = subprocess.Popen([sys.executable, "-c", script], cwd=tmp_path, env=environment)
    try:
        workers = wait_for(lambda: len(found := [int(p.name) for p in tmp_path.glob("[0-9]*")]) == 2 and found)
        assert all(map(running, workers))
    finally:
        parent.kill()
        parent.wait()
    assert wait_for(lambda: not any(map(running, workers)))


@pytest.mark.parametrize("start", ["pass", "sys.modules['torch'] = sys"])
def test_ctrl_c_ends_all_with_one_line(tmp_path: Path, start: str) -> None:
    (tmp_path / "endless.py").write_text(ENDLESS)
    script = f"""if True:
        import sys
        sys.path.insert(0, "")
        import kins.formats
        from endless import wait
        from kins.commands.cli import main
        from kins.work import in_chunks
        {start}
        kins.formats.load = lambda *a, **b: list(in_chunks(wait, "abcdefgh", "letters", 2, chunk=1, slow=True))
        sys.argv = ["kins", "stats", "some.json"]
        main()
        """
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(map(os.path.abspath, sys.path))}
    parent = subprocess.Popen(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    workers = wait_for(lambda: len(found := [int(p.name) for p in tmp_path.glob("[0-9]*")]) == 2 and found)
    os.killpg(parent.pid, signal.SIGINT)  # as a terminal does
    _, error = parent.communicate(timeout=60)
    assert (parent.returncode, error) == (130, "kins: stopped; no file is left half written\n")
    assert wait_for(lambda: not any(map(running, workers)))


def test_few_images_are_not_worth_a_process() -> None:
    assert processes(3, 8) == 1
    assert processes(10**6, 1) == 1
    with pytest.raises(KinsError, match="0 processes"):
        processes(10, 0)
    assert list(in_chunks(sum, range(10), "numbers", chunk=4)) == [6, 22, 17]
    assert list(in_chunks(sum, [], "numbers")) == []
