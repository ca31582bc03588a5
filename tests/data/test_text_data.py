"""Sentences: numbers and back, vocabularies of the training split, the known generator, and files of all kinds."""

from __future__ import annotations

import gzip
import hashlib
import os
import re
import unicodedata
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from vaecore.config import RunConfig
from vaecore.data import END, PAD, SPECIALS, SPLITS, UNKNOWN, DataUnavailable, Modality
from vaecore.data.captions import Captions
from vaecore.data.converted import Progress, Stopped, watched
from vaecore.data.own.file import MAX_FILE_BYTES
from vaecore.data.own.text import TextFile
from vaecore.data.synthetic_text import CENTRES, LENGTH, UNITS, WORDS, SyntheticText, _draw, _latents
from vaecore.data.text import tokenised, tokens, words
from vaecore.evaluate.latent_usage import diagnose
from vaecore.evaluate.report import evaluate_run
from vaecore.evaluate.settings import Settings
from vaecore.examples import read_tensors
from vaecore.lab.control import Control
from vaecore.schema import ConfigError, parse
from vaecore.store import Store
from vaecore.training import train
from vaecore.training.checkpoints import BrokenCheckpoint, load_model

# -- words and numbers -----------------------------------------------------------------------------


@pytest.mark.parametrize(("sentence", "found"), [
    ("A T-shirt, isn't it?", ["a", "t-shirt", ",", "isn't", "it", "?"]),
    ("L'homme paie 1,000.50 à 10:30 …", ["l'homme", "paie", "1,000.50", "à", "10:30", "…"]),
    ("Straße – ÄRGER (MP3)", ["straße", "–", "ärger", "(", "mp3", ")"]),
    ("Cafe\u0301", ["caf\u00e9"]),  # composed
    ("-a- 'b' c_d 5.", ["-", "a", "-", "'", "b", "'", "c", "_", "d", "5", "."]),
    ("<s> <unk>", ["<", "s", ">", "<", "unk", ">"]),  # no text can spell a special
    ("हिन्दी पढ़ता हूँ।", ["हिन्दी", "पढ़ता", "हूँ", "।"]),  # vowel signs and viramas are combining marks
    ("می\u200cخواهم עִבְרִית\u200f!", ["می\u200cخواهم", "עִבְרִית\u200f", "!"]),  # a joiner, points, a mark of direction
    ("Kaf\u00adfee zero\u200bwidth", ["kaf\u00adfee", "zero\u200b", "width"]),  # the last is a break between words
    ("go 👨‍👩‍👧 ❤️ 👍🏽👍 🇫🇷🇩🇪 1️⃣ 🏴󠁧󠁢󠁥󠁮󠁧󠁿", ["go", "👨‍👩‍👧", "❤️", "👍🏽", "👍", "🇫🇷", "🇩🇪", "1️⃣", "🏴󠁧󠁢󠁥󠁮󠁧󠁿"]),
    ("a \u200b\u200b \u0301 b", ["a", "\u200b", "\u200b", "\u0301", "b"]),  # what belongs to nothing
    (" \t ", [])])
def test_tokens(sentence: str, found: list[str]) -> None:
    assert tokens(sentence) == found


@pytest.mark.parametrize("sentence", [
    "two young, white males are outside (near many bushes).", 'he said: "well, it\'s $5/hour!" and "no".',
    "größere männer stehen in „berlin“ – über 1.000 bäume.", "žluťoučký kůň úpěl ďábelské ódy: opravdu?",
    "l'homme mange; c'est déjà 50% de fait…", "the dogs' tails", "",
    "वह पुस्तक पढ़ता है।", "मैं हिन्दी पढ़ता हूँ", "das ist kaf\u00adfee am mor\u00adgen", "zero\u200bwidth word here",
    "great match 👨‍👩‍👧 today ❤️", "thumbs up 👍🏽 to you", "go team 🇫🇷 go", "می\u200cخواهم", "好きです。今日は、雨！"])
