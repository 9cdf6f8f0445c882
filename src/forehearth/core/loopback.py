"""Whether a host is this machine, by its name alone: nobody is asked what the name means."""

import ipaddress


def is_loopback(host: str) -> bool:
    """Whether it is `localhost` or a loopback address, without brackets."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
