"""Sentences: what a text model makes of what is typed; and how the other pages meet a text model."""

from __future__ import annotations

import html
import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from tests.pages import demo

HOSTILE = "<b>cat</b> **dog** [x](http://x.y) <img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """runs/: text, lm, of sentences of at most six words; digits. gallery/: text, shipped."""
    from vaecore.config import changed, preset
    from vaecore.lab.worker import draw_preview
    from vaecore.store import Store
    from vaecore.training import train

    root = tmp_path_factory.mktemp("sentences")
    (root / "text").write_text("".join(f"A {colour} {animal} {verb} there.\n" for colour in ("red", "blue", "green")
                                       for animal in ("cat", "dog", "bird", "fish") for verb in ("sits", "runs", "eats")
                                       for _ in range(2)))
    # Weights that differ much, little trained, so that sentences differ too.
    text = changed(preset("lagging-basic"), [
        "data.name=text-file", f"data.path={root / 'text'}", "model.latent_size=3", "model.hidden=8",
        "model.initial_scale=3", "model.embedding_scale=3", "training.epochs=1", "training.learning_rate=0.01",
        "training.evaluate_every=1", "training.snapshots=0"])
    for name, config in {
            "text": text, "lm": changed(text, ["model.family=language-model"]),
            "digits": changed(preset("vae-digits"), ["model.family=pca", "model.latent_size=2"])}.items():
        run = Store(root).create(config, name)
        train(run.path, demo.Unwatched())
        draw_preview(run.path)
    summary = root / "runs" / "text" / "summary.json"
    values = json.loads(summary.read_text())
    values["validation"] |= {"kl": {"z": [1, 1, 1]}, "code_variance": {"z": [1, 1, 1]}}
    summary.write_text(json.dumps(values))
    shutil.copytree(root / "runs" / "text", root / "gallery" / "text")
    return root


@pytest.fixture(autouse=True)
def store(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it that a test may break, in use."""
    copy = tmp_path / "store"
    shutil.copytree(trained, copy)
    monkeypatch.setenv("VAECORE_STORE", str(copy))
    return copy


def checkpoint(store: Path, name: str = "text") -> Any:
    from vaecore.explore.sentences import SentenceCheckpoint
    from vaecore.store import Store

    return SentenceCheckpoint.load(Store(store).find(name))


def bodies(at: AppTest) -> list[str]:
    return [element.proto.body for element in at.get("html")]


def plain(body: str) -> str:
    """What a reader sees of it."""
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", body))).strip()


def lines(at: AppTest) -> str:
    return "\n".join(plain(body) for body in bodies(at))


def marks(at: AppTest) -> list[str]:
    """The words that are not in the vocabulary."""
    return [html.unescape(word) for body in bodies(at)
            for word in re.findall(r'<mark [^>]*not in the model[^>]*>([^<]*)</mark>', body)]


def metrics(at: AppTest) -> dict[str, str]:
    return {metric.label: metric.value for metric in at.metric}


def test_a_test_sentence_to_begin_with_and_another(store: Path) -> None:
    at, model = demo.open_page("sentences", run="text"), checkpoint(store)
    assert at.text_input(key="written-text").value == model.examples[0]
    assert model.reconstruct(model.examples[0]) in lines(at)
    at.button(key="another-written").click().run()
    assert at.text_input(key="written-text").value == model.examples[1]
    assert model.reconstruct(model.examples[1]) in lines(at)


def test_the_likeliest_sentence_is_written_instead(store: Path) -> None:
    at, model = demo.open_page("sentences", run="text"), checkpoint(store)
    at.segmented_control(key="likeliest").set_value("sentence").run()
    first, goal = model.examples[:2]
    assert model.reconstruct(first, beams=10) in lines(at)
    at.session_state["view-text"] = "Interpolate"
    at.run()
    assert all(line in lines(at) for line in model.interpolate(first, goal, 7, beams=10))


