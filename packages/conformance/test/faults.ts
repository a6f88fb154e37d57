/** The faults: of a stream, of a request, of a run, of a stop. Each names the checks that must notice it. */
import {
  changeHeaders,
  changeRefusals,
  changeStream,
  changeStreams,
  type Fault,
  fieldsOf,
  json,
} from "./faulty-servers.ts";

const hello = JSON.stringify({ messages: [{ role: "user", content: "conformance:echo Hello" }] });
const end = "data: [DONE]\n\n";
const replace = (from: string | RegExp, to: string) => changeStreams((event) => event.replaceAll(from, to));

const grammar = "every block of lines follows the grammar";
const text = "the text arrives unchanged";
const outcome = "the answer is complete, and its outcome is done";
const oneEnd = "nothing but [DONE] follows a done, and nothing follows [DONE]";
const failure = "an agent that fails ends its answer with an error, after what it had written";
const buffered = 'the answer to "stream": false is one JSON value';
const bufferedFailure = 'a failed answer to "stream": false has status 500 and the error';

const resumed = "a resumed stream follows the grammar, and has one end";

const streamFaults: Fault[] = [
  {
    name: "streams have another media type",
    breaks: ["a POST gets a stream"],
    isWide: true,
    handle: changeHeaders((headers) => headers.set("content-type", "text/plain")),
  },
  {
    name: "streams may be cached",
    breaks: ["the response must not be cached"],
    handle: changeHeaders((headers) => headers.delete("cache-control")),
  },
  {
    name: "nginx buffers streams",
    breaks: ["nginx is asked not to buffer"],
    handle: changeHeaders((headers) => headers.delete("x-accel-buffering")),
  },
  { name: "lines end with CR LF", breaks: [grammar, resumed], handle: replace("\n", "\r\n") },
  { name: "no space follows the colon", breaks: [grammar, resumed], handle: replace("data: ", "data:") },
  {
    name: "events have a type",
    breaks: [grammar, resumed],
    handle: replace(/^(?=data)/gm, "event: message\n"),
  },
  { name: "a chunk has two lines", breaks: [grammar, resumed], handle: replace('","', '",\ndata: "') },
  {
    name: "an event is not ended",
    breaks: [grammar, oneEnd],
    isPlain: true,
    handle: replace(end, `${end}data: {`),
  },
  {
    name: "no blank line ends an event",
    breaks: ["every chunk has its fields"],
    isWide: true,
    isPlain: true,
    handle: replace("}\n\n", "}\n"),
  },
  {
    name: "a chunk is a list",
    breaks: ["every chunk has its fields"],
    isWide: true,
    handle: replace(/data: ({.*})/g, "data: [$1]"),
  },
  {
    name: "a chunk is null",
    breaks: ["every chunk has its fields"],
    isWide: true,
    handle: replace(/data: {.*}/g, "data: null"),
  },
  {
    name: "U+2028 is sent as it is",
    breaks: ["characters that end a line for some readers are escaped"],
    handle: replace("\\u2028", "\u2028"),
  },
  {
    name: "an optional field is null",
    breaks: ["optional fields without a value are left out"],
    handle: replace('"text-delta",', '"text-delta","id":null,'),
  },
  {
    name: "a text has no delta",
    breaks: ["every chunk has its fields"],
    isWide: true,
    handle: replace('"delta"', '"text"'),
  },
  { name: "a character is lost", breaks: [text], handle: replace("é", "e") },
  {
    name: "a done is sent as an abort",
    breaks: [outcome],
    isPlain: true,
    handle: replace('"done","finishReason"', '"abort","reason"'),
  },
  {
    name: "nothing marks the end",
    breaks: ["[DONE] ends a complete answer", failure, "[DONE] ends a failed answer"],
    isPlain: true,
    handle: replace(end, ""),
  },
  {
    name: "a chunk follows the done",
    breaks: [oneEnd],
    isPlain: true,
    handle: replace(end, `data: {"type":"x-late"}\n\n${end}`),
  },
  { name: "the end is marked twice", breaks: [oneEnd, resumed], handle: replace(end, end + end) },
  { name: "a comment follows the end", breaks: [oneEnd, resumed], handle: replace(end, `${end}: bye\n\n`) },
  { name: "the end has an id", breaks: [grammar], isPlain: true, handle: replace(end, `id: r.9\n${end}`) },
  {
    name: "a failure is not reported",
    breaks: [failure],
    isPlain: true,
    handle: changeStreams((event) => (event.includes('"error"') ? "" : event)),
  },
  {
    name: "a failure takes the text before it along",
    breaks: [failure],
    isPlain: true,
    async handle(request, forward) {
      const response = await forward(request.with({}));
      const isFailing = request.body.includes("conformance:fail");
      return isFailing
        ? changeStream(response, (event) => (event.includes("text-delta") ? "" : event))
        : response;
    },
  },
  {
    name: "an exception is sent to the user",
    breaks: ["the text of the agent's exception stays on the server"],
    handle: replace("Something went wrong", "conformance-secret"),
  },
  {
    name: "a proxy waits for the whole answer",
    breaks: ["a chunk is sent when the agent has it"],
    timeoutMs: 300,
    async handle(request, forward) {
      const response = await forward(request.with({}));
      return new Response(await response.text(), response);
    },
  },
  {
    name: "other comments follow the first heartbeat",
    breaks: ["heartbeats come as announced"],
    timeoutMs: 10_000,
    async handle(request, forward) {
      let count = 0;
      return changeStream(await forward(request.with({})), (event) =>
        event.startsWith(":hb") && count++ > 0 ? ": ping\n\n" : event,
      );
    },
  },
  {
    name: '"stream": false is ignored',
    breaks: [buffered, bufferedFailure],
    handle: (request, forward) =>
      forward(
        request.body.includes('"stream":false')
          ? request.with({ body: request.body.replace(',"stream":false', "") })
          : request.with({}),
      ),
  },
  {
    name: "the exception of a buffered answer is sent to the user",
    breaks: [bufferedFailure],
    handle: changeRefusals((body, status) => json({ ...body, text: "conformance-secret" }, status)),
  },
  {
    name: "the chunks of a buffered answer have no texts",
    breaks: [buffered],
    async handle(request, forward) {
      const response = await forward(request.with({}));
      if (fieldsOf(request).stream !== false || response.status !== 200) return response;
      const { chunks, ...body } = await response.json();
      const others = chunks.filter(({ type }: { type: string }) => type !== "text-delta");
      return json({ ...body, chunks: others });
    },
  },
  {
    name: "the chunks of a buffered answer are null",
    breaks: [buffered],
    async handle(request, forward) {
      const response = await forward(request.with({}));
      if (fieldsOf(request).stream !== false || response.status !== 200) return response;
      const { chunks, ...body } = await response.json();
      return json({ ...body, chunks: [null, ...chunks] });
    },
  },
  {
    name: "a buffered answer breaks off",
    breaks: [buffered, bufferedFailure],
    async handle(request, forward) {
      if (fieldsOf(request).stream !== false) return forward(request.with({}));
      const broken = new ReadableStream({ start: (controller) => controller.error(new Error("Cut.")) });
      return new Response(broken, { headers: { "content-type": "application/json" } });
    },
  },
  {
    name: "a buffered answer has no list of chunks",
    breaks: [buffered],
    async handle(request, forward) {
      const response = await forward(request.with({}));
      if (fieldsOf(request).stream !== false || response.status !== 200) return response;
      return json({ ...(await response.json()), chunks: undefined });
    },
  },
  {
    name: "a failed buffered answer has status 200",
    breaks: [bufferedFailure],
    async handle(request, forward) {
      const response = await forward(request.with({}));
      return fieldsOf(request).stream === false
        ? new Response(response.body, { headers: response.headers })
        : response;
    },
  },
];

