"""What SLURM's commands print, read without SLURM; and who asks it, how often, and what no answer is taken for."""

import threading
import time
from pathlib import Path

import pytest

from vaecore import lab
from vaecore.files import write_json_atomic
from vaecore.lab import cluster, scheduler
from vaecore.lab.locks import LabError
from vaecore.lab.scheduler import Asked, NoAnswer, Word
from vaecore.lab.where import Slurm


def test_jobs_are_read_a_line_each() -> None:
    told = ("12|RUNNING|None|n1\n13_0|PENDING|JobArrayTaskLimit|\n13_1|FAILED|NonZeroExitCode|n[2-3]\n"
            "14_[0-3%2]|PENDING|Priority|\nslurm_load_jobs error: something\n15|PENDING|(Resources, a|b)|\n")
    assert scheduler.parsed(told) == {
        "12": Word("RUNNING", "None", "n1"), "13_0": Word("PENDING", "JobArrayTaskLimit"),
        "13_1": Word("FAILED", "NonZeroExitCode", "n[2-3]")}


@pytest.mark.parametrize(("state", "phase"), [
    ("PENDING", "waiting"), ("REQUEUED", "waiting"), ("RUNNING", "running"), ("COMPLETING", "running"),
    ("CANCELLED", "cancelled"), ("PREEMPTED", "cancelled"), ("COMPLETED", "completed"), ("TIMEOUT", "failed"),
    ("OUT_OF_MEMORY", "failed"), ("NODE_FAIL", "failed"), ("FROM_THE_FUTURE", "failed")])
def test_a_state_comes_to_a_phase(state: str, phase: str) -> None:
    assert Word(state).phase == phase


def test_failures_and_reasons_are_words_with_a_remedy() -> None:
    assert "ask for more" in Word("OUT_OF_MEMORY").failure
    assert "more time" in Word("TIMEOUT").failure
    assert Word("FAILED", "NonZeroExitCode").failure == (
        "SLURM says FAILED (NonZeroExitCode). Resume continues from the last checkpoint.")
    assert Word("PENDING", "Priority").why == "others come first"
    assert Word("PENDING", "SomethingNew").why == "SomethingNew"
    assert Word("PENDING", "None").why == ""


def test_partitions_of_several_kinds_of_node_are_one() -> None:
    told = ("short*|up|30:00|4|32+|128000|(null)\ngpu|up|2-12:30:00|2|64|512000|gpu:a100:4(S:0-1)\n"
            "gpu|up|2-12:30:00|1|48|256000|gpu:2,gpu:mig:3\nold|down|infinite|1|8|1000|(null)\nnot a line\n")
    short, gpu, old = scheduler.partitions_of(told)
    assert (short.name, short.default, short.up) == ("short", True, True)
    assert (short.minutes, short.nodes, short.cores) == (30, 4, 32)
    assert (gpu.nodes, gpu.cores, gpu.memory, gpu.gpus, gpu.minutes) == (3, 48, 250.0, 5, 2 * 1440 + 12 * 60 + 30)
    assert (old.up, old.minutes) == (False, None)


def test_what_sbatch_says_loses_its_prefixes() -> None:
    assert scheduler.said("sbatch: error: invalid partition specified: x\n"
                          "sbatch: error: Batch job submission failed: Invalid partition name specified\n") == (
        "invalid partition specified: x; Invalid partition name specified")


def test_it_is_asked_once_for_all_who_look() -> None:
    asked: list[int] = []

    def ask() -> int:
        asked.append(1)
        time.sleep(0.05)
        return len(asked)

    answer = Asked(ask, fresh=60.0, old=120.0)
    found: list[int | None] = []
    lookers = [threading.Thread(target=lambda: found.append(answer.get())) for _ in range(8)]
    for looker in lookers:
        looker.start()
    for looker in lookers:
        looker.join()
    assert (found, len(asked)) == ([1] * 8, 1)
    assert answer.get(since=time.monotonic()) == 2  # what was asked before does not count


def test_no_answer_is_none_and_nobody_waits_for_it_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scheduler, "PATIENCE", 60.0)
    asked = threading.Semaphore(0)

    def ask() -> int:
        asked.release()
        if len(refused) == 0:
            raise NoAnswer("down")
        waits.wait()
        raise NoAnswer("down")

    refused: list[int] = []
    waits = threading.Event()
    answer = Asked(ask, fresh=0.0, old=60.0)
    assert answer.get() is None
    assert answer.refused == "down"
    refused.append(1)
    asked.acquire()
    assert answer.get() is None  # at once, though the second question is still under way
    waits.set()