def test_words_are_the_inverse_of_numbers(sentence: str) -> None:
    read = tokenised([sentence])
    known = read.vocabulary(1, 100)
    [row] = read.numbers(known, 40)
    assert words(row, known) == sentence
    assert words(row.tolist(), known) == sentence


def test_the_layout_is_words_end_and_padding() -> None:
    known = tokenised(["b a a", "c b a."]).vocabulary(1, 100)
    assert known == (*SPECIALS, "a", "b", ".", "c")  # by frequency, then by alphabet
    found = tokenised(["A b", "c zebra a b a", ""]).numbers(known, longest=4)
    assert found.dtype == np.int32
    assert found.tolist() == [[4, 5, END, PAD, PAD], [7, UNKNOWN, 4, 5, END], [END, PAD, PAD, PAD, PAD]]
    assert [words(row, known) for row in found] == ["a b", "c <unk> a b", ""]
    assert words([4, END, 5], known) == "a" and words([4, 5], known) == "a b"


def test_rare_words_and_long_tails_are_unknown() -> None:
    read = tokenised(["a a a b b c c d"])
    assert read.vocabulary(2, 100)[4:] == ("a", "b", "c")
    assert read.vocabulary(1, 2)[4:] == ("a", "b")
    assert read.vocabulary(5, 100) == SPECIALS


