"""The form: every field of every choice is drawn, and what it says is what a configuration holds."""

from __future__ import annotations

import ast
from typing import Any, Literal, get_args, get_origin

import pytest
from streamlit.testing.v1 import AppTest

from pages.shared.form.fields import column_titles, entries, kind_of
from pages.train.origin import settings
from tests.pages import demo
from vaecore.config import RunConfig, changed, preset
from vaecore.named import PRESETS
from vaecore.schedules.beta import PointsBeta
from vaecore.schema import parse, tagged, title_at

NAMES = sorted(path.stem for path in PRESETS.glob("*.yaml"))


def draw() -> None:
    import streamlit as st

    from pages.shared.form.drawing import config_form
    from vaecore.config import changed, preset

    base = preset(st.session_state["preset"])
    st.session_state["got"] = config_form(changed(base, st.session_state.get("settings", [])), "f")


def form(name: str = "vae-mnist", *changes: str) -> AppTest:
    at = AppTest.from_function(draw, default_timeout=60)
    at.session_state["preset"], at.session_state["settings"] = name, list(changes)
    at.run()
    assert not at.exception
    return at


def got(at: AppTest) -> Any:
    assert not at.exception
    return at.session_state["got"]


@pytest.mark.parametrize("name", NAMES)
def test_a_preset_comes_back_from_the_form_as_it_went_in(name: str) -> None:
    at = form(name)
    assert parse(RunConfig, got(at)) == preset(name)


def test_what_comes_back_stays_when_the_widgets_hold_it() -> None:
    assert parse(RunConfig, got(form("vae-fashion").run())) == preset("vae-fashion")


