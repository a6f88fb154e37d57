/**
 * The proxies, platforms and frameworks that a response names in its headers, and the setting of each for each fault.
 * Measures nothing. docs/infrastructure.md has the same settings, with the reasons.
 */

/** What can be wrong on a path. */
export type Trouble = "buffering" | "compression" | "silence" | "duration";

export interface Hop {
  name: string;
  /** The setting that ends each trouble that this hop can cause, to be copied, with a few words where it belongs. */
  fixes: Partial<Record<Trouble, string>>;
}

interface KnownHop extends Hop {
  /** A header, and what its value must match. */
  marks: [header: string, value: RegExp][];
}

const any = /^/;

/** From the one that is nearest to the client. A proxy that names itself in no header, as HAProxy and Traefik, is missing. */
const knownHops: KnownHop[] = [
  {
    name: "Cloudflare",
    marks: [["cf-ray", any]],
    fixes: { silence: "`heartbeatMs` of the route below 100000" },
  },
  {
    name: "AWS CloudFront",
    marks: [["x-amz-cf-id", any]],
    fixes: {
      compression: "no compression for the path, in its cache behavior",
      silence: "`heartbeatMs` of the route below 30000",
    },
  },
  {
    name: "Fastly",
    marks: [["x-fastly-request-id", any]],
    fixes: { buffering: "streaming miss on", silence: "`between_bytes_timeout` above 10 s" },
  },
  {
    name: "Azure Front Door",
    marks: [["x-azure-ref", any]],
    fixes: { buffering: "turn response buffering off", duration: "raise the request timeout" },
  },
  {
    name: "Google Cloud load balancer",
    marks: [["via", /\bgoogle\b/i]],
    fixes: { duration: "raise `timeoutSec` of the backend service" },
  },
  {
    name: "AWS API Gateway",
    marks: [
      ["x-amz-apigw-id", any],
      ["apigw-requestid", any],
    ],
    fixes: {
      buffering: "response streaming, or a load balancer or a function URL instead",
      duration: "response streaming, or a load balancer or a function URL instead",
    },
  },
  {
    name: "Vercel",
    marks: [["x-vercel-id", any]],
    fixes: { duration: "`export const maxDuration` in the route file" },
  },
  {
    name: "Netlify",
    marks: [["x-nf-request-id", any]],
    fixes: {
      buffering: "serve the route from an edge function or a streaming function",
      duration: "`maxDurationMs` of the route below the limit of the function",
    },
  },
  {
    name: "Fly.io",
    marks: [["fly-request-id", any]],
    fixes: {},
  },
  {
    name: "Heroku",
    marks: [["via", /\b(?:vegur|heroku-router)\b/i]],
    fixes: { silence: "`heartbeatMs` of the route below 55000" },
  },
  {
    name: "Envoy",
    marks: [["server", /envoy/i]],
    fixes: { silence: "`stream_idle_timeout` above 10 s", duration: "`timeout: 0s` for the route" },
  },
  {
    name: "nginx",
    marks: [["server", /^(?:nginx|openresty|tengine)/i]],
    fixes: {
      buffering: "`proxy_buffering off;` in the location of the route",
      silence: "`proxy_read_timeout` above the interval of the heartbeats",
    },
  },
  {
    name: "Varnish",
    marks: [["x-varnish", any]],
    fixes: {
      buffering: "`return (pipe);` in `vcl_recv` for the path",
      compression: "`return (pipe);` in `vcl_recv` for the path",
      silence: "`between_bytes_timeout` above 10 s",
    },
  },
  {
    name: "Apache",
    marks: [["server", /^Apache/i]],
    fixes: {
      buffering: "`flushpackets=on` on the `ProxyPass`",
      silence: "`timeout=60` on the `ProxyPass`",
      compression: "`SetEnvIf Request_URI ^/api/chat no-gzip`",
    },
  },
  {
    name: "Caddy",
    marks: [
      ["server", /^Caddy/i],
      ["via", /\bCaddy\b/i],
    ],
    fixes: { silence: "`read_timeout` of the transport above 10 s" },
  },
  {
    name: "IIS",
    marks: [["server", /^Microsoft-IIS/i]],
    fixes: { buffering: '`responseBufferLimit="0"` on the `proxy` element' },
  },
  {
    name: "AWS Lambda",
    marks: [["x-amzn-requestid", any]],
    fixes: { buffering: "`InvokeMode: RESPONSE_STREAM` of the function URL, with an adapter that streams" },
  },
  {
    name: "Next.js",
    marks: [["x-powered-by", /\bNext\.js\b/]],
    fixes: { compression: "`compress: false` in next.config" },
  },
  {
    name: "Express",
    marks: [["x-powered-by", /\bExpress\b/]],
    fixes: {
      compression:
        "if it serves the route, mount it by `toNodeHandler` or `sendStream`, which flush the `compression` middleware after each piece",
    },
  },
];

/** The hops that the headers of a response name, the one that is nearest to the client first. */
export const hopsOf = (headers: Record<string, string>): Hop[] =>
  knownHops.filter(({ marks }) =>
    marks.some(([header, value]) => headers[header] !== undefined && value.test(headers[header])),
  );
