/**
 * Runs before every test file: gives `vi.waitFor` and `vi.waitUntil`, whose deadline of a second no setting changes, the
 * deadline that the configuration gives `expect.poll`. A test that waits for something fails when it never comes, not
 * when it comes late.
 */
import { vi } from "vitest";

const timeout = 30_000;
const { waitFor, waitUntil } = vi;

const patient = <Options extends object>(options: number | Options = {} as Options) =>
  typeof options === "number" ? options : { timeout, ...options };

vi.waitFor = (callback, options) => waitFor(callback, patient(options));
vi.waitUntil = (callback, options) => waitUntil(callback, patient(options));
