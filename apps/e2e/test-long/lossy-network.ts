/** Networks that fail, and other programs that tests start as separate processes. */
import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";

const networkProgram = fileURLToPath(new URL("../fixtures/lossy-network.mjs", import.meta.url));

/** A program that sends one message in response to each message. */
export interface Child {
  process: ChildProcess;
  /** The next message that passes the filter. */
  receive<Message>(isWanted: (message: unknown) => boolean): Promise<Message>;
}

const children: ChildProcess[] = [];

/** Ends every program that was started here. */
export function endChildren(): void {
  for (const child of children) child.kill("SIGKILL");
}

export function startChild(program: string, settings: object): Child {
  const child = fork(program, [JSON.stringify(settings)]);
  children.push(child);
  return {
    process: child,
    receive: (isWanted) =>
      new Promise((resolve, reject) => {
        const onMessage = (message: unknown) => {
          if (!isWanted(message)) return;
          child.off("message", onMessage);
          resolve(message as never);
        };
        child.on("message", onMessage);
        // Its last message may arrive after its exit.
        child.once("disconnect", () => reject(new Error(`${program} has ended.`)));
      }),
  };
}

type Weather = "pass" | "slow" | "swallow" | "refuse" | "cut";

export interface Network {
  url: string;
  become(...weather: Weather[]): Promise<void>;
  process: ChildProcess;
}

/**
 * Starts the proxy of `fixtures/lossy-network.mjs`.
 *
 * @param url - The address that it forwards to.
 * @param backlog - The number of connections that may wait to be accepted.
 */
export async function startNetwork(url: string, backlog = 511): Promise<Network> {
  const child = startChild(networkProgram, { port: Number(new URL(url).port), backlog });
  const port = await child.receive<number>((message) => typeof message === "number");
  return {
    url: `http://127.0.0.1:${port}`,
    process: child.process,
    async become(...weather) {
      const done = child.receive((message) => message === "done");
      child.process.send(weather);
      await done;
    },
  };
}
