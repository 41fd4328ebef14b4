"""The way of someone who must find out why a model fails: from a list, and from a figure of the report."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.annotate.helpers import serving
from tests.helpers import wait_for

import kins
from kins.annotate.view.routes import application
from kins.annotate.view.server import open_files
from kins.demo.toys import write_shapes
from kins.evaluation.report import write_report

AT_ONCE = (
    "keys => keys.forEach((key) => document.body.dispatchEvent(new KeyboardEvent('keydown', {key, bubbles: true})))"
)
HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def page(chromium: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The report, opened by `kins view`: in each image the first object is missed, the second has no hidden part."""
    folder = tmp_path_factory.mktemp("view")
    dataset = write_shapes(folder / "pictures", 6)
    dataset.categories = {key: HOSTILE if name == "disc" else name for key, name in dataset.categories.items()}
    dataset.save(folder / "truth.json")

    def spoiled(scene: kins.Scene) -> kins.Scene:
        first, *others = (i.replace(score=0.9, occlusion_score=0.5) for i in scene.instances[1:])
        return scene.replace(instances=(first.replace(amodal=first.inmodal, amodal_box=None), *others))

    dataset.map(spoiled).save(folder / "found.json", format="predictions")
    truth = kins.load(folder / "truth.json", images=folder / "pictures")
    found = kins.load_predictions(folder / "found.json", truth)
    write_report(folder / "report", truth, {"found.json": (found, kins.evaluate(truth, found))}, 1, samples=5)
    shelf = open_files(folder / "truth.json", [folder / "found.json"], folder / "pictures", report=folder / "report")
    shelf.token = "a token"
    with serving(application(shelf, ["127.0.0.1"])) as address:
        context = chromium.new_context(viewport={"width": 1100, "height": 700}, base_url=address)
        context.set_default_timeout(10_000)
        page = context.new_page()
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda told: errors.append(told.text) if "Security Policy" in told.text else None)
        page.on("dialog", lambda dialog: errors.append(dialog.message))
        page.goto("/?token=a token")
        page.report_file = folder / "report" / "index.html"
        yield page
        context.close()
    assert not errors


def painted(page: Any, name: str) -> list[int]:
    """How many pixels the objects' canvas of each stage has painted."""
    return page.evaluate(
        "name => [...document.querySelectorAll(`.stage`)].filter((s) => s.dataset.name.includes(name)).map((stage) => {"
        " const c = stage.querySelectorAll('canvas')[1];"
        " const { data } = c.getContext('2d').getImageData(0, 0, c.width, c.height);"
        " let n = 0; for (let k = 3; k < data.length; k += 4) n += data[k] > 0; return n; })",
        name,
    )


def test_from_the_report_to_the_missed_objects_side_by_side_and_blended(page: Any) -> None:
    assert page.url.endswith("/report")
    assert not page.is_visible(".closed")
    cell = page.locator("table.groups").first.locator("tr:has-text('all objects') td").nth(6)
    count = int(cell.inner_text())
    assert count == 6
    cell.locator("a").click()
    page.wait_for_selector(".case")
    assert page.locator(".case").count() == count
    assert set(page.locator(".case .kind").all_inner_texts()) == {"missed"}
    page.click(".kinds a[data-kind='extent']")
    page.wait_for_selector(".kinds a.on[data-kind='extent']")
    page.click(".kinds a[data-kind='missed']")
    page.wait_for_selector(".kinds a.on[data-kind='missed']")
    page.click(".case >> nth=0")
    page.wait_for_selector(".stage[data-scale]")
    page.keyboard.press("o")
    # It is missed, and all others are left out.
    assert wait_for(lambda: painted(page, "truth")[0] > 100 and painted(page, "found") == [0])
    scale = float(page.get_attribute(".stage", "data-scale"))
    page.keyboard.press("+")
    page.wait_for_function("before => Number(document.querySelector('.stage').dataset.scale) > before", arg=scale)
    assert len({stage.get_attribute("data-scale") for stage in page.query_selector_all(".stage")}) == 1
    page.keyboard.press("b")
    page.wait_for_selector(".stage[data-name='truth and found'][data-scale]")
    assert wait_for(lambda: painted(page, "truth and found")[0] > 100)
    both = painted(page, "truth and found")[0]
    page.locator("input[type=range]").fill("100")
    assert wait_for(lambda: 0 < painted(page, "truth and found")[0] < both)
    page.evaluate(AT_ONCE, ["l", "b"])  # a page that is about to paint when it is turned over
    page.wait_for_selector(".stage[data-name='found']")
    page.keyboard.press("ArrowRight")
    page.wait_for_selector(f"text=2 of {count}")
    page.keyboard.press("Escape")
    page.wait_for_selector(".case")


