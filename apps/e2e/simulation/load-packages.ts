/**
 * Loads the packages once for each process that is simulated, because their modules have a state; with a fault in their
 * source, if one is asked for.
 */
import { readFileSync } from "node:fs";
import { registerHooks } from "node:module";
import { fileURLToPath } from "node:url";
import { currentProcess, type Process } from "./simulator.ts";

/** A change of a source file. */
export interface SourceEdit {
  /** From the folder of the packages. */
  file: string;
  /** Occurs exactly once in the file. */
  find: string;
  replace: string;
}

const packages = new URL("../../../packages/", import.meta.url);

/** Which copy of a module another one belongs to. */
const slotOf = (url: string | undefined): string => /\?slot=.*/.exec(url ?? "")?.[0] ?? "";

export function hookPackages(edits: readonly SourceEdit[]): void {
  registerHooks({
    resolve(specifier, context, nextResolve) {
      const conditions = [...context.conditions, "@kortyx/source"];
      const resolved = nextResolve(specifier, { ...context, conditions });
      const isOurs = resolved.url.startsWith(packages.href) && !resolved.url.includes("?");
      return isOurs ? { ...resolved, url: resolved.url + slotOf(context.parentURL) } : resolved;
    },
    load(url, context, nextLoad) {
      const file = url.startsWith(packages.href) ? url.slice(packages.href.length).replace(/\?.*/, "") : "";
      const ofFile = edits.filter((one) => one.file === file);
      if (ofFile.length === 0) return nextLoad(url, context);
      const source = ofFile.reduce(edit, readFileSync(fileURLToPath(url.replace(/\?.*/, "")), "utf8"));
      return { format: "module-typescript", source, shortCircuit: true };
    },
  });
}

function edit(source: string, { file, find, replace }: SourceEdit): string {
  const count = source.split(find).length - 1;
  if (count !== 1) throw new Error(`${file} has this ${count} times, instead of once:\n${find}`);
  return source.replace(find, () => replace);
}

type Server = typeof import("@kortyx/server");
type Client = typeof import("@kortyx/client");

export interface Packages {
  /** The places for servers, each with modules of its own. */
  slots: { process: Process; server: Server }[];
  client: Client;
  /** For the store, which is a machine of its own. */
  core: Server;
}

export async function loadPackages(servers: number): Promise<Packages> {
  const load = (name: string, path: string, process: Process): Promise<unknown> =>
    currentProcess.run(process, () => import(new URL(`${path}/src/index.ts?slot=${name}`, packages).href));
  const slots: Packages["slots"] = [];
  for (let number = 0; number < servers; number++) {
    const process = { name: `server ${number}`, incarnation: 0 };
    slots.push({
      process,
      server: (await load(process.name.replace(" ", "-"), "server", process)) as Server,
    });
  }
  const elsewhere = { name: "elsewhere", incarnation: 0 };
  return {
    slots,
    client: (await load("client", "client", elsewhere)) as Client,
    core: (await load("core", "server", elsewhere)) as Server,
  };
}
