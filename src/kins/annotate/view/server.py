"""Opening files and serving the page until Ctrl-C."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from pathlib import Path

from kins.annotate.server import LOOPBACK, Listening, address_of, listen, run, tell
from kins.annotate.view.index import index_of
from kins.annotate.view.routes import Shelf, application
from kins.errors import KinsError
from kins.files import MARKUP_MARK, read_bytes
from kins.formats import Masks, load, load_predictions

LINK = '<a data-view="'
"""How reports write what is a link here: into the page, by what the list is to have."""


def open_files(
    truth: Path,
    predictions: Sequence[Path] = (),
    pictures: Path | None = None,
    masks: Masks | None = None,
    kind: Masks | None = None,
    report: Path | None = None,
) -> Shelf:
    """Read everything and compare it.

    Args:
        pictures: folder that the images' file names start from.
        masks: what plain COCO masks of the predictions are.
        kind: what those of the ground truth are.
        report: folder of a report, or its page.

    Raises:
        KinsError: a file that can't be read, predictions for other images, something that is no report.
    """
    page = None if report is None else linked_report(report)
    dataset = load(truth, images=pictures, masks=kind)
    found = [(str(path), load_predictions(path, dataset, masks=masks)) for path in predictions]
    return Shelf(index_of(dataset, found), page)


def linked_report(path: Path) -> str:
    """A report's page with its links. Raises KinsError for what kins has not written."""
    path = path / "index.html" if path.is_dir() else path
    content = read_bytes(path)
    text = content.decode("utf-8", "replace")
    if not content.endswith(MARKUP_MARK) or LINK not in text:
        raise KinsError(f"{path}: is no report with links; make it anew with kins eval TRUTH PRED --report DIR")
    return text.replace(LINK, '<a href="/#')


def serve(
    shelf: Shelf, what: object, port: int | None = None, browser: bool = True, say: Callable[[str], object] = print
) -> None:
    """Serve what is open, to this machine alone, until Ctrl-C.

    Args:
        what: is named in the line that says the address.
        say: takes each line that is for the user.

    Raises:
        KinsError: the port is taken.
    """
    where = Listening(port=port)
    bound = listen(where.host, where.port)
    shelf.cookie = f"kins_view_{bound.getsockname()[1]}"  # browsers don't tell the ports of one machine apart
    shelf.token = secrets.token_urlsafe(24)
    tell(what, f"{address_of(where, bound)}?token={shelf.token}", browser, say)
    run(application(shelf, LOOPBACK), bound, where)
