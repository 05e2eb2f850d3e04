"""Decisions as pure functions: state and a moment in, what to do out. No I/O, no clock, no chance."""
