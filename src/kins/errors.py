"""The one error that reaches a user, and what to do about parts that are not installed."""

EXTRAS = {
    "train": (
        *("torch", "torchvision", "pydantic", "safetensors"),
        *("tensorboard", "lightning_fabric", "lightning_utilities"),
    ),
    "annotate": ("starlette", "uvicorn", "sqlalchemy", "alembic", "argon2"),
    "export": ("onnx", "onnxscript"),
    "streets": ("mitsuba", "drjit", "embreex"),
    "report": ("jinja2", "matplotlib"),
    "parquet": ("pyarrow",),
    "ray": ("ray", "pyarrow"),
}
"""Extra of the package by name, with the modules that it brings."""


class KinsError(Exception):
    """Unusable input: a single line that says what is wrong, where (file and place in it), and what to do.

    The command line prints it and exits with 2; nothing else is raised on purpose for bad input.
    """


def missing(module: str, otherwise: str = "") -> KinsError:
    """The error for a module that is not installed, with the line that brings it, and with what would do without."""
    name = module.partition(".")[0]
    extra = next((extra for extra, modules in EXTRAS.items() if name in modules), None)
    instead = f" (or {otherwise})" if otherwise else ""
    return KinsError(f"{name} is not installed{instead}; this brings it: {install_line(extra)}")


def install_line(extra: str | None = None, again: bool = False) -> str:
    """The line that adds an extra to this installation, or installs it again, from where kins came.

    That is a folder, a wheel, a repository or an index. The line names this Python, since the `pip` that a shell finds
    may belong to another one; environments of uv's tools are made anew, since uv keeps none that were changed.
    """
    import sys
    from importlib.util import find_spec
    from pathlib import Path

    python = f'"{sys.executable}"' if " " in sys.executable else sys.executable
    pip = f"{python} -m pip install" if find_spec("pip") else f"uv pip install --python {python}"
    source, editable = _source()
    brackets = f"[{extra}]" if extra else ""
    requirement = f"kins{brackets} @ {source}" if "://" in source else f"{source}{brackets}"
    if Path(sys.prefix).parent.name.startswith("archive-v"):  # of uvx, in uv's cache
        return f'uvx {"--reinstall " if again else ""}--from "{requirement}" kins'
    force = "--force-reinstall "
    if Path(sys.prefix, "uv-receipt.toml").is_file():
        pip, force = "uv tool install", "--reinstall "
    options = (force if again else "") + ("-e " if editable else "")
    return f'{pip} {options}"{requirement}"'


def _source() -> tuple[str, bool]:
    """What kins was installed from (a folder, a URL, or its name alone), and whether that is a folder in use."""
    import json
    from importlib.metadata import PackageNotFoundError, distribution
    from pathlib import Path
    from urllib.parse import urlsplit
    from urllib.request import url2pathname

    clone = Path(__file__).parents[2]
    try:
        text = distribution("kins").read_text("direct_url.json")
        found = json.loads(text) if text else {}
        url = str(found.get("url", ""))
    except (PackageNotFoundError, ValueError, AttributeError):
        found, url = {}, ""
    if found.get("dir_info", {}).get("editable"):
        return url2pathname(urlsplit(url).path), True
    if url.startswith("file:"):
        path = Path(url2pathname(urlsplit(url).path))
        return (str(path), False) if path.exists() else ("kins", False)
    if url and (version := found.get("vcs_info")):
        return f"{version['vcs']}+{url}@{version['commit_id']}", False
    if url:
        return url, False
    return (str(clone), True) if (clone / "pyproject.toml").is_file() else ("kins", False)
