"""Re-synthesis of real speech as training material."""
