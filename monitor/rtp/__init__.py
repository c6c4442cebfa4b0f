"""RTP, from packets to audio: parse, put in order, decode. Pure functions and values: no socket, clock or thread."""
