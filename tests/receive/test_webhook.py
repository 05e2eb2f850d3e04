"""The webhook's answers, driven as ASGI: what is accepted, what is refused and why, and what is never said."""

import asyncio
import json
from collections import Counter
from collections.abc import Iterable, MutableMapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from engine.errors import StoreUnavailable
from engine.model.event import Event
from engine.receive.signature import SignatureReason
from engine.receive.webhook import WebhookPaths
from tests.builders import SECRET, endpoint, signed, snapshot_body

NOW = 1_800_000_000
Message = MutableMapping[str, Any]


@dataclass
class Platform:
    """A receiver on a stopped clock, what it accepted and what it counted."""

    accepted: list[Event] = field(default_factory=list)
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    malformed: list[tuple[str, str]] = field(default_factory=list)
    failure: Exception | None = None
    now: float = NOW

    async def accept(self, event: Event) -> bool:
        if self.failure:
            raise self.failure
        new = event.dedupe_key not in {stored.dedupe_key for stored in self.accepted}
        self.accepted.append(event)
        return new

    def count(self, result: str, reason: str) -> None:
        self.counts[result, reason] += 1

    def paths(self, *endpoints: Any, **options: Any) -> WebhookPaths:
        return WebhookPaths(
            endpoints or [endpoint()],
            self.accept,
            self,
            clock=lambda: self.now,
            malformed=lambda name, reason: self.malformed.append((name, reason)),
            **{"max_body": 5000, **options},
        )


@dataclass
class Answer:
    messages: list[Message]
    received: int

    @property
    def status(self) -> int:
        return int(self.messages[0]["status"])

    @property
    def headers(self) -> dict[str, str]:
        return {name.decode(): value.decode() for name, value in self.messages[0]["headers"]}

    @property
    def document(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.messages[1]["body"])
        return found


async def send_to(
    paths: WebhookPaths,
    chunks: Iterable[bytes | None],
    headers: Iterable[tuple[bytes, bytes]] = (),
    *,
    path: str = "/webhooks/stripe",
    method: str = "POST",
) -> Answer:
    """One request; a chunk of None is the client going away."""
    waiting = list(chunks)
    answer = Answer([], 0)

    async def receive() -> Message:
        answer.received += 1
        chunk = waiting.pop(0)
        if chunk is None:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": chunk, "more_body": bool(waiting)}

    async def send(message: Message) -> None:
        answer.messages.append(message)

    webhook = paths.at(path)
    assert webhook is not None
    await webhook({"type": "http", "method": method, "path": path, "headers": list(headers)}, receive, send)
    return answer


async def post(
    paths: WebhookPaths, body: bytes, header: str | None = None, *extra: tuple[bytes, bytes], secret: str = SECRET
) -> Answer:
    value = signed(body, secret, NOW) if header is None else header
    return await send_to(paths, [body], [(b"stripe-signature", value.encode()), *extra])


async def test_a_signed_event_is_accepted_once_and_then_a_duplicate() -> None:
    platform = Platform()
    paths = platform.paths()
    body = snapshot_body(id='evt_"1"')
    first, second = await post(paths, body), await post(paths, body)
    assert (first.status, first.document) == (200, {"received": 'evt_"1"', "duplicate": False})
    assert (second.status, second.document) == (200, {"received": 'evt_"1"', "duplicate": True})
    assert int(first.headers["content-length"]) == len(first.messages[1]["body"])
    assert first.headers["content-type"] == "application/json"
    assert platform.counts == {("accepted", ""): 1, ("duplicate", ""): 1}
    assert platform.accepted[0].received.timestamp() == NOW
    assert platform.accepted[0].body == body


async def test_a_body_may_come_in_pieces() -> None:
    platform = Platform()
    body = snapshot_body()
    header = (b"stripe-signature", signed(body, timestamp=NOW).encode())
    answer = await send_to(platform.paths(), [body[:10], b"", body[10:]], [header])
    assert answer.status == 200
    assert platform.accepted[0].body == body


async def test_the_secret_names_the_endpoint_of_a_shared_path() -> None:
    platform = Platform()
    paths = platform.paths(
        endpoint(name="live", secrets=["whsec_live", "whsec_live_old"]), endpoint(name="test", secrets=["whsec_test"])
    )
    for secret in ("whsec_test", "whsec_live_old", "whsec_live"):
        assert (await post(paths, snapshot_body(), secret=secret)).status == 200
    assert [event.endpoint for event in platform.accepted] == ["test", "live", "live"]


