"""The rules' own tests: read with every mistake at its place, and run without a server, a database or the network.

To read them takes little (`check` does); what runs them is in `engine.testing.running`.
"""

from engine.testing.reading import ReadTests, read_tests
from engine.testing.trial import Answer, Fired, Given, RuleTest, Test, TimelineTest

__all__ = ["Answer", "Fired", "Given", "ReadTests", "RuleTest", "Test", "TimelineTest", "read_tests"]
