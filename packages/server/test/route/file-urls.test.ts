import { describe, expect, test } from "vitest";
import { parseChatRequestBody } from "../../src/route/read-chat-request.ts";
import { issuesOf } from "./request-issues.ts";

describe("the URL of a file", () => {
  const withFile = (role: string, url: string) => ({
    messages: [
      {
        role,
        content: "",
        parts: [
          { type: "text", text: "" },
          { type: "file", mediaType: "a/b", url },
        ],
      },
    ],
  });
  const refused = [
    "http://169.254.169.254/latest/meta-data",
    "javascript:alert(1)",
    "file:///etc/passwd",
    "blob:https://a.example/1",
    "/uploads/1",
    "//a.example/1",
    "",
    " https://a.example/",
    "ht\ntps://a.example/",
    "\u0000data:,",
    "https",
  ];

  test.each(refused)("is https: or data: by default, and not %j", (url) => {
    expect(issuesOf(withFile("user", url))).toEqual([
      expect.stringMatching(
        /^messages\.0\.parts\.1\.url must be a URL that begins with https: or data:, got an? /,
      ),
    ]);
  });

  test("leaves a file out of an answer, because the agent may have sent it", () => {
    for (const url of refused) {
      const { messages: read } = parseChatRequestBody(withFile("assistant", url));
      expect(read[0]!.parts).toEqual([{ type: "text", text: "" }]);
    }
    expect(parseChatRequestBody(withFile("assistant", "https://a.example/"))).toEqual(
      withFile("assistant", "https://a.example/"),
    );
  });

  test("may be empty if the provider of a model has the file", () => {
    const withReference = (providerReference: object) => {
      const part = { type: "file", mediaType: "a/b", url: "", providerReference };
      return { messages: [{ role: "user", content: "", parts: [part] }] };
    };
    expect(parseChatRequestBody(withReference({ openai: "f" }))).toEqual(withReference({ openai: "f" }));
    expect(issuesOf(withReference({}))).toHaveLength(1);
  });

  test("may have the schemes that the route admits, and no others", () => {
    const fileUrlSchemes = ["gs:", "http:"];
    for (const url of ["GS://bucket/a", "http://localhost:9000/a"]) {
      expect(parseChatRequestBody(withFile("user", url), { fileUrlSchemes })).toEqual(withFile("user", url));
    }
    expect(() => parseChatRequestBody(withFile("user", "https://a.example"), { fileUrlSchemes })).toThrow(
      "messages.0.parts.1.url must be a URL that begins with gs: or http:, got a string of 17 characters",
    );
  });

  test("may not be empty if the route accepts no files, not even for one that a provider has", () => {
    const part = { type: "file", mediaType: "a/b", url: "", providerReference: { openai: "f" } };
    const withPart = (role: string) => ({ messages: [{ role, content: "Look", parts: [part] }] });
    const limits = { fileUrlSchemes: [] };
    expect(() => parseChatRequestBody(withPart("user"), limits)).toThrow(
      "messages.0.parts.0.url must be left out, as this route accepts no files, got an empty string",
    );
    expect(parseChatRequestBody(withPart("assistant"), limits).messages[0]!.parts).toEqual([]);
  });

  test("may have no scheme if the route accepts no files", () => {
    expect(() => parseChatRequestBody(withFile("user", "data:,"), { fileUrlSchemes: [] })).toThrow(
      "messages.0.parts.1.url must be left out, as this route accepts no files, got a string of 6 characters",
    );
  });
});
