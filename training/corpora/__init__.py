"""Speech corpora: reading, fetching, splitting and caching them."""
