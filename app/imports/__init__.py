"""What each kind of registry file means: one module per noun, and the plan they have in common."""
