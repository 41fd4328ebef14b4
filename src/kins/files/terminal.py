"""Text for terminals. Names come from files of others: they never reach a terminal as they are."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

UNSAFE = frozenset(("Cc", "Cf", "Cs", "Zl", "Zp"))
"""Categories of characters that move the cursor, start sequences, turn the direction of writing, or can't be shown."""
JOINERS = "\u200c\u200d"
"""Of these, the two that some scripts can't be written without."""


def shown(text: object) -> str:
    r"""A text on one line, with every character that a terminal may act on in Python's spelling, such as \x1b.

    Args:
        text: anything; its `str` is taken.
    """
    text = str(text)
    if text.isascii() and text.isprintable():
        return text
    return "".join(_spelled(c) if unicodedata.category(c) in UNSAFE and c not in JOINERS else c for c in text)


def _spelled(character: str) -> str:
    return character.encode("unicode_escape", "surrogatepass").decode()


def say(line: object, *, err: bool = False) -> None:
    """Print one line, made safe, on standard output, or on standard error."""
    import typer

    typer.echo(shown(line), err=err)


def console(width: int | None = None) -> Console:
    """Rich's console on standard output that takes all text as it is.

    Args:
        width: for what is no terminal; a terminal has its own.
    """
    from rich.console import Console

    made = Console(markup=False, emoji=False, highlight=False)
    if width is not None and not made.is_terminal:
        made.width = width
    return made
