/** What is worth knowing of a route that is no fault of its path. */
import { lateness, measureArrival, slackMs } from "./arrival.ts";
import type { Examination } from "./examine-route.ts";
import { type Finding, note, pages } from "./finding.ts";

/** @param direct - The examination of the same route without the proxies. */
export function findNotes(examination: Examination, direct: Examination | undefined): Finding[] {
  const { answer, url, controlMs } = examination;
  const { heartbeatMs, delay, firstByteMs, isInOnePiece, events } = measureArrival(answer, examination);
  const cacheControl = findCacheControl(examination, direct);
  const notes: Finding[] = cacheControl === undefined ? [] : [cacheControl];
  if (answer.httpVersion !== "2") {
    notes.push(
      note(
        "http-1",
        `HTTP/${answer.httpVersion}: a browser opens six connections to this origin, in all its tabs together.`,
        {
          fixes: [`HTTP/2 at the last hop${url.protocol === "http:" ? ", which needs TLS" : ""}`],
          page: pages.sixConnections,
        },
      ),
    );
  }
  if (heartbeatMs === 0) {
    notes.push(
      note("no-heartbeats", "The route sends no heartbeats: proxies close an answer that pauses.", {
        fixes: ["remove `heartbeatMs: 0` from the options of the route"],
      }),
    );
  }
  if (delay === undefined && isInOnePiece) {
    notes.push(
      note("one-piece", `All ${events} events came in one moment, long after the connection was open.`, {
        culprit: "Likely the agent: it, or its model, returns the answer as a whole.",
        fixes: ["request a stream from the model"],
      }),
    );
  }
  const lateMs = (firstByteMs ?? 0) - (controlMs ?? 0);
  if (delay === undefined && lateMs > slackMs) {
    notes.push(
      note("late-start", `The first bytes came ${lateness(lateMs, controlMs)}.`, {
        culprit: "Work of the route before it responds, or a buffer that must be filled first.",
      }),
    );
  }
  if (answer.blocks.some(({ type }) => type === "error" || type === "RUN_ERROR")) {
    notes.push(note("agent-failed", "The agent failed: its answer contains an `error`."));
  }
  return notes;
}

function findCacheControl({ answer }: Examination, direct: Examination | undefined): Finding | undefined {
  const control = answer.headers["cache-control"];
  if (/no-cache|no-store|private/i.test(control ?? "")) return undefined;
  const sent = direct?.answer.headers["cache-control"];
  return note(
    "cache-control",
    `The response has ${control ? `\`cache-control: ${control}\`` : "no cache-control header"}: a cache may store it.`,
    {
      culprit: sent
        ? `A proxy has changed it: the server sends \`cache-control: ${sent}\`.`
        : "The `headers` of the route, or a proxy that removes the `cache-control: no-cache` of the server.",
    },
  );
}
