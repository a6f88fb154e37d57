/** The grammar of section 2.2: what a writer may send. Reads strictly; readers must accept more. */

const block =
  /^(?:(?:id: (?=[\x21-\x7e]{3,128}\n)[\x21-\x7e]+\.(?:0|[1-9]\d{0,14})\n)?data: [^\n]*|:[^\n]*|retry: \d+)$/;

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

const quote = (text: string): string => JSON.stringify(text.slice(0, 200));
