"""What a command decides without a client: pure functions over an integration as it is."""
