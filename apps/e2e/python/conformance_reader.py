"""Reads answers for the conformance kit: for each line of pieces, a line of what the reader found."""
import base64, json, sys
from kortyx_stream import Reader

for line in sys.stdin:
    reader, chunks = Reader(), []
    try:
        for piece in json.loads(line):
            if piece is None:
                reader.begin_response()
            else:
                for chunk in reader.feed(base64.b64decode(piece)):
                    chunks.append(chunk)
        outcome = reader.outcome()
    except ValueError:
        outcome = "violation"
    last_id, retry_ms = reader.last_event_id, reader.retry_ms
    print(json.dumps({"chunks": chunks, "outcome": outcome, "lastEventId": last_id, "retryMs": retry_ms}))