def test_pairs_slices_and_the_confusion_lead_to_as_many_objects(page: Any) -> None:
    cells = {
        "occluded": "table:has-text('AP50') >> tr:has-text('occluded (over 15 %)') >> td >> nth=1 >> a",
        "pairs": "table:has-text('pairs') >> tr:has-text('found') >> td >> nth=1 >> a",
        "confused": "svg[aria-label^='Ground truth'] >> text[style*='8px'] >> nth=0",
        "missed": "svg[aria-label^='Ground truth'] >> a[href*='missed'] >> text[style*='8px'] >> nth=0",
    }
    for name, cell in cells.items():
        page.goto("/report")
        count = int(page.locator(cell).text_content())
        page.locator(cell).click()
        page.wait_for_selector(".case")
        assert page.locator(".pager span").first.inner_text().endswith(f"of {count}"), name
        if name == "pairs":
            assert "behind" in page.locator(".case").first.inner_text()
            page.locator(".case").first.click()
            page.wait_for_selector(".stage[data-scale]")
            page.keyboard.press("o")
            assert wait_for(lambda: painted(page, "truth")[0] > 100)


def test_the_address_holds_the_filter_and_names_are_text(page: Any) -> None:
    page.goto("/#kind=wrong")
    page.wait_for_selector(".case")
    page.select_option("[aria-label=Class]", HOSTILE)
    page.wait_for_function("() => location.hash.includes('class=')")
    page.wait_for_function("() => document.querySelector('main').dataset.ready === location.hash")
    names = page.locator(".case b").all_inner_texts()
    assert names
    assert set(names) == {HOSTILE}
    address = page.url
    page.goto("about:blank")
    page.goto(address)
    page.wait_for_selector(".case")
    assert page.locator(".case b").all_inner_texts() == names
    page.goto("/#show=images")
    page.wait_for_selector("td a")
    page.click("td a >> nth=0")
    page.wait_for_selector(".below .case")
    assert page.query_selector("main img") is None


def test_the_report_alone_opens_without_links(page: Any) -> None:
    alone = page.context.new_page()
    alone.goto(Path(page.report_file).as_uri())
    assert alone.is_visible(".closed")
    assert alone.locator("a[href^='/']").count() == 0
    links = re.findall(r'<a data-view="([^"]*)">', page.report_file.read_text())
    assert len(links) > 50
    assert f"class={'%3Cimg+src%3Dx+onerror%3Dalert%281%29%3E'}" in " ".join(links)
    alone.close()


def test_of_several_files_each_stage_opens_its_own_detections(chromium: Any, tmp_path: Path) -> None:
    """The second file misses what the first has; a click on the first one's detection opens its case, not the second's
    of the same number."""
    dataset = write_shapes(tmp_path / "pictures", 1)
    dataset.save(tmp_path / "truth.json")
    for name, kept in (("first", slice(None)), ("second", slice(1, None))):
        found = dataset.map(
            lambda scene, kept=kept: scene.replace(instances=tuple(i.replace(score=0.9) for i in scene.instances[kept]))
        )
        found.save(tmp_path / f"{name}.json", format="predictions")
    paths = [tmp_path / f"{name}.json" for name in ("first", "second")]
    shelf = open_files(tmp_path / "truth.json", paths, tmp_path / "pictures")
    shelf.token = "a token"
    with serving(application(shelf, ["127.0.0.1"])) as address:
        page = chromium.new_page(viewport={"width": 1100, "height": 700}, base_url=address)
        page.set_default_timeout(10_000)
        page.goto("/?token=a token")
        page.goto("/#run=second&kind=missed")
        page.wait_for_selector(".case")
        assert page.locator(".case").count() == 1
        page.click(".case")
        page.wait_for_selector(".stage[data-scale]")
        page.keyboard.press("o")
        page.wait_for_timeout(150)
        assert [painted(page, name)[0] > 100 for name in ("truth", "first", "second")] == [True, True, False]
        page.keyboard.press("o")
        page.goto("/#run=second&kind=right&sort=large&at=0")
        page.wait_for_function("() => document.querySelector('main').dataset.ready === location.hash")
        page.wait_for_selector(".stage[data-scale]")
        page.keyboard.press("0")
        page.wait_for_timeout(150)
        scene = next(iter(dataset))
        missed, *others = (i.amodal.box for i in scene.instances)
        x, y = next(
            (x, y)
            for x in range(int(missed[0]) + 2, int(missed[0] + missed[2]) - 2)
            for y in range(int(missed[1]) + 2, int(missed[1] + missed[3]) - 2)
            if not any(left <= x <= left + w and top <= y <= top + h for left, top, w, h in others)
        )
        whole = (
            "width => { const s = document.querySelector('.stage'); return s.dataset.scale * width <= s.clientWidth; }"
        )
        page.wait_for_function(whole, arg=scene.image.width)
        scale = float(page.get_attribute(".stage", "data-scale"))
        box = page.locator(".stage[data-name=first]").bounding_box()
        corner = [(box[k] - n * scale) / 2 for k, n in (("width", scene.image.width), ("height", scene.image.height))]
        page.mouse.click(box["x"] + corner[0] + x * scale, box["y"] + corner[1] + y * scale)
        page.wait_for_url(re.compile("run=first"))
        page.wait_for_function("() => document.querySelector('main').dataset.ready === location.hash")
        assert page.locator(".about h2").inner_text() == scene.instances[0].category
        page.close()
