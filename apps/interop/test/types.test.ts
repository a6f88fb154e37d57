import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { isInstalled } from "../install.ts";

const folder = fileURLToPath(new URL("../", import.meta.url));
const compiler = fileURLToPath(new URL("../../../node_modules/.bin/tsc", import.meta.url));

test.skipIf(!isInstalled())("the files of this folder pass the type checker with the SDKs' own types", () => {
  const { stdout, status } = spawnSync(compiler, ["-p", folder], { encoding: "utf8" });
  expect([stdout, status]).toEqual(["", 0]);
});
