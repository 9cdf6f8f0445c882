"""A preparation of the toy kind: it does what the model's name says."""

import sys
import time

import msgspec

from forehearth.server.lifeline import Lifeline
from forehearth.server.messages import Progress, Ready, Trouble
from forehearth.server.orders import FetchOrder


def main() -> int:
    lifeline = Lifeline.from_standard_input()
    order = msgspec.json.decode(lifeline.order(), type=FetchOrder)
    for model in order.models:
        lifeline.say(Progress(name=model.name, done=5, total=10, step="fetching"))
        if model.name == "never-ends":
            time.sleep(60)
        if model.name == "not-there":
            lifeline.say(Trouble(reason="not-there: no such model"))
            return 1
        lifeline.say(Progress(name=model.name, done=10, total=10, step="ready"))
        if model.name == "no-engine":
            lifeline.say(Trouble(reason="the engine cannot start here"))
            return 1
    lifeline.say(Ready())
    return 0


if __name__ == "__main__":
    sys.exit(main())