def test_what_cannot_be_read_is_no_answer_and_is_asked_again() -> None:
    said = iter(["nonsense", "7"])
    answer = Asked(lambda: int(next(said)), fresh=60.0, old=60.0)
    assert answer.get() is None and "cannot be read" in answer.refused
    answer.forget()
    assert answer.get() == 7


@pytest.mark.parametrize(("limit", "minutes"), [("1-00:00:00", 1440), ("2:30:00", 150), ("30:00", 30),
                                                ("infinite", None), ("n/a", None), ("some-1:00", 1)])
def test_a_limit_is_minutes(limit: str, minutes: int | None) -> None:
    assert scheduler._minutes(limit) == minutes


@pytest.mark.parametrize(("command", "words"), [
    (("false",), "false ended with code 1"), (("sh", "-c", "echo sbatch: error: no >&2; exit 1"), "no"),
    (("no-such-command",), "cannot be started"), (("sleep", "9"), "took longer than 0 s")])
def test_a_command_that_fails_is_no_answer(command: tuple[str, ...], words: str) -> None:
    with pytest.raises(NoAnswer, match=words):
        scheduler.tool(*command, limit=0.2)


def test_without_slurm_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scheduler.shutil, "which", lambda _name: None)
    assert not cluster.available()
    assert cluster.partitions() == []
    assert "sbatch was not found" in cluster.refusal()
    assert scheduler.word("12") is None
    with pytest.raises(LabError, match="sbatch was not found"):
        cluster.require(Slurm())


def test_without_submitit_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scheduler.shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(scheduler.importlib.util, "find_spec", lambda _name: None)
    assert "pip install 'vaecore[slurm]'" in cluster.refusal()


def test_only_what_sbatch_may_be_told_is_passed_on() -> None:
    assert cluster.further(Slurm(extra="qos=long,exclusive,--constraint=a100")) == {
        "qos": "long", "exclusive": True, "constraint": "a100"}
    for extra in ("wrap=rm", "output=x", "array=1-4", "uid=0", "chdir=x"):
        with pytest.raises(LabError, match="is no option that is passed on"):
            cluster.further(Slurm(extra=extra))


@pytest.mark.parametrize("job", ["", "12;rm", "-u", "12_", "../..", "1" * 40])
def test_what_is_no_job_is_asked_of_nobody(job: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(scheduler, "tool", lambda *_command: pytest.fail("it was asked"))
    assert "is no job" in cluster.cancel(tmp_path, "ab12", job)


def test_a_folder_of_somebody_else_ends_no_job(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The job that a run's folder names is ended only where this store has submitted it."""
    asked: list[tuple[str, ...]] = []
    monkeypatch.setattr(scheduler, "tool", lambda *command: asked.append(command) or "")
    monkeypatch.setattr(scheduler, "installed", lambda: True)
    monkeypatch.setattr(scheduler, "word", lambda *_job: Word("PENDING", "Priority"))
    folder = tmp_path / "runs" / "copied"
    folder.mkdir(parents=True)
    for submission in ("ab12", "../../elsewhere", ""):
        write_json_atomic(folder / "launch.json", {"attempt": 1, "backend": "slurm", "submission": submission})
        write_json_atomic(folder / "slurm.json", {"submission": submission, "job": "77", "user": "root"})
        (folder / "exit.json").unlink(missing_ok=True)
        assert lab.status(folder).job == "77"
        lab.stop(folder)
        assert (lab.status(folder).state, asked) == ("stopped", [])
    (folder / "exit.json").unlink()
    write_json_atomic(folder / "launch.json", {"attempt": 1, "backend": "slurm", "submission": "ab12"})
    write_json_atomic(folder / "slurm.json", {"submission": "ab12", "job": "77", "user": "root"})
    monkeypatch.setattr(scheduler, "word", lambda *_job: Word("RUNNING", "None", "n1"))
    with pytest.raises(lab.LabError, match="did not cancel job 77: it was not submitted from this store"):
        lab.stop(folder, now=True)
    assert asked == []
    (tmp_path / "slurm" / "ab12" / "77").mkdir(parents=True)
    lab.stop(folder, now=True)
    assert asked == [("scancel", "77")]


def test_a_folder_of_another_user_is_no_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def closed(_folder: Path) -> bool:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(scheduler, "tool", lambda *_command: pytest.fail("it was asked"))
    monkeypatch.setattr(Path, "is_dir", closed)
    assert "was not submitted from this store" in cluster.cancel(tmp_path, "ab12", "77")
