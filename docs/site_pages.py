"""For mkdocs: the README is the first page, and links that leave the folder of pages lead to the repository's files."""

import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[1]
OUTSIDE = ("NOTICE", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")
"""Files beside the README that pages name."""


def on_files(files: Files, config: Any) -> Files:
    """Add the first page, and the files that pages name."""
    text = re.sub(r"\]\(docs/", "](", (ROOT / "README.md").read_text())
    files.append(File.generated(config, "index.md", content=text))
    for name in OUTSIDE:
        if (ROOT / name).is_file():
            files.append(File.generated(config, name, content=(ROOT / name).read_text()))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Links to files beside the README."""
    return re.sub(r"\]\((?:\.\./)+(" + "|".join(map(re.escape, OUTSIDE)) + r")\)", r"](\1)", markdown)