@pytest.mark.parametrize("by_character", [False, True])
def test_what_is_read_once_is_what_is_read_anew_for_each_question(by_character: bool,
                                                                  monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vaecore.data.text.NUMBERED_AT_ONCE", 7)
    draw = np.random.default_rng(0)
    sentences = [" ".join(draw.choice(list("abcdefg"), draw.integers(0, 9), p=np.arange(7, 0, -1) / 28))
                 for _ in range(40)]
    read = tokenised(sentences, by_character=by_character)
    torn = [tokens(sentence, by_character) for sentence in sentences]
    assert read.lengths.tolist() == [*map(len, torn)]
    counts = Counter(word for row in torn[:25] for word in row)
    often = sorted(counts, key=lambda word: (-counts[word], word))[:4]
    known = read.first(25).vocabulary(2, 4)
    assert known == (*SPECIALS, *often)
    number = {word: place for place, word in enumerate(known)}
    expected = [[*(number.get(word, UNKNOWN) for word in row[:5]), END] for row in torn]
    assert read.numbers(known, 5).tolist() == [row + [PAD] * (6 - len(row)) for row in expected]
    assert read.first(0).vocabulary(1, 9) == SPECIALS + (" ",) * by_character


def test_a_long_text_says_how_far_it_is_and_stops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vaecore.data.text.TOLD_EVERY", 10)
    path, seen = tmp_path / "own.txt", list[Progress]()
    path.write_text("a b c\n" * 40)
    with watched(seen.append):
        TextFile(path=str(path)).load()
    assert [each.done for each in seen] == [0, 10, 20, 30]
    assert str(seen[-1]) == "preparing the sentences, 75 %"

    def stop(progress: Progress) -> None:
        if progress.done == 20:
            raise Stopped

    with pytest.raises(Stopped), watched(stop):
        TextFile(path=str(path)).load()


CASES = {  # what was torn into marks, a word each
    "hindi": ["आधुनिक मानक हिन्दी है", "वह पुस्तक पढ़ता है"],
    "emoji": ["great match 👨‍👩‍👧 today ❤️", "go team 🇫🇷 go", "love it ❤️ 👍🏽"],
    "invisible": ["das ist kaf\u00adfee am mor\u00adgen", "zero\u200bwidth word here"]}


@pytest.mark.parametrize("case", CASES)
def test_marks_and_joiners_of_a_file_belong_to_their_words(tmp_path: Path, case: str) -> None:
    path = tmp_path / "own.txt"
    path.write_text("\n".join(CASES[case] * 20), encoding="utf-8")
    config = TextFile(path=str(path))
    known = config.load().modalities["text"].vocabulary[len(SPECIALS):]
    assert {word.rstrip("\u200b") for word in known} == {
        word for line in CASES[case] for word in unicodedata.normalize("NFC", line).replace("\u200b", " ").split()}
    assert set(rows(config)["train"]) == {unicodedata.normalize("NFC", line) for line in CASES[case]}


JAPANESE = ["猫が好きです", "犬が走ります", "今日は天気がいいですね", "明日は雨が 降ります"]


def test_text_without_spaces_between_words_is_said_and_can_be_read_by_character(tmp_path: Path) -> None:
    path = tmp_path / "own.txt"
    path.write_text("\n".join(JAPANESE[:3] * 20), encoding="utf-8")
    source = TextFile(path=str(path)).load().source
    assert source == ("own.txt: 48 / 6 / 6; sentences without spaces between words, each read as one word: "
                      "data.tokens=characters reads their characters")
    path.write_text("\n".join(JAPANESE * 15), encoding="utf-8")
    config = TextFile(path=str(path), tokens="characters")
    dataset = config.load()
    known = dataset.modalities["text"].vocabulary[len(SPECIALS):]
    assert dataset.source == "own.txt: 48 / 6 / 6" and set(known) == set("".join(JAPANESE))
    assert set(rows(config)["train"]) == set(JAPANESE)


@pytest.mark.parametrize("line", ["猫 が 好き です 。 今日 は 天気 が いい です ね", "the cat likes 猫が好きです",
                                  "नमस्ते दुनिया यह हिन्दी है", "ein Hund läuft"])
def test_text_with_spaces_between_words_is_left_in_peace(tmp_path: Path, line: str) -> None:
    path = tmp_path / "own.txt"
    path.write_text(f"{line}\n" * 40, encoding="utf-8")
    assert TextFile(path=str(path)).load().source == "own.txt: 32 / 4 / 4"


def test_characters_have_their_marks_and_one_space_between_words() -> None:
    assert tokens(" Go\t  हिन्दी 👨‍👩‍👧🇫🇷👍🏽 ", by_character=True) == [
        "g", "o", " ", "हि", "न्", "दी", " ", "👨‍👩‍👧", "🇫🇷", "👍🏽"]
    known = tokenised(["ab", "ab"], by_character=True).vocabulary(2, 100)
    assert known == (*SPECIALS, "a", "b", " ")  # even where no sentence has a space
    assert Modality("text", (5,), known).by_character
    assert not Modality("text", (5,), tokenised(["a b", "a b"]).vocabulary(2, 100)).by_character
    found = tokenised(["b a", "abab"], by_character=True).numbers(known, longest=3)
    assert found.tolist() == [[5, 6, 4, END], [4, 5, 4, END]]
    assert [words(row, known) for row in found] == ["b a", "aba"]


@pytest.mark.usefixtures("archive")
def test_sentences_that_are_cut_are_counted() -> None:
    """In all splits: with their full stops those of training have 4 words, of validation 3, of the test 7."""
    source = "Multi30k captions in German: 2 / 2 / 1"
    assert Captions(language="de", least_count=1, longest=7).load().source == source
    assert Captions(language="de", least_count=1, longest=6).load().source \
        == f"{source}; 1 of 5 sentences (20.0%) cut to 6 words"
    assert Captions(language="de", least_count=1, longest=3).load().source \
        == f"{source}; 3 of 5 sentences (60.0%) cut to 3 words"
    assert Captions(language="de", least_count=1, longest=9, tokens="characters").load().source.endswith(
        "; 4 of 5 sentences (80.0%) cut to 9 characters")


@pytest.mark.parametrize("name", ["lagging-basic", "lagging-aggressive"])
def test_shipped_models_of_sentences_read_their_kept_examples_as_before(name: str) -> None:
    folder = Path(__file__).parents[2] / "trained" / "gallery" / name
    [(modality, text)] = load_model(folder).modalities.items()
    kept = read_tensors(folder / "examples.safetensors")[0][modality].numpy()
    sentences = [words(row, text.vocabulary) for row in kept]
    assert len(kept) >= 16 and len(text.vocabulary) == 1_004
    np.testing.assert_array_equal(tokenised(
        sentences, by_character=text.by_character).numbers(text.vocabulary, text.size - 1), kept)


def test_an_evaluation_refuses_a_text_that_is_read_in_other_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch
                                                                  ) -> None:
    """A run of an older version, whose words were cut elsewhere, has other numbers for the same file."""
    path = tmp_path / "own.txt"
    path.write_text("\n".join(LINES), encoding="utf-8")
    config = parse(RunConfig, {"data": {"name": "text-file", "path": str(path), "longest": 4},
                               "model": {"family": "sentence-vae", "latent_size": 2, "embedding": 8, "hidden": 8},
                               "training": {"epochs": 1, "batch_size": 16, "snapshots": 0, "checkpoints": 0}})
    run = Store(tmp_path / "store").create(config)
    train(run.path, Control(run.path))
    assert run.summary()["data"] == "own.txt: 48 / 6 / 6; 60 of 60 sentences (100.0%) cut to 4 words"
    assert evaluate_run(run, Settings(parts=()))["partial"] is False
    monkeypatch.setattr("vaecore.data.text.TOKEN", re.compile(r"[^\W\d]|\S+"))
    for use in (evaluate_run, diagnose):
        with pytest.raises(BrokenCheckpoint, match="other words"):
            use(run)


