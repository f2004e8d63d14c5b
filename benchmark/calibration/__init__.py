"""Calibration by simulation: studies whose truth is known, judged by the code that judges a person's (PROTOCOL 18)."""
