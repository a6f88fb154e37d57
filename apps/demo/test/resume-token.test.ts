import { expect, test } from "vitest";
import { createResumeTokens } from "../src/resume-token.ts";

const state = { requestId: "r1", text: "Grüße 👋" };

test("a token gives back what was signed", () => {
  const tokens = createResumeTokens<typeof state>();
  expect(tokens.verify(tokens.sign(state))).toEqual(state);
});

test("a token that differs in any character is refused", () => {
  const tokens = createResumeTokens<typeof state>();
  const token = tokens.sign(state);
  for (let index = 0; index < token.length; index++) {
    for (const character of ["A", "B", "é", ""]) {
      const changed = token.slice(0, index) + character + token.slice(index + 1);
      if (changed !== token) expect(tokens.verify(changed)).toBeUndefined();
    }
  }
  for (const other of ["", ".", token.split(".")[0]!, `${token}=`, ` ${token}`, `${token}.${token}`]) {
    expect(tokens.verify(other)).toBeUndefined();
  }
});

test("another state under the same signature is refused", () => {
  const tokens = createResumeTokens<typeof state>();
  const [, signature] = tokens.sign(state).split(".");
  const payload = Buffer.from(JSON.stringify({ ...state, requestId: "r2" })).toString("base64url");
  expect(tokens.verify(`${payload}.${signature}`)).toBeUndefined();
});

test("a token of another process is refused", () => {
  expect(createResumeTokens().verify(createResumeTokens().sign(state))).toBeUndefined();
});
