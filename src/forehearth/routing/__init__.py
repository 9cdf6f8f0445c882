"""From the name a call asks for to the deployment that answers it."""
