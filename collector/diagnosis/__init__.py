"""Pure functions over a trace: where its passages went."""