const wrongBodies = [
  "a body that is a list",
  "no messages",
  "messages that are not a list",
  "a message of an unknown role",
  "a message without content",
  "a content that is not a text",
  "a stream that is not a boolean",
  "a sessionId that is too long",
  "an idempotencyKey that is too long",
  "an empty idempotencyKey",
  "an idempotencyKey with a space",
  "a workflowId that is not a text",
  "a context that is not an object",
  "a tool without a name",
  "an unknown trigger",
  "an answer without its resumeToken",
  "a tool's result without its call",
].map((name) => `${name}: refused`);
const unreadable = ["a body that is not JSON is refused", "a body that is not UTF-8 is refused"];
const scriptFile = "a file with the URL of a script is refused";
const mentionsJSON = "a media type that only mentions JSON is refused";
const otherRun = "a repeated POST with the event id of another run is refused";
const otherRefusals = [
  ...unreadable,
  mentionsJSON,
  otherRun,
  "a malformed position is refused",
  "a body of another media type is refused",
  "another method is refused",
  scriptFile,
  "an unknown run is refused",
  "a malformed event id is refused",
  "a GET that names no run is refused",
  "an idempotencyKey with another body is refused",
  "a stop of an unknown run is refused",
  "a stop that names no run is refused",
  "a stop by a key that cannot be one is refused",
];

