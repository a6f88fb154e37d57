/**
 * A second reader, written from docs/protocol.md, of which every rule can be broken: it shows that the cases notice it.
 */
import type { Reading } from "../src/reader/expected-reading.ts";

/** What a reader may get wrong, in the order of the page, and the case that must notice it. */
export const mistakes = {
  "the mark at the start is read": "one byte order mark at the start is ignored",
  "every mark is ignored": "a second byte order mark belongs to its line",
  "each piece is decoded alone": "characters are whole, wherever their bytes are cut",
  "invalid bytes are a violation": "bytes that are not UTF-8 are replaced",
  "only LF ends a line": "a line ends at CR LF, LF or CR",
  "CR LF ends two lines": "a line ends at CR LF, LF or CR",
  "a cut between CR and LF ends two lines": "a line ends at CR LF, LF or CR",
  "U+2028 ends a line": "no other character ends a line",
  "a comment is a line of data": "comments are ignored, also within a block",
  "a comment ends its block": "comments are ignored, also within a block",
  "a space must follow the colon": "one space after the colon is no part of a value",
  "a line without a colon is ignored": "a line without a colon is a name",
  "lines of data are joined without LF": "the lines of data are joined by LF",
  "only the last line of data counts": "the lines of data are joined by LF",
  "names may be capital": "other names are ignored",
  "the first type counts": "the last type of a block counts, and no type is message",
  "an empty type is another type": "the last type of a block counts, and no type is message",
  "types are ignored": "a block of another type is ignored",
  "a block without data is an event": "a block without data is ignored",
  "the rest of the body is a block": "what follows the last blank line is dropped",
  "reading continues after [DONE]": "[DONE] ends the stream, whatever follows",
  "[DONE] is trimmed": "only exactly [DONE] is the end",
  "what is not JSON is skipped": "what is not a chunk is a violation, after the chunks before it",
  "any JSON value is a chunk": "what is not a chunk is a violation, after the chunks before it",
  "NaN is a number": "what is not a chunk is a violation, after the chunks before it",
  "what follows the JSON is ignored": "what is almost JSON is a violation",
  "a comma may end a list": "what is almost JSON is a violation",
  "a line has at most 65536 characters": "a line may be long",
  "null is a violation": "null in an optional field counts as absent, and a missing required value as null",
  "a missing value is a violation":
    "null in an optional field counts as absent, and a missing required value as null",
  "null is never a value": "null is a value in a field of any JSON value",
  "an unknown type is a violation": "a chunk of an unknown type is no violation",
  "only [DONE] completes": "an answer without [DONE] is complete after a done or an abort",
  "[DONE] is ignored": "[DONE] completes an answer that is no run",
  "[DONE] completes every run": "[DONE] does not complete a run without its end",
  "an empty id ends the run": "[DONE] does not complete a run without its end",
  "a run cannot end with an error": "[DONE] completes a run after a done, an abort or an error",
  "an unknown chunk is not the last chunk": "without its end, an answer is cut off",
  "every end is complete": "without its end, an answer is cut off",
  "an error is a warning before any done":
    "an error is the outcome before a done without a reason, and a warning before one with it",
  "an error is the outcome before any done":
    "an error is the outcome before a done without a reason, and a warning before one with it",
  "an error is the outcome before any chunk":
    "an error is pending after a chunk of each type, or was a warning",
  "null is a reason":
    "an error is the outcome before a done without a reason, and a warning before one with it",
  "an event without an id has none": "an id stays until another one replaces it",
  "an empty id is ignored": "an id stays until another one replaces it",
  "the first id counts": "the last id of a block counts, and none with U+0000",
  "an id may contain U+0000": "the last id of a block counts, and none with U+0000",
  "an ignored block has no id": "the id of a block that is ignored counts",
  "the id of [DONE] counts": "the id of [DONE] and of a violation does not count",
  "the id of a violation counts": "the id of [DONE] and of a violation does not count",
  "repeated events are read": "a repeated event is skipped",
  "repeated events are checked": "a repeated event is skipped",
  "a gap is ignored": "a missing event is a violation",
  "another run may follow": "an event of another run is a violation",
  "a run begins at 0": "the first event may have any position, and a run any dots",
  "every id with a dot is a position": "other ids have no order",
  "the first dot divides an id": "the first event may have any position, and a run any dots",
  "an id may have any length": "other ids have no order",
  "a position may have digits of any script": "other ids have no order",
  "retry may be any number": "retry is digits only, and the last one counts",
  "retry may have digits of any script": "retry is digits only, and the last one counts",
  "the first retry counts": "retry is digits only, and the last one counts",
  "retry counts with its block": "retry counts when its line has ended",
  "retry needs no end of its line": "retry counts when its line has ended",
  "each body is an answer of its own": "a resumed answer continues after its last event",
  "the rest has no retry": "a resumed answer continues after its last event",
  "the rest may begin anywhere": "what the rest repeats is skipped, and what it leaves out is missing",
  "a line continues in the next body": "no line and no block continues in the next body",
  "a block continues in the next body": "no line and no block continues in the next body",
  "a character continues in the next body": "each body is decoded anew, and may begin with a byte order mark",
  "only the first body begins with a mark": "each body is decoded anew, and may begin with a byte order mark",
  "only a chunk of the last body ends an answer": "what ends an answer is its last chunk, in whichever body",
  "[DONE] completes the rest of a run": "what ends an answer is its last chunk, in whichever body",
} as const;

