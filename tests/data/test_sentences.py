"""The English sentences of Common Voice: split once and for all, from a file that is looked at."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from vaecore.config import preset
from vaecore.data import UNKNOWN, DataUnavailable
from vaecore.data.published import PUBLISHED
from vaecore.data.sentences import Sentences
from vaecore.data.text import words


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for the file, on a machine that has it nowhere."""
    monkeypatch.setenv("VAECORE_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("VAECORE_CACHE", str(tmp_path / "cache"))
    made = tmp_path / "data" / "common_voice" / "sentences.en.txt.gz"
    made.parent.mkdir(parents=True)
    return made


def test_sentences_are_shuffled_and_split_once_and_for_all(place: Path) -> None:
    lines = [f"The number {row} is said “aloud”." for row in range(5_000)]
    place.write_bytes(gzip.compress("\n".join(lines).encode()))
    config = Sentences(least_count=1)
    assert config.here() == "44,642 English sentences (Common Voice, CC0)"
    first, again = config.load(), config.load()
    assert first.source == "English sentences (Common Voice, CC0): 1,000 / 2,000 / 2,000"
    for name, split in first.splits.items():
        assert (split.arrays["text"] == again.splits[name].arrays["text"]).all()
    known = first.modalities["text"].vocabulary
    row = first.splits["train"].arrays["text"][0]
    assert UNKNOWN not in row and words(row, known).startswith("the number ")
    assert words(row, known) != "the number 0 is said “aloud”.", "the published order is by alphabet"


def test_what_is_not_there_or_damaged_is_said_with_its_remedy(place: Path) -> None:
    with pytest.raises(DataUnavailable, match=r"sentences are not on this machine\. Fetch it with `vaecore data "
                                              r"--download sentences` \(1\.9 MB, CC0\)\. Or point VAECORE_DATA at"):
        Sentences().load()
    place.write_bytes(b"no archive")
    with pytest.raises(DataUnavailable, match=r"sentences\.en\.txt\.gz in .*common_voice is damaged .*--download sent"):
        Sentences().load()


def test_the_preset_trains_on_the_published_file() -> None:
    config = preset("sentence-vae")
    assert config.data.reads() == ("sentences",)
    if PUBLISHED["sentences"].place() is None:
        pytest.skip("it is not on this machine")
    dataset = config.data.load()
    assert dataset.source == "English sentences (Common Voice, CC0): 40,642 / 2,000 / 2,000"
    [modality] = dataset.modalities.values()
    assert (modality.shape, len(modality.vocabulary)) == ((31,), 5_004)
