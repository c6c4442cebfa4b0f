"""Neural vocoders whose weights others have published, to make training material with. No part of them ships."""
