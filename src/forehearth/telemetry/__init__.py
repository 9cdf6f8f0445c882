"""What the program tells about itself: metrics and logs. It never holds a secret, a prompt or an answer."""
