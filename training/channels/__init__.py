"""Channels: codecs, packet loss, rooms, noise, and sounds that are not speech."""
