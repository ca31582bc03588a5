"""Trainings on a real SLURM: submitted, followed, cancelled, queued again, and resumed on either side."""

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.lab.slurm.conftest import Cluster, reached, until
from vaecore import lab
from vaecore.lab import LabError, attempts, cluster, jobs, scheduler, state

SMALL = lab.Slurm(time=5, memory=1)
Make = Callable[..., Path]


def history(folder: Path, until_state: str) -> list[str]:
    """The states a run goes through until it is in one of them, each once."""
    seen: list[str] = []

    def look() -> bool:
        now = lab.status(folder)
        if not seen or seen[-1] != now.state:
            seen.append(now.state)
        return now.state == until_state

    until(look)
    return seen


def worker(folder: Path) -> int:
    """The pid, as this machine knows it, of the worker on its node."""
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = place.read_bytes().split(b"\0")
        except OSError:
            continue
        if str(folder).encode() in words and b"worker" in words:
            return int(place.parent.name)
    raise AssertionError("no worker runs")


@pytest.mark.usefixtures("slurm")
def test_a_run_is_submitted_followed_and_finished(make: Make) -> None:
    folder = make("one", steps=40, seconds=0.05)
    lab.submit(folder, SMALL)
    assert lab.status(folder).state in ("queued", "running")
    reached(folder, 5)
    now = until(lambda: (found := lab.status(folder)).rate and found)
    assert (now.state, now.place, now.job.isdigit(), now.total) == ("running", f"SLURM job {now.job} on n1", True, 40)
    with pytest.raises(LabError, match="running already"):
        lab.submit(folder, lab.Here())
    with pytest.raises(LabError, match="running: stop it first"):
        lab.remove(folder)
    ended = lab.wait(folder, 60)
    assert (ended.state, ended.detail, ended.step) == ("finished", "Finished.", 40)
    assert "--- attempt 1" in str(lab.log(folder))
    files = folder.parents[1] / "slurm"
    assert files.stat().st_mode & 0o777 == 0o700  # what is pickled there is executed
    assert not list(folder.glob("*.pkl"))
    lab.remove(folder)
    assert not folder.exists()


@pytest.mark.slow
def test_who_submits_is_killed_before_he_has_noted_the_job(slurm: Cluster, make: Make, monkeypatch: pytest.MonkeyPatch
                                                           ) -> None:
    folders = [make("first"), make("second")]

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as meanwhile, pytest.raises(KeyboardInterrupt):
        meanwhile.setattr(attempts, "note_job", killed)
        lab.submit_together(folders, SMALL.model_copy(update={"extra": "begin=now+1hour"}))
    for place, folder in enumerate(folders):
        os.utime(folder / "launch.json", (1, 1))  # more than a minute ago
        now = until(lambda folder=folder: "until it may begin" in (found := lab.status(folder)).detail and found)
        assert now.state == "queued" and now.job.endswith(f"_{place}") and not (folder / "slurm.json").exists()
    lab.stop(folders[0])
    until(lambda: f"{now.job[:-1]}0" not in slurm.inside("squeue", "-h", "-r", "-o", "%i").split())
    assert now.job in slurm.inside("squeue", "-h", "-r", "-o", "%i").split()
    assert [lab.status(folder).state for folder in folders] == ["stopped", "queued"]


def test_what_waits_is_taken_out_and_can_go_elsewhere(slurm: Cluster, make: Make) -> None:
    folder = make("waits")
    lab.submit(folder, SMALL.model_copy(update={"extra": "begin=now+1hour"}))
    now = until(lambda: "until it may begin" in (found := lab.status(folder)).detail and found)
    assert now.detail == "Waiting for SLURM: until it may begin."
    with pytest.raises(LabError, match=f"queued already \\(SLURM job {now.job}"):
        lab.submit(folder, lab.Here())
    lab.stop(folder)
    assert (lab.status(folder).state, lab.status(folder).detail) == ("stopped", "Taken out of SLURM's queue.")
    until(lambda: now.job not in slurm.inside("squeue", "-h", "-o", "%i"))
    lab.submit(folder, lab.Here())
    ended = lab.wait(folder, 60)
    assert (ended.state, ended.attempt, ended.place, ended.job) == ("finished", 2, "", "")


