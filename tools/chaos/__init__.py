"""A bounded run on the real parts while parts, links and chargers fail, judged from the outside: `make chaos`."""