/** Refuses requests that are right. */
const refuseIf =
  (isRefused: (request: Parameters<Fault["handle"]>[0]) => boolean): Fault["handle"] =>
  async (request, forward) =>
    isRefused(request)
      ? json({ error: "No.", code: "invalid-request", issues: [] }, 400)
      : forward(request.with({}));

const requestFaults: Fault[] = [
  {
    name: "every POST is answered",
    breaks: [
      ...wrongBodies,
      ...unreadable,
      "a body of another media type is refused",
      mentionsJSON,
      otherRun,
      scriptFile,
      "an idempotencyKey with another body is refused",
    ],
    async handle(request, forward) {
      const response = await forward(request.with({}));
      const headers = new Headers({ "content-type": "application/json" });
      return request.method === "POST" && response.status >= 400 && response.status < 500
        ? forward(request.with({ headers, body: hello }))
        : response;
    },
  },
  {
    name: "JSON may be anywhere in the media type",
    breaks: [mentionsJSON],
    handle: (request, forward) => {
      const isMentioned = request.headers.get("content-type")?.includes("application/json");
      const headers = new Headers(request.headers);
      if (isMentioned) headers.set("content-type", "application/json");
      return forward(request.with({ headers }));
    },
  },
  {
    name: "every method is a POST",
    breaks: ["another method is refused"],
    handle: async (request, forward) => {
      const { method, url, headers } = request.with({});
      return forward(
        method === "PUT"
          ? new Request(url, { method: "POST", headers, body: request.body })
          : request.with({}),
      );
    },
  },
  {
    name: "refusals have no code",
    breaks: [...wrongBodies, ...otherRefusals],
    handle: changeRefusals(({ code, ...body }, status) =>
      json({ ...body, code: status === 500 ? code : "bad" }, status),
    ),
  },
  {
    name: "refusals have no text",
    breaks: [...wrongBodies, ...otherRefusals],
    handle: changeRefusals((body, status) => json(status === 500 ? body : { ...body, error: "" }, status)),
  },
  {
    name: "refusals have status 422",
    breaks: [...wrongBodies, ...otherRefusals],
    handle: changeRefusals((body, status) => json(body, status === 500 ? 500 : 422)),
  },
  {
    name: "wrong fields are not listed",
    breaks: [...wrongBodies, scriptFile],
    handle: changeRefusals(({ issues, ...body }, status) => json(body, status)),
  },
  {
    name: "null is refused",
    breaks: ["null and an empty id count as absent"],
    handle: refuseIf(({ body }) => body.includes("null")),
  },
  {
    name: "an empty key is no key",
    breaks: ["an empty idempotencyKey: refused"],
    handle: (request, forward) => {
      const { idempotencyKey: key, ...fields } = fieldsOf(request);
      return forward(request.with(key === "" ? { body: JSON.stringify(fields) } : {}));
    },
  },
  {
    name: "unknown fields are refused",
    breaks: ["fields of the body that the server does not know are no reason to refuse it"],
    handle: refuseIf((request) => "x-later" in fieldsOf(request)),
  },
  {
    name: "a charset is refused",
    breaks: ["the media type of a request may have parameters and capitals"],
    handle: refuseIf(({ headers }) => headers.get("content-type")?.includes("charset") ?? false),
  },
  {
    name: "unknown parts are refused",
    breaks: ["parts of a type that the server does not know are kept unread"],
    handle: refuseIf(({ body }) => body.includes('"type":"x-later"')),
  },
  {
    name: "a server without runs does not know GET",
    breaks: ["a GET is refused by a server without runs"],
    isPlain: true,
    handle: async (request, forward) =>
      request.method === "GET" ? json({ error: "No.", code: "not-found" }, 404) : forward(request.with({})),
  },
];

export const faultsOfAnswers: Fault[] = [...streamFaults, ...requestFaults];
