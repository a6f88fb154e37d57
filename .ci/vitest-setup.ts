/**
 * Runs before every test file. Sets the timeout of `vi.waitFor` and `vi.waitUntil`, which has no setting and is a
 * second by default, to the one that the configuration sets for `expect.poll`: a test must fail when an event never
 * happens, not when it is late.
 */
import { vi } from "vitest";

const timeout = 30_000;
const { waitFor, waitUntil } = vi;

const patient = <Options extends object>(options: number | Options = {} as Options) =>
  typeof options === "number" ? options : { timeout, ...options };

vi.waitFor = (callback, options) => waitFor(callback, patient(options));
vi.waitUntil = (callback, options) => waitUntil(callback, patient(options));
