/**
 * The wire format, printed without the package's encoder, so that the tests do not merely compare the package with
 * itself.
 */

export const frame = (chunk: unknown): string => `data: ${JSON.stringify(chunk)}\n\n`;

export const frameOf = (runId: string, seq: number, chunk: unknown): string =>
  `id: ${runId}.${seq}\n${frame(chunk)}`;

export const delta = (text: string) => ({ type: "text-delta", delta: text }) as const;

export const done = { type: "done" } as const;

export const doneMarker = "data: [DONE]\n\n";
