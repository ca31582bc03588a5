"""The container files: what they copy is there, what they set is read by the code, and nobody in them is root.

They are also linted and built where the tools are at hand; docs/deploy.md says how.
"""

from __future__ import annotations

import ast
import fnmatch
import json
import re
import shlex
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from streamlit import config

from pages.components import health

ROOT = Path(__file__).parents[1]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
IGNORED = (ROOT / ".dockerignore").read_text().split("\n")
FOLDERS = {"VAECORE_STORE": "/store", "VAECORE_CACHE": "/cache", "VAECORE_DATA": "/data"}


def instructions() -> list[tuple[str, str]]:
    """What the Dockerfile says, line by line: comments gone, continued lines put together."""
    text = re.sub(r"^\s*#.*\n", "", DOCKERFILE, flags=re.MULTILINE).replace("\\\n", " ")
    return [(line.split(None, 1)[0], line.split(None, 1)[1]) for line in text.splitlines() if line.strip()]


def last_stage() -> list[tuple[str, str]]:
    """What the image that is run is made by."""
    told = instructions()
    return told[max(place for place, (word, _) in enumerate(told) if word == "FROM"):]


def environment() -> dict[str, str]:
    """What is set in the image."""
    return {name: value for word, text in last_stage() if word == "ENV"
            for name, _, value in (part.partition("=") for part in shlex.split(text))}


def said(word: str) -> str:
    return next(text for known, text in reversed(last_stage()) if known == word)


def tracked() -> set[str]:
    """Every file that git knows, or would know."""
    found = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT, text=True,
                           capture_output=True, check=False)
    return set(found.stdout.split("\n")) if found.returncode == 0 and found.stdout else {
        path.relative_to(ROOT).as_posix() for path in ROOT.rglob("*") if path.is_file()}


def sources() -> set[str]:
    """What is copied out of the project."""
    return {name for word, text in instructions() if word == "COPY" and "--from" not in text
            for name in text.split()[:-1]}


def let_in(name: str) -> bool:
    """Whether `.dockerignore` lets a file of the project reach the build."""
    inside = False
    for line in IGNORED:
        pattern = line.strip().lstrip("!")
        if pattern and not pattern.startswith("#"):
            parts = [name, *(parent.as_posix() for parent in Path(name).parents)]
            if pattern.startswith("**/"):
                parts, pattern = [part for each in parts for part in (each, Path(each).name)], pattern[3:]
            if any(fnmatch.fnmatchcase(part, pattern) for part in parts):
                inside = line.startswith("!")
    return inside


def test_what_is_copied_is_there_and_reaches_the_build() -> None:
    files = tracked()
    for name in sources():
        below = {file for file in files if file == name or file.startswith(f"{name}/")}
        assert below, f"there is no {name}"
        if name == "trained":
            below = {file for file in below if file.startswith(("trained/gallery/", "trained/claims/"))}
        assert [file for file in below if not let_in(file)] == []


def test_what_the_app_imports_is_copied() -> None:
    tree = ast.parse((ROOT / "app.py").read_text())
    first = {node.module.split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module}
    own = {name for name in first if (ROOT / name).is_dir()}
    assert own == {"pages", "vaecore"} and own <= sources()


@pytest.mark.parametrize("name", [".streamlit/secrets.toml", "trained/runs/mine/config.json", ".git/config",
                                  "trained/data/faces.zip", "tests/conftest.py", "pages/__pycache__/a.pyc",
                                  "vaecore/data/__pycache__/a.pyc", "trained/lab.json", "vaecore/config.py.tmp-12"])
def test_runs_secrets_and_history_stay_outside(name: str) -> None:
    assert not let_in(name)


