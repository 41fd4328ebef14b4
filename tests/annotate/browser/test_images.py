"""The list of images: small pictures, and pictures that are sent."""

import io
from typing import Any

import numpy as np
from PIL import Image as Picture
from tests.annotate.browser.person import Person
from tests.helpers import wait_for


def test_an_owner_sends_pictures(visit: Any) -> None:
    page = visit.new_page()
    page.goto("/#project/1")
    page.click("button:text-is('Add pictures…')")
    made = io.BytesIO()
    Picture.fromarray(np.full((60, 90, 3), (200, 30, 30), np.uint8)).save(made, "PNG")
    files = [("<b>sent.png", made.getvalue()), ("notes.png", b"no picture")]
    page.set_input_files(
        "[aria-label='Pictures to send']",
        [{"name": name, "mimeType": "image/png", "buffer": content} for name, content in files],
    )
    page.click("dialog button:text-is('Send')")
    page.wait_for_selector("dialog:has-text('1 picture was added.')")
    assert "notes.png: can't be read as an image" in page.inner_text("dialog")
    page.click("dialog button:text-is('Close')")
    page.wait_for_selector("a:text-is('_b_sent.png')")
    assert page.query_selector("main b") is None
    small = page.locator("tr", has_text="_b_sent.png").locator("img")
    small.scroll_into_view_if_needed()
    assert wait_for(lambda: small.evaluate("image => image.naturalWidth")) == 90  # twice 54 are more than it has
    page.close()


def test_the_head_of_an_image_is_there_again_after_the_list(person: Person) -> None:
    for _ in range(2):
        person.page.wait_for_selector("#top button:text-is('Done')")
        person.page.click("#top nav a")
        person.page.wait_for_selector("td img")
        assert person.page.query_selector("#top button:text-is('Done')") is None
        person.page.evaluate(f"location.hash = 'image/{person.image}'")
