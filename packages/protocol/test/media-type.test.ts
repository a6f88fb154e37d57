import fc from "fast-check";
import { expect, test } from "vitest";
import { parseMediaType } from "../src/media-type.ts";

const cases: [title: string, header: string | null | undefined, mediaType: string][] = [
  ["a type alone", "text/event-stream", "text/event-stream"],
  ["capital letters", "Text/Event-Stream", "text/event-stream"],
  ["a parameter", "text/event-stream;charset=utf-8", "text/event-stream"],
  ["a space before the semicolon", "text/event-stream ; charset=utf-8", "text/event-stream"],
  ["a tab before the semicolon", "text/event-stream\t;\tcharset=utf-8", "text/event-stream"],
  ["white space around it", "\t text/event-stream \t", "text/event-stream"],
  ["an empty parameter", "text/event-stream;", "text/event-stream"],
  ["a malformed parameter", "text/event-stream; ??? ", "text/event-stream"],
  ["two equal values", "text/event-stream, text/event-stream; charset=utf-8", "text/event-stream"],
  ["two values without a space", "text/html,text/event-stream", "text/event-stream"],
  ["the last of two values", "text/event-stream, text/html", "text/html"],
  ["an invalid value after a valid one", "text/event-stream, nonsense", "text/event-stream"],
  ["an invalid value before a valid one", "no nsense/x, text/event-stream", "text/event-stream"],
  ["any type after a valid one", "text/event-stream, */*", "text/event-stream"],
  ["empty values", ", text/event-stream,,", "text/event-stream"],
  ["a comma in a quoted parameter", 'text/event-stream; a=", text/html"', "text/event-stream"],
  ["an escaped quote in a quoted parameter", 'text/event-stream; a="\\", text/html"', "text/event-stream"],
  ["an unterminated quoted parameter", 'text/event-stream; a=", text/html', "text/event-stream"],
  ["a value after a quoted parameter", 'text/html; a="b,c", text/event-stream', "text/event-stream"],
  ["all kinds of token characters", "application/vnd.a-b+json", "application/vnd.a-b+json"],
  ["no subtype", "text/", ""],
  ["no type", "/event-stream", ""],
  ["no slash", "text", ""],
  ["white space within", "text /event-stream", ""],
  ["more than a type", "text/event-stream x", ""],
  ["nothing", "", ""],
  ["no header: null", null, ""],
  ["no header: undefined", undefined, ""],
];

test.each(cases)("%s: %j", (_title, header, mediaType) => {
  expect(parseMediaType(header)).toBe(mediaType);
});

test("agrees with the platform's own parser", async () => {
  const anyPiece = fc.constantFrom(
    "text/event-stream",
    "text/html",
    "*/*",
    "a",
    ";",
    ",",
    '"',
    "\\",
    " ",
    "\t",
    "=",
    "/",
  );
  await fc.assert(
    fc.asyncProperty(fc.array(anyPiece, { maxLength: 12 }), async (pieces) => {
      const headers = new Headers({ "content-type": pieces.join("") });
      const blob = await new Response("", { headers }).blob();
      // A blob has no type where that would contain a tab, as a parameter may (File API, "type").
      fc.pre(blob.type !== "" || !pieces.includes("\t"));
      expect(parseMediaType(headers.get("content-type"))).toBe(blob.type.split(";")[0]);
    }),
    { numRuns: 1000 },
  );
});
