"""Verbs that say what there is: show, presets, families, data, doctor, version."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from vaecore import __version__, lab
from vaecore.cli.printing import (
    FAILED,
    JsonOption,
    RunArgument,
    SetOption,
    StoreOption,
    err,
    out,
    rounded,
    say,
    store_at,
    table,
    writable,
)
from vaecore.lab import logs
from vaecore.lab.where import kept
from vaecore.store import Store, StoreError

app = typer.Typer()


@app.command()
def show(run: RunArgument, store: StoreOption = None, as_json: JsonOption = False) -> None:
    """Everything known of a run: state, configuration, numbers beside published ones, its data, the end of its log."""
    from vaecore import literature
    from vaecore.provenance import of_run

    found = store_at(store).find(run)
    status, summary, told = lab.status(found.path), found.summary(), of_run(found)
    beside = literature.beside(found)
    facts = {"run": found.id, "folder": str(found.path), "state": status.state, "detail": status.detail,
             "on": kept(found.path).kind, "place": status.place, "job": status.job,
             "step": status.step or summary.get("step"), "total": status.total or summary.get("total_steps"),
             "seconds_left": status.seconds_left, "config": found.values(), "summary": summary,
             "published": [each.as_dict() for each in beside],
             "data": told.model_dump() if told else None,
             "log": str(lab.log(found.path, 12))}
    if as_json:
        return say(facts, True, "")
    import yaml

    detail = (lab.why_it_waits(found.path, status) or status.detail) if status.state != "finished" else ""
    place = f"{status.place}." if status.place and status.place not in detail else ""
    out.print(" ".join(filter(None, [f"{found.id}: {status.state}.", detail, place])), highlight=False)
    for title, part in (("configuration", facts["config"]), ("numbers", rounded(summary))):
        out.print(f"\n{title}\n" + yaml.safe_dump(part, sort_keys=False, default_flow_style=None, allow_unicode=True),
                  highlight=False, markup=False)
    if beside:
        out.print("published\n" + "\n".join(literature.lines(beside)) + "\n", highlight=False, markup=False)
    if told:
        out.print("data\n" + "\n".join(told.lines()) + "\n", highlight=False, markup=False)
    if facts["log"]:
        out.print(f"log\n{facts['log']}", highlight=False, markup=False)


@app.command("log")
def show_log(run: RunArgument,
             lines: Annotated[int, typer.Option("-n", "--lines", min=1, max=100_000, help="How many at most.")] = 40,
             find: Annotated[str, typer.Option(metavar="TEXT", help="Only lines that hold it, in capitals or not.")
                              ] = "",
             store: StoreOption = None, as_json: JsonOption = False) -> None:
    """The last lines of what a run printed, or of those that hold a word; of one that waits, why."""
    found = store_at(store).find(run)
    why, told = lab.why_it_waits(found.path, lab.status(found.path)), lab.log(found.path, lines, find)
    if not as_json and (words := " ".join(filter(None, [why, told.told and f"Shown: {told.told}."]))):
        err.print(words, highlight=False)
    nothing = "No line holds it." if told.size and find else "" if why else "Nothing written."
    say({"run": found.id, "file": str(found.path / logs.FILE), "bytes": told.size, "read": told.read, "waits": why,
         "lines": told.lines}, as_json, str(told) or nothing)


@app.command("presets")
def list_presets(name: Annotated[str | None, typer.Argument(help="Show one whole, as YAML.")] = None,
                 as_json: JsonOption = False) -> None:
    """The named configurations, each runnable as it is, with the CPU minutes it took and what it reached."""
    from vaecore.named import presets, reached

    if name:
        from vaecore.config import preset

        chosen = preset(name)
        return say(chosen.model_dump(mode="json"), as_json, chosen.to_yaml())
    say(presets(), as_json, "\n".join(f"{name:22} {text}\n{'':22} {reached(name)}" for name, text in presets().items()))


@app.command()
def families(measured: Annotated[bool, typer.Option("--measured", help="Instead, the lecture's four approaches side by "
                                                    "side: likelihood, passes and seconds, as evaluations found "
                                                    "them.")] = False,
             given: Annotated[str, typer.Option("--data", metavar="NAME|PATH", help="A data set, or a file or folder "
                                                "of your own: which families fit it, and why others do not.")] = "",
             changes: SetOption = None, store: StoreOption = None, as_json: JsonOption = False) -> None:
    """The families of models and their fields; of given data, which ones fit, and why the others do not."""
    if measured:
        return _measured(store_at(store), as_json)
    if given or changes:
        return _fitting(given, changes or [], as_json)
    from vaecore import named

    facts = named.families()
    say(facts, as_json, "\n\n".join(
        f"{name}: {fact['what']}\n" + "\n".join(f"  {field:16} {words}" for field, words in fact["fields"].items())
        for name, fact in facts.items()))


def _fitting(given: str, changes: list[str], as_json: bool) -> None:
    from vaecore.config import RunConfig, changed
    from vaecore.data import DATASETS
    from vaecore.training import fitting

    if given and given not in DATASETS:
        from vaecore.cli.bringing import brought

        config = RunConfig().model_copy(update={"data": brought(given, "", changes).config})
    else:
        config = changed(RunConfig(), [*([f"data.name={given}"] if given else []), *changes]).resolve()
    found = fitting.families(config, config.data.load())
    lines = []
    for each in found:
        made = "; ".join(map(fitting.in_words, each.settings[1:]))
        lines.append(f"{'+' if each.fits else '-'} {each.tag:24} {each.title}"
                     + (f": {each.reason}" if each.reason else "")
                     + (f" {'With' if each.fits else 'It fits with'} {made}." if made else ""))
    say([vars(each) for each in found], as_json, "\n".join(lines))


def _measured(store: Store, as_json: bool) -> None:
    from vaecore.evaluate.families import KINDS, groups, ordered
    from vaecore.literature import MOST_SHOWN, of_approaches

    found = {key: ordered(runs) for key, runs in groups(store.everything()).items()}
    if as_json or not found:
        return say([{"data": json.loads(key), "models": [{**vars(m), "run": m.run.id} for m in rows],
                     "published": {approach: [each.as_dict() for each in there]
                                   for approach, there in of_approaches(json.loads(key)).items()}}
                    for key, rows in found.items()], as_json,
                   "No run of the four approaches yet. `vaecore train --preset rbm-mnist` makes one.")
    for key, rows in found.items():
        out.print(f"\n{next((m.data for m in rows if m.kind != 'none'), rows[0].data)}", highlight=False, markup=False)
        table([{**vars(m), "run": m.run.id, "kind": KINDS[m.kind] + (f", K = {m.samples}" if m.samples else "")
                + (", given the label or covariate" if m.conditional else ""),
                "infer": _milliseconds(m.inference_seconds), "sample": _milliseconds(m.sampling_seconds)}
               for m in rows],
              {"run": "run", "approach": "approach", "family": "family", "kind": "log p(x) is", "log_p": "log p(x)",
               "inference_passes": "passes to infer", "infer": "ms", "sampling_passes": "passes to sample",
               "sample": "ms", "probe": "probe", "frechet": "Fréchet"})
        for approach, there in of_approaches(json.loads(key)).items():
            if there:
                out.print(f"published, {approach}: " + "; ".join(
                    f"{each.said()} {each.model}, {each.setting.short()} [{each.tag}: {each.source}]"
                    for each in there[:MOST_SHOWN]), highlight=False, markup=False)


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else 1e3 * seconds


@app.command()
def data(path: Annotated[str | None, typer.Argument(help="A file or folder of your own: what is understood of it is "
                                                    "said, and nothing is trained.")] = None,
         read_as: Annotated[str, typer.Option("--as", metavar="NAME", help="Of your own: read it as this data set."
                                              )] = "",
         changes: SetOption = None,
         output: Annotated[Path | None, typer.Option("-o", "--output", callback=writable,
                                                     help="Of your own: a PNG of some of it."
                                                     )] = None,
         download: Annotated[list[str] | None, typer.Option(
             help="Fetch this published data set now; repeatable, or all.", metavar="NAME")] = None,
         accept_licence: Annotated[bool, typer.Option("--accept-licence", help="Accept the licence of a download that "
                                                      "asks for it.")] = False,
         cached: Annotated[bool, typer.Option("--cached", help="Instead, what the cache holds on the disk.")] = False,
         forget: Annotated[str | None, typer.Option(help="Delete this from the cache, by its name in --cached, or "
                                                    "all; it is made or fetched again when needed.",
                                                    metavar="NAME")] = None,
         yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
         as_json: JsonOption = False) -> None:
    """The data sets: which copy of each is here, what fetches it; or what is understood of data of your own."""
    if path is not None:
        from vaecore.cli.bringing import tell

        return tell(path, read_as, changes or [], output, as_json)
    if forget is not None:
        return _forget(forget, yes)
    if cached:
        return _cached(as_json)
    if download:
        from vaecore.cli.downloading import download as fetch

        fetch([name for given in download for name in given.split(",")], accept_licence=accept_licence, yes=yes)
        if not as_json:
            return None
    from vaecore.data.standing import everything

    found = everything()
    say({each.name: {name: value for name, value in vars(each).items() if name != "name"} for each in found}, as_json,
        "\n".join(f"{each.name:14} {each.line}" for each in found))


def _cached(as_json: bool) -> None:
    from vaecore.data.base import cache_folder
    from vaecore.data.cache import held

    found = held()
    lines = [f"{one.bytes:15,}  {one.name}{f' ({one.state})' if one.state else ''}" for one in found]
    say([{"name": one.name, "bytes": one.bytes, "state": one.state} for one in found], as_json,
        "\n".join([*lines, f"{sum(one.bytes for one in found):15,}  bytes in {cache_folder()}"]))


def _forget(name: str, yes: bool) -> None:
    """Delete `name`, or all, from the cache, after asking."""
    from vaecore.data.cache import forget, held
    from vaecore.schema import problem

    chosen = [one for one in held() if name in ("all", one.name)]
    if not chosen and name != "all":
        raise problem("--forget", name, f"the cache holds no '{name}'.", "`vaecore data --cached` lists what it holds.")
    what = f"{name}, {sum(one.bytes for one in chosen):,} bytes"
    if not yes and not sys.stdin.isatty():
        raise StoreError(f"Nobody is here to confirm that {what} is deleted. Say --yes.")
    if not yes:
        typer.confirm(f"Delete {what}?", abort=True)
    for one in chosen:
        gone = forget(one)
        out.print(f"{one.name} is {'deleted' if gone else 'being made now and stays: stop that first'}.",
                  highlight=False)


@app.command()
def doctor(store: StoreOption = None, as_json: JsonOption = False) -> None:
    """Check that this machine has what is needed; exit code 1 if something is wrong."""
    from vaecore.doctor import TITLES, checks

    found = checks(store_at(store).root)
    groups = {state: [check for check in found if check.state == state] for state in TITLES}
    say([{**vars(check), "ok": check.ok} for check in found], as_json, "\n\n".join(
        TITLES[state] + "\n" + "\n".join(f"  {check.what:14} {check.detail}" for check in group)
        for state, group in groups.items() if group))
    if groups["wrong"]:
        raise typer.Exit(FAILED)


@app.command()
def version() -> None:
    """The version of vaecore."""
    out.print(__version__, highlight=False)
