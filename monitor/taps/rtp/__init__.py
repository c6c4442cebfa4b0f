"""RTP over UDP without signalling."""