# -- the known generator ---------------------------------------------------------------------------


def test_synthetic_sentences_have_their_layout() -> None:
    dataset = SyntheticText(size=300).load()
    [modality] = dataset.modalities.values()
    assert (modality.kind, modality.shape, len(modality.vocabulary)) == ("text", (11,), 1004)
    assert modality.vocabulary[:5] == (*SPECIALS, "w0") and modality.vocabulary[-1] == "w999"
    assert {name: len(split) for name, split in dataset.splits.items()} == {"train": 240, "validation": 30, "test": 30}
    for split in dataset.splits.values():
        text = split.arrays["text"]
        assert text.dtype == np.int32 and text.shape == (len(split), 11)
        assert (text[:, 10] == END).all() and text[:, :10].min() >= 4 and text[:, :10].max() < 1004
        assert split.labels is not None and split.labels.shape == (len(split),) and split.labels.dtype == np.int64
    assert len(SyntheticText(size=300, train_limit=7).load().splits["train"]) == 7


def test_synthetic_sentences_belong_to_their_seed() -> None:
    config = SyntheticText(size=100)
    first = _draw(config)
    np.testing.assert_array_equal(first, _draw(config))
    np.testing.assert_array_equal(first[:80], config.load().splits["train"].arrays["text"][:, :10] - 4)
    np.testing.assert_array_equal(first[90:], config.load().splits["test"].arrays["text"][:, :10] - 4)
    assert (first != _draw(SyntheticText(size=100, data_seed=1))).mean() > 0.9
    few, many = _latents(config), _latents(SyntheticText(size=200))
    np.testing.assert_array_equal(few[0].out, many[0].out)  # one generator for all sizes
    assert hashlib.sha256(first.astype("<i4").tobytes()).hexdigest()[:16] == "02e9cf007e8ee763"  # on any machine


def test_latents_are_an_equal_mixture_and_weights_have_their_ranges() -> None:
    generator, labels, z, _ = _latents(SyntheticText(size=20_000))
    assert abs(np.bincount(labels, minlength=4) / 20_000 - 0.25).max() < 5 * np.sqrt(0.25 * 0.75 / 20_000)
    for component, centre in enumerate(CENTRES):
        cluster = z[labels == component]
        np.testing.assert_allclose(cluster.mean(0), centre, atol=0.08)
        np.testing.assert_allclose(np.cov(cluster.T), np.eye(2), atol=0.1)
    for weight in (generator.embedding, generator.initial, generator.input_weight, generator.state_weight,
                   generator.out[:, :UNITS]):
        assert 0.95 < abs(weight).max() <= 1 and abs(weight.var() - 1 / 3) < 0.05
    assert 4.9 < abs(generator.out[:, UNITS:]).max() <= 5
    assert 1 < abs(generator.bias).max() <= 2  # two of them