def test_cancelled_on_the_cluster_it_has_saved_and_goes_on_here(slurm: Cluster, make: Make) -> None:
    folder = make("cancelled", steps=200, seconds=0.02)
    lab.submit(folder, SMALL)
    reached(folder, 5)
    slurm.inside("scancel", lab.status(folder).job)
    ended = lab.wait(folder, 60)
    assert (ended.state, ended.step < 200) == ("stopped", True)
    assert ended.detail == f"Ended by the cluster. Stopped at step {ended.step}; resume continues there."
    assert int((folder / "step.json").read_text()) == ended.step
    lab.submit(folder, lab.Here())
    assert lab.wait(folder, 60).state == "finished"
    assert len((folder / "times.jsonl").read_text().splitlines()) == 2


@pytest.mark.slow
@pytest.mark.usefixtures("slurm")
def test_a_stop_saves_and_the_cluster_takes_it_up_again(make: Make) -> None:
    folder = make("stopped", steps=100, seconds=0.02)
    lab.submit(folder, SMALL)
    reached(folder, 5)
    lab.stop(folder, why="Enough.")
    ended = lab.wait(folder, 60)
    assert (ended.state, ended.detail) == (
        "stopped", f"Enough. Stopped at step {ended.step}; resume continues there.")
    lab.submit(folder)  # where it was last
    assert lab.status(folder).place.startswith("SLURM job")
    assert lab.wait(folder, 60).state == "finished"


@pytest.mark.slow
def test_warned_of_its_time_limit_it_is_queued_again_and_finishes(slurm: Cluster, make: Make) -> None:
    folder = make("again", steps=150, seconds=0.02)
    lab.submit(folder, SMALL)
    reached(folder, 5)
    job = lab.status(folder).job
    slurm.inside("scancel", "--signal=USR2", job)
    seen = history(folder, "finished")
    assert set(seen) <= {"running", "queued", "finished"}
    assert "queued" in seen, "it never waited"
    ended = lab.status(folder)
    assert (ended.job, ended.attempt, ended.step) == (job, 2, 150)
    lives = [json.loads(line) for line in (folder / "times.jsonl").read_text().splitlines()]
    assert len(lives) == 2


@pytest.mark.slow
def test_it_makes_way_for_another_job_and_goes_on_afterwards(slurm: Cluster, make: Make) -> None:
    folder = make("makes-way", steps=300, seconds=0.02)
    lab.submit(folder, SMALL)
    reached(folder, 5)
    slurm.inside("sbatch", "-p", "urgent", "-N", "2", "--exclusive", "-o", "/dev/null", "--wrap", "sleep 1")
    seen = history(folder, "finished")
    assert set(seen) <= {"running", "queued", "finished"}
    assert "queued" in seen
    assert lab.status(folder).attempt == 2
    assert len((folder / "times.jsonl").read_text().splitlines()) == 2


@pytest.mark.slow
@pytest.mark.usefixtures("slurm")
def test_killed_it_has_failed_and_resumes(make: Make) -> None:
    folder = make("killed", steps=100, seconds=0.02)
    lab.submit(folder, SMALL)
    reached(folder, 5)
    os.kill(worker(folder), signal.SIGKILL)
    ended = lab.wait(folder, 60)
    assert ended.state == "failed"
    assert "Killed by SIGKILL" in ended.detail
    lab.submit(folder)
    assert lab.wait(folder, 60).state == "finished"


@pytest.mark.slow
@pytest.mark.usefixtures("slurm")
def test_an_array_of_four_two_at_once(make: Make) -> None:
    folders = [make(name, steps=20, seconds=0.05) for name in "abcd"]
    lab.submit_together(folders, SMALL.model_copy(update={"at_once": 2}))
    names = {lab.status(folder).job for folder in folders}
    assert len({name.split("_")[0] for name in names}) == 1
    assert {name.split("_")[1] for name in names} == set("0123")
    assert [lab.wait(folder, 90).state for folder in folders] == ["finished"] * 4
    lives = sorted(json.loads((folder / "times.jsonl").read_text()) for folder in folders)
    assert lives[2][0] >= min(lives[0][1], lives[1][1])  # the third waited for one of the first two


def test_without_an_answer_it_is_unknown_and_never_lost(slurm: Cluster, make: Make) -> None:
    folder = make("waits", steps=20)
    lab.submit(folder, SMALL.model_copy(update={"extra": "begin=now+1hour"}))
    until(lambda: "until it may begin" in lab.status(folder).detail)
    slurm.down()
    try:
        scheduler.forget()
        now = until(lambda: (found := lab.status(folder)).state == "unknown" and found)
        assert now.detail == "The cluster does not answer."
        with pytest.raises(LabError, match="may wait or run as SLURM job"):
            lab.submit(folder, lab.Here())
        assert "does not answer" in until(lambda: scheduler.forget() or cluster.refusal())
        with pytest.raises(LabError, match="does not answer"):
            lab.submit(make("another"), SMALL)
        assert lab.status(folder.parent / "another").state == "new"
    finally:
        slurm.up()
    until(lambda: lab.status(folder).state == "queued")


