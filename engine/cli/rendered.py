"""How it looks what would be sent."""

import json
from collections.abc import Callable, Mapping

from engine.cli.fates import aim
from engine.cli.masking import masked
from engine.cli.render import Rendered, Renderings, without_secrets
from engine.cli.report import mode_word, print_fields, print_line, say, styled
from engine.model.event import Json
from engine.model.rule import RuleMode, Verb


def print_rendered(shown: Renderings) -> None:
    """The event and whether the rule holds for it, then each destination and what it would get."""
    event = shown.event
    about = [f"{event.id} {event.type}", event.account or "your own account", mode_word(event.livemode), shown.source]
    print_line(styled("  ".join(about), "bold"))
    for remark in _remarks(shown):
        say(f" {remark}", "yellow")
    for each in shown.all:
        say("")
        if each.after_failure:
            say("when a step is given up:", "dim")
        _print_one(each)
    if not shown.all:
        say(" nothing to send", "dim")


def _remarks(shown: Renderings) -> list[str]:
    found = []
    because = shown.verdict.because
    if shown.rule.mode is not RuleMode.LIVE:
        state = "in shadow" if shown.rule.mode is RuleMode.SHADOW else "off"
        found.append(f"{shown.rule.id} is {state}: this is what it would send if it were live")
    if because is not None and because.path != "mode":
        found.append(f"{shown.rule.id} does not hold for it: {because.path} {because.actual}   needs {because.needs}")
    if shown.read:
        found.append(f"made up: what is read from Stripe first ({', '.join(shown.read)})")
    if shown.made_up:
        found.append(f"made up: what {', '.join(shown.made_up)} returned; --result gives it")
    return found


def _print_one(each: Rendered) -> None:
    head = styled(aim(each.delivery), "bold")
    if each.sent is None:
        why = f"refused: {each.refused}" if each.refused else f"skipped: {each.delivery.reason}"
        print_line(head.append_text(styled(f"   {why}", "red" if each.refused else "dim")))
        if each.request is not None:
            _print_text(json.dumps(masked(each.request), indent=2, ensure_ascii=False))
        return
    _PRINTERS[each.delivery.verb](each, without_secrets(each))


def _print_messages(each: Rendered, sent: Json) -> None:
    print_line(styled(aim(each.delivery), "bold").append_text(styled(f"   through {sent['service']}", "dim")))
    messages = sent["messages"]
    for place, message in enumerate(messages, 1):
        if len(messages) > 1:
            say(f"  message {place} of {len(messages)}", "dim")
        print_fields({"title": message["title"] or None, "text": message["format"]}, indent=2)
        _print_text(message["text"].replace("\r\n", "\n"))


def _print_callback(each: Rendered, sent: Json) -> None:
    say(aim(each.delivery), "bold")
    say(f"  {sent['method']} {sent['url']}")
    _print_headers(sent["headers"])
    if sent["body"] is not None:
        say("")
        _print_text(_readable(sent["body"], sent["headers"]))


def _print_call(each: Rendered, sent: Json) -> None:
    print_line(styled(aim(each.delivery), "bold").append_text(styled(f"   with {sent['key']}", "dim")))
    say(f"  {sent['method']} {sent['url']}")
    _print_headers(sent["headers"])
    if sent["params"]:
        say("")
        _print_text(json.dumps(sent["params"], indent=2, ensure_ascii=False))


def _print_headers(headers: Mapping[str, str]) -> None:
    for name, value in headers.items():
        print_line(styled(f"  {name}: ", "dim").append_text(styled(value)))


def _readable(body: str, headers: Mapping[str, str]) -> str:
    """JSON with a line a field, for people; --json has it as it is."""
    if headers.get("content-type", "").startswith("application/json"):
        return json.dumps(json.loads(body), indent=2, ensure_ascii=False)
    return body


def _print_text(text: str) -> None:
    say("\n".join(f"    {line}".rstrip() for line in text.split("\n")))


_PRINTERS: Mapping[Verb, Callable[[Rendered, Json], None]] = {
    Verb.NOTIFY: _print_messages,
    Verb.CALLBACK: _print_callback,
    Verb.STRIPE: _print_call,
}
