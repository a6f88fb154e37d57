import * as client from "@kortyx/client";
import * as server from "@kortyx/server";
import { expect, test } from "vitest";
import * as both from "../src/index.ts";

test("re-exports exactly the names that the client and the server export, unchanged", () => {
  expect({ ...both }).toEqual({ ...client, ...server });
  // A name that both packages gave to different things would be exported by neither.
  expect(Object.keys(both).length).toBe(new Set([...Object.keys(client), ...Object.keys(server)]).size);
  expect(both).toMatchObject({ readStream: client.readStream, toSSE: server.toSSE });
});
