"""The README's lines run as they stand, in the sequence in which they stand there."""

import re
import subprocess
import sys
from pathlib import Path

README = (Path(__file__).parents[1] / "README.md").read_text()


def test_lines_of_the_readme_run(tmp_path):
    blocks = re.findall(r"```(sh|python)\n(.*?)```", README, re.DOTALL)
    blocks = [(language, text) for language, text in blocks if "make " not in text]
    assert [language for language, _ in blocks] == ["sh", "sh", "sh", "python"]
    kins = str(Path(sys.executable).parent / "kins")
    for language, text in blocks:
        lines = [[sys.executable, "-c", text]] if language == "python" else [line.split() for line in text.splitlines()]
        for line in lines:
            command = [kins, *line[1:]] if line[0] == "kins" else line
            done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=600)
            assert done.returncode == 0, f"{line}: {done.stderr}"
    for name in ("street.png", "ordered.json", "found.json", "report/index.html", "pictures/000000.png", "out.json"):
        assert (tmp_path / name).is_file(), name


def test_pictures_and_pages_of_the_readme_exist():
    for target in re.findall(r"\]\(((?!http)[^)#]+)", README):
        assert (Path(__file__).parents[1] / target).is_file(), target
