"""Channel URLs: how they are split into recipients, and what is said of those that cannot be used."""

import pytest

from notifiers.channels import problem, recipients
from tests.notifiers.deliveries import channel


@pytest.mark.parametrize(
    ("url", "labels"),
    [
        ("mailtos://u:p@example.com?to=a@x.com,b@x.com", ("a@x.com", "b@x.com")),
        ("mailto://u:p@example.com/a@x.com/b@x.com?cc=c@x.com", ("a@x.com", "b@x.com")),
        ("mailto://u:p@example.com?to=Ann <a@x.com>,Bob <b@x.com>", ("a@x.com", "b@x.com")),
        ("mailto://u:p@example.com?to=a@x.com", ()),
        ("slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/#general/#ops", ("#general", "#ops")),
        ("tgram://123456789:abcdefg_hijklmnop/12315544/12315545", ("12315544", "12315545")),
        (
            "twilio://AC735c30f62ee1ef1234567890abcdef12:5d2c5d0c1d2e3f4a5b6c7d8e9fa0b1c2@15551112222"
            "/15553334444/15555556666",
            ("+15553334444", "+15555556666"),
        ),
        ("mailgun://user@example.com/abcdef/a@x.com/b@x.com?batch=yes", ()),
        ("mailgun://user@example.com/abcdef/a@x.com/b@x.com?retry=3", ("a@x.com", "b@x.com")),
        ("discord://4174216298/JHMHI8qBe7bk2ZwO5U711o3dV_js", ()),
        ("json://localhost/x", ()),
        ("pover://uuuuuuuuuuuuuuuuuuuuuuuuuuuuuu@aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/dev1/dev2", ()),
        ("nonsense://x", ()),
    ],
)
def test_a_url_is_split_where_each_recipient_gets_a_message_of_its_own(url: str, labels: tuple[str, ...]) -> None:
    assert recipients(channel(url=url)) == labels


def test_the_console_has_no_recipients() -> None:
    assert recipients(channel()) == ()


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("slakc://secret-token", "did you mean 'slack://'?"),
        ("slack://secret-token", "this is not a complete Slack URL; it looks like slack://"),
        ("qqqqqqqq://secret-token", "Apprise knows no service 'qqqqqqqq://'"),
    ],
)
def test_a_url_that_cannot_be_used_says_what_to_write_without_showing_it(url: str, says: str) -> None:
    found = problem(url)
    assert found is not None
    assert says in found
    assert "secret-token" not in found


def test_a_url_that_can_be_used_has_no_problem() -> None:
    assert problem("json://localhost/x") is None
