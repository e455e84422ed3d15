"""What is printed: objects and log lines → text for people."""
