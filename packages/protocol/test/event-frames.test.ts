import { describe, expect, test } from "vitest";
import { createEventFrames } from "../src/event-frames.ts";
import { cost, costOfWhole, costRatio } from "./cost.ts";
import { byteByByte, bytesOf } from "./pieces.ts";

function read(pieces: Uint8Array[]): string[] {
  const frames = createEventFrames();
  const all: string[] = [];
  for (const piece of pieces) {
    frames.push(piece);
    for (let frame = frames.next(); frame !== undefined; frame = frames.next()) all.push(frame);
  }
  return all;
}

test("a frame is an event with its blank line: LF for every line end, no byte order mark, no other blank line", () => {
  const bytes = bytesOf("\ufeff\r\n\rdata: 1\r\n\r\n\n\n\n:c\rdata: 語\r\rdata: 3\n\r\ndata: 4\n");
  for (const pieces of [[bytes], byteByByte(bytes)]) {
    expect(read(pieces)).toEqual(["data: 1\n\n", ":c\ndata: 語\n\n", "data: 3\n\n"]);
  }
});

test("an empty piece changes nothing, also in the middle of a character", () => {
  const bytes = bytesOf("data: 語\n\n");
  const nothing = new Uint8Array();
  expect(read([nothing, bytes.subarray(0, 7), nothing, bytes.subarray(7), nothing])).toEqual([
    "data: 語\n\n",
  ]);
});

test("frames wait until they are asked for, while pieces come", () => {
  const frames = createEventFrames();
  frames.push(bytesOf("data: 1\n\ndata: 2\n"));
  frames.push(bytesOf("\nda"));
  expect(frames.next()).toBe("data: 1\n\n");
  frames.push(bytesOf("ta: 3\n"));
  expect(frames.next()).toBe("data: 2\n\n");
  expect(frames.next()).toBeUndefined();
  expect(frames.rest()).toBe("data: 3\n");
  frames.push(bytesOf("\n"));
  expect(frames.next()).toBe("data: 3\n\n");
  expect(frames.next()).toBeUndefined();
  expect(frames.rest()).toBe("");
});

test("an event that is too large is refused again and again, after those before it", () => {
  for (const end of ["", "\n\n"]) {
    const frames = createEventFrames(10);
    frames.push(bytesOf(`data: 1\n\ndata: 23456${end}`));
    expect(frames.next()).toBe("data: 1\n\n");
    for (let call = 0; call < 3; call++) {
      expect(() => frames.next()).toThrow("An event exceeds maxEventBytes, 10.");
    }
  }
});

describe("takes time linear in the length of the stream", () => {
  test("for an event of many lines, one line a piece", () => {
    const piece = bytesOf("data: x\n");
    const ratio = costOfWhole(16_000, (lines) => {
      const frames = createEventFrames();
      return cost(() => {
        for (let line = 0; line < lines; line++) {
          frames.push(piece);
          frames.next();
        }
      });
    });
    expect(ratio).toBeLessThan(3);
  });

  test("for one who stays an event behind", () => {
    const piece = bytesOf(`data: ${"x".repeat(500)}\n\n`);
    const ratio = costOfWhole(8_000, (count) => {
      const frames = createEventFrames();
      frames.push(piece);
      const took = cost(() => {
        for (let event = 0; event < count; event++) {
          frames.push(piece);
          frames.next();
        }
      });
      expect(frames.next()).toBe(`data: ${"x".repeat(500)}\n\n`);
      expect(frames.next()).toBeUndefined();
      return took;
    });
    expect(ratio).toBeLessThan(3);
  });

  test("for many events in one piece", () => {
    const ratio = costOfWhole(16_000, (count) => {
      const bytes = bytesOf("data: x\n\n".repeat(count));
      return cost(() => read([bytes]));
    });
    expect(ratio).toBeLessThan(3);
  });

  test("and beside an event near the limit, empty pieces and calls that give nothing cost nothing", () => {
    const frames = createEventFrames();
    const bytes = bytesOf(`data: a\n\ndata: ${"x".repeat(8 * 1024 * 1024 - 6)}`);
    frames.push(bytes);
    expect(frames.next()).toBe("data: a\n\n");
    expect(frames.next()).toBeUndefined();
    const ratio = costRatio(
      () =>
        cost(() => {
          for (let call = 0; call < 1000; call++) {
            frames.push(new Uint8Array());
            frames.next();
          }
        }),
      () => cost(() => createEventFrames().push(bytes)),
    );
    // A look at the event at each call would cost several hundred times as much as taking it once.
    expect(ratio).toBeLessThan(10);
  });
});
