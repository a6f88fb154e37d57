import { expect, test } from "vitest";
import { NoResponseError } from "../../src/doctor/ask-route.ts";
import { describeFailure } from "../../src/doctor/describe-failure.ts";

const url = new URL("https://host/");
const errorOf = (code: string, message: string) => Object.assign(new Error(message), { code });

test.each([
  [errorOf("ECONNREFUSED", ""), "ECONNREFUSED", "Nothing listens on this port."],
  [errorOf("ENOTFOUND", "getaddrinfo ENOTFOUND host"), "getaddrinfo ENOTFOUND host", "The name of the host"],
  [errorOf("ECONNRESET", "socket hang up"), "ECONNRESET: socket hang up", "The server closed the connection"],
  [
    errorOf("ERR_SSL_WRONG_VERSION_NUMBER", "40:error:../deps/openssl/record.c:77:\n"),
    "ERR_SSL_WRONG_VERSION_NUMBER",
    "The port does not speak TLS.",
  ],
  [
    errorOf("ERR_TLS_CERT_ALTNAME_INVALID", "No"),
    "ERR_TLS_CERT_ALTNAME_INVALID: No",
    "The certificate belongs",
  ],
  [errorOf("CERT_HAS_EXPIRED", "No"), "CERT_HAS_EXPIRED: No", "The certificate has expired."],
  [
    errorOf("DEPTH_ZERO_SELF_SIGNED_CERT", "No"),
    "DEPTH_ZERO_SELF_SIGNED_CERT: No",
    "This machine does not trust",
  ],
  [
    new NoResponseError("no response within 5 s"),
    "no response within 5 s",
    "A proxy that holds everything back",
  ],
])("%s has a likely cause", (error, words, culprit) => {
  expect(describeFailure(error, url)).toMatchObject({
    id: "no-response",
    what: `https://host/ sent no response: ${words}`,
    culprit: expect.stringMatching(new RegExp(`^${culprit}`)),
  });
});
