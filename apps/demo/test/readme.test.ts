import { readFileSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";

const demo = new URL("../", import.meta.url);
const readme = new URL("README.md", demo);

/** The text of an exported function, as it stands in its file. */
function readFunction(file: string, name: string): string {
  const source = readFileSync(new URL(file, demo), "utf8");
  const begin = source.indexOf(`export function ${name}(`);
  expect(begin, `${file} exports ${name}`).toBeGreaterThan(-1);
  return source.slice(begin, source.indexOf("\n}\n", begin) + 3);
}

// `UPDATE_README=1 pnpm vitest run --project demo readme` writes them anew.
test("the code that the README shows is the code that runs, and short enough to be read in a minute", () => {
  const text = readFileSync(readme, "utf8");
  const quote = /<!-- (\S+): (\w+) -->\n```(tsx?)\n([\s\S]*?)```\n/g;
  const quotes = [...text.matchAll(quote)];
  expect(quotes.map(([, file]) => file)).toEqual(["src/server/app.ts", "src/page/demo-page.tsx"]);
  if (process.env.UPDATE_README === "1") {
    const updated = text.replace(quote, (_, file, name, language) => {
      return `<!-- ${file}: ${name} -->\n\`\`\`${language}\n${readFunction(file, name)}\`\`\`\n`;
    });
    writeFileSync(readme, updated);
    return;
  }
  for (const [, file, name, , code] of quotes) {
    expect(code).toBe(readFunction(file!, name!));
    expect(code!.split("\n").length).toBeLessThan(60);
  }
});
