"""A street put together: ground, weather, houses, who and what is on it."""
