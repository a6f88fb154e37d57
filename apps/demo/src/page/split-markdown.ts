/**
 * Cuts Markdown that is still growing into blocks that read alone as they read together, so that only the last one
 * has to be parsed again. Parses nothing itself.
 */

const fence = /^ {0,3}(`{3,}|~{3,})/;
const listItem = /^ {0,3}(?:[-*+]|\d{1,9}[.)])(?:\s|$)/;
/**
 * `[name]: address` and `[^note]: text` say something about other blocks; a comment, `<pre>` and their like may hold
 * empty lines.
 */
const indivisible = /^ {0,3}(?:\[[^\]\n]+\]:|<(?:!|\?|(?:pre|script|style|textarea)\b))/im;

/**
 * Cuts before a line that begins a block: behind an empty line, not indented, outside of a fence, and no further item
 * of a list.
 *
 * @returns the blocks; joined, they are the text.
 */
export function splitMarkdown(text: string): string[] {
  if (indivisible.test(text)) return [text];
  const blocks: string[] = [];
  let block = "";
  let openFence: string | undefined;
  let isBehindEmptyLine = false;
  let isInList = false;

  for (const line of text.split(/(?<=\n)/)) {
    const isEmpty = line.trim() === "";
    if (openFence === undefined && !isEmpty) {
      const isItem = listItem.test(line);
      if (isBehindEmptyLine && !/^\s/.test(line) && !(isInList && isItem)) {
        blocks.push(block);
        block = "";
        isInList = false;
      }
      isInList ||= isItem;
    }
    const mark = fence.exec(line)?.[1];
    if (openFence === undefined) openFence = mark;
    else if (mark?.startsWith(openFence) && line.trim() === mark) openFence = undefined;
    isBehindEmptyLine = isEmpty;
    block += line;
  }
  return block === "" ? blocks : [...blocks, block];
}
