"""`make bench`: what a call through this gateway costs, beside other gateways, on one machine and in one run."""
