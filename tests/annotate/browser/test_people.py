"""Several people: signing in, two annotators, a reviewer with a consensus, an owner's pages."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from tests.annotate.browser.conftest import write_pictures
from tests.annotate.browser.person import Person, rectangle
from tests.helpers import wait_for

MEMBERS = "/api/v1/projects/1/members"


@pytest.fixture(scope="module")
def shared(chromium_path: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server with accounts, and two classes."""
    from tests.annotate.helpers import Person as Caller
    from tests.annotate.helpers import team

    folder = tmp_path_factory.mktemp("team")
    write_pictures(folder, 2)
    with team(folder, count=0) as (address, _):
        with Caller(address, "owner") as owner:
            (user,) = [user["id"] for user in owner.get("/users").json() if user["name"] == "stranger"]
            added = owner.post("/projects/1/members", json={"user": user, "role": "annotator"})
            assert added.status_code == 200, added.text
        yield address


def signed_in(chromium: Any, address: str, name: str, wrong: bool = False) -> Any:
    """A tab of somebody who has signed in by the form, perhaps after a wrong password."""
    from tests.annotate.helpers import PASSWORD

    context = chromium.new_context(viewport={"width": 1000, "height": 640}, base_url=address)
    context.set_default_timeout(10_000)
    page = context.new_page()
    page.goto(address)
    page.fill("[aria-label=Name]", name)
    if wrong:
        page.fill("[aria-label=Password]", "not this one")
        page.press("[aria-label=Password]", "Enter")
        assert wait_for(lambda: page.inner_text("[role=alert]"))
    page.fill("[aria-label=Password]", PASSWORD)
    page.press("[aria-label=Password]", "Enter")
    page.wait_for_url("**/#project/*")
    return page


def annotate(page: Any, right: float, flip: bool, image: int = 1) -> None:
    """A car and a person, and who is in front; then Done."""
    person = Person(page, image)
    for name, corners in (("car", (100, 80, right, 152)), ("person", (180, 60, 232, 172))):
        person.draw(rectangle(*corners))
        person.press("/")
        page.keyboard.type(name)
        person.press("Enter")
        page.wait_for_selector(f".object.selected:has-text('{name}')")
    person.press("X" if flip else "C", "Control+Enter")
    page.click("dialog button:has-text('Done')")
    page.wait_for_url(lambda url: not url.endswith(f"#image/{image}"))  # the next picture, or all of them
    assert not person.errors


def consensus(page: Any, image: int) -> Any:
    """The layer that says what the annotators say together."""
    layers = page.request.get(f"/api/v1/images/{image}").json()["layers"]
    (key,) = [layer["id"] for layer in layers if layer["kind"] == "consensus"]
    return page.request.get(f"/api/v1/layers/{key}").json()


def test_two_annotators_a_consensus_and_a_review(chromium: Any, shared: str) -> None:
    annotate(signed_in(chromium, shared, "annotator"), 220, flip=False)
    annotate(signed_in(chromium, shared, "other"), 320, flip=True)
    page = signed_in(chromium, shared, "reviewer")
    page.click("a:text-is('review')")
    page.wait_for_selector("text=2 of 2 objects in which annotators differ")
    assert "IoU 0.5" in page.inner_text("main")
    assert "the order" in page.inner_text("main")
    page.click("button:text-is('Consensus')")
    page.wait_for_url("**/layer/*")
    page.click("[data-id=next-step]")
    page.wait_for_selector("[aria-label=Disagreements]:has-text('1 of 2')")
    page.click("text=Take other: car")
    assert wait_for(lambda: 32000 in consensus(page, 1)["objects"][0]["rings"][0]["points"])
    page.click("a:text-is('Review')")
    page.click("figure:has-text('consensus') >> text=Accept")
    page.wait_for_selector("p:has-text('reviewed;')")
    layer = consensus(page, 1)
    assert layer["pairs"][0]["nearer"] == layer["objects"][0]["id"]


def test_the_majority_of_three_annotators_is_the_consensus(chromium: Any, shared: str) -> None:
    for name, right, flip in (("annotator", 220, False), ("other", 320, True)):
        annotate(signed_in(chromium, shared, name), right, flip, image=2)
    page = signed_in(chromium, shared, "owner")
    (stranger,) = [one["user"] for one in page.request.get(MEMBERS).json() if one["name"] == "stranger"]
    theirs = f"/api/v1/projects/1/images?user={stranger}"
    assert page.request.get(theirs).json()["images"] == []
    page.goto(f"{shared}/#image/2/review")
    page.click("button:text-is('Ask two more')")  # there is but one
    assert wait_for(lambda: [image["id"] for image in page.request.get(theirs).json()["images"]] == [2])
    assert page.request.get("/api/v1/images/2").json()["state"] == "in work"
    annotate(signed_in(chromium, shared, "stranger"), 320, flip=True, image=2)
    page = signed_in(chromium, shared, "reviewer")
    page.goto(f"{shared}/#image/2/review")
    page.click("button:text-is('Consensus')")
    page.wait_for_url("**/layer/*")
    page.goto(f"{shared}/#image/2/review")
    page.click("figure:has-text('consensus') >> text=Accept")
    page.wait_for_selector("p:has-text('reviewed;')")
    layer = consensus(page, 2)
    car, person = layer["objects"]
    assert max(car["rings"][0]["points"]) == 32000  # as two of three drew it
    assert (layer["pairs"][0]["nearer"], layer["pairs"][0]["farther"]) == (car["id"], person["id"])


def test_a_page_that_loads_slowly_does_not_take_the_place_of_a_later_one(chromium: Any, shared: str) -> None:
    page = signed_in(chromium, shared, "owner")
    held: list[Any] = []
    page.route("**/api/v1/images/1", lambda route: held.append(route))
    page.goto(f"{shared}/#image/1/review")
    assert wait_for(lambda: held or page.wait_for_timeout(20))
    page.goto(f"{shared}/#users")
    page.wait_for_selector("h1:text-is('Users')")
    with page.expect_response("**/api/v1/projects/1/members"):
        held[0].continue_()
    page.wait_for_timeout(100)
    assert page.inner_text("h1") == "Users"
    assert page.inner_text("#top nav").split() == ["/", "Users"]


def test_an_owner_adds_people_whose_names_are_text(chromium: Any, shared: str) -> None:
    page = signed_in(chromium, shared, "owner", wrong=True)
    name = "<img src=x onerror=alert(1)>"
    page.click("text=Users")
    page.wait_for_selector("h1:text-is('Users')")
    page.fill("[aria-label=Name]", name)
    page.fill("[aria-label=Password]", "a good password")
    page.click("button:text-is('Add')")
    page.wait_for_selector(f"td:text-is('{name}')")
    page.goto(f"{shared}/#project/1/people")
    page.select_option("[aria-label=User]", label=name)
    page.click("button:text-is('Add')")
    page.wait_for_selector(f"td:text-is('{name}')")
    page.fill("[aria-label=Questions]", "Is everything outlined?")
    with page.expect_response(lambda response: response.request.method == "PATCH"):
        page.click("button:text-is('Save')")
    page.click(f"[title='Remove {name} from the project']")
    page.wait_for_selector(f"td:text-is('{name}')", state="detached")
    page.fill("[aria-label='Name of person']", name)
    page.click("[title='Save the class person']")
    page.wait_for_selector(f"[title='Save the class {name}']")
    assert page.query_selector("main img") is None
    assert page.request.get("/api/v1/projects/1").json()["settings"]["questions"] == ["Is everything outlined?"]
