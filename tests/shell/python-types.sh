#!/usr/bin/env bash
# The types of the Python package: mypy --strict finds nothing in it, for the syntax of 3.7 (the oldest that mypy knows) and of
# today, nor in a program that uses it rightly; and it finds what a program does wrong.
set -uo pipefail
cd "$(dirname "$0")/../.."
. tests/tap.sh
cd python-shim

if ! bash ../packaging/install-missing.sh mypy > "$work/log" 2>&1; then
  report "mypy is installed" 1
  finish_tap
fi
types() { PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 -m mypy --strict --cache-dir "$work/cache" "$@" > "$work/log" 2>&1; }

types --python-version 3.7 quickq
report "the package is clean for the syntax of 3.7" $?
types quickq
report "the package is clean for the syntax of today" $?

cat > "$work/right.py" << 'END'
from datetime import timedelta
from typing import Dict, List

import quickq
import quickq.api as mq
from quickq import ssec
from quickq.api import AmqpClient, AmqpConnection, ClusteredConnection, DeliveryStatus

event: Dict[str, object] = {"satellite_ID": "G16"}
mid: str = quickq.publish(event, route_key=ssec.topic_for(event), headers={"a": 1, "b": None}, ttl=timedelta(hours=1))
ids: List[str] = quickq.publish_many([event, quickq.Message(b"x", message_id="i")], route_key=lambda payload: str(payload))
states: Dict[str, str] = quickq.status(mid, "mq1")
done: bool = quickq.wait(ids, 10, "mq1")
outcome: str = quickq.outcome(ids)
reasons = [delivery["reason"] for delivery in quickq.details(quickq.publish(event, routing_key="k"))["deliveries"]]
try:
    quickq.publish(event)
except quickq.QuickqError as failure:
    print(failure.message, failure.hint, failure.code)


@quickq.on_connection_change
def changed(server: str, state: str) -> None:
    print(server, state)


mq.configure(reconnect_window=1, confirm_wait=0.5)
mq.connect("mq1", "mq2", user="u", password="p", exchange="e", cluster=True)
client = AmqpClient(name="c")
client.connect(ClusteredConnection([AmqpConnection("mq1"), AmqpConnection.from_uri("amqp://mq2")]))
for server, status in client.publish(event, "k").items():
    if status != "DELIVERED" and status is not DeliveryStatus.PENDING:
        print(server)
END
MYPYPATH=. types "$work/right.py"
report "a program that uses it rightly is clean" $?

cat > "$work/wrong.py" << 'END'
import quickq
import quickq.api as mq

quickq.publish({}, route_key=5)
quickq.publish({}, headers={"a": [1]})
quickq.publish({}, "k", "x", {"h": "v"})
mq.connect("mq1", password=5)
END
MYPYPATH=. types "$work/wrong.py"
[ "$(grep -c ': error: ' "$work/log")" = 4 ]
report "what a program does wrong is found" $?

finish_tap