def test_the_likelihood_is_that_of_pytorchs_lstm() -> None:
    config = SyntheticText(size=100)
    generator, _, z, _ = _latents(config)
    sentences = _draw(config)
    lstm = torch.nn.LSTM(UNITS + 2, UNITS, batch_first=True, dtype=torch.float64)
    state = {"weight_ih_l0": generator.input_weight, "weight_hh_l0": generator.state_weight,
             "bias_ih_l0": generator.bias, "bias_hh_l0": np.zeros(4 * UNITS)}
    lstm.load_state_dict({name: torch.from_numpy(value) for name, value in state.items()})
    x, latent = torch.from_numpy(sentences).long(), torch.from_numpy(z)
    read = torch.cat([torch.from_numpy(generator.embedding)[x[:, :-1]], latent[:, None].expand(-1, LENGTH - 1, -1)], 2)
    c = latent @ torch.from_numpy(generator.initial).T
    with torch.no_grad():
        states, _ = lstm(read, (c.tanh()[None], c[None]))
    logits = states @ torch.from_numpy(generator.out[:, :UNITS]).T
    logits = logits + (latent @ torch.from_numpy(generator.out[:, UNITS:]).T)[:, None]
    expected = torch.distributions.Categorical(logits=logits).log_prob(x[:, 1:]).sum(1).numpy() - np.log(1000)
    np.testing.assert_allclose(generator.log_prob(sentences, z), expected, rtol=1e-10)


def test_words_are_drawn_from_their_distribution() -> None:
    """The surprise of the drawn words is the entropy of their distributions, as it is for no other way to draw."""
    config = SyntheticText(size=1500)
    generator, _, z, _ = _latents(config)
    sentences = _draw(config)
    surprise, entropy = [], []
    for t, logits in enumerate(generator._logits(z, sentences), 1):
        log_p = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
        entropy.append(-(np.exp(log_p) * log_p).sum(1))
        surprise.append(-log_p[np.arange(1500), sentences[:, t]])
    gap = np.sum(surprise, 0) - np.sum(entropy, 0)
    assert abs(gap.mean()) < 4 * gap.std() / np.sqrt(1500)
    assert 20 < np.sum(surprise, 0).mean() + np.log(WORDS) < 32  # 26.5 was measured for another draw of the weights
    assert abs(sentences[:, 0].mean() - 499.5) < 5 * WORDS / np.sqrt(12 * 1500)


# -- captions --------------------------------------------------------------------------------------

DATA = Path(os.environ.get("VAECORE_DATA", "")) / "multi30k"


@pytest.mark.skipif(not (DATA / "train.cs.gz").is_file(), reason="VAECORE_DATA has no multi30k")
@pytest.mark.parametrize(("language", "first", "last"), [
    ("en", "two young, white males are outside near many bushes.", "a man in a blue shirt"),
    ("de", "zwei junge weiße männer sind im freien in der nähe vieler büsche.", "ein mann in einem blauen hemd"),
    ("fr", "deux jeunes hommes blancs sont dehors près de buissons.", "un homme"),
    ("cs", "dva mladí bílí muži jsou venku poblíž mnoha keřů.", "muž v modrém tričku")])
