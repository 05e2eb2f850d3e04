"""JSON Schemas (draft 2020-12) of the files that people write, for editors: they complete, describe and underline.

They are made of the tables that `check` reads by, and say of a file's form what `check` says; names, paths and what
Stripe's objects have are for `check` alone. `tocsin schema` prints them.
"""

from engine.editor.config import schema_of_config
from engine.editor.rules import schema_of_rules
from engine.editor.tests import schema_of_tests

__all__ = ["schema_of_config", "schema_of_rules", "schema_of_tests"]
