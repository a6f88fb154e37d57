/** What a case of a reader is: bodies, and the pieces in which each one arrives. */

/** One body of a response, or two: the rest of an answer that was cut off comes with the next response. */
export interface Body {
  /** Distinguishes it from the others of its case. */
  variant: string;
  bytes: Uint8Array;
  /** The body of the response with the rest. */
  rest?: Uint8Array | undefined;
  /** Where the first body is cut: at every place, at those between the halves of CR LF, or nowhere. */
  cuts: "everywhere" | "after CR" | "nowhere";
}

export interface ReaderCase {
  /** What the bodies show. */
  name: string;
  /** The section of docs/protocol.md. */
  section: string;
  /** Only for readers that resume. */
  isResumed?: true;
  bodies: readonly Body[];
}

/** The pieces in which a body arrives at a reader. */
export interface Delivery {
  /** For the report. */
  how: string;
  /** `null` is where the first body ends, and the rest begins. */
  pieces: (Uint8Array | null)[];
}

/** Every way in which a body is delivered. */
export function* deliveriesOf(body: Body): Generator<Delivery> {
  const { rest } = body;
  for (const { how, pieces } of deliveriesOfFirst(body)) {
    yield { how, pieces: rest === undefined ? pieces : [...pieces, null, rest] };
  }
}

function* deliveriesOfFirst({ bytes, cuts }: Body): Generator<Delivery> {
  yield { how: "whole", pieces: [bytes] };
  if (cuts === "nowhere") return;
  yield { how: "byte by byte", pieces: Array.from(bytes, (_, at) => bytes.subarray(at, at + 1)) };
  for (let at = 1; at < bytes.length; at++) {
    if (cuts === "everywhere" || bytes[at - 1] === 0x0d) {
      yield { how: `cut after ${at} bytes`, pieces: [bytes.subarray(0, at), bytes.subarray(at)] };
    }
  }
}
