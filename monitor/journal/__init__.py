"""The journal as files: lines that are chained, the files they rotate through, reading and verifying them."""
