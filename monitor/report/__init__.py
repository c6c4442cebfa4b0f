"""A page that tells what was found in a call, for somebody who was not there."""
