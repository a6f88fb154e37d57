/** Checks of what a server accepts, and what it refuses. */
import { check, show } from "../check-failure.ts";
import type { Check } from "./check.ts";
import { bodyOf, prompts, type Reply, type RequestParts } from "./target.ts";

/** @throws CheckFailure unless it is the refusal of section 6. */
export async function checkRefusal(reply: Reply, status: number, code: string): Promise<void> {
  const body = await reply.json(status);
  check(body.code === code, `the code ${code}`, body);
  check(typeof body.error === "string" && body.error !== "", "a text in the field error", body);
  if (code !== "invalid-request") return;
  const issues = Array.isArray(body.issues) ? body.issues : [];
  const isIssue = (issue: Record<string, unknown>) =>
    ["path", "expected", "received"].every((field) => typeof issue?.[field] === "string");
  check(issues.length > 0 && issues.every(isIssue), "issues of path, expected and received", body);
}

const hello = bodyOf(prompts.echo("Hello"));

const refusals: [name: string, status: number, code: string, method: string, parts: RequestParts][] = [
  ["a body that is not JSON is refused", 400, "invalid-json", "POST", { body: '{"messages":' }],
  [
    "a body that is not UTF-8 is refused",
    400,
    "invalid-json",
    "POST",
    { body: Buffer.from(show(bodyOf("caf\u00e9")), "latin1") },
  ],
  [
    "a body of another media type is refused",
    415,
    "unsupported-media-type",
    "POST",
    { body: show(hello), headers: { "content-type": "text/plain" } },
  ],
  [
    "a media type that only mentions JSON is refused",
    415,
    "unsupported-media-type",
    "POST",
    { body: show(hello), headers: { "content-type": "text/plain; x=application/json" } },
  ],
  ["another method is refused", 405, "method-not-allowed", "PUT", { body: hello }],
];

/** Bodies with one wrong field. */
const wrongBodies: [name: string, body: object][] = [
  ["a body that is a list", [hello]],
  ["no messages", {}],
  ["messages that are not a list", { messages: "Hello" }],
  ["a message of an unknown role", { messages: [{ role: "robot", content: "Hello" }] }],
  ["a message without content", { messages: [{ role: "user" }] }],
  ["a content that is not a text", { messages: [{ role: "user", content: ["Hello"] }] }],
  ["a stream that is not a boolean", { ...hello, stream: "yes" }],
  ["a sessionId that is too long", { ...hello, sessionId: "s".repeat(257) }],
  ["an idempotencyKey that is too long", { ...hello, idempotencyKey: "k".repeat(129) }],
  ["an empty idempotencyKey", { ...hello, idempotencyKey: "" }],
  ["an idempotencyKey with a space", { ...hello, idempotencyKey: "a key" }],
  ["a workflowId that is not a text", { ...hello, workflowId: 1 }],
  ["a context that is not an object", { ...hello, context: "Rome" }],
  ["a tool without a name", { ...hello, tools: [{ description: "Searches." }] }],
  ["an unknown trigger", { ...hello, trigger: "repeat" }],
  ["an answer without its resumeToken", { ...hello, resumes: [{ requestId: "q", answer: "Yes" }] }],
  ["a tool's result without its call", { ...hello, toolResults: [{ tool: "search", content: 1 }] }],
];

const withPart = (part: object): object => ({
  messages: [{ role: "user", content: prompts.echo("Hello"), parts: [part] }],
});

/** Requests with something unusual that a server must accept. */
const accepted: (Pick<Check, "name" | "section" | "needs"> & { parts: RequestParts })[] = [
  {
    name: "null and an empty id count as absent",
    section: "5",
    parts: { body: { ...hello, sessionId: "", workflowId: null, trigger: null, resumes: null } },
  },
  {
    name: "fields of the body that the server does not know are no reason to refuse it",
    section: "9",
    parts: { body: { ...hello, "x-later": { a: 1 } } },
  },
  {
    name: "the media type of a request may have parameters and capitals",
    section: "5",
    parts: { body: show(hello), headers: { "content-type": "Application/JSON; charset=UTF-8" } },
  },
  {
    name: "parts of a type that the server does not know are kept unread",
    section: "5.2",
    needs: "parts",
    parts: { body: withPart({ type: "x-later", value: 1 }) },
  },
];

export const requestChecks: Check[] = [
  ...accepted.map(
    ({ parts, ...rest }): Check => ({
      ...rest,
      async run(target) {
        const stream = await (await (await target.request("POST", parts)).stream()).readAll();
        check(stream.answerText === "Hello", "the text Hello", stream.describe());
      },
    }),
  ),
  ...refusals.map(
    ([name, status, code, method, parts]): Check => ({
      name,
      section: "6",
      async run(target) {
        await checkRefusal(await target.request(method, parts), status, code);
      },
    }),
  ),
  ...wrongBodies.map(
    ([name, body]): Check => ({
      name: `${name}: refused`,
      section: "5.1",
      async run(target) {
        // The refusal of a request for a stream is JSON, too.
        const headers = { accept: "text/event-stream" };
        await checkRefusal(await target.request("POST", { body, headers }), 400, "invalid-request");
      },
    }),
  ),
  {
    name: "a file with the URL of a script is refused",
    section: "5.2",
    needs: "parts",
    async run(target) {
      const body = withPart({ type: "file", mediaType: "text/html", url: "javascript:alert(1)" });
      await checkRefusal(await target.request("POST", { body }), 400, "invalid-request");
    },
  },
  {
    name: "a GET is refused by a server without runs",
    section: "6",
    lacks: "runs",
    async run(target) {
      await checkRefusal(await target.get({ run: "any" }), 405, "method-not-allowed");
    },
  },
];
