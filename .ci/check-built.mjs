// Refuses to pack a package whose entries are not built: the `prepack` script of each package, which `pnpm pack` and
// `pnpm publish` run.
import { existsSync, readFileSync } from "node:fs";

const { name, exports, bin = {} } = JSON.parse(readFileSync("package.json", "utf8"));
const files = [
  ...Object.values(exports).flatMap((entry) =>
    typeof entry === "string" ? [] : [entry.types, entry.default],
  ),
  ...(typeof bin === "string" ? [bin] : Object.values(bin)),
];
const missing = files.find((file) => !existsSync(file));
if (missing !== undefined) {
  console.error(`${name} is not built: ${missing} is missing. Run \`pnpm build\` first.`);
  process.exitCode = 1;
}
