"""How clients connect: the shapes of the API, what calls them, and what it means when a call fails."""
