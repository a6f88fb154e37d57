/**
 * Runs before every test file. Gives `vi.waitFor` and `vi.waitUntil`, whose default timeout of a second has no setting,
 * the timeout that the configuration sets for `expect.poll`. So a test that waits for an event fails when the event
 * never happens, not when it is late.
 */
import { vi } from "vitest";

const timeout = 30_000;
const { waitFor, waitUntil } = vi;

const patient = <Options extends object>(options: number | Options = {} as Options) =>
  typeof options === "number" ? options : { timeout, ...options };

vi.waitFor = (callback, options) => waitFor(callback, patient(options));
vi.waitUntil = (callback, options) => waitUntil(callback, patient(options));
