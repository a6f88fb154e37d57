/** TanStack AI: its response helper on the server, its fetch connection on the client. */
import { toServerSentEventsResponse } from "@tanstack/ai";
import { fetchServerSentEvents } from "@tanstack/ai-client";
import { toAgUiEvents } from "./ag-ui-events.ts";
import { eventStreamResponse, type Implementation } from "./implementation.ts";

type Chunks = Parameters<typeof toServerSentEventsResponse>[0];

export const implementation: Implementation = {
  title: "TanStack AI",
  packages: ["@tanstack/ai", "@tanstack/ai-client"],
  isUnvalidated: true,
  form:
    "`toServerSentEventsResponse(stream, { abortController })`; `fetchServerSentEvents(url).connect(…)`; " +
    "no heartbeats",

  translate: toAgUiEvents,

  encode: (source) =>
    toServerSentEventsResponse(source as Chunks, { abortController: new AbortController() }),

  async decode(body, onChunk) {
    const fetchClient = async () => eventStreamResponse(body);
    const connection = fetchServerSentEvents("http://localhost/", { fetchClient });
    const run = { threadId: "thread-1", runId: "run-1" };
    for await (const chunk of connection.connect([], undefined, undefined, run)) onChunk(chunk);
  },
};
