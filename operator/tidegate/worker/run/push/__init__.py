"""The push, batch by batch: read and merge → find existing → write → acknowledge."""
