"""Damaged files of every kind through every reader. Many more of them: `make fuzz`."""

import os
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.fuzz.mutate import damaged
from tests.fuzz.readers import CORPUS, READERS, survives

EXAMPLES = int(os.environ.get("KINS_FUZZ", "25"))
"""Of each kind of file."""


def test_the_corpus_has_a_file_for_each_reader() -> None:
    assert {path.name for path in CORPUS.iterdir()} == set(READERS)


@pytest.mark.parametrize("name", READERS)
def test_the_file_is_sound(name: str, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    survives(name, (CORPUS / name).read_bytes(), tmp_path / "in", tmp_path)


@pytest.mark.parametrize("name", READERS)
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize="KINS_FUZZ" not in os.environ,
    suppress_health_check=list(HealthCheck),
    print_blob=True,
)
@given(data=st.data())
def test_damage(name: str, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    content = data.draw(damaged((CORPUS / name).read_bytes()))
    with TemporaryDirectory() as folder:
        survives(name, content, Path(folder), tmp_path_factory.getbasetemp())
