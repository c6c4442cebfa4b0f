"""Sources of audio: recordings, captures, microphones and what the computer plays, one file each."""