async def test_a_secret_of_another_path_does_not_verify() -> None:
    platform = Platform()
    paths = platform.paths(endpoint(path="/webhooks/stripe"), endpoint(path="/b", secrets=["whsec_b"]))
    assert (await post(paths, snapshot_body(), secret="whsec_b")).document["error"] == "mismatch"
    body = snapshot_body()
    answer = await send_to(paths, [body], [(b"stripe-signature", signed(body, "whsec_b", NOW).encode())], path="/b")
    assert answer.status == 200


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ("", SignatureReason.MISSING),
        ("nonsense", SignatureReason.NO_TIMESTAMP),
        (f"t=x,v1={'0' * 64}", SignatureReason.MALFORMED),
        (f"t={NOW}", SignatureReason.NO_V1),
        (f"t={NOW}" + ",v1=0" * 40, SignatureReason.TOO_MANY_V1),
        ("t" * 5000, SignatureReason.TOO_LONG),
        (f"t={NOW},v1={'0' * 64}", SignatureReason.MISMATCH),
        (signed(snapshot_body(id="e"), timestamp=NOW - 301), SignatureReason.TOO_OLD),
        (signed(snapshot_body(id="e"), timestamp=NOW + 301), SignatureReason.TOO_NEW),
    ],
)
async def test_a_bad_signature_is_400_with_its_reason_and_what_to_do(header: str, reason: str) -> None:
    platform = Platform()
    answer = await post(platform.paths(), snapshot_body(id="e"), header)
    assert (answer.status, answer.document["error"]) == (400, reason)
    assert len(answer.document["hint"]) > 20
    assert platform.counts == {("refused", reason): 1}
    assert platform.accepted == []


@pytest.mark.parametrize(
    ("body", "reason"),
    [(b"hello", "not_json"), (b"[]", "not_an_object"), (b"{}", "no_id"), (b'{"id": "e"}', "no_type")],
)
async def test_a_signed_body_that_is_no_event_is_400_and_told(body: bytes, reason: str) -> None:
    platform = Platform()
    answer = await post(platform.paths(endpoint(name="main")), body)
    assert (answer.status, answer.document["error"]) == (400, reason)
    assert platform.malformed == [("main", reason)]


async def test_when_nothing_could_be_stored_stripe_is_asked_to_send_again() -> None:
    platform = Platform(failure=StoreUnavailable("no answer"))
    answer = await post(platform.paths(), snapshot_body())
    assert (answer.status, answer.headers["retry-after"]) == (503, "5")
    assert platform.counts == {("unavailable", "store"): 1}


async def test_a_fault_of_ours_is_500_and_the_log_names_the_event_but_quotes_nothing() -> None:
    platform = Platform(failure=RuntimeError("could not store confidential-customer"))
    with capture_logs() as logs:
        answer = await post(platform.paths(), snapshot_body(id="evt_9"))
    assert answer.status == 500
    assert platform.counts == {("failed", "unexpected"): 1}
    (line,) = logs
    assert (line["event"], line["event_id"], line["kind"]) == ("event_failed", "evt_9", "RuntimeError")
    assert line["at"][-1].endswith(" accept")
    assert "confidential" not in repr(logs) + repr(answer.messages)


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"])
async def test_other_methods_are_405_and_say_which_is_allowed(method: str) -> None:
    platform = Platform()
    answer = await send_to(platform.paths(), [b""], method=method)
    assert (answer.status, answer.headers["allow"], answer.headers["connection"]) == (405, "POST", "close")
    assert platform.counts == {("refused", "method"): 1}


async def test_a_compressed_body_is_415_and_an_identity_one_is_fine() -> None:
    platform = Platform()
    body = snapshot_body()
    assert (await post(platform.paths(), body, None, (b"content-encoding", b"gzip"))).status == 415
    assert (await post(platform.paths(), body, None, (b"content-encoding", b"Identity"))).status == 200


async def test_a_body_at_the_cap_is_read_and_one_byte_more_is_413() -> None:
    platform = Platform()
    body = snapshot_body()
    assert (await post(platform.paths(max_body=len(body)), body)).status == 200
    answer = await post(platform.paths(max_body=len(body) - 1), body)
    assert (answer.status, answer.headers["connection"]) == (413, "close")
    assert platform.counts["refused", "too_large"] == 1


async def test_a_body_that_streams_past_the_cap_is_cut_off_there() -> None:
    chunks = [b"x" * 1000] * 100
    answer = await send_to(Platform().paths(), chunks, [(b"content-length", b"10")])
    assert (answer.status, answer.received) == (413, 6)


@pytest.mark.parametrize("length", [b"5001", b"9" * 40, b" 5001 "])
async def test_a_length_beyond_the_cap_is_refused_before_a_byte_is_read(length: bytes) -> None:
    answer = await send_to(Platform().paths(), [b"{}"], [(b"content-length", length)])
    assert (answer.status, answer.received) == (413, 0)


@pytest.mark.parametrize("length", [b"", b"-1", b"many", b"0", b"5000", "١".encode()])
async def test_a_length_that_says_nothing_changes_nothing(length: bytes) -> None:
    assert (await post(Platform().paths(), snapshot_body(), None, (b"content-length", length))).status == 200


@pytest.mark.parametrize("chunks", [[None], [b"{", None]])
async def test_a_client_that_goes_away_gets_no_answer(chunks: list[bytes | None]) -> None:
    platform = Platform()
    assert (await send_to(platform.paths(), chunks)).messages == []
    assert platform.counts == {("abandoned", "disconnected"): 1}


