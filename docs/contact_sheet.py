"""Pictures side by side: python docs/contact_sheet.py FOLDER SHEET.jpg [--count 20] [--columns 2]."""

from __future__ import annotations

import argparse
from pathlib import Path

import PIL.Image

from kins.files import temporary_name


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("sheet", type=Path)
    parser.add_argument("--count", type=int, default=20)
    parser.add_argument("--columns", type=int, default=2)
    parser.add_argument("--width", type=int, default=620, help="of one picture, pixels")
    arguments = parser.parse_args()
    pictures = [PIL.Image.open(path).convert("RGB") for path in sorted(arguments.folder.iterdir())[: arguments.count]]
    width, gap = arguments.width, 4
    height = round(width * pictures[0].height / pictures[0].width)
    rows = -(-len(pictures) // arguments.columns)
    size = (arguments.columns * (width + gap) - gap, rows * (height + gap) - gap)
    sheet = PIL.Image.new("RGB", size, "white")
    for n, picture in enumerate(pictures):
        small = picture.resize((width, height), PIL.Image.Resampling.LANCZOS)
        sheet.paste(small, (n % arguments.columns * (width + gap), n // arguments.columns * (height + gap)))
    with temporary_name(arguments.sheet) as name:
        sheet.save(name, quality=80)


if __name__ == "__main__":
    main()
