"""What a query finds, and what it says of a mistake."""

from __future__ import annotations

import time

import pytest

from tests.library.made import made
from vaecore.library import Query, QueryError, Record, records
from vaecore.store import Store

DAY = 86_400


@pytest.fixture
def found(store: Store) -> list[Record]:
    now = time.time()
    made(store, "small", elbo=-90.0, made_at=now - 10 * DAY, settings={"model.latent_size": 8},
         marks={"tags": ["paper"], "pinned": True, "note": "look again"})
    made(store, "large", elbo=-105.0, seed=1, made_at=now - 3_600, settings={"model.latent_size": 64,
         "training.beta.end": 4.0}, marks={"title": "The Große one", "tags": ["paper", "old"]})
    made(store, "put-away", elbo=-80.0, made_at=1.79e9, marks={"archived": True})
    made(store, "codes", "ae-mnist", elbo=900.0, made_at=1.7e9, about={"parent": {"run": "small"},
         "experiment": "sweep:sizes"}, summary={"seconds": 700.0})
    made(store, "failed", elbo=None, exit={"attempt": 1, "state": "failed", "detail": "x", "time": 1})
    return records(store)


@pytest.mark.parametrize(("query", "ids"), [
    ("", "small large codes failed"),
    ("vae", "small large failed"), ("VAE große", "large"), ("look", "small"), ("old", "large"), ("-vae", "codes"),
    ("elbo>-95", "small"), ("elbo<-95", "large"), ("elbo>=-90 elbo<=-90", "small"), ("elbo=-90", "small"),
    ("elbo!=-90", "large codes failed"), ("log_p_given_z>1", "codes"), ("not elbo>-95", "large codes failed"),
    ("tag:paper", "small large"), ("tag:paper -tag:old", "small"), ("tags:pap", ""), ("tag:paper,none", "small large"),
    ("tag:paper not tag:old", "small"), ("is:pinned", "small"), ("-is:pinned", "large codes failed"),
    ("is:archived", "put-away"), ("is:archived,pinned", "small put-away"), ("archived=no", "small large codes failed"),
    ("has:note", "small"), ("-has:elbo", "codes failed"), ("is:forked", "codes"), ("parent:small", "codes"),
    ("state:failed", "failed"), ("state!=finished", "failed"), ("experiment:sweep:sizes", "codes"),
    ("family:VAE,Autoencoder", "small large codes failed"), ("family=vae", "small large failed"),
    ("family=ae", "codes"), ("data=mnist", "small large codes failed"), ("data:fashion", ""),
    ("model.latent_size>=32", "large"), ("latent_size>=32", "large"), ("z>=32 z<100", "large"),
    ("β>=4", "large"), ("β=1 lr<1", "small codes failed"), ("r>=32", "large"),
    ("training.beta.end=4", "large"), ("training.beta=linear", "small large codes failed"),
    ("model.network.channels=32,64", ""), ('model.network.channels="32,64"', "small large codes failed"),
    ("seconds<10m", "small large"), ("seconds>1min", "codes"), ("parameters>1k parameters<1M", "small large codes"),
    ("made>2d", "large"), ("made<2d", "small codes failed"), ("made:2023-11", "codes"), ("made=2023-11-14", "codes"),
    ("made<2023-11-14", ""), ("made<=2023-11-14", "codes"), ("made>2023-11-14", "small large failed"),
    ('title:"große one"', "large"), ('note="look again"', "small"), ("title=small", "small"), ("id:arg", "large"),
    ("seed=1", "large"), ("pinned=yes", "small"), ("vae and is:pinned", "small")])
def test_a_query_finds(found: list[Record], query: str, ids: str) -> None:
    assert {each.id for each in Query.parse(query).of(found)} == set(ids.split())


def test_archived_runs_are_found_where_they_are_asked_for(found: list[Record]) -> None:
    assert len(Query.parse("").of(found)) == 4 and len(Query.parse("").of(found, archived=True)) == 5
    assert Query.parse("is:archived").archived and not Query.parse("is:pinned").archived


@pytest.mark.parametrize(("query", "words"), [
    ("eblo>3", ["'eblo'", "'elbo'"]), ("latent_sise>3", ["'latent_sise'", "latent_size"]),
    ("kind=mlp", ["'kind'", "model.network.kind", "Say which"]), ("elbo>many", ["elbo>many", "is a number", "'many'"]),
    ("elbo>", ["'elbo>'", "has no value"]), ("is:pined", ["is:pined", "is:pinned"]), ("is:xyzzy", ["is:pinned"]),
    ("is>pinned", ["is>pinned", "':'"]), ("has:nothing", ["'nothing'"]), ("made>2026-13-45", ["2026-13-45", "7d"]),
    ("made>soon", ["'soon'", "is no day"]), ('note:"open', ["quote is open"]), ("vae not", ["'not'"]),
    ("family>vae", ["family>vae", "is text"]), ("elbo>1,2", ["elbo>1,2", "several values"]),
    ("pinned=perhaps", ["pinned", "yes or no"]), ("seconds<10x", ["seconds<10x", "10m"]),
    ("training.beta>high", ["training.beta>high", "no number"]), ("a " * 2_000, ["4,000 characters", "2,000"]),
    ("a " * 50, ["50 conditions", "40"]), ("model.latent_size.x>3", ["no field"])])
def test_a_mistake_is_told_with_what_is_meant(query: str, words: list[str]) -> None:
    with pytest.raises(QueryError) as error:
        Query.parse(query)
    told = str(error.value)
    assert all(word in told for word in words) and "\n" not in told and len(told) < 700, told


@pytest.mark.parametrize("query", [
    "<b>x</b>", "\x00\x1b[2J", "(((", "a:b:c:d", "::::", ">=<", "-" * 500, '""', "---not", "№>3", "elbo>1e999",
    "elbo>nan", "made>999999w", "made>0000-00-00", "=5", "a=", "🦆"])
def test_no_query_is_anything_but_found_or_told(found: list[Record], query: str) -> None:
    try:
        Query.parse(query).of(found)
    except QueryError as error:
        assert str(error).endswith((".", "?"))


def test_a_filter_is_quick(found: list[Record]) -> None:
    """500 records in a twentieth of a second, of the processor's time; ten times that may pass on a busy machine."""
    many, begin = found * 100, time.process_time()
    for query in ("vae mnist", "family=vae elbo>-100 model.latent_size>=32 -tag:old", "made>7d seconds<10m"):
        Query.parse(query).of(many)
    assert time.process_time() - begin < 3 * 0.5


@pytest.mark.usefixtures("found")
def test_python_says_the_same_words(store: Store) -> None:
    import vaecore

    listed = vaecore.runs("family=vae has:elbo", sort="elbo", store=store.root)
    assert [each.id for each in listed] == ["small", "large"] and listed[0].value("model.latent_size") == 8
    assert [each.id for each in vaecore.runs("elbo>-85", archived=True, store=store)] == ["put-away"]
    with pytest.raises(vaecore.StoreError, match="'elbo'"):
        vaecore.runs("eblo>3", store=store)
