import { request } from "node:http";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type StreamProgram, startStreamProgram } from "./stream-program.ts";

/** A separate process, because an unhandled error here would end it. */
let program: StreamProgram;
beforeEach(async () => {
  program = await startStreamProgram();
});
afterEach(() => program?.kill());

/** Posts a body that is only partly sent when the response arrives, and then the rest. */
function post(headers: Record<string, string>, firstBytes: number): Promise<number | string | undefined> {
  return new Promise((resolve) => {
    const asking = request(`${program.url}/chat`, { method: "POST", headers });
    asking.once("error", (error: NodeJS.ErrnoException) => resolve(error.code));
    asking.once("response", (response) => {
      asking.end(Buffer.alloc(100_000));
      response.resume().once("close", () => resolve(response.statusCode));
    });
    asking.write(Buffer.alloc(firstBytes));
  });
}

const json = { "content-type": "application/json" };

test.each([
  { what: "of another content type", headers: { "content-type": "text/plain" }, bytes: 1, status: 415 },
  { what: "of another content type, in many pieces", headers: {}, bytes: 500_000, status: 415 },
  {
    what: "that announces too much",
    headers: { ...json, "content-length": "9999999" },
    bytes: 1,
    status: 413,
  },
  { what: "that is too long", headers: json, bytes: 2_000_000, status: 413 },
])(
  "a body $what is refused with $status, and the process keeps running",
  async ({ headers, bytes, status }) => {
    expect(await post(headers, bytes)).toBe(status);
    const messages = [{ role: "user", content: "endless" }];
    const next = await fetch(`${program.url}/chat`, {
      method: "POST",
      headers: json,
      body: JSON.stringify({ messages }),
    });
    expect(next.status).toBe(200);
    await next.body?.cancel();
  },
);
