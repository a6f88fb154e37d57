/**
 * The text of an answer piece by piece, for those who read a stream without building its message. Keeps no parts: of
 * what stands between two pieces, only whether it ends a text.
 */
import type { StreamChunk } from "@kortyx/protocol";

type Keyed = Extract<StreamChunk, { type: "text-delta" | "text-end" | "reasoning-delta" | "reasoning-end" }>;

const nameOf = ({ type, segmentId, opId, id }: Keyed): string => {
  const key = segmentId ?? opId ?? id;
  return key ? `${type.split("-", 1)} ${key}` : "";
};

interface Text {
  said: string;
  /** It was streamed, and no whole message has repeated it. */
  isRepeatable: boolean;
}

/**
 * Creates a reader of the text of one stream.
 *
 * @returns a function that returns what a chunk adds to the text, `""` for nothing. The pieces one after the other are what
 * is copied of the message; texts that run in parallel come as they are said.
 */
export function createTextPieces(): (chunk: StreamChunk) => string {
  /** Texts and reasoning with a key that are open, and the calls that have begun. */
  const begun = new Set<string>();
  /** The next piece without a key begins another text. */
  let isApart = false;
  const texts: Text[] = [];
  let newestStreamed: Text | undefined;

  function isFirst(name: string): boolean {
    const isNew = !begun.has(name);
    begun.add(name);
    return isNew;
  }

  /** Whether a text without a key cannot go on after the chunk. Files and objects only split it. */
  function endsText(chunk: StreamChunk): boolean {
    switch (chunk.type) {
      case "text-start":
      case "reasoning-start":
      case "message":
      case "tool-result":
      case "interrupt":
        return true;
      case "text-end":
      case "reasoning-end":
        begun.delete(nameOf(chunk));
        return chunk.type === "text-end" && nameOf(chunk) === "";
      case "reasoning-delta": {
        const name = nameOf(chunk);
        return chunk.delta !== "" && (name === "" || isFirst(name));
      }
      case "tool-call-start":
        begun.add(`call ${chunk.toolCallId}`);
        return true;
      case "tool-call-delta":
      case "tool-call-ready":
      case "tool-call-result":
      case "tool-call-error":
        return isFirst(`call ${chunk.toolCallId}`);
      default:
        return false;
    }
  }

  /** Some agents stream a text and then repeat it whole: that one text, or all of them. */
  function isRepeated(content: string): boolean {
    const whole = content.trim();
    const found = texts.findLast(({ said, isRepeatable }) => isRepeatable && said.trim() === whole);
    if (found) {
      // The newest text may be repeated more than once.
      found.isRepeatable = found === newestStreamed;
      return true;
    }
    const all = texts.map(({ said }) => said.trim());
    return newestStreamed !== undefined && ["", " ", "\n", "\n\n"].some((gap) => all.join(gap) === whole);
  }

  function addText(said: string, isRepeatable: boolean): Text {
    const text = { said, isRepeatable };
    texts.push(text);
    return text;
  }

  return (chunk) => {
    if (chunk.type === "text-delta") {
      const { delta } = chunk;
      if (delta === "") return "";
      const name = nameOf(chunk);
      const isOther = name ? isFirst(name) : isApart;
      isApart = name ? isApart || isOther : false;
      if (newestStreamed && !isOther) {
        newestStreamed.said += delta;
        return delta;
      }
      newestStreamed = addText(delta, true);
      return texts.length > 1 ? `\n\n${delta}` : delta;
    }
    if (endsText(chunk)) isApart = true;
    if (chunk.type !== "message" || chunk.content === "" || isRepeated(chunk.content)) return "";
    addText(chunk.content, false);
    return texts.length > 1 ? `\n\n${chunk.content}` : chunk.content;
  };
}
