/** The grammar of section 2.2: what a writer may send. Reads strictly; readers must accept more. */
import { checkChunk, createSSEDecoder, isTerminalChunk, type StreamChunk } from "@kortyx/protocol";
import { check } from "../check-failure.ts";

const block =
  /^(?:(?:id: (?!.*\ndata: \[DONE\]$)(?=[\x21-\x7e]{3,128}\n)[\x21-\x7e]+\.(?:0|[1-9]\d{0,14})\n)?data: [^\n]*|:[^\n]*|retry: \d+)$/;

/**
 * @param text - A whole body.
 * @returns the first block of lines that breaks the grammar.
 */
export function findWireProblem(text: string): string | undefined {
  const blocks = text.split("\n\n");
  const rest = blocks.pop();
  if (rest !== "") return `after the last blank line: ${quote(rest ?? "")}`;
  const at = blocks.findIndex((found) => found.includes("\r") || !block.test(found));
  return at < 0 ? undefined : `block ${at + 1}: ${quote(blocks[at]!)}`;
}

/** @throws CheckFailure if something follows the end. */
export function checkEnd(text: string): void {
  const decoder = createSSEDecoder();
  decoder.push(Buffer.from(text));
  const data: string[] = [];
  for (let event = decoder.next(); event !== undefined; event = decoder.next()) data.push(event.data);
  const tail = data.slice(data.findIndex(isEnd));
  const isInOrder = tail.length <= 1 || (tail.length === 2 && tail[0] !== "[DONE]" && tail[1] === "[DONE]");
  check(isInOrder, "one end", tail.join(", "));
  const [, rest = ""] = /^data: \[DONE\]\n\n([\s\S]*)$/m.exec(text) ?? [];
  check(rest === "", "nothing after [DONE]", quote(rest));
}

function isEnd(data: string): boolean {
  if (data === "[DONE]") return true;
  try {
    const chunk: StreamChunk = JSON.parse(data);
    return checkChunk(chunk) === undefined && isTerminalChunk(chunk);
  } catch {
    // Another check reports what is no chunk.
    return false;
  }
}

const quote = (text: string): string => JSON.stringify(text.slice(0, 200));
