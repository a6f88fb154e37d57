/**
 * Cuts growing Markdown into blocks that render the same alone as together, so that only the last one has to be parsed
 * again. Parses nothing itself.
 */

const fence = /^ {0,3}(`{3,}|~{3,})/;
const listItem = /^ {0,3}(?:[-*+]|\d{1,9}[.)])(?:\s|$)/;
/**
 * `[name]: address` and `[^note]: text` affect other blocks; comments, `<pre>` and the like may contain empty lines.
 */
const indivisible = /^ {0,3}(?:\[[^\]\n]+\]:|<(?:!|\?|(?:pre|script|style|textarea)\b))/im;

/**
 * Cuts before a line that begins a block: after an empty line, not indented, outside a fence, and not the next item of a
 * list.
 *
 * @returns the blocks; joined, they are the text.
 */
export function splitMarkdown(text: string): string[] {
  if (indivisible.test(text)) return [text];
  const blocks: string[] = [];
  let block = "";
  let openFence: string | undefined;
  let isAfterEmptyLine = false;
  let isInList = false;

  for (const line of text.split(/(?<=\n)/)) {
    const isEmpty = line.trim() === "";
    if (openFence === undefined && !isEmpty) {
      const isItem = listItem.test(line);
      if (isAfterEmptyLine && !/^\s/.test(line) && !(isInList && isItem)) {
        blocks.push(block);
        block = "";
        isInList = false;
      }
      isInList ||= isItem;
    }
    const mark = fence.exec(line)?.[1];
    if (openFence === undefined) openFence = mark;
    else if (mark?.startsWith(openFence) && line.trim() === mark) openFence = undefined;
    isAfterEmptyLine = isEmpty;
    block += line;
  }
  return block === "" ? blocks : [...blocks, block];
}
