"""Nothing that was done is lost: servers and browsers are killed, the network is away, two tabs are open."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.annotate.browser.conftest import ARGUMENTS, write_pictures
from tests.annotate.browser.person import Person, rectangle
from tests.annotate.browser.server import Server
from tests.helpers import running, wait_for


@pytest.fixture(scope="module")
def server(chromium_path: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("killed")
    write_pictures(folder, 4)
    server = Server(folder)
    yield server
    server.kill()


@pytest.fixture
def visitor(chromium: Any, server: Server) -> Iterator[Any]:
    """A tab without anything kept from before."""
    context = chromium.new_context(viewport={"width": 900, "height": 500})
    yield context.new_page()
    context.close()


class Profile:
    """A browser with a profile on the disk, to be killed."""

    def __init__(self, playwright: Any, path: str, folder: Path) -> None:
        self.playwright, self.path, self.folder = playwright, path, folder
        self.start()

    def start(self) -> None:
        self.context = self.playwright.chromium.launch_persistent_context(
            str(self.folder), executable_path=self.path, args=ARGUMENTS, viewport={"width": 900, "height": 500}
        )
        self.page = self.context.pages[0]

    def kill(self) -> None:
        """All processes of this profile, at once."""
        found = [
            int(process.name)
            for process in Path("/proc").iterdir()
            if process.name.isdigit() and f"--user-data-dir={self.folder}" in _command(process)
        ]
        assert found
        for process in found:
            os.kill(process, signal.SIGKILL)
        wait_for(lambda: not any(map(running, found)))
        try:
            self.context.close()
        except Exception:
            assert not any(map(running, found))


def _command(process: Path) -> str:
    try:
        return (process / "cmdline").read_text().replace("\0", " ")
    except OSError:
        return ""


@pytest.fixture
def profile(playwright: Any, chromium_path: str, tmp_path: Path) -> Iterator[Profile]:
    profile = Profile(playwright, chromium_path, tmp_path / "profile")
    yield profile
    profile.context.close()


def enter(page: Any, server: Server, image: int) -> None:
    """Come by the printed address, or as one who has come by it, and open an image."""
    if server.cookies:
        page.context.add_cookies(server.cookies)
    else:
        page.goto(server.address)
        page.wait_for_url("**/#project/*")
        server.cookies = page.context.cookies()
    again(page, server, image)


def again(page: Any, server: Server, image: int) -> None:
    """Open the image again."""
    page.goto("about:blank")
    page.goto(f"http://127.0.0.1:{server.port}/#image/{image}")
    page.wait_for_selector(".stage[data-scale]")


def draw(page: Any) -> None:
    """Some triangle, wherever the picture is."""
    page.keyboard.press("A")
    for x, y in ((300, 150), (500, 150), (400, 300)):
        page.mouse.click(x, y)
    page.keyboard.press("Enter")


def kept(page: Any) -> int:
    """How many operations the page's outbox has taken since it was opened."""
    return int(page.get_attribute(".saved", "data-kept"))


def history(page: Any, server: Server) -> list[dict[str, Any]]:
    """The operations that the server has, once the page says that all is saved."""
    assert wait_for(lambda: page.inner_text(".saved") == "saved"), page.inner_text(".foot")
    site = f"http://127.0.0.1:{server.port}/api/v1"
    image = int(page.url.rpartition("/")[2])
    images = page.request.get(f"{site}/projects/1/images").json()["images"]
    layer = next(one["layer"] for one in images if one["id"] == image)
    told = page.request.get(f"{site}/layers/{layer}/operations?after=0").json()
    operations: list[dict[str, Any]] = told["operations"]
    return operations


def flags(operations: list[dict[str, Any]]) -> list[bool]:
    """What G has set, one after the other: true and false in turn if nothing is lost or done twice."""
    return [operation["payload"]["value"] for operation in operations if operation["kind"] == "flag"]


def kill_servers(page: Any, server: Server, image: int, times: int) -> None:
    """Work on, while the server is killed and started again."""
    enter(page, server, image)
    draw(page)
    chance, pressed = random.Random(0), 0
    for _ in range(times):
        for _ in range(chance.randint(1, 4)):
            page.keyboard.press("G")
            pressed += 1
        time.sleep(chance.uniform(0, 0.35))
        server.kill()
        page.keyboard.press("G")
        pressed += 1
        server.start()
    assert flags(history(page, server)) == [k % 2 == 0 for k in range(pressed)]


def kill_browsers(profile: Profile, server: Server, image: int, times: int) -> None:
    """Work on, while the browser is killed, and the server beside it every other time."""
    enter(profile.page, server, image)
    draw(profile.page)
    chance, least = random.Random(1), 0
    for k in range(times):
        if k % 2:
            server.kill()
        for _ in range(chance.randint(1, 5)):
            profile.page.keyboard.press("G")
        time.sleep(chance.uniform(0, 0.3))
        sure = kept(profile.page) - (k == 0)  # the outline is no flag
        profile.kill()
        if k % 2:
            server.start()
        profile.start()
        profile.context.add_cookies(server.cookies)
        again(profile.page, server, image)
        done = flags(history(profile.page, server))
        assert len(done) >= least + sure
        assert done == [number % 2 == 0 for number in range(len(done))]
        least = len(done)
        profile.page.keyboard.press("N")  # select the outline again