def test_multi30k(language: Any, first: str, last: str) -> None:
    dataset = Captions(language=language).load()
    [modality] = dataset.modalities.values()
    known = modality.vocabulary
    assert [len(dataset.splits[split]) for split in SPLITS] == [29_000, 1_014, 1_000]
    assert modality.kind == "text" and 4_000 < len(known) <= 10_004
    text = dataset.splits["train"].arrays["text"]
    assert words(text[0], known) == first and words(text[3], known).startswith(last)
    for split in dataset.splits.values():
        array = split.arrays["text"]
        assert array.shape[1:] == modality.shape and ((array == END).sum(1) == 1).all()
        assert (array[np.arange(len(array)), (array != PAD).sum(1) - 1] == END).all()  # nothing but PAD after it
    counts = np.bincount(text.ravel(), minlength=len(known))[4:]
    assert counts[0] > 20_000 and (counts[:-1] >= counts[1:] - 60).all()  # by frequency, but for what was cut off


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VAECORE_DATA", str(tmp_path))
    monkeypatch.setenv("VAECORE_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "multi30k"
    folder.mkdir()
    for file, text in (("train", "Ein Hund läuft.\nEin Hund bellt.\n"), ("val", "Eine Katze.\nEin Hund.\n"),
                       ("test_2016_flickr", "Katze Katze Katze läuft und läuft.\n")):
        (folder / f"{file}.de.gz").write_bytes(gzip.compress(text.encode()))
    return folder


@pytest.mark.usefixtures("archive")
def test_the_vocabulary_is_that_of_the_training_split() -> None:
    dataset = Captions(language="de", least_count=1).load()
    known = dataset.modalities["text"].vocabulary
    assert known == (*SPECIALS, ".", "ein", "hund", "bellt", "läuft")
    assert dataset.modalities["text"].shape == (8,)  # the longest sentence is a test sentence: 7 words, END
    assert dataset.splits["validation"].arrays["text"].tolist() == [[3, 3, 4, 2, 0, 0, 0, 0], [5, 6, 4, 2, 0, 0, 0, 0]]
    short = Captions(language="de", least_count=1, longest=3, train_limit=1, vocabulary_size=3).load()
    assert short.modalities["text"].vocabulary == (*SPECIALS, ".", "ein", "hund")
    assert short.splits["train"].arrays["text"].tolist() == [[5, 6, 3, 2]]
    assert len(short.splits["validation"]) == 2
    with pytest.raises(ConfigError, match=r"data\.least_count: no word occurs 9 times in the 2 training sentences"):
        Captions(language="de", least_count=9).load()


@pytest.mark.parametrize("damage", ["flipped", "truncated", "not gzip", "empty", "bomb", "latin-1"])
def test_damaged_captions_are_named_with_a_remedy(archive: Path, damage: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = archive / "val.de.gz"
    data = path.read_bytes()
    monkeypatch.setattr("vaecore.data.text.MAX_UNPACKED_BYTES", 1000)
    path.write_bytes({
        "flipped": data[:-6] + bytes([data[-6] ^ 1]) + data[-5:], "truncated": data[:-12],
        "not gzip": gzip.decompress(data), "empty": gzip.compress(b"\n"), "bomb": gzip.compress(b"a b\n" * 300),
        "latin-1": gzip.compress("Büsche\n".encode("latin-1"))}[damage])
    with pytest.raises(DataUnavailable, match=r"val\.de\.gz in .*multi30k is damaged \(.+\)\. Fetch it again"):
        Captions(language="de").load()


@pytest.mark.usefixtures("archive")
def test_captions_that_are_not_there() -> None:
    with pytest.raises(DataUnavailable, match=r"non-commercial.*github\.com/multi30k/dataset.*train\.fr\.gz, "
                                              r"val\.fr\.gz, test_2016_flickr\.fr\.gz into multi30k/.*VAECORE_DATA"):
        Captions(language="fr").load()


# -- a text of one's own ---------------------------------------------------------------------------

LINES = [f"Der Hund Nummer {number} läuft." for number in range(60)]


def rows(config: TextFile) -> dict[str, list[str]]:
    dataset = config.load()
    known = dataset.modalities["text"].vocabulary
    return {name: [words(row, known) for row in split.arrays["text"]] for name, split in dataset.splits.items()}


def test_a_text_file_is_shuffled_and_split(tmp_path: Path) -> None:
    path = tmp_path / "own.txt"
    path.write_text("\n".join(LINES), encoding="utf-8")  # no end of the last line
    config = TextFile(path=str(path), least_count=1)
    assert config.load().source == "own.txt: 48 / 6 / 6"
    found = rows(config)
    assert found == rows(config)
    assert [len(found[split]) for split in SPLITS] == [48, 6, 6]
    assert set(found["train"]) <= {line.lower() for line in LINES} and found["train"] != sorted(found["train"])
    assert all(line.count("<unk>") == 1 for line in found["test"])  # the number, which is its alone
    for data in ("\r\n".join(LINES), "\ufeff" + "\n\n  \n".join(LINES) + "\n\n", "\r".join(LINES)):
        path.write_bytes(data.encode())
        assert rows(config) == found


def test_a_run_remembers_its_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "own.txt"
    path.write_text("\n".join(LINES), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    config = TextFile(path="own.txt").resolve()
    assert config.path == str(path) and config.digest == hashlib.sha256(path.read_bytes()).hexdigest()
    assert config.resolve() == config and len(config.load().splits["train"]) == 48
    path.write_text("\n".join(LINES[1:]), encoding="utf-8")
    assert config.resolve() == config
    with pytest.raises(ConfigError, match=r"data\.path: '.*own\.txt' has changed since this run was made\. .*digest"):
        config.load()
    assert len(TextFile(path="own.txt").load().splits["train"]) == 49
    with pytest.raises(ConfigError, match="digest"):
        parse(TextFile, {"digest": "abc"})


@pytest.mark.parametrize(("data", "message"), [
    (b"", r"is empty\."), (b"\n \r\n\n", r"has 0 sentences\. Give at least 30"),
    (b"all in one line " * 20, r"has 1 sentence\. Give at least 30"),
    (b"a b\n" * 29, r"has 29 sentences\."),
    (b"a b\n" * 40 + b"PNG\0\0", r"is not a text: line 41 has a 0 byte\. Save it as plain text in UTF-8"),
    (b"a\0b\0\n\0" * 40, r"is not a text: line 1 has a 0 byte"),
    (b"a b\n" * 6 + "Büsche\n".encode("latin-1") * 40, r"is not UTF-8: byte 0xfc in line 7 does not belong"),
    (b"a b\n" * 40 + "ü".encode()[:1], r"is not UTF-8: byte 0xc3 in line 41"),
    (b"a b\n" * 2 + b"a " * 5_000_000 + b"\n" * 40, r"has 10,000,000 characters in line 3\. .*at most 10,000")],
    ids=["empty", "blank", "one line", "29 lines", "binary", "utf-16", "latin-1", "cut", "10 MB line"])
def test_files_that_are_no_text_of_sentences(tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "own.txt"
    path.write_bytes(data)
    with pytest.raises(ConfigError, match=rf"data\.path: '.*own\.txt' {message}") as caught:
        TextFile(path=str(path)).load()
    [fault] = caught.value.problems
    assert (fault.field, fault.value) == ("data.path", str(path)) and fault.remedy


@pytest.mark.parametrize(("kind", "message"), [
    ("missing", r"is not there\. Give the path"), ("below a file", r"is not there"),
    ("folder", r"is a folder, not a file"), ("pipe", r"is a device or a pipe, not a file"),
    ("device", r"is a device or a pipe"), ("large", r"has 50,000,001 bytes\. Use at most 50,000,000"),
    ("0 byte", r"cannot be read"), ("long", r"cannot be read \(File name too long\)"),
    ("no home", r"cannot be read"), ("loop", r"cannot be read")])
@pytest.mark.skipif(os.name == "nt", reason="pipes, devices and links of POSIX")
def test_paths_that_cannot_be_read(tmp_path: Path, kind: str, message: str) -> None:
    path = str(tmp_path / "own.txt")
    match kind:
        case "below a file":
            Path(path).write_text("a b\n" * 40)
            path += "/more.txt"
        case "folder":
            path = str(tmp_path)
        case "pipe":
            os.mkfifo(path)
        case "device":
            path = "/dev/zero"
        case "large":
            with Path(path).open("wb") as file:
                file.truncate(MAX_FILE_BYTES + 1)  # sparse
        case "0 byte":
            path += "\0"
        case "long":
            path += "x" * 5000
        case "no home":
            path = "~nobody-has-this-name/own.txt"
        case "loop":
            Path(path).symlink_to(path)
    config = TextFile(path=path)
    assert config.resolve() == config  # nothing is said before the data is wanted
    with pytest.raises(ConfigError, match=rf"data\.path: .*{message}"):
        config.load()


def test_no_text_is_chosen() -> None:
    assert TextFile().resolve() == TextFile()
    with pytest.raises(DataUnavailable, match=r"Give data\.path, a UTF-8 text file"):
        TextFile().load()
