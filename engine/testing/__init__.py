"""The rules' own tests: read with every mistake at its place, and run without a server, a database or the network."""

from engine.testing.junit import to_junit
from engine.testing.reading import ReadTests, read_tests
from engine.testing.running import Problem, Result, Runner
from engine.testing.trial import Answer, Fired, Given, RuleTest

__all__ = ["Answer", "Fired", "Given", "Problem", "ReadTests", "Result", "RuleTest", "Runner", "read_tests", "to_junit"]