def test_numbers_are_those_of_the_model(store: Path) -> None:
    at = demo.open_page("sentences", run="text")
    at.text_input(key="written-text").set_value("A red cat runs there.").run()
    score = checkpoint(store).score("a red cat runs there.")
    found = metrics(at)
    assert list(found) == ["log p(x|z), z at its mean", "KL", "ELBO", "Perplexity", "Tokens"]
    assert float(found["ELBO"].replace("−", "-")) == pytest.approx(score.bound, rel=1e-3)
    assert float(found["Perplexity"]) == pytest.approx(score.perplexity, rel=1e-2)
    assert (found["KL"], found["Tokens"]) == (f"{score.kl:.2f}", "7")
    assert all(metric.help for metric in at.metric)


def test_what_is_typed_stays_text_and_unknown_words_are_marked() -> None:
    at = demo.open_page("sentences", run="text")
    at.text_input(key="written-text").set_value(HOSTILE[:20]).run()
    assert marks(at)[:2] == ["<", "b"] and "cat" not in marks(at)
    assert "are not in this model's vocabulary of" in demo.words(at)
    at.text_input(key="written-text").set_value(f"a cat {HOSTILE}").run()
    assert not any("<b>" in body or "<img" in body or "onerror=" in body for body in bodies(at))
    assert "left out" in demo.words(at) and "http" not in demo.words(at)


def test_a_hostile_vocabulary_stays_text(store: Path) -> None:
    from safetensors import safe_open
    from safetensors.torch import save_file

    path = store / "runs" / "text" / "weights.safetensors"
    with safe_open(path, "pt") as file:
        header = json.loads(file.metadata()["vaecore"])
        tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
    known = header["modalities"]["text"]["vocabulary"]
    known[4:] = [f"<img src=x onerror=alert({place})>" for place in range(len(known) - 4)]
    save_file(tensors, path, {"vaecore": json.dumps(header)})
    at = demo.open_page("sentences", run="text")
    assert "<img src=x onerror=alert(" in lines(at)
    assert not any("<img" in body for body in bodies(at)) and "<img" not in demo.words(at)


@pytest.mark.parametrize(("typed", "said"), [("", "Type a sentence"), ("   ", "Type a sentence")])
def test_an_empty_sentence_is_refused_in_words(typed: str, said: str) -> None:
    at = demo.open_page("sentences", run="text")
    at.text_input(key="written-text").set_value(typed).run()
    assert not at.exception and said in at.info[0].value and not at.metric


def test_perturbed_sentences_are_the_models(store: Path) -> None:
    at, model = demo.open_page("sentences", run="text"), checkpoint(store)
    text = model.examples[0]
    at.slider(key="scale").set_value(3.0).run()
    found = model.perturb(text, 3.0, 6, 0)
    assert len(set(found)) > 1
    assert all(f"variation {place} {one}" in lines(at) for place, one in enumerate(found, 1))
    assert any("differs" in body for body in bodies(at))
    at.button(key="redraw-perturb").click().run()
    assert all(one in lines(at) for one in model.perturb(text, 3.0, 6, 1))
    at.slider(key="scale").set_value(0.0).run()
    assert lines(at).count(model.reconstruct(text)) == 1 + 1 + 6 and not any("differs" in body for body in bodies(at))


def tab(at: AppTest, name: str, run: str = "text") -> AppTest:
    at.session_state[f"view-{run}"] = name
    return at.run()


def test_a_ladder_leads_from_one_sentence_to_the_other(store: Path) -> None:
    at, model = tab(demo.open_page("sentences", run="text"), "Interpolate"), checkpoint(store)
    at.text_input(key="goal-text").set_value("a green fish eats there.").run()
    at.slider(key="steps-text").set_value(5).run()
    found = model.interpolate(model.examples[0], "a green fish eats there.", 5)
    assert len(set(found)) > 1
    [ladder] = [line for line in lines(at).splitlines() if line.startswith("from ")]
    assert ladder == " ".join(["from", model.examples[0], *(f"{25 * place} % {one}" for place, one in
                                                            enumerate(found)), "to", "a green fish eats there."])
    at.text_input(key="goal-text").set_value("").run()
    assert "no word here" in at.info[0].value and not at.exception


