"""`vaecore evaluate`: a checkpoint judged over a split, part after part; what is found is kept with its settings."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from vaecore.cli.printing import (
    FAILED,
    STOPPED,
    DataPathOption,
    JsonOption,
    RunArgument,
    StoreOption,
    declared,
    err,
    out,
    say,
    store_at,
)
from vaecore.evaluate.meaning import by_modality, perplexities, perplexity_name
from vaecore.evaluate.settings import NAIVE, TITLES, Settings
from vaecore.lab import background

Tell = Callable[[str, int, int], None]
app = typer.Typer()


@app.command()
@declared(Settings, {"importance_samples": "-k", "observations": "--limit"})
def evaluate(run: RunArgument, *, data_path: DataPathOption = "", store: StoreOption = None,
             as_json: JsonOption = False, **asked: Any) -> None:
    """Evidence, log p(x), reconstructions, samples and codes of a checkpoint, as evaluation.json beside it.

    Ctrl-C ends it and keeps what is done by then, marked partial (exit code 3).
    """
    from vaecore.data.identity import check_there
    from vaecore.schema import parse

    settings = parse(Settings, asked)
    found = store_at(store).find(run)
    if data_path:
        found.relocate(data_path)
    check_there(found.config().data)

    from vaecore.evaluate.kept import keep
    from vaecore.evaluate.likelihood import Cancelled
    from vaecore.evaluate.report import evaluate_run

    with background.evaluation(found).alone(), _asked_to_stop() as stopped:
        try:
            with _progress() as tell:
                result = evaluate_run(found, settings, progress=tell, cancelled=stopped)
        except Cancelled:
            err.print("Cancelled before anything was found: nothing is kept.", highlight=False)
            raise typer.Exit(STOPPED) from None
        try:
            said = f"{background.KEPT}{keep(found, result)}"
        except OSError as error:
            said = f"not kept: {error.strerror or error}"
    say(result, True, "") if as_json else out.print("\n".join(_lines(result)), highlight=False, markup=False)
    if result["partial"]:
        err.print("Cancelled: this result is partial. " + _told(result["missing"]), highlight=False, markup=False)
    err.print(said, highlight=False, markup=False)
    if result["partial"] or not said.startswith(background.KEPT):
        raise typer.Exit(STOPPED if result["partial"] else FAILED)


# -- while it runs ---------------------------------------------------------------------------------


@contextlib.contextmanager
def _asked_to_stop() -> Iterator[Callable[[], bool]]:
    """Whether Ctrl-C or SIGTERM came; a second one ends the program at once."""
    asked: list[int] = []

    def note(number: int, _: FrameType | None) -> None:
        asked.append(number)
        signal.signal(number, before[number])

    before: dict[int, Any] = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in before:
        signal.signal(number, note)
    try:
        yield lambda: bool(asked)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def _progress() -> Iterator[Tell]:
    """A bar a part on a terminal, else a line for each percent, which a page reads from the log."""
    if not err.is_terminal:
        last: list[str] = [""]

        def tell_lines(part: str, done: int, total: int) -> None:
            percent = f"{part} {100 * done // total if total else 0}"
            if percent != last[0]:
                last[0] = percent
                err.print(background.line(part, done, total), highlight=False)

        yield tell_lines
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err, transient=True) as progress:
        tasks: dict[str, Any] = {}

        def tell(part: str, done: int, total: int) -> None:
            if part not in tasks:
                for task in tasks.values():
                    progress.stop_task(task)
                tasks[part] = progress.add_task(TITLES[part], total=None)
            progress.update(tasks[part], completed=done, total=total or None)

        yield tell


# -- what was found --------------------------------------------------------------------------------


def _lines(result: dict[str, Any]) -> Iterator[str]:
    """An evaluation as lines of text, each number with its unit and what it depends on."""
    evidence, settings = result["evidence"], result["settings"]
    yield (f"{result['run']} on {result['split']} ({result['observations']:,} observations of {result['data']}"
           + (f", pixels {result['pixels']}" if result["pixels"] else "") + f"), seed {result['seed']}")
    meaning = result["meaning"]
    yield _row(meaning["evidence"]["name"], evidence["elbo"], f"nats; {_what(meaning['evidence'])}")
    yield _row("reconstruction", sum(evidence["reconstruction"].values()))
    if evidence["kl"]:
        yield _row("KL", sum(map(sum, evidence["kl"].values())), f"nats, {evidence['active']} active dimensions")
    for name, value in by_modality("MSE", evidence["mse"]).items():
        yield _row(name, value, "per observed number", 5)
    for name, perplexity in perplexities(evidence).items():
        yield _row(perplexity_name(name, evidence), perplexity,
                   f"with {evidence['tokens'][name]:.2f} tokens a sentence, its end symbol included", 2)
    if found := result.get("log_z"):
        yield _row("log Z", found["value"], f"nats, +- {found['standard_error']:.3f}")
    if found := result.get("likelihood"):
        low, high = found["interval"]
        how = f"K = {found['samples']:,}, effective share {found['effective']:.1%}, " if found["samples"] else ""
        yield _row(meaning["likelihood"]["name"], found["log_likelihood"], f"nats, 95 % from {low:.3f} to {high:.3f} "
                   f"({how}{found['observations']:,} observations); {_what(meaning['likelihood'])}")
    if found := result.get("naive"):
        for name, value in found["estimates"].items():
            yield _row(NAIVE[name], value, f"nats, M = {found['samples']:,}, "
                       f"{found['observations']:,} observations")
    for found in result.get("reconstruction", {}).values():
        if found["psnr"] is not None:
            yield _row("PSNR", found["psnr"], "dB, a mean over images", 2)
        if found["ssim"] is not None:
            yield _row("SSIM", found["ssim"], f"window {found['window']}, sigma {found['sigma']:.3g}, data range 1", 4)
    if found := result.get("samples"):
        span = found.get("frechet_interval")
        within = f"95 %: {span[0]:.3f} to {span[1]:.3f}; " if span else ""
        yield _row("Fréchet", found["frechet"], f"{within}between {found['generated']:,} samples and as many "
                   f"real, in features of {found['features']} (accuracy {found['classifier_accuracy']:.1%}); "
                   f"{found['floor']['frechet']:.3f} between real and real", 3)
        yield _row("precision", found["precision"], f"k = {found['k']}")
        yield _row("recall", found["recall"], f"k = {found['k']}")
    if found := result.get("probe"):
        yield _row("probe", found["accuracy"], f"accuracy on {found['test']:,} labels, chance {found['chance']:.3f}"
                   + ("; the encoder was given the label" if found["encoder_reads_label"] else ""))
    yield from _several(result)
    for name, found in result.get("disentanglement", {}).items():
        if "not_applicable" not in found:
            yield _row(name.replace("_", " "), found["score"] if "score" in found else found["pearson"],
                       f"of {settings['split']}, 1 is best")
    yield from _video(result)
    if found := result.get("cost"):
        for name, kind in (("infer", "inference"), ("sample", "sampling")):
            if found[f"{kind}_seconds"] is not None:
                yield _row(name, 1e3 * found[f"{kind}_seconds"], f"ms each, {found['together']} together, "
                           f"{found[f'{kind}_passes']:,} passes, {found['threads']} thread")
    reasons: dict[str, list[str]] = {}
    for part, why in result["not_applicable"].items():
        reasons.setdefault(why, []).append(TITLES[part])
    for why, parts in reasons.items():
        yield f"  {', '.join(parts)} {'does' if len(parts) == 1 else 'do'} not apply: {why}"


def _several(result: dict[str, Any]) -> Iterator[str]:
    """What is of several modalities only."""
    if found := result.get("conditionals"):
        for name, each in found["modalities"].items():
            how = (f"averaged over K = {found['samples']:,} codes of q(z|{','.join(each['given'])})"
                   if each["method"] == "averaged" else
                   f"K = {found['samples']:,}, effective share {each['effective']:.1%}")
            yield _row(f"log p({name}|{','.join(each['given'])})", each["log_likelihood"],
                       f"nats, +- {each['standard_error'] or 0:.3f} ({how}, {found['observations']:,} observations)"
                       + (f"; {each['warning']}" if each["warning"] else ""))
    if found := result.get("coherence"):
        for each in found["subsets"]:
            for name, share in each["coherence"].items():
                yield _row(f"{' + '.join(each['given'])} -> {name}", share, "of the class given, "
                           f"{each['observations']:,} observations; chance {found['chance']:.3f}, "
                           f"{found['ceiling'][name]:.3f} of real ones")
        if found["joint"] is not None:
            yield _row("joint coherence", found["joint"],
                       f"of samples agree; {found['joint_commonest']:.3f} are of one class")
    if found := result.get("sharing"):
        for name, each in found["latents"].items():
            told = [f"R2 of {factor} {value:.3f}" for factor, value in each["r2"].items()]
            if found["chance"] is not None:
                told.insert(0, f"accuracy of a linear probe, chance {found['chance']:.3f}")
            yield _row(name, each["accuracy"], ", ".join(told))
    if found := result.get("style"):
        for kind, name in (("swap", "swap"), ("mixed", "mixed pair")):
            yield _row(f"style, {name}", found[kind]["r2"], f"R2 ({found['ceiling']:.3f} of real images); class "
                       f"changed in {found[kind]['changed']:.1%}")
    if found := result.get("variance"):
        for name, each in found["modalities"].items():
            yield f"  {name}: " + ", ".join(f"{part} {share:.1%}" for part, share in each.items())


def _video(result: dict[str, Any]) -> Iterator[str]:
    """What is of clips only."""
    found = result.get("video")
    if not found:
        return
    clips, sources = found["clips"], found.get("sources", found["clips"])  # evaluations before 30 November lack it
    of = f"{clips:,} clips" if sources == clips else f"{clips:,} windows of {sources:,} clip{'s' * (sources > 1)}"
    about = f"of {of}, {found['context']} frames given, {found['horizon']} predicted"
    for name, each in found["metrics"].items():
        title, unit = {"psnr": "PSNR", "ssim": "SSIM"}.get(name, "squared error"), each["unit"] or "in all"
        error = f", +- {each['standard_error']:.3g}" if each["standard_error"] is not None else \
            ", no +-: all are of one clip" if sources == 1 else ""
        if found["futures"] > 1:
            yield _row(f"{title}, best of {found['futures']}", each["best_of"][-1][1], f"{unit} {about}{error}", 4)
        yield _row(f"{title}, mean", each["best_of"][0][1], f"{unit} over futures {about}", 4)
        if copied := each.get("copied"):
            yield _row(f"{title}, last frame", sum(copied) / len(copied), f"{unit} of copying the last frame given", 4)
    if found["futures"] > 1:
        yield _row("diversity", sum(found["diversity"]) / len(found["diversity"]),
                   "root mean square difference of two futures, a mean over frames", 4)
    edges = [value for value in found["edge_energy"] or [] if value is not None]
    if edges:
        yield _row("edge energy", edges[-1], "of the true last frame's; less is blur")
    bound = found["bound"]
    yield _row("log p(x)" if result["exact"] else "ELBO", -bound["neg_elbo"], f"nats a frame, KL {bound['kl']:.3f}")
    if prior := found["prior"]:
        yield _row("AUC of prior's sd", prior["auc"], f"as a sign of {prior['events']:,} unforeseen frames among "
                   f"{prior['frames']:,}")
    yield _row("roll-out", found["seconds"], f"s for {found['futures']} futures of a clip, "
               f"{found['first_seconds']:.3f} for the first, {found['threads']} threads")


def _what(meaning: dict[str, str]) -> str:
    """The kind of a number and a sentence about it."""
    return f"{meaning['kind']}: {meaning['words']}"


def _row(name: str, value: float | None, words: str = "nats", digits: int = 3) -> str:
    number = "-" if value is None else f"{value:.{digits}f}"
    return f"  {name:20} {number:>11} {words}"


def _told(missing: dict[str, str]) -> str:
    return "Missing: " + "; ".join(f"{TITLES[part].lower()} ({what})" for part, what in missing.items()) + "."
