"""kins annotate."""

from pathlib import Path
from typing import Annotated, Literal

import typer


def annotate(
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="DIR",
            help="Folder of pictures, with those in folders below it; or: user add NAME DIR; rebuild DIR.",
        ),
    ],
    annotations: Annotated[
        Path | None,
        typer.Option("--annotations", metavar="ANN", help="Annotations of any format to begin with, for correction."),
    ] = None,
    proposals: Annotated[
        Path | None,
        typer.Option("--proposals", metavar="PRED", help="Predictions of any detector, to accept one by one."),
    ] = None,
    network: Annotated[
        str | None,
        typer.Option(
            "--with", metavar="WEIGHTS", help="Weights of a network that finds objects in an image when asked (Tab)."
        ),
    ] = None,
    database: Annotated[
        str | None,
        typer.Option("--database", metavar="URL", help="Where to keep it all; a file in the folder if not given."),
    ] = None,
    host: Annotated[
        str, typer.Option("--host", help="Address to listen at; others than this need accounts.")
    ] = "127.0.0.1",
    port: Annotated[
        int | None, typer.Option("--port", min=0, max=65535, help="Port to listen at; 8765 or one of the next.")
    ] = None,
    allow_host: Annotated[
        list[str] | None,
        typer.Option("--allow-host", metavar="NAME", help="A name that browsers reach this server by; again for more."),
    ] = None,
    certificate: Annotated[
        Path | None, typer.Option("--certificate", metavar="PEM", help="Certificate for TLS, with its chain.")
    ] = None,
    key: Annotated[Path | None, typer.Option("--key", metavar="PEM", help="Private key of the certificate.")] = None,
    trusted_proxy: Annotated[
        str | None,
        typer.Option("--trusted-proxy", metavar="ADDRESS", help="Address of a proxy in front, which does TLS."),
    ] = None,
    user: Annotated[
        str | None,
        typer.Option(
            "--user", metavar="NAME", help="With accounts: the annotator that --annotations are taken in for."
        ),
    ] = None,
    role: Annotated[
        Literal["viewer", "annotator", "reviewer", "owner"],
        typer.Option("--role", help="Of a user to add; the first one is owner and admin."),
    ] = "annotator",
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page in the browser.")] = True,
) -> None:
    """Annotate pictures in the browser: whole outlines and who is in front; the visible masks follow.

    `kins annotate user add NAME DIR` makes an account, `kins annotate rebuild DIR` derives its tables anew from the
    operations.

    Example: kins annotate photos
    """
    from kins.annotate.server import Listening, serve
    from kins.files.terminal import say

    if words[0] in ("user", "rebuild"):
        _manage(words, database, role)
        return
    if len(words) > 1:
        raise typer.BadParameter("name one folder")
    where = Listening(host, port, tuple(allow_host or ()), certificate, key, trusted_proxy)
    serve(
        words[0],
        annotations=annotations,
        proposals=proposals,
        database=database,
        network=network,
        user=user,
        listening=where,
        browser=browser,
        say=say,
    )


def _manage(words: list[str], database: str | None, role: str) -> None:
    """`user add NAME [DIR]`, `rebuild [DIR]`."""
    from kins.annotate import manage
    from kins.files.terminal import say

    adding = words[0] == "user"
    count = 3 if adding else 1
    if (adding and words[1:2] != ["add"]) or not count <= len(words) <= count + 1:
        raise typer.BadParameter("write: user add NAME DIR, or: rebuild DIR")
    folder = Path(words[count] if len(words) > count else ".")
    if adding:
        say(manage.add_user(folder, database, words[2], _password(), role))
    else:
        say(manage.rebuild(folder, database))


def _password() -> str:
    """Asked for twice on a terminal, or else the first line of standard input."""
    import sys

    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n")
    return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True))