def test_samples_follow_temperature_and_seed(store: Path) -> None:
    for run in ("text", "lm"):
        at, model = tab(demo.open_page("sentences", run=run), "Samples", run), checkpoint(store, run)
        at.slider(key="temperature-text").set_value(1.2).run()
        at.button(key="redraw-samples").click().run()
        shown = lines(at)
        assert all(f"{place} {one}" in shown for place, one in enumerate(model.sample(8, 1.2, 1), 1) if one)


def test_a_language_model_scores_and_writes() -> None:
    at = demo.open_page("sentences", run="lm")
    assert list(metrics(at)) == ["log p(x)", "Perplexity", "Tokens"]
    assert [tab.label for tab in at.tabs] == ["Samples"]
    assert "has no code" in demo.words(at) and "Reconstruction" not in demo.words(at)


def test_a_collapse_is_said_plainly(store: Path) -> None:
    assert not demo.open_page("sentences", run="text").warning
    path = store / "runs" / "text" / "summary.json"
    path.write_text(json.dumps({"validation": {"kl": {"z": [0.01, 0.02, 0.03]}}}))
    at = demo.open_page("sentences", run="text")
    [warning] = at.warning
    assert "The code says nothing: every sentence reconstructs to the same words" in warning.value
    assert "0.060 nats" in warning.value


def test_each_page_offers_what_it_opens() -> None:
    at = demo.open_page("sentences")
    assert {option.split(" · ")[0] for option in at.selectbox(key="text-run").options} == {"text", "lm", "gallery/text"}
    assert at.selectbox(key="text-run").value in at.query_params["run"]
    at = demo.open_page("traverse")
    assert [option.split(" · ")[0] for option in at.selectbox(key="run").options] == ["digits"]


@pytest.mark.parametrize(("page", "run", "said", "target"), [
    ("traverse", "text", "text is opened in Sentences.", "sentences"),
    ("traverse", "gallery/text", "gallery/text is opened in Sentences.", "sentences"),
    ("sentences", "digits", "digits is opened in Traverse.", "traverse")])
def test_a_link_to_the_wrong_page_leads_to_the_right_one(page: str, run: str, said: str, target: str) -> None:
    at = demo.open_page(page, run=run)
    assert said in at.warning[0].value and "Shown instead" in at.warning[0].value
    [link] = [found.proto for found in at.get("page_link") if found.proto.label.startswith("Open it in")]
    assert link.label.lower() == f"open it in {target}" and run.replace("/", "%2F") in str(link).replace("/", "%2F")


def test_without_a_text_model_the_page_says_what_to_do(store: Path) -> None:
    from vaecore.named import presets

    for name in ("runs/text", "runs/lm", "gallery/text"):
        shutil.rmtree(store / name)
    at = demo.open_page("sentences", run="digits")
    assert "No text model is here yet" in demo.words(at) and "digits is opened in Traverse" in demo.words(at)
    assert any("lagging-basic" in str(link.proto) for link in at.get("page_link")) and "lagging-basic" in presets()
    shutil.rmtree(store / "runs" / "digits")
    assert "No text model is here yet" in demo.words(demo.open_page("sentences"))


@pytest.mark.parametrize("file", ["config.json", "weights.safetensors", "examples.safetensors"])
def test_a_broken_run_is_an_error_that_names_the_file(store: Path, file: str) -> None:
    path = store / "runs" / "text" / file
    path.write_bytes(path.read_bytes()[:50])
    at = demo.open_page("sentences", run="text")
    [error] = at.error
    assert file in error.value
    at.selectbox(key="text-run").set_value("lm").run()
    assert not at.error and metrics(at)


def test_an_about_that_lies_is_told(store: Path) -> None:
    for name, said in (("digits", "Open it in Traverse"), ("text", "Open it in Sentences")):
        path = store / "runs" / name / "about.json"
        about = json.loads(path.read_text())
        path.write_text(json.dumps(about | {"observation": "sentence" if name == "digits" else "image"}))
        at = demo.open_page("sentences" if name == "digits" else "traverse", run=name)
        assert said in at.error[0].value
        assert said in [link.proto.label for link in at.get("page_link")]


# -- the other pages


