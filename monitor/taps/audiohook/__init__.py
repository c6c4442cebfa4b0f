"""Genesys AudioHook, version 2: signed requests, a conversation in JSON, and audio in PCMU; all of it pure."""
