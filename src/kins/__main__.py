"""`python -m kins` is the command `kins`."""

from kins.commands.cli import main

if __name__ == "__main__":
    main()
