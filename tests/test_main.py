"""The application as uvicorn serves it: health, metrics, reload, and an orderly end."""

import asyncio
import json
import socket
from pathlib import Path
from typing import Any

import pytest

from engine import wiring
from engine.main import Application
from engine.service import is_this_machine
from tests.builders import signed, snapshot_body
from tests.crash.service import Service, deployment

RULES = """
rules:
  - id: payout-failed
    when: payout.failed
    then: {notify: payments}
"""
NAME_REFUSED = (
    "the Host of the request is no name of this machine: call it by localhost, or set console.url or console.token"
)
TOKEN = "token-of-the-console-for-tests"


async def reload(service: Service, *headers: str, host: str = "localhost", to: str = "127.0.0.1") -> tuple[int, bytes]:
    """POST /-/reload with these headers, to that address."""
    reader, writer = await asyncio.open_connection(to, service.port)
    lines = ["POST /-/reload HTTP/1.1", f"Host: {host}", "Connection: close", "Content-Length: 0", *headers]
    writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
    answer = await reader.read()
    writer.close()
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), body


async def alerted(service: Service, event_id: str) -> None:
    """Wait until the alert of that event is in the log."""
    async with asyncio.timeout(20):
        while f"payout.failed · {event_id}" not in service.log:  # noqa: ASYNC110  another process writes it
            await asyncio.sleep(0.02)


async def test_it_serves_tells_of_itself_reloads_and_ends_in_order() -> None:
    with deployment(RULES, {}) as folder:
        service = Service(folder)
        service.start()
        try:
            ready = await service.ready()
            assert ready["checks"]["rules"]["reason"].startswith("1 rule")
            assert (await service.get("/healthz"))[0] == 200
            assert (await service.get("/nothing-here"))[0] == 404
            body = snapshot_body("payout.failed", id="evt_main")
            assert await service.post(body, signed(body)) == 200
            assert await service.post(body, "t=1,v1=00") == 400
            await alerted(service, "evt_main")
            status, page = await service.get("/metrics")
            assert status == 200
            assert b'tocsin_firings_total{cause="match",mode="live",rule="payout-failed"} 1.0' in page
            assert b'tocsin_webhook_requests_total{reason="mismatch",result="refused"} 1.0' in page
            assert b"tocsin_commit_events_count 1.0" in page
            await broken_and_mended(service, folder / "rules" / "test.yaml")
        finally:
            status = service.terminate()
        assert status in (0, -15), service.log
        assert "Traceback" not in service.log


async def broken_and_mended(service: Service, file: Path) -> None:
    """A broken file keeps its last good version, loudly."""
    file.write_text(RULES.replace("notify", "notfy"))  # noqa: ASYNC240  a line of text
    status, body = await reload(service)
    assert status == 422
    assert json.loads(body)["files"] == {"rules/test.yaml": "kept last good"}
    answer = await service.ready()
    assert answer["status"] == "degraded"
    assert "rules/test.yaml" in answer["checks"]["rules"]["reason"]
    event = snapshot_body("payout.failed", id="evt_kept")
    assert await service.post(event, signed(event)) == 200
    await alerted(service, "evt_kept")
    file.write_text(RULES)  # noqa: ASYNC240  the same
    assert (await reload(service))[0] == 200
    assert (await service.ready())["status"] == "ok"


async def test_this_machine_may_reload_by_whatever_address_it_comes() -> None:
    """A socket of IPv6 that takes IPv4 too, as uvicorn's of several workers does, has other names for the same."""
    with (
        deployment(RULES, {}) as folder,
        socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True) as listener,
    ):
        service = Service(folder, listener=listener)
        service.start()
        try:
            await service.ready()
            assert (await reload(service))[0] == 200
            assert (await reload(service, host="[::1]", to="::1"))[0] == 200
        finally:
            service.terminate()


@pytest.mark.parametrize(
    ("client", "may"),
    [
        ("127.0.0.1", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("10.0.0.1", False),
        ("::ffff:10.0.0.1", False),
        ("2001:db8::1", False),
        ("", False),
        (None, False),
    ],
)
def test_only_this_machine_may_operate_without_a_token(client: str | None, may: bool) -> None:
    assert is_this_machine(client) is may


async def test_with_a_token_only_its_bearer_may_reload() -> None:
    with deployment(RULES, {"console": {"token": TOKEN}}) as folder:
        service = Service(folder)
        service.start()
        try:
            await service.ready()
            assert (await reload(service))[0] == 403
            status, body = await reload(service, "Authorization: Bearer wrong")
            assert status == 403
            assert json.loads(body)["error"] == "send the console token as a Bearer token"
            assert (await reload(service, f"Authorization: Bearer {TOKEN}"))[0] == 200
        finally:
            service.terminate()
        assert TOKEN not in service.log


async def test_without_a_token_no_page_of_another_site_may_reload() -> None:
    """Neither one that a browser of this machine shows, nor one whose name has come to lead to this machine."""
    with deployment(RULES, {"console": {"url": "https://tocsin.example.com"}}) as folder:
        service = Service(folder)
        service.start()
        try:
            await service.ready()
            for host in ("localhost", f"127.0.0.1:{service.port}", "[::1]:80", "tocsin.example.com"):
                assert (await reload(service, host=host))[0] == 200, host
                assert (await reload(service, f"Origin: http://{host}", host=host))[0] == 200, host
            assert (await reload(service, "Origin: http://evil.example"))[0] == 403
            status, body = await reload(service, "Origin: null")
            assert status == 403
            assert json.loads(body)["error"] == "the Origin of the request is another site than its Host"
            for host in (
                "evil.example:8334",
                "foo.lan",
                "0.0.0.0",
                "localhost.",
                "[",
                "localhost.evil.example",
                "127.0.0.1.evil.example",
            ):
                status, body = await reload(service, host=host)
                assert status == 403, host
                assert json.loads(body)["error"] == NAME_REFUSED
                assert (await reload(service, f"Origin: http://{host}", host=host))[0] == 403, host
        finally:
            service.terminate()


async def test_whatever_goes_wrong_at_start_nothing_is_served(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An exception that left the lifespan would have uvicorn serve without it, and answer Stripe 404."""

    async def start() -> Service:
        raise ZeroDivisionError

    monkeypatch.setattr(wiring, "start", start)
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "lifespan.startup"}

    async def send(message: Any) -> None:
        sent.append(message)

    await Application()({"type": "lifespan"}, receive, send)
    assert [message["type"] for message in sent] == ["lifespan.startup.failed"]
    assert "ZeroDivisionError" in capsys.readouterr().err
