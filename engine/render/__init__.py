"""Texts: the scene they read, templates in a sandbox, filters, and a default message for every event."""

from engine.render.alert import render_alert
from engine.render.course import acknowledge_line
from engine.render.default_message import default_message
from engine.render.digest import Form, render_digest
from engine.render.gathered import NO_REST, Item, Rest, digest_scene
from engine.render.message import Message
from engine.render.noise import acted_late, left_out_between, left_out_since, sent_late, span_text
from engine.render.scene import account_name, changes, scene, told_of
from engine.render.survey import ACCOUNT_NAMES, FAILED_NAMES, Survey, check_template, survey
from engine.render.text import render_text, render_title, render_value

__all__ = [
    "ACCOUNT_NAMES",
    "FAILED_NAMES",
    "NO_REST",
    "Form",
    "Item",
    "Message",
    "Rest",
    "Survey",
    "account_name",
    "acknowledge_line",
    "acted_late",
    "changes",
    "check_template",
    "default_message",
    "digest_scene",
    "left_out_between",
    "left_out_since",
    "render_alert",
    "render_digest",
    "render_text",
    "render_title",
    "render_value",
    "scene",
    "sent_late",
    "span_text",
    "survey",
    "told_of",
]
