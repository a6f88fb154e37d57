#!/usr/bin/env node
/** The program of this package: `npx @kortyx/server doctor <url>`. */
import { readFileSync } from "node:fs";
import { runCommand } from "./doctor/run-command.ts";

// The package has an address once it is published.
const { repository } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));

// A reader such as `head` may close the pipe before the end.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
});

process.exitCode = await runCommand(process.argv.slice(2), {
  print: (text) => process.stdout.write(text),
  repositoryUrl: repository?.url,
});
