"""Corpora, augmentation, training and evaluation. Imports model/ and nothing of monitor/."""
