/**
 * Rejects invalid options when a chat route is created, instead of at its first request. The types tell a compiler the
 * same. Times are parsed and rejected where they are used.
 */

import type { ChatMessage } from "@kortyx/protocol";
import {
  checkBooleanOption,
  checkFunctionOption,
  checkLimitOption,
  checkObjectOption,
  checkOption,
} from "@kortyx/protocol/internal";
import { checkSecrets } from "../resume/token-signer.ts";
import type { ChatRunOptions } from "../runs/run-options.ts";
import type { RunStore } from "../stores/run-store.ts";
import { checkNames } from "../stream/check-names.ts";
import { createEventStreamHead } from "../stream/event-stream-headers.ts";
import type { RouteWire } from "../wires/route-wire.ts";
import type { ChatRouteOptions } from "./chat-route.ts";
import type { CorsOptions } from "./cors.ts";
import { checkUrlSchemes } from "./file-urls.ts";
import type { StandardSchema } from "./standard-schema.ts";

const roles = ["user", "assistant", "system"] satisfies ChatMessage["role"][];

type MethodOf<Type> = {
  [Name in keyof Type]: Type[Name] extends (...values: never) => unknown ? Name : never;
};
type StoreMethod = MethodOf<RunStore>[keyof RunStore];

/** Every method of a store; one that is missing here is a type error. */
const storeMethods = {
  open: true,
  append: true,
  renew: true,
  end: true,
  endIfLeaseExpired: true,
  read: true,
  wait: true,
  latest: true,
  stopKey: true,
  close: true,
} satisfies Record<StoreMethod, true>;

/** Every option of a route; one that is missing here is a type error. */
const routeOptions = {
  agent: true,
  authorize: true,
  runs: true,
  onFinish: true,
  onError: true,
  exposeErrors: true,
  loadMessage: true,
  resumeSecret: true,
  allowedRoles: true,
  schemas: true,
  cors: true,
  wires: true,
  headers: true,
  collectMessage: true,
  maxBodyBytes: true,
  maxMessages: true,
  maxItems: true,
  maxDepth: true,
  maxBufferedBytes: true,
  fileUrlSchemes: true,
  heartbeatMs: true,
  maxDurationMs: true,
  stallTimeoutMs: true,
  sourceIdleTimeoutMs: true,
} satisfies Record<keyof ChatRouteOptions, true>;

/** The same for `runs`. */
const runOptions = {
  store: true,
  onActiveRun: true,
  onDisconnect: true,
  maxOpenRuns: true,
  maxRunCharacters: true,
  maxRunChunks: true,
  maxRunDurationMs: true,
  waitUntil: true,
  onStart: true,
  onFinish: true,
} satisfies Record<keyof ChatRunOptions, true>;

const corsOptions = { origin: true, credentials: true } satisfies Record<keyof CorsOptions, true>;

/** The functions of a wire. */
const wireMethods = ["readsBody", "toRequestBody", "createTranslator"] satisfies (keyof RouteWire)[];

const isObject = (value: unknown): value is object => typeof value === "object" && value !== null;

/** @throws TypeError or RangeError that names the option, what was expected and what was received. */
export function checkRouteOptions(options: ChatRouteOptions): void {
  checkObjectOption("The options of createChatRoute", options, "an object with an agent");
  checkNames("createChatRoute", options, routeOptions);
  const { agent, authorize, headers, runs } = options;
  const isAgent = typeof agent?.streamChat === "function";
  checkOption("agent", isAgent, "an object with a streamChat() method", agent);
  const isAuthorize = authorize === undefined || authorize === "anonymous" || typeof authorize === "function";
  checkOption("authorize", isAuthorize, 'a function or "anonymous"', authorize);
  checkFunctionOption("onFinish", options.onFinish);
  for (const name of ["maxBodyBytes", "maxMessages", "maxItems", "maxDepth", "maxBufferedBytes"] as const) {
    checkLimitOption(name, options[name]);
  }
  checkUrlSchemes(options.fileUrlSchemes);
  // A variable of the environment that is missing must not turn the verification off.
  if ("resumeSecret" in options) checkSecrets("resumeSecret", options.resumeSecret);
  checkFunctionOption("loadMessage", options.loadMessage);
  checkAllowedRoles(options.allowedRoles);
  checkSchemas(options.schemas);
  checkWires(options.wires);
  checkCorsOptions(options.cors);
  checkBooleanOption("collectMessage", options.collectMessage);
  checkOption("headers", headers === undefined || isObject(headers), "an object of headers", headers);
  createEventStreamHead({ headers });
  if (runs !== undefined) checkRunOptions(runs, options);
}