def test_a_card_shows_sentences_and_perplexity(store: Path) -> None:
    written = ["<b>one</b> **x**", "two", "", "three", "four"]
    (store / "gallery" / "text" / "preview.txt").write_text("\n".join(written))
    summary = store / "runs" / "lm" / "summary.json"
    values = json.loads(summary.read_text())
    values["test"] |= {"elbo": -14.0, "tokens": {"text": 7.0}}
    summary.write_text(json.dumps(values))
    at = demo.open_page("home")
    assert "perplexity 7.39" in demo.words(at)  # e^2
    assert "Dimensions in use: " in demo.words(at) and not metrics(at), "a number that compares with nothing there"
    [card] = [body for body in bodies(at) if "two" in body]
    assert plain(card) == "<b>one</b> **x** two three" and "<b>" not in card
    assert "perplexity" in demo.words(at) and "Language model · " in demo.words(at)
    assert "dimension" not in next(text.value for text in at.markdown if "Language model" in text.value)


@pytest.mark.parametrize("content", [None, b"", b"\xff\xfe\0", b"a" * 1_000_000])
def test_a_card_without_sentences_is_still_a_card(store: Path, content: bytes | None) -> None:
    path = store / "gallery" / "text" / "preview.txt"
    path.unlink() if content is None else path.write_bytes(content)
    assert max(map(len, bodies(demo.open_page("home")))) < 20_000


@pytest.mark.parametrize("tokens", ["x", {}, {"text": 0}, {"text": -3}, {"text": 1e-9}, {"text": 1e999}])
def test_a_perplexity_that_makes_no_sense_is_left_out(store: Path, tokens: object) -> None:
    for name in ("text", "lm"):
        path = store / "runs" / name / "summary.json"
        values = json.loads(path.read_text())
        values["test"]["tokens"] = tokens
        path.write_text(json.dumps(values))
    said = demo.words(demo.open_page("home"))
    assert "Language model · " in said and "perplexity" not in said


def test_compare_sets_sentences_side_by_side(store: Path) -> None:
    table = demo.open_page("compare", runs=["text", "lm"]).dataframe[0].value
    assert "MSE" not in table and table["Perplexity"].notna().all()
    at = demo.open_page("compare", runs=["text", "lm"], section="Pictures")
    [told] = [each.proto.bytes for each in at.get("bidi_component") if each.proto.component_name.endswith(".rows")]
    tables = json.loads(told[4:4 + int.from_bytes(told[:4], "little")])["tables"]
    assert [[line["label"] for line in each["lines"]] for each in tables] == [
        ["test sentences of text", "text"], ["text", "lm"]]
    assert "a language model has no code, so it reconstructs nothing" in tables[0]["note"].lower()
    from vaecore.explore.same import Line, cells

    model, run = checkpoint(store), checkpoint(store).run
    assert cells(Line(run, "data", run), 2, seed=0).words == tuple(map(model.reconstruct, model.examples[:2]))



def test_vocabularies_that_differ_do_not_compare(store: Path) -> None:
    path = store / "runs" / "lm" / "config.json"
    config = json.loads(path.read_text())
    config["data"]["least_count"] = 1
    path.write_text(json.dumps(config))
    assert "vocabularies" in demo.open_page("compare", runs=["text", "lm"]).warning[0].value


def test_a_text_run_without_its_words_is_still_one_of_text() -> None:
    """A damaged about.json must not send its visitor from page to page."""
    from pages.shared.checkpoints import page_of
    from vaecore.store import Store

    run = next(run for run in Store.default().runs() if page_of(run).title == "Sentences")
    about = run.path / "about.json"
    kept = about.read_bytes()
    try:
        about.write_bytes(b"\0junk")
        assert page_of(run).title == "Sentences"
    finally:
        about.write_bytes(kept)


def test_its_address_holds_the_view() -> None:
    demo.keeps_its_view("sentences", "text", "likeliest", "noise", "seed", run="text", view="Perturb")
    at = demo.keeps_its_view("sentences", "to", "steps", "path", run="text", view="Interpolate")
    assert at.slider(key="steps-text").value == 8 and at.text_input(key="goal-text").value == "other"
    at = demo.keeps_its_view("sentences", "temperature", "seed", run="text", view="Samples")
    assert at.session_state["seed-samples"] == 1