def test_what_is_set_is_read_by_the_code() -> None:
    code = "".join(path.read_text() for path in (ROOT / "vaecore").rglob("*.py"))
    told = environment() | {name: str(value) for service in COMPOSE["services"].values()
                            for name, value in service["environment"].items()}
    ours = {name for name in told if name.startswith("VAECORE_")}
    assert {*FOLDERS, "VAECORE_READ_ONLY"} == ours
    assert all(f'"{name}"' in code for name in ours)
    options = {f"server.{re.sub('_(.)', lambda m: m[1].upper(), name.removeprefix('STREAMLIT_SERVER_').lower())}"
               for name in told if name.startswith("STREAMLIT_")}
    assert options == {"server.address", "server.port", "server.headless", "server.baseUrlPath"}
    assert options <= set(config.get_config_options())
    assert FOLDERS.items() <= environment().items()


def test_nobody_is_root_and_nothing_can_become_it() -> None:
    user = said("USER")
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user)
    assert f"--uid {user.split(':')[0]}" in DOCKERFILE
    order = [word for word, _ in last_stage()]
    assert "RUN" not in order[order.index("USER"):] and "COPY" not in order[order.index("USER"):]
    for service in COMPOSE["services"].values():
        assert "user" not in service and not service.get("privileged")
        assert service["read_only"] is True and service["cap_drop"] == ["ALL"] and service["init"] is True
        assert service["security_opt"] == ["no-new-privileges:true"]


def test_the_gallery_writes_nothing_that_lasts_and_no_more_than_it_may() -> None:
    gallery = COMPOSE["services"]["gallery"]
    assert gallery["environment"]["VAECORE_READ_ONLY"] == "1"
    assert gallery["environment"]["VAECORE_STORE"] == "/app/trained"
    assert "volumes" not in gallery
    mounted = {each.partition(":")[0]: each for each in gallery["tmpfs"]}
    assert set(mounted) == {"/tmp", "/cache"} and all("size=" in each for each in mounted.values())
    assert f"uid={said('USER').split(':')[0]}" in mounted["/cache"]
    assert {"cpus", "memory", "pids"} <= set(gallery["deploy"]["resources"]["limits"])


def test_the_laboratory_keeps_its_runs() -> None:
    lab = COMPOSE["services"]["lab"]
    kept = {part.split(":")[-1]: part for part in lab["volumes"]}
    assert set(kept) == set(FOLDERS.values())
    named = {re.sub(r"\$\{\w+:-(\w+)\}", r"\1", part).split(":")[0] for part in kept.values()}
    assert named == set(COMPOSE["volumes"])


def test_ports_are_those_of_the_server_and_open_to_this_machine_alone() -> None:
    port = environment()["STREAMLIT_SERVER_PORT"]
    assert said("EXPOSE") == port
    for service in COMPOSE["services"].values():
        assert [each.startswith("127.0.0.1:") and each.endswith(f":{port}") for each in service["ports"]] == [True]


@pytest.fixture
def answers() -> Iterator[tuple[HTTPServer, list[str], list[int]]]:
    """A server that notes what it is asked for, and answers with the status that it is told."""
    asked, status = list[str](), [200]

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(status[0])
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server, asked, status
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("base", ["", "lab", "/lab/"])
def test_the_health_check_asks_our_address(base: str, answers: tuple[HTTPServer, list[str], list[int]],
                                           monkeypatch: pytest.MonkeyPatch) -> None:
    server, asked, status = answers
    command = json.loads(said("HEALTHCHECK").partition("CMD ")[2])
    assert command[:2] == ["python", "-c"]
    told = {"STREAMLIT_SERVER_PORT": str(server.server_port), "STREAMLIT_SERVER_BASE_URL_PATH": base}

    def healthy() -> bool:
        return subprocess.run([sys.executable, *command[1:]], env=told, capture_output=True, check=False
                              ).returncode == 0

    assert healthy()
    status[0] = 503
    assert not healthy()
    monkeypatch.setattr(health.serve.st, "get_option", lambda _: base)
    assert asked == [health.routes()[0].path] * 2


def test_no_address_of_a_registry_is_written_down() -> None:
    for text in (DOCKERFILE, (ROOT / "compose.yaml").read_text()):
        assert re.findall(r"https?://(?!127\.0\.0\.1)[^\s,]+", text) == []
    assert [text.split()[0] for word, text in instructions() if word == "FROM"] == [
        "debian:bookworm-slim", "python", "python"]
