/**
 * In a cluster, the page shows which process writes an answer, and which process the page reads it from: the metadata of
 * the message name the writer, and a header of each response the reader.
 */
import type { ChatAgent, StreamChunk } from "@kortyx/server";

export const processHeader = "x-demo-process";

/** Answers begin with the name of the process that writes them. */
export const nameWriter = (agent: ChatAgent, name: string): ChatAgent => ({
  async *streamChat(messages, options) {
    yield { type: "metadata", metadata: { process: name } };
    yield* (await agent.streamChat(messages, options)) as AsyncIterable<StreamChunk>;
  },
});

/** Every response names the process that sends it. */
export const nameReader =
  <Parameters extends unknown[]>(
    fetch: (...parameters: Parameters) => Response | Promise<Response>,
    name: string,
  ) =>
  async (...parameters: Parameters): Promise<Response> => {
    const response = await fetch(...parameters);
    response.headers.set(processHeader, name);
    return response;
  };
