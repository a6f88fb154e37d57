/** A route that could not be asked: the connection was not opened, or closed without a response. */
import { NoResponseError } from "./ask-route.ts";
import { type Finding, fault } from "./finding.ts";

/** The code of an error of Node, its likely cause, and what helps. The first one that matches counts. */
const causes: [code: RegExp, culprit: string, fix?: string][] = [
  [/^ECONNREFUSED$/, "Nothing listens on this port."],
  [/^(?:ENOTFOUND|EAI_AGAIN)$/, "The name of the host is not known here."],
  [
    /^(?:ETIMEDOUT|EHOSTUNREACH|ENETUNREACH)$/,
    "A firewall, a host that is down, or a port that does not speak TLS.",
  ],
  [/WRONG_VERSION_NUMBER$/, "The port does not speak TLS.", "`http:` in the URL"],
  [
    /^ECONNRESET$/,
    "The server closed the connection: it has crashed, or it expects TLS and `https:` in the URL.",
  ],
  [/^HPE_/, "The port does not speak HTTP, or sends a response that breaks its rules."],
  [/ALTNAME/, "The certificate belongs to another host.", "a host of the certificate, in the URL"],
  [/CERT_HAS_EXPIRED/, "The certificate has expired."],
  [
    /CERT|SIGNATURE/,
    "This machine does not trust the certificate.",
    "`NODE_EXTRA_CA_CERTS=<file>` in the environment, with the certificate of the authority",
  ],
  [
    /^ERR_HTTP2/,
    "Likely a header that HTTP/2 forbids, such as `connection`.",
    "`headers: { connection: null }` in the options of the route",
  ],
];

export function describeFailure(error: unknown, url: URL): Finding {
  const { code = "", message } = error as NodeJS.ErrnoException;
  const [, culprit, fix] =
    error instanceof NoResponseError
      ? [undefined, "A proxy that holds everything back until the end, or a route that hangs."]
      : (causes.find(([pattern]) => pattern.test(code)) ?? []);
  return fault("no-response", `${url} sent no response: ${toWords(code, message)}`, {
    culprit,
    fixes: fix === undefined ? [] : [fix],
  });
}

function toWords(code: string, message: string): string {
  // OpenSSL names its own source files.
  if (code === "" || message.includes("openssl")) return code || message;
  return message.includes(code) ? message : [code, message].filter((text) => text !== "").join(": ");
}
