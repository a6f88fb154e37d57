import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { StreamChunk } from "../src/chunks.ts";
import { createMessageAccumulator, reduceMessage } from "../src/fold-message.ts";
import { withSafeUrl } from "../src/safe-url.ts";

const source = (url: unknown) => ({ type: "source", id: "s", title: "T", url }) as const;
const file = (url: unknown, mediaType = "application/pdf") => ({ type: "file", mediaType, url }) as const;

const isKept = (part: { type: string; url?: unknown }): boolean => {
  const safe = withSafeUrl(part);
  if (safe === part) return true;
  const { url: _, ...rest } = part;
  expect(safe).toStrictEqual(part.type === "file" ? { ...rest, url: "" } : rest);
  return false;
};

const active = [
  "javascript:alert(1)",
  "JaVaScRiPt:alert(1)",
  " \u0000\u001f javascript:alert(1)",
  "java\tscr\nip\rt:alert(1)",
  "javascript\n:alert(1)",
  "vbscript:x",
  "data:text/html,<script>",
  "DATA:Text/HTML;charset=utf-8,x",
  "da\nta:te\txt/html,x",
  "data: text/html ;base64,AA",
  "data:application/xhtml+xml,x",
  "data:text/xml,x",
  "data:application/xml,x",
  "data:text/xsl,x",
  "data:application/atom+xml,x",
  "data:image/svg+xml,x",
  "file:///etc/passwd",
  "filesystem:x",
  "view-source:x",
  "unknown:x",
];

describe("a URL that a page may show", () => {
  test("has a scheme that runs nothing, or none", () => {
    const relative = [
      "",
      "/a",
      "a/b?c:d",
      "//host/a",
      "?x=javascript:1",
      "#javascript:",
      "./javascript:x",
      "é:x",
    ];
    for (const url of [...relative, "http://a", "HTTPS://a", " ht\ntps://a"]) {
      expect(isKept(source(url)), url).toBe(true);
      expect(isKept(file(url)), url).toBe(true);
    }
  });

  test("of a source may be mailto: and tel:, that of a file blob: and data:", () => {
    for (const url of ["mailto:a@b", "tel:1"])
      expect([isKept(source(url)), isKept(file(url))]).toEqual([true, false]);
    for (const url of [
      "blob:https://a/1",
      "data:image/png;base64,AA==",
      "data:,x",
      "data:application/pdf,x",
    ]) {
      expect([isKept(source(url)), isKept(file(url))], url).toEqual([false, true]);
    }
  });

  test("is not one of a program or an active document, however it is written", () => {
    for (const url of active) {
      expect(isKept(source(url)), url).toBe(false);
      expect(isKept(file(url)), url).toBe(false);
    }
  });

  test("may be an SVG document only in a file that is an image", () => {
    const svg = "data:image/svg+xml;base64,AA==";
    expect(isKept(file(svg, "image/svg+xml"))).toBe(true);
    expect(isKept(file(svg, " Image/PNG"))).toBe(true);
    expect(isKept(file(svg, "text/html"))).toBe(false);
    expect(isKept(file("data:text/html,x", "image/png"))).toBe(false);
  });

  test("is a text: anything else is removed, but a missing URL is not", () => {
    expect(isKept(source(["javascript:alert(1)"]))).toBe(false);
    expect(isKept(file({ toString: 1 }))).toBe(false);
    expect(isKept(source(undefined))).toBe(true);
    expect(isKept(source(null))).toBe(true);
  });

  test("is not looked at in other parts and chunks", () => {
    const other = { type: "x-link", url: "javascript:alert(1)" };
    expect(withSafeUrl(other)).toBe(other);
  });

  test("is judged as the URL standard reads it, for any text", () => {
    const piece = fc.constantFrom(
      ..."javascript|JAVASCRIPT|https|http|mailto|data|blob|text/html|:|/|//|\t|\n|\r| |\0|\x1f|\x7f|\xa0|a|1|+|.|-|?|#|,|;|é".split(
        "|",
      ),
    );
    const allowed = ["http:", "https:", "mailto:", "tel:"];
    fc.assert(
      fc.property(
        fc.array(piece, { maxLength: 8 }).map((pieces) => pieces.join("")),
        (url) => {
          fc.pre(URL.canParse(url, "https://base.example/"));
          const { protocol } = new URL(url, "https://base.example/");
          expect(isKept(source(url))).toBe(allowed.includes(protocol));
        },
      ),
      { numRuns: 3000 },
    );
  });
});

test("no unsafe URL is in a message, whichever way it came", () => {
  const chunks = [source("javascript:a"), file("javascript:b"), source("/ok")] as unknown as StreamChunk[];
  const parts = [
    { type: "source", id: "s", title: "T" },
    { type: "file", mediaType: "application/pdf", url: "" },
    chunks[2],
  ];
  expect(reduceMessage(chunks).parts).toEqual(parts);
  expect(createMessageAccumulator({ parts: chunks }).message.parts).toEqual(parts);
});
