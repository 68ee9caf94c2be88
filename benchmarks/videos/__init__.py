"""Benchmarks of videos alone."""
