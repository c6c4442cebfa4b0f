"""Evidence kept on disk: what was heard around each alert, what was said of it, and proof that nobody changed it."""
