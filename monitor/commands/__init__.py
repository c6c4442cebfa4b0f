"""One file per command; monitor/cli.py has their flags."""