def test_killing_the_server_loses_nothing(visitor: Any, server: Server) -> None:
    kill_servers(visitor, server, 1, 1)


def test_killing_the_browser_loses_nothing(profile: Profile, server: Server) -> None:
    kill_browsers(profile, server, 2, 1)


@pytest.mark.slow
def test_a_hundred_servers_killed(visitor: Any, server: Server) -> None:
    kill_servers(visitor, server, 3, 100)


@pytest.mark.slow
def test_twenty_browsers_killed(profile: Profile, server: Server) -> None:
    kill_browsers(profile, server, 4, 20)


def test_the_draft_is_there_after_reloading(person: Person) -> None:
    person.press("A")
    for x, y in rectangle(100, 80, 140, 120)[:3]:
        person.click(x, y)
    person.page.wait_for_selector(".stage[data-draft='3']")  # the last point is on the disk
    person.open()
    person.click(100, 120)
    person.press("Enter")
    points = person.saved()["objects"][0]["rings"][0]["points"]
    assert points == [10000, 8000, 14000, 8000, 14000, 12000, 10000, 12000]


def test_work_goes_on_without_a_network(person: Person) -> None:
    person.draw(rectangle(100, 80, 140, 120))
    person.saved()
    assert not asks_before_leaving(person)
    person.context.set_offline(True)
    person.draw(rectangle(200, 80, 240, 120))
    assert wait_for(lambda: "offline, 1 not saved yet" in person.text(".saved"))
    assert asks_before_leaving(person)
    assert wait_for(lambda: "kept in this browser" in person.text(".banner"))
    person.context.set_offline(False)
    assert len(person.saved()["objects"]) == 2
    assert not asks_before_leaving(person)


def asks_before_leaving(person: Person) -> bool:
    """Whether the browser would ask before it closes the tab."""
    event = "new Event('beforeunload', {cancelable: true})"
    return not person.page.evaluate(f"() => window.dispatchEvent({event})")


def test_of_two_tabs_one_writes(person: Person) -> None:
    person.draw(rectangle(100, 80, 140, 120))
    person.saved()
    other = Person(person.context.new_page(), person.image)
    assert wait_for(lambda: "Another tab writes" in other.text(".banner"))
    other.press("N", "G")
    other.toast("can only read")
    other.page.click("text=Take over")
    assert wait_for(lambda: "read-only" in person.text(".saved"))
    assert wait_for(lambda: "Another tab writes" not in other.text(".banner"))
    other.press("G")
    assert wait_for(lambda: other.saved()["objects"][0]["flags"]["guess"])
    other.draw(rectangle(200, 80, 240, 120))
    other.saved()
    other.page.close()
    person.page.click("text=Take over")
    assert wait_for(lambda: "Another tab writes" not in person.text(".banner"))
    assert wait_for(lambda: "car 2" in person.text(".side") or "person 2" in person.text(".side"))
    person.draw(rectangle(300, 80, 340, 120))
    assert len(person.saved()["objects"]) == 3


def elsewhere(person: Person, kind: str, payload: dict[str, Any], number: int) -> None:
    """The same person adds an operation on another machine."""
    layer = person.saved()
    operation = {"id": f"00000000-0000-4000-8000-{person.image:06}{number:06}", "kind": kind, "payload": payload}
    csrf = person.get("/me")["csrf"]
    address = person.page.url.split("/#")[0]
    answer = person.context.request.post(
        f"/api/v1/layers/{layer['id']}/operations",
        data={"base": layer["revision"], "operations": [operation | {"time": 1, "pause": 0}]},
        headers={"X-CSRF-Token": csrf, "Origin": address},
    )
    assert answer.ok, answer.text()


def test_what_was_done_elsewhere_is_taken_in(person: Person) -> None:
    person.draw(rectangle(100, 80, 140, 120))
    first = person.saved()["objects"][0]["id"]
    person.draw(rectangle(200, 80, 240, 120))
    elsewhere(person, "flag", {"object": first, "name": "outside", "value": True}, 1)
    person.press("G")  # of the second one
    one, two = person.saved()["objects"]
    assert one["flags"]["outside"]
    assert two["flags"]["guess"]


@pytest.mark.parametrize("choice", ["Keep what is here", "Keep the other one"])
def test_the_same_object_changed_here_and_elsewhere_is_shown_side_by_side(person: Person, choice: str) -> None:
    person.draw(rectangle(100, 80, 140, 120))
    (thing,) = person.saved()["objects"]
    moved = [{"hole": False, "points": [0, 0, 4000, 0, 4000, 4000]}]
    elsewhere(person, "outline", {"object": thing["id"], "rings": moved}, 2)
    person.press("E")
    person.drag((140, 120), (160, 140))
    person.page.click(f"dialog >> text={choice}")
    points = person.saved()["objects"][0]["rings"][0]["points"]
    assert (16000 in points) == (choice == "Keep what is here")
