"""Events: built from results, numbered, validated and handed to the sinks."""
