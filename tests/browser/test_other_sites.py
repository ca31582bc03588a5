"""A real server and what another site's page, or a program that speaks to it by hand, gets from it."""

from __future__ import annotations

import http.server
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ClientState_pb2 import ClientState
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from tests.browser.conftest import App

pytestmark = pytest.mark.browser
OURS = "previews/gallery/vae"


class Site(http.server.ThreadingHTTPServer):
    """Another site: it keeps what is asked of it."""

    def __init__(self) -> None:
        asked = self.asked = list[str]()

        class Page(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked.append(self.path)
                self.send_response(200)
                self.send_header("Content-Type", "text/html")
                self.end_headers()
                self.wfile.write(b"<title>another site</title>")

            def log_message(self, format: str, *args: object) -> None:
                pass

        super().__init__(("127.0.0.1", 0), Page)


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with Site() as found:
        threading.Thread(target=found.serve_forever, daemon=True).start()
        yield found
        found.shutdown()


def status(asked: urllib.request.Request | str) -> int:
    """With what a request is answered."""
    try:
        with urllib.request.urlopen(asked, timeout=30) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


def opens(app: App, **headers: str) -> bool:
    """Whether a websocket with these headers is opened."""
    try:
        with connect(f"ws://127.0.0.1:{app.port}/_stcore/stream", additional_headers=headers):
            return True
    except InvalidStatus as error:
        assert error.response.status_code == 403
        return False


def test_a_websocket_is_opened_for_the_laboratory_alone(app: App) -> None:
    assert opens(app, Origin=app.address) and opens(app)
    assert not opens(app, Origin="https://evil.example") and not opens(app, Origin="null")
    assert not opens(app, Origin="http://localhost:1"), "another program of this machine, which may show anything"


def test_a_name_turned_to_this_machine_gets_nothing(app: App) -> None:
    asked = urllib.request.Request(f"{app.address}/{OURS}", headers={"Host": "evil.example"})
    assert status(asked) == 403 and status(f"{app.address}/{OURS}") == 200


def test_a_message_that_is_too_large_ends_the_connection_and_nothing_else(app: App) -> None:
    with connect(f"ws://127.0.0.1:{app.port}/_stcore/stream", max_size=None) as socket, pytest.raises(ConnectionClosed):
        for _ in range(2):
            socket.send(bytes(70_000_000))
        while True:
            socket.recv(timeout=60)
    assert opens(app), "others are still answered"


def test_an_upload_is_bounded_and_needs_a_session_and_its_token(app: App) -> None:
    body = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\na\r\n--x--\r\n'
    with urllib.request.urlopen(f"{app.address}/_stcore/health") as answer:
        token = answer.headers["Set-Cookie"].partition(";")[0].removeprefix("_streamlit_xsrf=")

    def put(session: str, length: int = len(body), **headers: str) -> int:
        told = {"Content-Length": str(length), "Content-Type": "multipart/form-data; boundary=x", **headers}
        return status(urllib.request.Request(f"{app.address}/_stcore/upload_file/{session}/a", body, told,
                                             method="PUT"))

    with connect(f"ws://127.0.0.1:{app.port}/_stcore/stream", max_size=None) as socket:
        socket.send(BackMsg(rerun_script=ClientState()).SerializeToString())
        session = ""
        while not session:
            session = ForwardMsg.FromString(socket.recv(timeout=60)).new_session.initialize.session_id
        ours = {"Cookie": f"_streamlit_xsrf={token}", "X-Xsrftoken": token}
        assert put(session) == 403 and put("another", **ours) == 400 and put(session, **ours) == 204
        assert put(session, 60_000_000, **ours) == 413


def test_a_page_of_another_site_gets_and_sends_nothing(browser: Browser, app: App, site: Site) -> None:
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(f"http://localhost:{site.server_address[1]}/")  # `localhost` and 127.0.0.1 are two sites
        found = page.evaluate("""async address => {
            const ask = (method, mode) => fetch(address, {method, mode}).then(a => a.type + a.status, e => e.name);
            const socket = await new Promise(done => {
              const open = new WebSocket(address.replace('http', 'ws').replace(/previews.*/, '_stcore/stream'));
              open.onopen = () => done('open');
              open.onerror = () => done('refused');
            });
            const frame = document.createElement('iframe');
            frame.src = address.replace(/previews.*/, '');
            document.body.append(frame);
            await new Promise(done => { frame.onload = done; });
            return [await ask('GET', 'cors'), await ask('POST', 'cors'), await ask('GET', 'no-cors'), socket];
        }""", f"{app.address}/{OURS}")
        assert found == ["TypeError", "TypeError", "TypeError", "refused"]
        assert all(app.address not in frame.url for frame in page.frames), "it is shown in no frame of theirs"


def test_a_page_of_the_laboratory_calls_no_other_address(browser: Browser, app: App, site: Site) -> None:
    """Whatever markup came through: the browser itself does not fetch it."""
    address = f"http://127.0.0.1:{site.server_address[1]}"
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(app.address)
        page.wait_for_selector("[data-testid=stTopNavLink]")
        site.asked.clear()
        found = page.evaluate("""async address => {
            const loads = (name, attribute) => new Promise(done => {
              const element = document.createElement(name);
              element.onload = () => done('loaded');
              element.onerror = () => done('refused');
              element[attribute] = `${address}/${name}`;
              if (name === 'link') element.rel = 'stylesheet';
              document.body.append(element);
            });
            const fetched = await fetch(`${address}/fetch`, {mode: 'no-cors'}).then(() => 'loaded', () => 'refused');
            return [fetched, await loads('img', 'src'), await loads('script', 'src'), await loads('link', 'href')];
        }""", address)
        assert found == ["refused"] * 4 and site.asked == []
