"""Read-only mode and sign-in, in a real browser beside a real provider: what is refused, and what is not."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import ROOT, App, Visitor
from tests.browser.identity_provider import Provider

pytestmark = pytest.mark.browser
SECRETS = """
[auth]
redirect_uri = "{address}/oauth2callback"
cookie_secret = "{cookie}"
client_id = "lab"
client_secret = "{client}"
server_metadata_url = "{provider}/.well-known/openid-configuration"
[roles]
member = ["ada@lab.org"]
viewer = ["*@lab.org"]
"""
HIDDEN = {"cookie": "0123456789abcdef0123456789abcdef", "client": "c1ien7-5ecre7"}
NETWORK = "networks/decoder/gallery/vae"


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with Provider() as found:
        yield found


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory, provider: Provider) -> Iterator[App]:
    """The dashboard of a laboratory where everybody signs in."""
    folder = tmp_path_factory.mktemp("guarded")
    with_the_vae(folder / "store")
    app = App(folder / "store", f"--secrets.files={folder / 'secrets.toml'}")
    (folder / "secrets.toml").write_text(SECRETS.format(address=app.address, provider=provider.address,
                                                           **HIDDEN))
    app.start()
    yield app
    app.kill()


def with_the_vae(store: Path) -> None:
    """A store that shows one shipped checkpoint."""
    shutil.copytree(ROOT / "trained" / "gallery" / "vae", store / "gallery" / "vae")


def enter(page: Page, app: App) -> None:
    page.goto(app.address)
    with page.expect_navigation(url=f"{app.address}/"):
        page.get_by_role("button", name="Sign in", exact=True).click()


def test_a_viewer_looks_and_changes_nothing(browser: Browser, guarded: App, provider: Provider) -> None:
    provider.claims = {"email": "bob@lab.org", "email_verified": True, "name": "Bob <b>"}
    with browser.new_context() as context:
        visitor = Visitor(context.new_page(), guarded)
        page = visitor.page
        assert context.request.get(f"{guarded.address}/{NETWORK}").status == 403
        assert context.request.get(f"{guarded.address}/healthz").json()["ok"] is True
        enter(page, guarded)
        expect(page.get_by_text("Bob <b> · viewer")).to_be_visible()
        assert context.request.get(f"{guarded.address}/{NETWORK}").status == 200
        assert context.request.put(f"{guarded.address}/_stcore/upload_file/a/b", data=b"x").status == 403
        visitor.open("train")
        expect(page.get_by_role("button", name="Start training")).to_be_disabled()
        expect(page.get_by_role("button", name="Bring your own data")).to_be_disabled()
        visitor.open("access")
        expect(page.get_by_text("You are signed in to look.")).to_be_visible()
        with page.expect_navigation():
            page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_role("button", name="Sign in", exact=True)).to_be_visible()
        assert context.request.get(f"{guarded.address}/{NETWORK}").status == 403


def test_a_member_may_and_a_stranger_does_not_enter(browser: Browser, guarded: App, provider: Provider) -> None:
    provider.claims = {"email": "ada@lab.org", "email_verified": True, "name": "Ada"}
    with browser.new_context() as context:
        visitor = Visitor(context.new_page(), guarded)
        enter(visitor.page, guarded)
        visitor.open("train")
        expect(visitor.page.get_by_role("button", name="Start training")).to_be_enabled()
    provider.claims = {"email": "ada@lab.org", "email_verified": False, "name": "Not Ada"}
    with browser.new_context() as context:
        page = context.new_page()
        enter(page, guarded)
        expect(page.get_by_text("Not Ada is signed in, but is on no list")).to_be_visible()
        assert context.request.get(f"{guarded.address}/{NETWORK}").status == 403


def test_no_secret_is_in_an_answer_or_in_the_servers_log(browser: Browser, guarded: App, provider: Provider) -> None:
    """Signed in and out, refused, with a code that was used before, and with a cookie that somebody has changed."""
    provider.claims = {"email": "ada@lab.org", "email_verified": True, "name": "Ada"}
    with browser.new_context() as context:
        page = context.new_page()
        enter(page, guarded)
        cookies = [str(cookie.get("value", "")) for cookie in context.cookies()]
        answers = [context.request.get(f"{guarded.address}/{address}", max_redirects=0).body() for address in (
            f"oauth2callback?code={provider.gave[0]}&state=x", "healthz", NETWORK, "networks/decoder/x", "nothing",
            "auth/login", "oauth2callback?error=no&state=x")]
        context.add_cookies([{"name": "_streamlit_user", "value": "2|1:0|spoilt", "url": guarded.address}])
        answers.append(context.request.get(f"{guarded.address}/{NETWORK}").body())
        answers.append(page.content().encode())
    secret = [*HIDDEN.values(), *provider.gave, *(cookie for cookie in cookies if len(cookie) > 20)]
    assert len(secret) > 5
    told = guarded.log.read_bytes()
    assert b"127.0.0.1" in told, "what the server prints is looked at"
    assert [each for each in secret if any(each.encode() in where for where in (told, *answers))] == []


def test_read_only_mode_by_a_flag_below_a_base_path(browser: Browser, tmp_path: Path) -> None:
    with_the_vae(tmp_path)
    app = App(tmp_path, base="/lab", read_only=True)
    app.start()
    try:
        with browser.new_context() as context:
            visitor = Visitor(context.new_page(), app)
            page = visitor.page
            visitor.open("traverse?run=gallery%2Fvae")
            expect(page.get_by_role("slider").first).to_be_visible()
            assert context.request.get(f"{app.address}/{NETWORK}").status == 200
            assert context.request.get(f"{app.address}/healthz").json()["read_only"] is True
            assert context.request.put(f"{app.address}/_stcore/upload_file/a/b", data=b"x").status == 403
            visitor.open("train")
            expect(page.get_by_role("button", name="Start training")).to_be_disabled()
            page.get_by_test_id("stTopNavLink").filter(has_text="Read-only").click()
            expect(page.get_by_text("This laboratory is shown read-only")).to_be_visible()
            visitor.no_stack_trace()
        assert not (tmp_path / "runs").exists() and not (tmp_path / "queue").exists()
    finally:
        app.kill()