async def _never(started: asyncio.Event) -> Message:
    started.set()
    await asyncio.get_running_loop().create_future()
    raise AssertionError


async def _hang(paths: WebhookPaths, started: asyncio.Event, sent: list[Message]) -> None:
    async def send(message: Message) -> None:
        sent.append(message)

    webhook = paths.at("/webhooks/stripe")
    assert webhook is not None
    await webhook({"type": "http", "method": "POST", "headers": []}, lambda: _never(started), send)


async def test_a_body_that_does_not_arrive_is_408_and_the_next_request_is_served() -> None:
    platform = Platform()
    paths = platform.paths(body_timeout=0.04)
    sent: list[Message] = []
    await asyncio.gather(*(_hang(paths, asyncio.Event(), sent) for _ in range(3)))
    assert [message["status"] for message in sent if "status" in message] == [408] * 3
    assert platform.counts == {("refused", "too_slow"): 3}
    assert (await post(paths, snapshot_body())).status == 200
    sent.clear()
    await _hang(paths, asyncio.Event(), sent)  # the watch starts again after it has ended
    assert sent[0]["status"] == 408


async def test_a_request_cancelled_from_outside_stays_cancelled() -> None:
    """The server's shutdown is not mistaken for a slow body."""
    started, sent = asyncio.Event(), list[Message]()
    task = asyncio.ensure_future(_hang(Platform().paths(body_timeout=30), started, sent))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert sent == []


async def test_refusals_are_logged_by_number_once_a_minute_and_quote_nothing() -> None:
    platform = Platform()
    paths = platform.paths()
    with capture_logs() as logs:
        for _ in range(5):
            await post(paths, b"secret-body", "t=1,v1=secret-header")
        platform.now += 61
        await post(paths, b"secret-body", "t=1,v1=secret-header")
    assert [(line["event"], line["reason"], line["requests"]) for line in logs] == [
        ("webhook_refused", "mismatch", 1),
        ("webhook_refused", "mismatch", 5),
    ]
    assert "secret" not in repr(logs)
    assert SECRET not in repr(logs)


async def test_what_a_middleware_adds_to_one_answer_does_not_reach_the_next() -> None:
    paths = Platform().paths()
    first = await post(paths, b"{}", "nonsense")
    first.messages[0]["headers"].append((b"x-more", b"1"))
    assert "x-more" not in (await post(paths, b"{}", "nonsense")).headers


async def test_paths_are_found_with_and_without_a_trailing_slash_and_the_rest_is_left_to_the_application() -> None:
    paths = Platform().paths(endpoint(path="/webhooks/stripe/"), endpoint(path="hooks/b"), endpoint(path="/"))
    assert paths.at("/webhooks/stripe") is paths.at("/webhooks/stripe/") is not None
    assert paths.at("/hooks/b") is paths.at("/hooks/b/") is not None
    assert paths.at("/") is not None
    for other in ("/webhooks", "/webhooks/stripe//", "/webhooks/stripe/x", "//hooks/b"):
        assert paths.at(other) is None
    reached: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        reached.append(scope["type"])

    async def send(message: Message) -> None:
        reached.append(str(message.get("status")))

    async def receive() -> Message:
        return {"type": "http.request"}

    front = paths.ahead_of(app)
    await front({"type": "lifespan"}, receive, send)
    await front({"type": "http", "path": "/metrics"}, receive, send)
    await front({"type": "http", "path": "/hooks/b/", "method": "POST", "headers": []}, receive, send)
    assert reached == ["lifespan", "http", "400", "None"]


HEADERS = st.lists(
    st.tuples(
        st.sampled_from([b"stripe-signature", b"content-length", b"content-encoding", b"x"]), st.binary(max_size=40)
    ),
    max_size=5,
)


@given(headers=HEADERS, chunks=st.lists(st.binary(max_size=40), min_size=1, max_size=4))
@settings(max_examples=200)
def test_every_request_has_one_whole_answer(headers: list[tuple[bytes, bytes]], chunks: list[bytes]) -> None:
    answer = asyncio.run(send_to(Platform().paths(max_body=60), chunks, headers))
    start, body = answer.messages
    assert start["status"] in {400, 413, 415}
    assert int(answer.headers["content-length"]) == len(body["body"])
    assert set(answer.document) == {"error", "hint"}


@pytest.mark.parametrize("off", [-301, 301])
async def test_somebody_is_told_when_a_clock_is_wrong(off: int) -> None:
    """Stripe signed it, and it is refused for its time: it will send it again, and somebody has to look."""
    platform = Platform()
    body = snapshot_body()
    answer = await post(platform.paths(), body, signed(body, timestamp=NOW + off))
    assert answer.status == 400
    assert platform.malformed == [("connect", "too_old" if off < 0 else "too_new")]
    assert (await post(platform.paths(), body, signed(body, "whsec_other", timestamp=NOW + off))).status == 400
    assert len(platform.malformed) == 1, "a stranger's request is told nobody"
