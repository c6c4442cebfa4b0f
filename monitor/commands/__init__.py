"""One file per command; monitor/cli/ has their flags."""
