/**
 * Whether a whole `message` repeats what was streamed. Some agents stream a text and then send it again in one piece: that
 * text alone, the texts of all turns one by one, or all of them joined.
 */

export interface SaidTexts {
  /** The first piece of a text has come. `isContinuation`: it goes on with the text that began last. */
  beginStreamed(index: number, isKeyed: boolean, isContinuation: boolean): void;
  /** A text with a key has ended. */
  endKeyed(index: number): void;
  addWhole(index: number): void;
  /** Costs what the content holds. */
  isRepeated(content: string): boolean;
}

/** @param textAt - What has come of the text of a part. */
export function createSaidTexts(textAt: (index: number) => string): SaidTexts {
  /** The pieces of each text, those of whole messages included. */
  const all: number[][] = [];
  /** The text that began last. */
  let newest: number[] = [];
  let isNewestKeyed = true;
  /** How many texts that have ended say this, and were not repeated yet. */
  const unrepeated = new Map<string, number>();

  const textOf = (pieces: number[]): string => pieces.map(textAt).join("").trim();

  function addUnrepeated(pieces: number[]): void {
    const text = textOf(pieces);
    if (text !== "") unrepeated.set(text, (unrepeated.get(text) ?? 0) + 1);
  }

  /** Whether `content` is these texts one after the other, whatever white space stands between them. */
  function isJoined(content: string, texts: number[][]): boolean {
    let at = 0;
    let length = 0;
    for (const pieces of texts) {
      for (const index of pieces) length += textAt(index).length;
      // White space aside, they are longer: to look at more would cost more than the content holds.
      if (length > 2 * content.length) return false;
      const text = textOf(pieces);
      while (/\s/.test(content.charAt(at))) at++;
      if (!content.startsWith(text, at)) return false;
      at += text.length;
    }
    return at === content.length;
  }

  return {
    beginStreamed(index, isKeyed, isContinuation) {
      if (isContinuation) {
        newest.push(index);
        return;
      }
      // Without a key, it has ended by now.
      if (!isNewestKeyed) addUnrepeated(newest);
      newest = [index];
      all.push(newest);
      isNewestKeyed = isKeyed;
    },
    endKeyed: (index) => addUnrepeated([index]),
    addWhole(index) {
      all.push([index]);
    },
    isRepeated(content) {
      if (newest.length === 0) return false;
      const whole = content.trim();
      if (isJoined(whole, [newest])) return true;
      const times = unrepeated.get(whole) ?? 0;
      if (times > 0) unrepeated.set(whole, times - 1);
      return times > 0 || isJoined(whole, all);
    },
  };
}
