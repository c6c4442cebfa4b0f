"""The command `training`."""
