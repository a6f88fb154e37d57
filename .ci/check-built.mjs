// Refuses to pack a package whose entries are not built, and to publish with npm, which would leave the `workspace:`
// ranges in the package: the `prepack` script of each package, which `pack` and `publish` run.
import { globSync, readFileSync } from "node:fs";

const { name, exports, bin = {}, types = {} } = JSON.parse(readFileSync("package.json", "utf8"));
const filesOf = (value) => (typeof value === "string" ? [value] : Object.values(value).flatMap(filesOf));
const missing = [exports, bin, types].flatMap(filesOf).find((file) => globSync(file).length === 0);
const { npm_command: command, npm_config_user_agent: agent = "" } = process.env;
if (missing !== undefined) {
  console.error(`${name} is not built: ${missing} is missing. Run \`pnpm build\` first.`);
  process.exitCode = 1;
} else if (command === "publish" && !agent.startsWith("pnpm/")) {
  console.error(
    `${name} is published with pnpm, which replaces \`workspace:\` ranges. Run \`pnpm release\`.`,
  );
  process.exitCode = 1;
}