function checkAllowedRoles(allowed: unknown): void {
  const areRoles = Array.isArray(allowed) && allowed.every((role) => roles.includes(role));
  const expected = 'an array of "user", "assistant" and "system"';
  checkOption("allowedRoles", allowed === undefined || areRoles, expected, allowed);
}

/** A misspelt schema would silently check nothing. */
function checkSchemas(schemas: unknown): void {
  if (schemas === undefined) return;
  checkObjectOption("schemas", schemas, "an object with a schema: { context }");
  const { context, ...others } = schemas as Record<string, unknown>;
  for (const [name, schema] of Object.entries(others)) {
    checkOption(`schemas.${name}`, false, 'left out: the only schema is "context"', schema);
  }
  const { version, validate } = (context as Partial<StandardSchema> | null | undefined)?.["~standard"] ?? {};
  checkOption(
    "schemas.context",
    context === undefined || (version === 1 && typeof validate === "function"),
    "a Standard Schema, such as z.object({ … }) of zod 4",
    context,
  );
}

function checkWires(wires: ChatRouteOptions["wires"]): void {
  if (wires === undefined) return;
  checkOption("wires", Array.isArray(wires), "an array of wires, such as [aiSDKWire]", wires);
  for (const [index, wire] of wires.entries()) {
    const isWire = wireMethods.every((name) => typeof wire?.[name] === "function");
    checkOption(`wires.${index}`, isWire, "a wire, such as aiSDKWire", wire);
  }
}

function checkCorsOptions(cors: CorsOptions | undefined): void {
  if (cors === undefined) return;
  checkOption("cors", isOrigin(cors?.origin), '{ origin }, with an origin, several, a function or "*"', cors);
  checkNames("cors", cors, corsOptions);
  if (cors.origin !== "*") [cors.origin].flat().forEach(checkOrigin);
  checkBooleanOption("cors.credentials", cors.credentials);
}

function isOrigin(origin: unknown): boolean {
  return typeof origin === "function" || [origin].flat().every((one) => typeof one === "string");
}

/** An origin that no browser sends would silently admit no page. */
function checkOrigin(origin: unknown): void {
  const isPossible = typeof origin !== "string" || isSentByBrowsers(origin);
  const expected = 'as browsers send it, such as "https://app.example", without a path or a pattern';
  checkOption("cors.origin", isPossible, expected, origin);
}

/** @returns whether this is an origin in the exact spelling that browsers send (Fetch Standard, section 3.2). */
function isSentByBrowsers(origin: string): boolean {
  if (origin === "null") return true;
  // URL has no origin for other schemes, such as those of apps and extensions.
  if (!/^https?:/i.test(origin)) return /^[a-z][a-z\d+.-]*:\/\/[^/?#*]+$/.test(origin);
  return URL.canParse(origin) && new URL(origin).origin === origin && !origin.includes("*");
}

function checkRunOptions(runs: ChatRunOptions, { authorize, onFinish }: ChatRouteOptions): void {
  if (authorize === undefined) {
    throw new TypeError(
      'runs: a route with runs needs `authorize`; `authorize: "anonymous"` admits every visitor.',
    );
  }
  // A route that gets runs would save no answer any more.
  if (onFinish !== undefined) {
    throw new TypeError("onFinish: a route with runs calls only that of `runs`; move it there.");
  }
  checkObjectOption("runs", runs, "an object with a store");
  const { store, onActiveRun = "reject", onDisconnect = "continue" } = runs;
  checkObjectOption("runs.store", store, "a store, such as createMemoryRunStore()");
  const missing = (Object.keys(storeMethods) as StoreMethod[]).filter(
    (name) => typeof store[name] !== "function",
  );
  checkOption("runs.store", missing.length === 0, `a store with ${missing.join("(), ")}()`, store);
  checkNames("runs", runs, runOptions);
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
  for (const name of ["maxOpenRuns", "maxRunCharacters", "maxRunChunks"] as const) {
    checkLimitOption(`runs.${name}`, runs[name]);
  }
  for (const name of ["waitUntil", "onStart", "onFinish"] as const) {
    checkFunctionOption(`runs.${name}`, runs[name]);
  }
}