def walk(model: Any, path: str = "", chosen: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Every choice of every union of the declaration, as the settings that reach it from the defaults."""
    found = []
    for field, info in model.model_fields.items():
        here = f"{path}{field}"
        default = getattr(info.get_default(call_default_factory=True), str(info.discriminator), None)
        for tag, member in tagged(info).items():
            reached = (*chosen, f"{here}.{info.discriminator}={tag}")
            found += [reached, *walk(member, f"{here}.", chosen if tag == default else reached)]
        if isinstance(info.annotation, type) and hasattr(info.annotation, "model_fields"):
            found += walk(info.annotation, f"{here}.", chosen)
    return list(dict.fromkeys(found))


def fields(value: Any, path: str = "", *, chosen: bool = True) -> list[str]:
    """Every field by its path; not the tag of what is no choice, as the one likelihood of a family."""
    found = []
    for name, info in type(value).model_fields.items():
        inner = getattr(value, name)
        if hasattr(type(inner), "model_fields"):
            found += fields(inner, f"{path}{name}.", chosen=bool(tagged(info)))
        elif chosen or len(get_args(info.annotation)) != 1 or get_origin(info.annotation) is not Literal:
            found.append(f"{path}{name}")
    return found


@pytest.mark.parametrize("chosen", walk(RunConfig), ids=lambda chosen: chosen[-1])
def test_every_field_of_every_choice_has_a_widget_with_a_help(chosen: tuple[str, ...]) -> None:
    config = changed(RunConfig(), chosen)
    at = form("vae-mnist", *settings(preset("vae-mnist"), config))
    keys = {w.key: w for kind in ("selectbox", "number_input", "text_input", "toggle", "button_group")
            for w in at.get(kind)}
    tables = {editor.key.partition(":")[0] for editor in at.data_editor}
    assert {f"f.{field}" for field in fields(config)} == {*keys, *tables}
    assert all(widget.help for widget in keys.values())
    assert parse(RunConfig, got(at)) == config


def test_another_choice_keeps_what_it_shares_and_remembers_the_rest() -> None:
    at = form("vae-mnist")
    at.number_input(key="f.model.latent_size").set_value(5).run()
    at.text_input(key="f.model.network.channels").set_value("8, 16").run()
    at.selectbox(key="f.model.family").set_value("pca").run()
    assert got(at)["model"] == {"family": "pca", "latent_size": 5, "prior": {"kind": "none"}}
    at.selectbox(key="f.model.family").set_value("ae").run()
    assert got(at)["model"]["network"]["channels"] == [8, 16]
    assert got(at)["model"]["latent_size"] == 5
    parse(RunConfig, got(at))


def test_another_configuration_fills_every_field_anew() -> None:
    at = form("vae-mnist")
    at.number_input(key="f.training.epochs").set_value(3).run()
    at.session_state["preset"] = "vae-digits"
    at.run()
    assert parse(RunConfig, got(at)) == preset("vae-digits")
    assert at.number_input(key="f.training.epochs").value == preset("vae-digits").training.epochs


@pytest.mark.parametrize(("text", "words"), [
    ("32, abc", "'abc' is not a whole number"), ("", "0 entries"), ("0", "too small"), ("9999999", "too large"),
    ("1.5", "not a whole number"), ("<b>`x`", "not a whole number"),
])
def test_a_bad_list_is_said_under_its_field(text: str, words: str) -> None:
    at = form("vae-digits")
    at.text_input(key="f.model.network.hidden").set_value(text).run()
    said = [c.value for c in at.caption if ":red[" in c.value]
    assert len(said) == 1
    assert words in said[0].replace("\\", "")


def test_a_value_at_an_open_bound_is_said_under_its_field() -> None:
    at = form("vae-mnist")
    at.number_input(key="f.training.learning_rate").set_value(0.0).run()
    assert any("more than" in c.value and ":red[" in c.value for c in at.caption)


@pytest.mark.parametrize(("text", "numbers"), [
    ("32, 64", [32, 64]), ("[32,64]", [32, 64]), ("32 64", [32, 64]), ("4.0;0.5", [4.0, 0.5]), ("1e-3", [0.001]),
    ("", []), (" , ", []), ("32, abc", [32, "abc"]), ("7,", [7]),
])
def test_lists_are_read_as_they_are_written(text: str, numbers: list[Any]) -> None:
    assert entries(text) == numbers
    assert [type(n) for n in entries(text)] == [type(n) for n in numbers]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("base", ["vae-mnist", "pca-mnist"])
def test_the_command_line_leads_to_the_same_configuration(base: str, name: str) -> None:
    assert changed(preset(base), settings(preset(base), preset(name))) == preset(name)


def test_labels_and_kinds() -> None:
    assert title_at(RunConfig, "training.batch_size") == "Batch size"
    assert kind_of(RunConfig.model_fields["seed"]).fits is not None


def test_no_label_is_keyed_by_a_path() -> None:
    """What a field is called stands in its declaration, so no page names a field of a configuration to label it."""
    for path in (demo.ROOT / "pages").rglob("*.py"):
        tables = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Dict)]
        keys = [str(key.value) for table in tables for key in table.keys if isinstance(key, ast.Constant)]
        assert not [key for key in keys if key.startswith(("data.", "model.", "training."))], path.name


def test_the_form_shows_the_titles_of_the_declaration() -> None:
    at = form("mvae-image-label", "training.beta.kind=points")
    shown = {box.label for box in at.selectbox}
    assert {"Data set", "Family", "Beta schedule", "KL cost", "Rate schedule", "Image network",
            "Label and vector network"} <= shown
    assert column_titles(PointsBeta.model_fields["points"]) == ["Share of training", "Beta"]
    assert {"#### :material/database: Data", "#### :material/hub: Model"} <= {text.value for text in at.markdown}


# -- a table of points -----------------------------------------------------------------------------

POINTS = ("training.beta.kind=points", "training.beta.points=[[0, 0], [0.1, 1], [1, 2]]")
SHARE, BETA = "Share of training", "Beta"


def edit(at: AppTest, *, edited: dict[int, Any] | None = None, added: list[Any] | None = None,
         deleted: list[int] | None = None) -> AppTest:
    """What the browser sends for changes in the table."""
    at.session_state[at.data_editor[0].key] = {"edited_rows": edited or {}, "added_rows": added or [],
                                               "deleted_rows": deleted or []}
    return at.run()


def test_a_table_is_drawn_with_named_columns_and_its_rows_change() -> None:
    at = form("vae-mnist", *POINTS)
    assert list(at.data_editor[0].value.columns) == [SHARE, BETA]
    edit(at, edited={1: {BETA: 0.5}}, added=[{SHARE: 2.0, BETA: 3.0}, {}], deleted=[0])
    assert got(at)["training"]["beta"]["points"] == [[0.1, 0.5], [1.0, 2.0], [2.0, 3.0]]
    assert "Row 3, share of training: 2.0 is too large. Use at most 1" in complaints(at)


@pytest.mark.parametrize(("edited", "added", "deleted", "words"), [
    ({1: {SHARE: 0.0}}, [], [], "the share 0 does not come after 0. Give each point a larger share"),
    ({2: {BETA: None}}, [], [], "Row 3, beta: the cell is empty."),
    ({}, [{BETA: 1.0}], [], "Row 4, share of training: the cell is empty."),
    ({0: {BETA: -1.0}}, [], [], "Row 1, beta: -1.0 is too small."),
    ({}, [], [0, 1, 2], "0 entries"),
])
def test_a_bad_table_is_said_under_it(edited: Any, added: Any, deleted: Any, words: str) -> None:
    assert words in complaints(edit(form("vae-mnist", *POINTS), edited=edited, added=added, deleted=deleted))


def test_a_table_keeps_its_rows_while_another_choice_is_shown_and_forgets_them_with_the_form() -> None:
    at = edit(form("vae-mnist", *POINTS), edited={2: {BETA: 7.0}})
    at.selectbox(key="f.training.beta.kind").set_value("constant").run()
    assert "points" not in got(at)["training"]["beta"]
    at.selectbox(key="f.training.beta.kind").set_value("points").run()
    assert got(at)["training"]["beta"]["points"] == [[0.0, 0.0], [0.1, 1.0], [1.0, 7.0]]
    assert got(at.run())["training"]["beta"]["points"][2] == [1.0, 7.0]
    first = at.data_editor[0].key
    at.session_state["settings"] = ["training.beta.kind=points"]
    assert got(at.run())["training"]["beta"]["points"] == [[0.0, 0.0], [0.1, 1.0]]
    assert at.data_editor[0].key != first  # or the browser would lay its old edits over them


def complaints(at: AppTest) -> str:
    assert not at.exception
    return "\n".join(c.value for c in at.caption if ":red[" in c.value).replace("\\", "")


@pytest.mark.parametrize("text", ["a: b", "[x", "it's, {here}", "# no comment", "", "true", "/plain/path.txt"])
def test_a_text_survives_the_command_line(text: str) -> None:
    base = changed(preset("lagging-basic"), ["data={name: text-file, path: x}"])
    config = base.model_copy(update={"data": base.data.model_copy(update={"path": text})})
    assert changed(base, settings(base, config)) == config
    assert changed(preset("vae-mnist"), settings(preset("vae-mnist"), config)) == config


def test_help_says_which_bounds_are_refused_themselves() -> None:
    from pages.shared.form.fields import accepted
    from vaecore.schedules.beta import ConstantBeta, CyclicalBeta

    assert accepted(CyclicalBeta.model_fields["ramp"]) == "Above 0 to 1."
    assert accepted(ConstantBeta.model_fields["value"]) == "From 0 to 10,000.0."
