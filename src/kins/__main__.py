"""The command `kins`, and `python -m kins`."""

import sys


def main() -> None:
    """Entry point. Ctrl-C while libraries are imported ends without a word: nothing has been done yet."""
    try:
        from kins.commands.cli import main as run
    except KeyboardInterrupt:
        sys.exit(130)
    run()


if __name__ == "__main__":
    main()
