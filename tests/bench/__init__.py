"""Measurements, as ratios within one run: machines are noisy, and no test asserts a duration."""
