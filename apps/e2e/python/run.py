"""Runs the reader and the writer for a test: a job as JSON on stdin, its result on stdout."""
import json, sys
from kortyx_client import ask
from kortyx_stream import Reader, complete, write_answer


def answer(url, body):
    reader = Reader()
    chunks = list(ask(url, body, reader))
    return {"chunks": chunks, "outcome": reader.outcome(), "lastEventId": reader.last_event_id}


def written(chunks, run_id, fails):
    def source():
        yield from chunks
        if fails:
            raise RuntimeError("a secret")
    return "".join(write_answer(complete(source()), run_id))


jobs = {"answer": answer, "written": written}
name, *arguments = json.load(sys.stdin)
json.dump(jobs[name](*arguments), sys.stdout)