export type Mistake = keyof typeof mistakes;

const warnings =
  /^((text|reasoning)-(start|delta)|message|tool-(result|call-\w+)|step-start|interrupt|structured-data(-invalidated)?|data|source|file|session|run-start|transition|abort)$/;
const known = /-end$|^(interrupt-resolved|status|trace|checkpoint|(part-)?metadata|done|error)$/;

/** Also of Arabic digits, as the other languages read them. */
const numberOf = (digits: string): number =>
  Number(digits.replace(/[\u0660-\u0669]/g, (digit) => String(digit.charCodeAt(0) - 0x660)));

class Violation extends Error {}

interface Block {
  data?: string | undefined;
  type?: string;
  id?: string;
}

export class NaiveReader {
  readonly #isWrong: (mistake: Mistake) => boolean;
  readonly #chunks: Record<string, unknown>[] = [];
  #last = "";
  #error = false;
  #isDone = false;
  #id = "";
  #position: [run: string, at: number] | undefined;
  #retryMs: number | null = null;
  /** The last one of a whole block. */
  #blockRetryMs: number | null = null;
  /** The second body is being read. */
  #isRest = false;
  #block: Block = {};

  constructor(mistake?: Mistake) {
    this.#isWrong = (other) => other === mistake;
  }

  /** @param pieces - `null` is where a body ends, and the next one begins. */
  read(pieces: readonly (Uint8Array | null)[]): Reading {
    const report = (outcome: Reading["outcome"]): Reading => {
      return { chunks: this.#chunks, outcome, lastEventId: this.#id, retryMs: this.#retryMs };
    };
    const end = pieces.indexOf(null);
    const first = pieces.slice(0, end < 0 ? undefined : end) as Uint8Array[];
    const rest = end < 0 ? undefined : (pieces.slice(end + 1) as Uint8Array[]);
    try {
      let line = this.#readBody(first);
      if (rest !== undefined) {
        if (this.#isWrong("a character continues in the next body")) {
          rest.unshift(first.at(-1)!.subarray(-2));
        }
        if (this.#isWrong("a line continues in the next body")) rest.unshift(Buffer.from(line));
        this.#beginRest();
        line = this.#readBody(rest);
      }
      if (this.#isWrong("the rest of the body is a block")) {
        this.#readLine(line);
        this.#readLine("");
      }
      const isRetry = line.startsWith("retry:") && this.#isWrong("retry needs no end of its line");
      if (isRetry) this.#readLine(line);
    } catch (error) {
      if (error instanceof Violation) return report("violation");
      throw error;
    }
    return report(this.#outcome());
  }

  /** @returns the line that has no end. */
  #readBody(pieces: Uint8Array[]): string {
    const lines = this.#split(this.#decode(pieces), pieces[0]?.length ?? 0);
    const rest = lines.pop() ?? "";
    for (const line of lines) this.#readLine(line);
    if (this.#isWrong("retry counts with its block")) this.#retryMs = this.#blockRetryMs;
    return rest;
  }

  #beginRest(): void {
    this.#isRest = true;
    this.#isDone = false;
    if (!this.#isWrong("a block continues in the next body")) this.#block = {};
    if (this.#isWrong("each body is an answer of its own")) this.#chunks.length = 0;
    if (this.#isWrong("the rest has no retry")) this.#retryMs = null;
    if (this.#isWrong("the rest may begin anywhere")) this.#position = undefined;
    if (this.#isWrong("only a chunk of the last body ends an answer")) this.#last = "";
  }

  #decode(pieces: Uint8Array[]): string {
    const fatal = this.#isWrong("invalid bytes are a violation");
    try {
      const decode = (bytes: Uint8Array) =>
        new TextDecoder("utf-8", { fatal, ignoreBOM: true }).decode(bytes);
      const isAlone = this.#isWrong("each piece is decoded alone");
      const text = isAlone ? pieces.map(decode).join("") : decode(Buffer.concat(pieces));
      const isFirstOnly = this.#isRest && this.#isWrong("only the first body begins with a mark");
      if (isFirstOnly || this.#isWrong("the mark at the start is read")) return text;
      return this.#isWrong("every mark is ignored")
        ? text.replaceAll("\ufeff", "")
        : text.replace(/^\ufeff/, "");
    } catch {
      throw new Violation();
    }
  }

  /** @param cut - How many bytes the first piece has; the bodies of this mistake are ASCII. */
  #split(text: string, cut: number): string[] {
    if (this.#isWrong("only LF ends a line")) return text.split("\n");
    if (this.#isWrong("CR LF ends two lines")) return text.split(/[\r\n]/);
    if (this.#isWrong("U+2028 ends a line")) return text.split(/\r\n|[\r\n\u2028]/);
    if (this.#isWrong("a cut between CR and LF ends two lines") && text.slice(cut - 1, cut + 1) === "\r\n") {
      return `${text.slice(0, cut - 1)}\n\n${text.slice(cut + 1)}`.split(/\r\n|[\r\n]/);
    }
    return text.split(/\r\n|[\r\n]/);
  }

  #readLine(line: string): void {
    if (line.length > 65_536 && this.#isWrong("a line has at most 65536 characters")) throw new Violation();
    if (this.#isDone && !this.#isWrong("reading continues after [DONE]")) return;
    if (line === "") {
      this.#readBlock();
      return;
    }
    if (line.startsWith(":")) {
      if (this.#isWrong("a comment is a line of data")) this.#addData(line.slice(1));
      if (this.#isWrong("a comment ends its block")) this.#readBlock();
      return;
    }
    const colon = line.indexOf(":");
    if (colon < 0 && this.#isWrong("a line without a colon is ignored")) return;
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (this.#isWrong("a space must follow the colon") && colon >= 0 && line[colon + 1] !== " ") return;
    this.#readField(this.#isWrong("names may be capital") ? name.toLowerCase() : name, value);
  }

  #readField(name: string, value: string): void {
    if (name === "data") this.#addData(value);
    else if (name === "event") {
      const isKept = this.#isWrong("the first type counts") && this.#block.type !== undefined;
      if (!isKept) this.#block.type = value;
    } else if (name === "id") {
      const isKept = this.#isWrong("the first id counts") && this.#block.id !== undefined;
      const isAllowed = !value.includes("\0") || this.#isWrong("an id may contain U+0000");
      if (isAllowed && !isKept) this.#block.id = value;
    } else if (name === "retry") {
      const isValid = this.#isWrong("retry may be any number")
        ? value !== ""
        : this.#areDigits(value, "retry may have digits of any script");
      const isKept = this.#isWrong("the first retry counts") && this.#retryMs !== null;
      if (isValid && !isKept) this.#retryMs = Number.parseInt(value, 10);
    }
  }

  #addData(value: string): void {
    const { data } = this.#block;
    const joined = `${data}${this.#isWrong("lines of data are joined without LF") ? "" : "\n"}${value}`;
    this.#block.data =
      data === undefined || this.#isWrong("only the last line of data counts") ? value : joined;
  }

  #readBlock(): void {
    const { data, type = "message", id } = this.#block;
    this.#block = {};
    this.#blockRetryMs = this.#retryMs;
    const isMessage =
      type === "message" ||
      (type === "" && !this.#isWrong("an empty type is another type")) ||
      this.#isWrong("types are ignored");
    const isEvent = isMessage && (data !== undefined || this.#isWrong("a block without data is an event"));
    if (isEvent && this.#isEnd(data ?? "")) {
      if (!this.#isWrong("[DONE] is ignored")) this.#isDone = true;
      if (this.#isWrong("the id of [DONE] counts")) this.#id = id ?? this.#id;
      return;
    }
    const position = this.#positionOf(id);
    if (position !== undefined && this.#isRepeated(position) && !this.#isWrong("repeated events are read")) {
      if (isEvent && this.#isWrong("repeated events are checked")) this.#parse(data ?? "");
      return;
    }
    if (this.#isWrong("the id of a violation counts")) this.#id = id ?? this.#id;
    if (isEvent) this.#readChunk(data ?? "");
    else if (this.#isWrong("an ignored block has no id")) return;
    this.#position = position ?? this.#position;
    if (id === "" && this.#isWrong("an empty id ends the run")) this.#position = undefined;
    if (this.#isWrong("an event without an id has none") && isEvent) this.#id = id ?? "";
    else if (id !== "" || !this.#isWrong("an empty id is ignored")) this.#id = id ?? this.#id;
  }

  #isEnd(data: string): boolean {
    return (this.#isWrong("[DONE] is trimmed") ? data.trim() : data) === "[DONE]";
  }

  #positionOf(id = ""): [string, number] | undefined {
    const isLong = id.length > 128 && !this.#isWrong("an id may have any length");
    const dot = this.#isWrong("the first dot divides an id") ? id.indexOf(".") : id.lastIndexOf(".");
    const [run, at] = [id.slice(0, Math.max(dot, 0)), id.slice(dot + 1)];
    const isNumber =
      this.#isWrong("every id with a dot is a position") ||
      (!/^0\d|.{16}/.test(at) && this.#areDigits(at, "a position may have digits of any script"));
    return isLong || !isNumber || !/^[!-~]+$/.test(run) ? undefined : [run, numberOf(at)];
  }

  #areDigits(value: string, mistake: Mistake): boolean {
    return this.#isWrong(mistake) ? /^\p{Nd}+$/u.test(value) : /^\d+$/.test(value);
  }

  #isRepeated([run, at]: [string, number]): boolean {
    const [lastRun, lastAt] = this.#position ?? [run, this.#isWrong("a run begins at 0") ? -1 : at - 1];
    if (run !== lastRun) {
      if (this.#isWrong("another run may follow")) return false;
      throw new Violation();
    }
    if (at > lastAt + 1 && !this.#isWrong("a gap is ignored")) throw new Violation();
    return at <= lastAt;
  }

  #readChunk(data: string): void {
    const chunk = this.#parse(data);
    if (chunk === undefined) return;
    this.#checkNull(chunk);
    this.#chunks.push(chunk);
    const type = String(chunk.type);
    const isKnown = warnings.test(type) || known.test(type);
    if (!isKnown && this.#isWrong("an unknown type is a violation")) throw new Violation();
    if (isKnown || !this.#isWrong("an unknown chunk is not the last chunk")) this.#last = type;
    this.#error = type === "error" || (this.#error && !this.#isWarning(chunk));
  }

  #parse(data: string): Record<string, unknown> | undefined {
    try {
      const value = JSON.parse(this.#forgive(data));
      if (typeof value?.type === "string") return value;
      if (this.#isWrong("any JSON value is a chunk")) return undefined;
    } catch {
      if (this.#isWrong("what is not JSON is skipped")) return undefined;
    }
    throw new Violation();
  }

  #checkNull(chunk: Record<string, unknown>): void {
    const names = Object.keys(chunk).filter((name) => chunk[name] === null);
    if (names.some((name) => name !== "input") && this.#isWrong("null is a violation")) throw new Violation();
    const isMissing = chunk.type === "tool-call-ready" && !("input" in chunk);
    if (isMissing && this.#isWrong("a missing value is a violation")) throw new Violation();
    if (this.#isWrong("null is never a value")) for (const name of names) delete chunk[name];
  }

  #forgive(data: string): string {
    if (this.#isWrong("NaN is a number")) return data.replace("NaN", "0");
    if (this.#isWrong("what follows the JSON is ignored")) return data.replace(/} {}$/, "}");
    return this.#isWrong("a comma may end a list") ? data.replace(",}", "}") : data;
  }

  /** Whether an error before this chunk was a warning. */
  #isWarning({ type, finishReason }: Record<string, unknown>): boolean {
    if (this.#isWrong("an error is the outcome before any chunk")) return false;
    if (type !== "done") return warnings.test(String(type));
    if (this.#isWrong("an error is a warning before any done")) return true;
    if (this.#isWrong("an error is the outcome before any done")) return false;
    return this.#isWrong("null is a reason")
      ? finishReason !== undefined
      : (finishReason ?? undefined) !== undefined;
  }

  #outcome(): Reading["outcome"] {
    const isTerminal = this.#last === "done" || this.#last === "abort";
    const canEnd =
      this.#position === undefined ||
      (this.#last === "error" && !this.#isWrong("a run cannot end with an error")) ||
      this.#isWrong("[DONE] completes every run") ||
      (this.#isRest && this.#isWrong("[DONE] completes the rest of a run"));
    const isComplete =
      (isTerminal && !this.#isWrong("only [DONE] completes")) ||
      (this.#isDone && (canEnd || isTerminal)) ||
      this.#isWrong("every end is complete");
    if (!isComplete) return "truncated";
    return this.#last === "abort" ? "aborted" : this.#error ? "failed" : "done";
  }
}
