/**
 * Refuses the options of a chat route that could only fail at a request. Their types say the same to a compiler; the
 * times are read, and refused, where they are used.
 */
import {
  checkFunctionOption,
  checkLimitOption,
  checkObjectOption,
  checkOption,
} from "@kortyx/protocol/internal";
import type { ChatRunOptions } from "../runs/run-endpoints.ts";
import type { RunStore } from "../stores/run-store.ts";
import { createEventStreamHead } from "../stream/event-stream-headers.ts";
import type { ChatRouteOptions } from "./create-chat-route.ts";

const roles = ["user", "assistant", "system"];

/** What a store has to have: every method of `RunStore`. */
const storeMethods: (keyof RunStore)[] = [
  "open",
  "append",
  "renew",
  "end",
  "endIfLeaseExpired",
  "read",
  "wait",
  "latest",
  "stopKey",
  "close",
];

/** @throws TypeError or RangeError that names the option, what was expected and what came. */
export function checkRouteOptions(options: ChatRouteOptions): void {
  checkObjectOption("The options of createChatRoute", options, "an object with an agent");
  const { agent, authorize, allowedRoles, cors, headers, runs } = options;
  checkOption(
    "agent",
    typeof agent?.streamChat === "function",
    "an object with a streamChat() method",
    agent,
  );
  const isAuthorize = authorize === "anonymous" || typeof authorize === "function";
  checkOption("authorize", authorize === undefined || isAuthorize, 'a function or "anonymous"', authorize);
  checkFunctionOption("onFinish", options.onFinish);
  for (const name of ["maxBodyBytes", "maxMessages", "maxDepth", "maxBufferedBytes"] as const) {
    checkLimitOption(name, options[name]);
  }
  const areRoles =
    allowedRoles === undefined ||
    (Array.isArray(allowedRoles) && allowedRoles.every((role) => roles.includes(role)));
  checkOption("allowedRoles", areRoles, 'an array of "user", "assistant" and "system"', allowedRoles);
  checkOption(
    "cors",
    cors === undefined || isOrigin(cors?.origin),
    '{ origin }, with an origin, several, a function or "*"',
    cors,
  );
  if (cors !== undefined && cors.origin !== "*") [cors.origin].flat().forEach(checkOrigin);
  checkBooleanOption("cors.credentials", cors?.credentials);
  checkBooleanOption("collectMessage", options.collectMessage);
  if (headers !== undefined) checkObjectOption("headers", headers, "an object of headers");
  createEventStreamHead({ headers });
  if (runs === undefined) return;
  if (authorize === undefined) {
    throw new TypeError(
      'runs: a route with runs needs `authorize`; `authorize: "anonymous"` admits every visitor.',
    );
  }
  checkRunOptions(runs);
}

function isOrigin(origin: unknown): boolean {
  return typeof origin === "function" || [origin].flat().every((one) => typeof one === "string");
}

/** An origin that no browser sends would allow nobody, without a word. */
function checkOrigin(origin: unknown): void {
  const isPossible = typeof origin !== "string" || isSentByBrowsers(origin);
  const expected = 'as browsers send it, such as "https://app.example", without a path or a pattern';
  checkOption("cors.origin", isPossible, expected, origin);
}

/** @returns whether this is an origin in the one spelling that browsers send (Fetch Standard, section 3.2). */
function isSentByBrowsers(origin: string): boolean {
  if (origin === "null") return true;
  // Of other schemes, such as those of apps and extensions, URL says nothing.
  if (!/^https?:/i.test(origin)) return /^[a-z][a-z\d+.-]*:\/\/[^/?#*]+$/.test(origin);
  return URL.canParse(origin) && new URL(origin).origin === origin && !origin.includes("*");
}

const checkBooleanOption = (name: string, value: unknown): void =>
  checkOption(name, value === undefined || typeof value === "boolean", "a boolean", value);

function checkRunOptions(runs: ChatRunOptions): void {
  checkObjectOption("runs", runs, "an object with a store");
  const { store, onActiveRun = "reject", onDisconnect = "continue" } = runs;
  checkObjectOption("runs.store", store, "a store, such as createMemoryRunStore()");
  const missing = storeMethods.filter((name) => typeof store[name] !== "function");
  checkOption("runs.store", missing.length === 0, `a store with ${missing.join("(), ")}()`, store);
  checkOption(
    "runs.onActiveRun",
    ["reject", "stop", "allow"].includes(onActiveRun),
    '"reject", "stop" or "allow"',
    onActiveRun,
  );
  checkOption(
    "runs.onDisconnect",
    ["continue", "cancel"].includes(onDisconnect),
    '"continue" or "cancel"',
    onDisconnect,
  );
  for (const name of ["maxOpenRuns", "maxRunSize", "maxRunChunks"] as const) {
    checkLimitOption(`runs.${name}`, runs[name]);
  }
  for (const name of ["waitUntil", "onStart", "onFinish"] as const)
    checkFunctionOption(`runs.${name}`, runs[name]);
}
