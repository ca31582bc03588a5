"""The declaration of a result: how its numbers are told, and that every part has one that can be told."""

from __future__ import annotations

import math

import pytest

from vaecore.evaluate.part import plain_lines
from vaecore.evaluate.parts import PARTS, title
from vaecore.evaluate.parts.likelihood import Likelihood
from vaecore.evaluate.parts.reconstruction import Reconstruction, Reconstructions
from vaecore.evaluate.parts.samples import Floor, Samples
from vaecore.evaluate.results import Column, Declared, columns, declared, lines, numbers, of, seconds, shown, spread


@pytest.mark.parametrize(("each", "value", "words"), [
    (Declared("a", "A", unit="nats"), -1234.5, "−1,234.50 nats"), (Declared("a", "A", unit="share"), 0.125, "12.5%"),
    (Declared("a", "A", unit="s"), 0.0025, "2.5 ms"), (Declared("a", "A", unit="dB", digits=2), -19.257, "−19.26 dB"),
    (Declared("a", "A"), 0.0123456, "0.01235"), (Declared("a", "A"), 12345.6, "12,346"),
    (Declared("a", "A", unit="nats"), math.nan, "–"), (Declared("a", "A", unit="share"), None, "–")])
def test_a_number_is_told_with_its_unit(each: Declared, value: float | None, words: str) -> None:
    assert each.said(value) == words


def test_numbers_in_words() -> None:
    assert [shown(0), shown(-2.0), shown(1e-9), shown(3.14159, 3)] == ["0", "−2.000", "0.000000", "3.14"]
    assert [seconds(90), seconds(2e-7), seconds(math.inf)] == ["90 s", "0.2 µs", "–"]


@pytest.mark.parametrize("name", PARTS)
def test_every_part_says_what_it_is(name: str) -> None:
    part = PARTS[name]
    assert part.name == name and part.title == title(name) and part.help.endswith(".")
    assert set(part.result.model_fields), "there is something to find"
    for each in declared(part.result):
        assert each.counted or each.help, each
    for each in columns(part.result):
        assert each.column is not None and (each.column.format.startswith("%") or each.column.format == "localized")


def test_columns_of_tables_are_those_of_the_declaration() -> None:
    found = [each.column.name for part in PARTS.values() for each in columns(part.result) if each.column]
    assert found == ["log p(x)", "±", "N", "Fréchet", "Images", "Probe"] and len(set(found)) == len(found)
    assert of(Likelihood, "standard_error").column == Column("±", "%.2f", "Standard error of log p(x), in nats.")


def samples(generated: int = 10, **more: str) -> Samples:
    return Samples(frechet=3.25, frechet_interval=(3.0, 3.5), precision=0.75, recall=math.nan, k=3, real=10,
                   generated=generated, floor=Floor(frechet=0.5), **more)  # type: ignore[arg-type]


def test_the_plain_lines_are_of_every_number_with_what_it_depends_on() -> None:
    found = samples()
    assert list(lines(found, "test", 4)) == [
        "  Fréchet distance           3.250 95 % from 3.000 to 3.500; 10 samples, test, seed 4",
        "  Precision                  0.750 share; 10 samples, test, seed 4",
        "  Recall                         - share; 10 samples, test, seed 4"]
    assert [each.name for each, _ in numbers(found)] == ["frechet", "precision", "recall"]
    assert spread(found, of(Samples, "frechet")) == "95 % from 3.000 to 3.500"
    assert found.depends("test", None) == "10 samples · test"
    assert samples(generated=1).depends("test", 0) == "1 sample · test · seed 0"
    assert PARTS["samples"].lines is not plain_lines, "which has lines of its own"


def test_numbers_compare_only_with_those_of_the_same_judge() -> None:
    one, same, other = (samples(classifier_digest=digest) for digest in ("a", "a", "b"))
    assert one.alike(same) and not one.alike(other)


def test_modalities_stand_in_a_file_by_name() -> None:
    made = Reconstructions(modalities={"modalities": Reconstruction(mse=0.5, data_range=1.0, observations=3)})
    written = made.written()
    assert written.keys() == {"modalities"} and written["modalities"]["mse"] == 0.5
    assert Reconstructions.kept(written) == made, "whatever a modality is called"
