"""One small page: a title, a few lines, and perhaps a button. No script, nothing from elsewhere, nothing secret."""

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape

STYLE = """
:root { color-scheme: light dark; --ink: #1a1f36; --dim: #5b6275; --line: #d5dbe1; --back: #f6f8fa; --card: #fff;
  --open: #b42318; --acknowledged: #175cd3; --resolved: #067647; }
@media (prefers-color-scheme: dark) { :root { --ink: #f0f2f5; --dim: #a3abbd; --line: #363d4d; --back: #12151c;
  --card: #1b202b; --open: #f97066; --acknowledged: #84adff; --resolved: #47cd89; } }
* { box-sizing: border-box; }
body { margin: 0; padding: 6vh 1rem; background: var(--back); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
main { max-width: 30rem; margin: 0 auto; padding: 1.75rem; background: var(--card); border: 1px solid var(--line);
  border-radius: 12px; }
h1 { margin: 0 0 1rem; font-size: 1.25rem; line-height: 1.35; overflow-wrap: anywhere; }
p { margin: 0 0 .25rem; color: var(--dim); overflow-wrap: anywhere; }
.status { display: inline-block; margin: 0 0 .75rem; font-size: .8125rem; font-weight: 600; color: var(--ink);
  text-transform: capitalize; }
.status::before { content: "●"; margin-right: .4rem; }
.open::before { color: var(--open); } .acknowledged::before { color: var(--acknowledged); }
.resolved::before { color: var(--resolved); }
form { margin: 1.5rem 0 0; display: grid; gap: .9rem; }
label { display: grid; gap: .3rem; font-size: .875rem; font-weight: 600; }
input { font: inherit; color: inherit; padding: .55rem .7rem; border: 1px solid var(--line); border-radius: 8px;
  background: var(--back); width: 100%; }
button { font: inherit; font-weight: 600; padding: .7rem; border: 0; border-radius: 8px; background: #3538cd;
  color: #fff; cursor: pointer; }
button:hover { background: #2d31a6; }
input:focus-visible, button:focus-visible { outline: 3px solid #84adff; outline-offset: 2px; }
footer { margin: 1.25rem auto 0; max-width: 30rem; font-size: .8125rem; color: var(--dim); text-align: center; }
"""

_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()

HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{_HASH}'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex, nofollow",
    "Cache-Control": "no-store",
}
"""The page may load and run nothing, and the address it stands at is told to nobody."""

_FORM = """
<form method="post">
<label>Your name<input name="by" maxlength="100" autocomplete="name" autofocus></label>
<label>Comment, for the others<input name="comment" maxlength="500"></label>
<button>Acknowledge</button>
</form>"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What it says. `form`: it has the button; the form posts to where the page stands."""

    title: str
    lines: tuple[str, ...] = ()
    status: str | None = None
    form: bool = False
    at: str | None = None


def page(shown: Page) -> str:
    """The page as HTML, all of it escaped."""
    status = f'<p class="status {escape(shown.status)}">{escape(shown.status)}</p>' if shown.status else ""
    lines = "\n".join(f"<p>{escape(line)}</p>" for line in shown.lines)
    footer = f"<footer>Tocsin, {escape(shown.at)}</footer>" if shown.at else "<footer>Tocsin</footer>"
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(shown.title)}</title>
<style>{STYLE}</style>
</head>
<body>
<main>
{status}
<h1>{escape(shown.title)}</h1>
{lines}{_FORM if shown.form else ""}
</main>
{footer}
</body>
</html>
"""
