"""Runs the reader and the writer for a test: a job as JSON on stdin, its result on stdout."""
import json, pathlib, sys
from kortyx_client import ask
from kortyx_stream import Reader, write_answer


def read(pieces):
    """What the reader makes of a body in pieces."""
    reader, chunks, event_ids = Reader(), [], []
    try:
        for piece in pieces:
            for chunk in reader.feed(piece):
                chunks.append(chunk)
                event_ids.append(reader.last_event_id)
        outcome = reader.outcome()
    except ValueError:
        outcome = "violation"
    return {"chunks": chunks, "eventIds": event_ids, "outcome": outcome}


def read_all_cuts(body):
    """The different results of reading a body whole, byte by byte, and in two pieces at every place."""
    cuts = [[body], [body[i : i + 1] for i in range(len(body))]]
    cuts += [[body[:i], body[i:]] for i in range(1, len(body))]
    return [json.loads(text) for text in {json.dumps(read(pieces)) for pieces in cuts}]


def transcripts(folder):
    files = pathlib.Path(folder).glob("*/*.sse")
    return {f"{file.parent.name}/{file.stem}": read_all_cuts(file.read_bytes()) for file in files}


def answer(url, body):
    reader = Reader()
    chunks = list(ask(url, body, reader))
    return {"chunks": chunks, "outcome": reader.outcome(), "lastEventId": reader.last_event_id}


def written(chunks, run_id, fails):
    def source():
        yield from chunks
        if fails:
            raise RuntimeError("a secret")
    return "".join(write_answer(source(), run_id))


def read_bodies(bodies):
    return [read_all_cuts(body.encode()) for body in bodies]


jobs = {"read": read_bodies, "transcripts": transcripts, "answer": answer, "written": written}
name, *arguments = json.load(sys.stdin)
json.dump(jobs[name](*arguments), sys.stdout)
