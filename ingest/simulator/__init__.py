"""The simulator: gateways that speak the profile, a seeded fleet of units, a real steel plant."""
