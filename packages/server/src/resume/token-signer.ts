/**
 * Signs tokens and opens them again: HMAC-SHA-256 of the Web Crypto API, `v1.<content>.<signature>` in base64url. Signed,
 * not encrypted: a client can read the content. Knows nothing of streams and requests.
 */
import { describeKind } from "@kortyx/protocol/internal";

/** The shortest secret, in characters. */
const minSecretLength = 32;

/** Whom a token is for. Signed, and not part of the token: the request that brings it back names them again. */
export interface TokenScope {
  /** The owner of the conversation, as `authorize` returned it. */
  owner: string | undefined;
  /** The conversation. */
  sessionId: string | undefined;
}

/** What a token states. */
export interface TokenContent {
  /** Whether it is for the answer to a question, or for the result of a call. */
  kind: "question" | "call";
  /** The `requestId` of the question, or the `toolCallId` of the call. */
  id: string;
  /** The message that the question or call is in, if the client knows it by its id. */
  messageId?: string | undefined;
  /** The call that a question is about. */
  toolCallId?: string | undefined;
  /** The tool of a call that the client runs. */
  tool?: string | undefined;
  /** The tool and the input of the call, hashed. */
  callHash?: string | undefined;
  /** The last moment at which the token is valid, in milliseconds since 1970-01-01 UTC. */
  expiresAt: number;
  /** The agent's own token. */
  token?: string | undefined;
}

/** One secret, or several: the first signs, and all verify. */
export type Secrets = string | readonly string[];

/**
 * @throws TypeError for secrets that are missing or too short. It does not quote them.
 */
export function checkSecrets(name: string, secrets: unknown): asserts secrets is Secrets {
  const all: unknown[] = [secrets].flat();
  const isSecret = (secret: unknown) => typeof secret === "string" && secret.length >= minSecretLength;
  const wrong = all.find((secret) => !isSecret(secret));
  if (all.length > 0 && wrong === undefined && secrets !== undefined) return;
  const received =
    typeof wrong === "string" ? `one of ${wrong.length}` : describeKind(all.length === 0 ? secrets : wrong);
  throw new TypeError(
    `${name} must be a string of at least ${minSecretLength} characters, or an array of such strings; got ${received}.`,
  );
}

const encoder = new TextEncoder();
const algorithm = { name: "HMAC", hash: "SHA-256" };
const tokenPattern = /^v1\.([\w-]+)\.([\w-]{43})$/;

export class TokenSigner {
  readonly #secrets: readonly string[];
  /** Not a promise: on Workers, a request cannot wait for what another one has begun. */
  #keys: CryptoKey[] | undefined;

  /** @throws TypeError as {@link checkSecrets} does. */
  constructor(name: string, secrets: Secrets) {
    checkSecrets(name, secrets);
    this.#secrets = [secrets].flat();
  }

  async sign(content: TokenContent, scope: TokenScope): Promise<string> {
    const [key] = await this.#readKeys();
    const text = toBase64Url(encoder.encode(JSON.stringify(content)));
    const signature = await crypto.subtle.sign("HMAC", key!, signedBytes(text, scope));
    return `v1.${text}.${toBase64Url(new Uint8Array(signature))}`;
  }

  /** @returns the content of a token that was signed in this spelling, for this scope, with one of the secrets. */
  async open(token: string, scope: TokenScope): Promise<TokenContent | undefined> {
    const [, text = "", signature = ""] = tokenPattern.exec(token) ?? [];
    const bytes = fromBase64Url(signature);
    // The last character has two bits to spare: without this check, four spellings of a signature would pass.
    if (signature === "" || toBase64Url(bytes) !== signature) return undefined;
    for (const key of await this.#readKeys()) {
      if (await crypto.subtle.verify("HMAC", key, bytes, signedBytes(text, scope))) {
        return JSON.parse(new TextDecoder().decode(fromBase64Url(text)));
      }
    }
    return undefined;
  }

  async #readKeys(): Promise<CryptoKey[]> {
    const importKey = (secret: string) =>
      crypto.subtle.importKey("raw", encoder.encode(secret), algorithm, false, ["sign", "verify"]);
    this.#keys ??= await Promise.all(this.#secrets.map(importKey));
    return this.#keys;
  }
}

/** The prefix separates these signatures from any others that the application makes with the same secret. */
const signedBytes = (text: string, { owner, sessionId }: TokenScope) =>
  encoder.encode(JSON.stringify(["kortyx resume v1", text, owner, sessionId]));

/**
 * A hash of a call's tool and input. The order of keys makes no difference: a client may keep its objects in another one.
 *
 * @throws TypeError for an input that JSON cannot write.
 */
export async function hashCall(tool: string, input: unknown): Promise<string> {
  const json = JSON.stringify([tool, input ?? null], (_, value) => withSortedKeys(value));
  return toBase64Url(new Uint8Array(await crypto.subtle.digest("SHA-256", encoder.encode(json))));
}

function withSortedKeys(value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1)));
}

function toBase64Url(bytes: Uint8Array): string {
  const binary = Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
  return btoa(binary).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

const fromBase64Url = (text: string): Uint8Array<ArrayBuffer> =>
  Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (char) => char.charCodeAt(0));
