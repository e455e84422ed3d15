"""What users write and read: the resource's spec, its status, and the names they are found under."""
