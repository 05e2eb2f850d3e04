"""Rules over events that have been: what they would have done, and what a change to them alters."""

from engine.backtest.run import Backtest
from engine.backtest.selection import Selection, select
from engine.backtest.tally import RuleTally, Sample

__all__ = ["Backtest", "RuleTally", "Sample", "Selection", "select"]
