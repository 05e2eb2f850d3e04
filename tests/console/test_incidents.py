"""Acknowledging by link and by API: who may, what a mere look does, and what the second is told."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import httpx2
import pytest
from pydantic import SecretStr
from starlette.applications import Starlette

from engine.console.incidents import ROUTES
from engine.links import Links
from engine.model.incident import IncidentStatus
from engine.model.timing import Incident, Timing
from engine.store import Store
from tests.work.memory import World, at
from tests.work.test_incidents import rule

LINKS = Links("http://tocsin.test", SecretStr("links_" + "a" * 40))
AUTHOR = {"authorization": "Bearer token"}


@dataclass
class Stand:
    """The parts of a service that these routes ask."""

    store: Store
    links: Links | None = LINKS

    def refusal(self, client: str | None, authorization: str | None, host: str | None) -> str | None:
        return None if authorization == AUTHOR["authorization"] else "send the console token as a Bearer token"


@pytest.fixture
async def client(store: Store) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of an application with one open incident."""
    app = Starlette(routes=ROUTES)
    app.state.service = Stand(store)
    await World(store, (rule(Timing(incident=Incident()), types="charge.failed"),)).send(at(0))
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url=LINKS.base) as made:
        yield made


async def opened(store: Store) -> str:
    [incident] = await store.incidents.ls()
    return incident.id


async def status(store: Store) -> IncidentStatus:
    [incident] = await store.incidents.ls(resolved=True)
    return incident.status


@pytest.mark.parametrize("name", ["inc_nobody", "%00", "inc_%00", "%ED%A0%80", "%1F"])
async def test_what_is_no_incident_is_not_found(client: httpx2.AsyncClient, name: str) -> None:
    for what in ("ack", "resolve"):
        answer = await client.post(f"/incidents/{name}/{what}", headers=AUTHOR)
        assert (answer.status_code, answer.json()) == (404, {"error": "there is no such incident"})
    assert (await client.get(f"/ack/{name}")).status_code == 404


async def test_a_look_changes_nothing_and_a_press_does(client: httpx2.AsyncClient, store: Store) -> None:
    link = LINKS.to(await opened(store), datetime.now(UTC))
    for _ in range(3):
        page = await client.get(link)
        assert page.status_code == 200
        assert '<form method="post">' in page.text
    assert (await client.head(link)).status_code == 200
    assert await status(store) is IncidentStatus.OPEN
    page = await client.post(link, data={"by": "Ada <b>", "comment": "on it"})
    assert "Acknowledged. Nothing escalates any more." in page.text
    [incident] = await store.incidents.ls()
    assert (incident.status, incident.acknowledged_by, incident.comment) == ("acknowledged", "Ada <b>", "on it")
    page = await client.get(link)
    assert "Ada &lt;b&gt; was first" in page.text
    assert "<form" not in page.text


async def test_the_second_to_press_is_told_who_was_first(client: httpx2.AsyncClient, store: Store) -> None:
    link = LINKS.to(await opened(store), datetime.now(UTC))
    pages = await asyncio.gather(*(client.post(link, data={"by": name}) for name in ("ada", "bob")))
    told = sorted("was first" in page.text for page in pages)
    assert told == [False, True]


async def test_the_page_runs_and_loads_nothing(client: httpx2.AsyncClient, store: Store) -> None:
    link = LINKS.to(await opened(store), datetime.now(UTC))
    page = await client.get(link)
    policy = page.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "form-action 'self'; frame-ancestors 'none'; base-uri 'none'" in policy
    assert page.headers["referrer-policy"] == "no-referrer"
    assert page.headers["cache-control"] == "no-store"
    assert link.rpartition("/")[2] not in page.text
    assert "<script" not in page.text


async def test_a_link_that_is_old_or_changed_does_nothing(client: httpx2.AsyncClient, store: Store) -> None:
    old = LINKS.to(await opened(store), datetime.now(UTC) - timedelta(days=8))
    for link in (old, LINKS.to(await opened(store), datetime.now(UTC))[:-2], LINKS.to("inc_none", datetime.now(UTC))):
        for page in (await client.get(link), await client.post(link)):
            assert page.status_code == 404
            assert "no longer good" in page.text
    assert await status(store) is IncidentStatus.OPEN


async def test_systems_act_with_the_token_alone(client: httpx2.AsyncClient, store: Store) -> None:
    path = f"/incidents/{await opened(store)}"
    refused = await client.post(f"{path}/ack")
    assert (refused.status_code, refused.json()) == (403, {"error": "send the console token as a Bearer token"})
    elsewhere = {**AUTHOR, "origin": "https://evil.example"}
    assert (await client.post(f"{path}/ack", headers=elsewhere)).status_code == 403
    assert await status(store) is IncidentStatus.OPEN
    answer = await client.post(f"{path}/ack", headers=AUTHOR, json={"by": "ada", "comment": "on it"})
    assert answer.status_code == 200
    assert answer.json()["incident"]["acknowledged_by"] == "ada"
    again = await client.post(f"{path}/ack", headers=AUTHOR, json={"by": "bob"})
    assert again.status_code == 409
    assert again.json()["error"].startswith("ada was first, at ")
    ended = await client.post(f"{path}/resolve", headers=AUTHOR)
    assert ended.json()["incident"]["resolved_by"] == "api"
    assert (await client.post(f"{path}/resolve", headers=AUTHOR)).status_code == 409
    assert (await client.post("/incidents/inc_none/ack", headers=AUTHOR)).status_code == 404


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"by": 1}', b'{"who": "ada"}', b"x" * 10_000])
async def test_a_body_that_says_something_else_is_refused(
    client: httpx2.AsyncClient, store: Store, body: bytes
) -> None:
    path = f"/incidents/{await opened(store)}/ack"
    assert (await client.post(path, headers=AUTHOR, content=body)).status_code == 400
    assert await status(store) is IncidentStatus.OPEN


async def test_what_people_write_is_one_line(client: httpx2.AsyncClient, store: Store) -> None:
    link = LINKS.to(await opened(store), datetime.now(UTC))
    await client.post(link, data={"by": "ada\x1b[2J\nlovelace" + "x" * 500, "comment": " \0 "})
    [incident] = await store.incidents.ls()
    assert incident.acknowledged_by is not None
    assert incident.acknowledged_by.startswith("ada [2J lovelacex")
    assert (len(incident.acknowledged_by), incident.comment) == (100, None)
