"""The instrument's own widgets. They show what they are given and ask by signal; none of them knows a session."""
