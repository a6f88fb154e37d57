/**
 * The interface of a wire: how a client that does not speak ours asks, and what it reads. Types only; each wire is in the
 * entry of its protocol.
 */
import type { ChunkTranslator } from "@kortyx/protocol/ai-sdk";

/**
 * How a route speaks to clients of another protocol: `aiSDKWire`, `agUIWire`, or one of your own. A route with wires still
 * speaks its own.
 */
export interface RouteWire {
  /** Names the wire for a GET, which has no body: `?wire=` and this name. */
  readonly name: string;
  /** Added to the headers of every stream. */
  readonly headers: Readonly<Record<string, string>>;
  /** Ends every stream, after its last event: `data: [DONE]` and a blank line, or nothing. */
  readonly lastFrame: string;
  /** Whether the JSON of a POST is a request in this wire. Must not throw. */
  readsBody(body: unknown): boolean;
  /** Turns a request into the route's own form, which the route then validates. Must not throw. */
  toRequestBody(body: unknown): unknown;
  /**
   * Creates what translates one answer.
   *
   * @param body - The request, in this wire; absent for a GET.
   */
  createTranslator(body: unknown): ChunkTranslator<object>;
  /** Finds the session that the path of a GET names. */
  sessionOf?(url: URL): string | undefined;
}
