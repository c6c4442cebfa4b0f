"""A small neural vocoder that this project trains from scratch on real speech, to make training material with."""
