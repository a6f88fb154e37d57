import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { blame } from "../../src/doctor/blame.ts";
import { pages } from "../../src/doctor/finding.ts";
import { hopsOf } from "../../src/doctor/known-hops.ts";

const headersOf: Record<string, Record<string, string>> = {
  Cloudflare: { server: "cloudflare", "cf-ray": "8f3c-FRA" },
  "AWS CloudFront": { "x-amz-cf-id": "x", via: "1.1 x.cloudfront.net (CloudFront)" },
  Fastly: { "x-fastly-request-id": "x" },
  "Azure Front Door": { "x-azure-ref": "x" },
  "Google Cloud load balancer": { via: "1.1 google" },
  "AWS API Gateway": { "apigw-requestid": "x" },
  Vercel: { server: "Vercel", "x-vercel-id": "fra1::x" },
  Netlify: { server: "Netlify", "x-nf-request-id": "x" },
  "Fly.io": { server: "Fly/x", "fly-request-id": "x" },
  Heroku: { via: "1.1 vegur" },
  Envoy: { server: "istio-envoy" },
  nginx: { server: "nginx/1.26.0" },
  Varnish: { "x-varnish": "32770", via: "1.1 varnish (Varnish/7.1)" },
  Apache: { server: "Apache/2.4.62 (Debian)" },
  Caddy: { server: "Caddy" },
  IIS: { server: "Microsoft-IIS/10.0" },
  "AWS Lambda": { "x-amzn-requestid": "x" },
  "Next.js": { "x-powered-by": "Next.js" },
  Express: { "x-powered-by": "Express" },
};

test.each(Object.entries(headersOf))("%s is known by its headers, and nothing else is", (name, headers) => {
  expect(hopsOf(headers).map((hop) => hop.name)).toEqual([name]);
});

test("the hop that is nearest to the server is blamed first, of those that can cause the trouble", () => {
  const headers = { "x-azure-ref": "x", server: "nginx", "x-powered-by": "Express" };
  expect(blame(headers, "buffering")).toEqual({
    culprit: "Likely nginx, or Azure Front Door, by the headers of the response.",
    fixes: [
      "nginx: `proxy_buffering off;` in the location of the route",
      "Azure Front Door: turn response buffering off",
    ],
  });
});

test("no hop is blamed that no header names", () => {
  expect(blame({ server: "nginx" }, "duration")).toEqual({
    culprit:
      "No header names a proxy that is known for it; see what lies between this machine and the server.",
    fixes: [],
  });
});

const page = readFileSync(new URL("../../../../docs/infrastructure.md", import.meta.url), "utf8");
const hops = Object.values(headersOf).flatMap(hopsOf);

test("every setting that the doctor names is in docs/infrastructure.md", () => {
  const settings = hops.flatMap(({ fixes }) =>
    Object.values(fixes).flatMap((fix) => Array.from(fix.matchAll(/`([^`]+)`/g), ([, code]) => code!)),
  );
  const missing = settings.filter((code) => !page.includes(code.replace(/[;:] .*|;$/, "")));
  expect([...new Set(missing)]).toEqual([]);
});

test("every limit that the doctor names is that of the same hop in docs/infrastructure.md", () => {
  const limits = hops.flatMap(({ name, fixes }) => {
    const row = page.split("\n").find((line) => line.startsWith(`| ${name}`));
    return Object.values(fixes).flatMap((fix) =>
      Array.from(fix.matchAll(/(below|above) (\d+)( s)?/g), ([, bound, number, unit]) => ({
        row,
        limit: bound === "above" ? `above ${number} s` : `${Number(number) / (unit ? 1 : 1000)} s`,
      })),
    );
  });
  expect(limits.length).toBeGreaterThan(5);
  for (const { row, limit } of limits) expect(row).toMatch(new RegExp(`\\b${limit}\\b`));
});

test.each(Object.entries(pages))("the page about %s that a finding names has that section", (_, page) => {
  const [file, anchor] = page.split("#");
  const text = readFileSync(new URL(`../../../../${file}`, import.meta.url), "utf8");
  const anchors = Array.from(text.matchAll(/^#+ (.*)$/gm), ([, heading]) =>
    heading!
      .toLowerCase()
      .replaceAll(/[^\w\- ]/g, "")
      .replaceAll(" ", "-"),
  );
  expect(anchors).toContain(anchor);
});
