#!/usr/bin/env node
/** The program of this package: `npx @kortyx/server doctor <url>`. */
import { runCommand } from "./doctor/run-command.ts";

process.exitCode = await runCommand(process.argv.slice(2), (text) => process.stdout.write(text));
