"""Where recordings come from: a simulator that knows the answer, and public data."""
