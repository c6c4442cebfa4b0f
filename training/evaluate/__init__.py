"""Evaluation: scores, metrics, plots and reports."""
