"""What every part that writes files shares: names that any disk takes, files for their owner alone, locks."""
