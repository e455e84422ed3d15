"""One run: recover → scan → pair → guard → push, and the session that its steps share."""
