"""What makes the stream of events lose nothing: keys, requests for what was missed, and who answers them."""
