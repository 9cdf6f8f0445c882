"""The development issuer: who there is, what they get tokens by, and the tokens. It knows nothing of HTTP."""
