import { afterEach, expect, test, vi } from "vitest";
import { registerSave, whenSaved } from "../../src/stream/message-saves.ts";

afterEach(() => void vi.restoreAllMocks());

const saves = () =>
  (globalThis as unknown as Record<symbol, Map<string, unknown>>)[Symbol.for("@kortyx/server/saves")]!;

test("a message whose onFinish never returns is forgotten with the first answer after 10 s, others are kept", async () => {
  const clock = vi.spyOn(performance, "now").mockReturnValue(1_000);
  registerSave("hangs");
  registerSave("again");
  clock.mockReturnValue(6_000);
  const finished = registerSave("again");
  clock.mockReturnValue(11_000);
  registerSave("new");
  expect([...saves().keys()]).toEqual(["again", "new"]);
  finished();
  expect([...saves().keys()]).toEqual(["new"]);
  clock.mockReturnValue(22_000);
  await whenSaved("new");
});
