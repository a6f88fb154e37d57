/**
 * Signs what an agent has to remember while a question waits for its answer, so that the client can keep it and cannot
 * change it. Nothing is stored here.
 */
import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";

export interface ResumeTokens<State> {
  /** @param state - JSON. It is signed, not encrypted: the client can read it. */
  sign(state: State): string;
  /** @returns The state; `undefined` for a token that was changed, or signed elsewhere. */
  verify(token: string): State | undefined;
}

/**
 * Creates the tokens of one process: the key is random, and gone when the process ends. Servers that answer for one
 * another would share a key.
 */
export function createResumeTokens<State>(): ResumeTokens<State> {
  const key = randomBytes(32);
  const withSignature = (payload: string) =>
    `${payload}.${createHmac("sha256", key).update(payload).digest("base64url")}`;

  return {
    sign: (state) => withSignature(Buffer.from(JSON.stringify(state)).toString("base64url")),
    verify(token) {
      const payload = token.split(".", 1)[0]!;
      // As text: decoding base64 first would let several spellings pass as one signature.
      const expected = Buffer.from(withSignature(payload));
      const actual = Buffer.from(token);
      if (actual.length !== expected.length || !timingSafeEqual(actual, expected)) return undefined;
      return JSON.parse(Buffer.from(payload, "base64url").toString()) as State;
    },
  };
}
