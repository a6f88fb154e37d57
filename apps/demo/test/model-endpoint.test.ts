import { expect, test } from "vitest";
import { readModelEndpoint } from "../src/model-endpoint.ts";

const whole = {
  OPENAI_BASE_URL: "http://localhost:11434/v1/",
  OPENAI_API_KEY: " sk-secret ",
  OPENAI_MODEL: "qwen3:0.6b",
};

test("three variables make an endpoint", () => {
  expect(readModelEndpoint(whole)).toEqual({
    baseUrl: "http://localhost:11434/v1",
    apiKey: "sk-secret",
    model: "qwen3:0.6b",
  });
});

test("none of them makes none, and an empty one counts as none", () => {
  expect(readModelEndpoint({})).toBeUndefined();
  expect(readModelEndpoint({ OPENAI_BASE_URL: "", OPENAI_API_KEY: " ", OPENAI_MODEL: "" })).toBeUndefined();
});

test.each([
  [{ OPENAI_API_KEY: "sk-secret" }, "OPENAI_API_KEY without OPENAI_BASE_URL and OPENAI_MODEL:"],
  [{ OPENAI_MODEL: "m" }, "OPENAI_MODEL without OPENAI_BASE_URL and OPENAI_API_KEY:"],
  [{ ...whole, OPENAI_API_KEY: " " }, "OPENAI_BASE_URL and OPENAI_MODEL without OPENAI_API_KEY:"],
])("some of them are refused: %j", (env, beginning) => {
  expect(() => readModelEndpoint(env)).toThrow(
    `${beginning} set all three to use a model, or none. For a model that needs no key, set any.`,
  );
});

test.each(["localhost:11434", "api.openai.com/v1", "ftp://localhost", "nonsense", "file:///etc/passwd"])(
  "an address that is none is refused: %s",
  (address) => {
    expect(() => readModelEndpoint({ ...whole, OPENAI_BASE_URL: address })).toThrow(
      "OPENAI_BASE_URL is no address. It looks like https://api.openai.com/v1.",
    );
  },
);

test.each([
  "http://user:hunter2@localhost/v1",
  "http://localhost/v1?key=hunter2",
  "http://localhost/v1#hunter2",
])("an address that may hold a secret is refused, and not repeated: %s", (address) => {
  const read = () => readModelEndpoint({ ...whole, OPENAI_BASE_URL: address });
  expect(read).toThrow("OPENAI_BASE_URL must have no password, no `?` and no `#` in it.");
  expect(read).not.toThrow("hunter2");
});

test.each(["sk-one\nsk-two", "sk secret", "sk-ü"])(
  "a key that is no header is refused, and not repeated: %j",
  (key) => {
    const read = () => readModelEndpoint({ ...whole, OPENAI_API_KEY: key });
    expect(read).toThrow("OPENAI_API_KEY holds characters that no key has.");
    expect(read).not.toThrow(key);
  },
);
