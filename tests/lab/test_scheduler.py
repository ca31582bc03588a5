"""What SLURM's commands print, read without SLURM; and who asks it, how often, and what no answer is taken for."""

import contextlib
import os
import sys
import threading
import time
from pathlib import Path

import pytest

from vaecore import lab
from vaecore.files import write_json_atomic
from vaecore.lab import attempts, cluster, jobs, scheduler
from vaecore.lab.locks import LabError
from vaecore.lab.scheduler import Asked, NoAnswer, Word
from vaecore.lab.where import Slurm, further
from vaecore.schema import ConfigError, parse

SUBMISSION = "0123456789abcdef" * 2


def test_jobs_are_read_a_line_each() -> None:
    ours = f"/the|lab/slurm/{SUBMISSION}/.submission_file_1.sh"
    told = (f"12|RUNNING|None|n1|{ours}\n13_0|PENDING|JobArrayTaskLimit||/home/me/slurm/own.sh\n"
            "13_1|FAILED|NonZeroExitCode|n[2-3]|(null)\n14_[0-3%2]|PENDING|Priority||\n"
            "slurm_load_jobs error: something\n15|PENDING|(Resources, a|b)||\n")
    assert scheduler.parsed(told) == {
        "12": Word("RUNNING", "None", "n1", SUBMISSION), "13_0": Word("PENDING", "JobArrayTaskLimit"),
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
    for reason, why in {
            "ReqNodeNotAvail, UnavailableNodes:n[1-2]": "its nodes are down or reserved",
            "QOSMaxCpuPerUserLimit": "you have as many cores at work as you may",
            "QOSMaxJobsPerUserLimit": "you have as many jobs at work as you may",
            "QOSGrpMemLimit": "its quality of service has as much memory at work as it may",
            "AssocGrpGRES": "your account has as many GPUs at work as it may",
            "MaxGRESPerAccount": "your account has as many GPUs at work as it may",
            "AssocGrpCPUMinutesLimit": "your account has used as many core minutes as it may",
            "QOSMaxWallDurationPerJobLimit": "its time limit is more than its quality of service may ask for: stop it "
                                             "and ask for less",
            "QOSMinCpuNotSatisfied": "QOSMinCpuNotSatisfied"}.items():
        assert Word("PENDING", reason).why == why


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
        cluster.require()


def test_without_submitit_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scheduler.shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(scheduler.importlib.util, "find_spec", lambda _name: None)
    assert "pip install 'vaecore[slurm]'" in cluster.refusal()


def test_only_what_sbatch_may_be_told_is_passed_on() -> None:
    assert further(Slurm(extra="qos=long,exclusive,--constraint=a100").extra) == {
        "qos": "long", "exclusive": True, "constraint": "a100"}
    for extra in ("wrap=rm", "output=x", "array=1-4", "uid=0", "chdir=x"):
        with pytest.raises(ConfigError, match=r"^extra: '[a-z]+' is no option that is passed on\. Use"):
            parse(Slurm, {"kind": "slurm", "extra": extra})


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


# -- a submission, and what is left of it ------------------------------------------------------------


@pytest.fixture
def squeue(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """What squeue prints, a line a job; and the commands that were called but for it."""
    said: dict[str, list[str]] = {"jobs": [], "called": []}

    def tool(*command: str, **_: float) -> str:
        if command[0] == "squeue":
            if said["jobs"] == ["down"]:
                raise NoAnswer("down")
            return "".join(f"{line}\n" for line in said["jobs"])
        said["called"].append(" ".join(command))
        return ""

    monkeypatch.setattr(scheduler, "tool", tool)
    monkeypatch.setattr(scheduler, "installed", lambda: True)
    monkeypatch.setattr(scheduler, "_jobs", Asked(scheduler._ask, fresh=0.0, old=60.0))
    monkeypatch.setattr(scheduler, "_seen", {})
    return said


def made(root: Path, *names: str) -> list[Path]:
    folders = [root / "runs" / name for name in names]
    for folder in folders:
        folder.mkdir(parents=True)
        (folder / "config.json").write_text("{}")
    return folders


def until(folder: Path, state: str) -> lab.Status:
    """How a run stands, as soon as a new answer of SLURM has told that it stands so."""
    deadline = time.monotonic() + 30
    while (now := lab.status(folder)).state != state:
        assert time.monotonic() < deadline, now
        scheduler.forget()
        time.sleep(0.01)
    return now


def test_a_job_that_nobody_has_noted_is_found_by_its_script(squeue: dict[str, list[str]], tmp_path: Path) -> None:
    """Whoever submitted was killed between sbatch and the noting of what it said."""
    folders = made(tmp_path, "first", "second")
    with attempts.opened_for(SUBMISSION, folders, ()):
        pass
    assert lab.status(folders[1]).detail == "It is being handed over to SLURM."
    for folder in folders:
        os.utime(folder / "launch.json", (1, 1))
    script = f"{tmp_path}/slurm/{SUBMISSION}/.submission_file_1.sh"
    squeue["jobs"] = [f"7_{task}|PENDING|Resources||{script}" for task in (1, 0)] + ["8|RUNNING||n1|/other.sh"]
    scheduler.forget()
    now = lab.status(folders[1])
    assert (now.state, now.detail, now.job) == ("queued", "Waiting for SLURM: for free resources.", "7_1")
    assert now.place == "SLURM job 7_1" and lab.status(folders[0]).job == "7_0"
    squeue["jobs"] = ["down"]
    assert until(folders[1], "unknown").place == "SLURM"
    squeue["jobs"] = [f"7_1|RUNNING||n2|{script}"]
    assert until(folders[1], "running").place == "SLURM job 7_1 on n2"
    assert "whoever submitted it was interrupted" in until(folders[0], "lost").detail
    with pytest.raises(LabError, match="it was not submitted from this store"):
        lab.stop(folders[1], now=True)
    (tmp_path / "slurm" / SUBMISSION).mkdir(parents=True)  # its job's own folder was not made any more
    lab.stop(folders[1], now=True)
    assert squeue["called"] == ["scancel 7_1"]


def test_what_no_job_and_no_run_needs_is_pruned_a_day_later(squeue: dict[str, list[str]], tmp_path: Path,
                                                            monkeypatch: pytest.MonkeyPatch) -> None:
    names = {name: f"{place:032x}" for place, name in enumerate(
        ["new", "waits", "runs", "unspoken", "ended", "nobodys", "older"])}
    for place, submission in enumerate(names.values()):
        (tmp_path / "slurm" / submission / "7").mkdir(parents=True)
        (tmp_path / "slurm" / submission / "7" / "7_submitted.pkl").touch()
        if submission != names["new"]:
            os.utime(tmp_path / "slurm" / submission, (100 - place, 100 - place))
    (tmp_path / "slurm" / "notes").mkdir()
    (tmp_path / "slurm" / ("a" * 32)).symlink_to(tmp_path / "runs")
    unspoken, ended = made(tmp_path, "unspoken", "ended")
    for folder in (unspoken, ended):
        with attempts.opened_for(names[folder.name], [folder], ()):
            pass
    attempts.write_exit(ended, 1, "finished", "Finished.")
    squeue["jobs"] = [f"{place}|{state}|||{tmp_path}/slurm/{names[name]}/x.sh" for place, (name, state) in enumerate(
        [("waits", "PENDING"), ("runs", "RUNNING"), ("ended", "COMPLETED"), ("older", "FAILED")])]
    monkeypatch.setattr(cluster, "MOST_PRUNED", 2)
    left = set(names.values()) | {"notes", "a" * 32}
    for gone in (["older", "nobodys"], ["ended"], []):  # the oldest first, a few at a time
        jobs._tidy(tmp_path)
        left -= {names[name] for name in gone}
        assert {each.name for each in (tmp_path / "slurm").iterdir()} == left
    monkeypatch.setattr(scheduler, "_jobs", Asked(scheduler._ask, fresh=0.0, old=60.0))
    squeue["jobs"] = ["down"]
    assert cluster.old(tmp_path) == [], "while SLURM does not answer nothing is over"


def test_what_sbatch_refuses_is_said_once_with_what_was_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                                             capfd: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("submitit")
    tools, [folder] = tmp_path / "bin", made(tmp_path, "one")
    tools.mkdir()
    for name in ("sbatch", "srun"):
        (tools / name).write_text("#!/bin/sh\necho 'sbatch: error: Memory specification can not be satisfied' >&2\n"
                                  "echo 'sbatch: error: Batch job submission failed: Requested node configuration is "
                                  "not available' >&2\nexit 1\n")
        (tools / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    with pytest.raises(LabError) as caught:
        cluster.hand_over([folder], tmp_path, Slurm(processes=2, gpus=1, time=1), SUBMISSION)
    assert str(caught.value) == (
        "SLURM refused it: Memory specification can not be satisfied; Requested node configuration is not available. "
        "It was asked for 3 GiB, 2 GPUs and 2 cores on a node for 1 minute.")
    assert capfd.readouterr() == ("", "")
    assert not list((tmp_path / "slurm").iterdir())


def test_a_folder_of_job_files_that_is_another_users_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("submitit")
    (tmp_path / "slurm").mkdir()

    def closed(path: Path, _mode: int) -> None:
        raise PermissionError(1, "Operation not permitted", str(path))

    monkeypatch.setattr(Path, "chmod", closed)
    with pytest.raises(LabError, match=r"slurm is another user's, .* Submit from a store of your own"):
        cluster.hand_over(made(tmp_path, "one"), tmp_path, Slurm(), SUBMISSION)


def test_another_thread_is_heard_meanwhile(capsys: pytest.CaptureFixture[str]) -> None:
    with contextlib.redirect_stderr(cluster._Others(sys.stderr)):
        print("sbatch", file=sys.stderr)
        other = threading.Thread(target=lambda: print("another", file=sys.stderr))
        other.start()
        other.join()
    assert capsys.readouterr().err == "another\n"


def test_what_is_usual_fits_a_node_that_is_sold_with_four_gigabytes() -> None:
    assert Slurm().memory * 1024 <= 3_900
