import * as client from "@kortyx/client";
import * as server from "@kortyx/server";
import { expect, test } from "vitest";
import * as both from "../src/index.ts";

test("has every name of the client and of the server, as it is there, and no other", () => {
  expect({ ...both }).toEqual({ ...client, ...server });
  // A name that the two gave to different things would be in neither.
  expect(Object.keys(both).length).toBe(new Set([...Object.keys(client), ...Object.keys(server)]).size);
  expect(both).toMatchObject({ readStream: client.readStream, toSSE: server.toSSE });
});
