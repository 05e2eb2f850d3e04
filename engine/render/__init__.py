"""Texts: the scene they read, templates in a sandbox, filters, and a default message for every event."""

from engine.render.alert import render_alert
from engine.render.default_message import default_message
from engine.render.message import Message
from engine.render.scene import account_name, scene, told_of
from engine.render.survey import ACCOUNT_NAMES, FAILED_NAMES, Survey, check_template, survey
from engine.render.text import render_text, render_title, render_value

__all__ = [
    "ACCOUNT_NAMES",
    "FAILED_NAMES",
    "Message",
    "Survey",
    "account_name",
    "check_template",
    "default_message",
    "render_alert",
    "render_text",
    "render_title",
    "render_value",
    "scene",
    "survey",
    "told_of",
]