@pytest.mark.parametrize(("asked", "words"), [
    ({"partition": "nowhere"}, "SLURM refused it: invalid partition specified: nowhere"),
    ({"memory": 4000}, "Requested node configuration is not available")])
@pytest.mark.usefixtures("slurm")
def test_refused_it_is_as_if_it_had_not_been_asked(make: Make, asked: dict[str, object], words: str,
                                                   capfd: pytest.CaptureFixture[str]) -> None:
    folder = make("refused")
    with pytest.raises(LabError) as refused:
        lab.submit(folder, SMALL.model_copy(update=asked))
    assert words in str(refused.value) and str(refused.value).count(words) == 1
    assert f"It was asked for {asked.get('memory', 1)} GiB and 1 core on a node for 5 minutes." in str(refused.value)
    assert capfd.readouterr() == ("", ""), "what sbatch wrote is in the error"
    assert lab.status(folder).state == "new"
    assert {path.name for path in folder.iterdir()} <= {"config.json", "lock"}
    assert not list((folder.parents[1] / "slurm").glob("*"))


@pytest.mark.usefixtures("slurm")
def test_the_cluster_is_described() -> None:
    found = {each.name: each for each in scheduler.partitions()}
    assert list(found) == ["main", "closed", "urgent"]
    assert found["main"] == scheduler.Partition("main", True, True, 60, 2, 2, 4000 / 1024, 0)
    assert (found["urgent"].minutes, found["closed"].up) == (None, False)
    assert scheduler.available()


@pytest.mark.slow
@pytest.mark.usefixtures("slurm")
def test_what_never_began_says_what_slurm_said(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/nowhere/python")
    folder = make("unborn")
    lab.submit(folder, SMALL)
    ended = lab.wait(folder, 60)
    assert ended.state == "failed"
    assert "/nowhere/python" in ended.detail
    until(lambda: jobs.kick(folder.parents[1]) or state.told(folder, state.LastWord, []))  # SLURM forgets it
    assert lab.status(folder).state == "failed"
    assert "/nowhere/python" in str(lab.log(folder))


@pytest.mark.slow
@pytest.mark.usefixtures("slurm")
def test_a_time_limit_of_a_minute_is_outlived(make: Make) -> None:
    folder = make("long", steps=1500, seconds=0.05)
    lab.submit(folder, SMALL.model_copy(update={"time": 1}))
    seen: list[str] = []

    def ended() -> bool:
        now = lab.status(folder)
        seen.append(now.detail)
        return now.state not in lab.LIVE

    until(ended, 280)
    assert lab.status(folder).state == "finished"
    assert any(detail.startswith("Queued again after its time limit") for detail in seen)
    assert 2 <= lab.status(folder).attempt < 8


@pytest.mark.slow
def test_what_does_not_obey_is_cancelled(slurm: Cluster, make: Make) -> None:
    folder = make("deaf", steps=100_000, deaf=True)
    lab.submit(folder, SMALL)
    reached(folder, 5)
    job = lab.status(folder).job
    lab.stop(folder, now=True)
    until(lambda: lab.status(folder).state == "stopped")
    assert job not in slurm.inside("squeue", "-h", "-o", "%i").split()


@pytest.mark.slow
@pytest.mark.usefixtures("slurm")
def test_a_task_that_dies_before_it_has_met_the_first_ends_the_training(make: Make, monkeypatch: pytest.MonkeyPatch
                                                                        ) -> None:
    monkeypatch.setattr(cluster, "WORKER", ["sh", "-c", 'echo "$RANK began"; [ "$RANK" = 0 ] && sleep 600; exit 3'])
    folder = make("pair")
    lab.submit(folder, SMALL.model_copy(update={"processes": 2}))
    ended = lab.wait(folder, 60)
    assert ended.state == "failed"
    said, _, log = ended.detail.removesuffix("; resume continues from the last checkpoint.").partition(": see ")
    assert said == "Rank 1 of 2 ended with code 3"
    assert "1 began" in Path(log).read_text()
